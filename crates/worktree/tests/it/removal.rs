//! Removal returns at once, frees everything, disturbs nobody, and deletes later.

use std::time::Duration;

use hedgerow_worktree::{
    Disposition, Fate, GitAccess, LocalOptions, LocalWorktrees, Request, Worktree, WorktreeManager,
};
use serde_json::json;

use crate::repo::{Repo, id, request, status, write};

/// A manager that never gets to delete an entry of git's.
fn patient(repo: &Repo) -> LocalWorktrees {
    let options = LocalOptions::default().grace(Some(Duration::from_secs(3600)));
    LocalWorktrees::open_with(repo.path(), options).unwrap()
}

fn admin_of(repo: &Repo, name: &str) -> std::path::PathBuf {
    let entries = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).expect("there is an entry")
}

async fn removed(manager: &LocalWorktrees, worktree: Worktree) {
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
}

#[tokio::test]
async fn a_git_that_has_read_an_entry_just_before_it_left_still_finds_all_of_it() {
    let repo = Repo::new();
    let manager = patient(&repo);
    let worktree = manager.create(request("fix")).await.unwrap();
    let admin = admin_of(&repo, "fix");
    let before: Vec<_> = ["commondir", "locked", "index"].map(|file| std::fs::read(admin.join(file)).unwrap()).into();
    removed(&manager, worktree).await;
    let after: Vec<_> = ["commondir", "locked", "index"].map(|file| std::fs::read(admin.join(file)).unwrap()).into();
    assert_eq!(after, before);
    assert_eq!(std::fs::read_to_string(admin.join("HEAD")).unwrap().trim_end(), repo.head().as_str());
    assert!(!admin.join("gitdir").exists());
}

#[tokio::test]
async fn an_entry_that_is_leaving_is_no_worktree_for_git_and_nobody_prunes_it() {
    let repo = Repo::new();
    repo.git(["remote", "add", "self", "."]);
    let manager = patient(&repo);
    let worktree = manager.create(request("fix")).await.unwrap();
    removed(&manager, worktree).await;
    let admin = admin_of(&repo, "fix");
    repo.assert_sound();
    assert_eq!(repo.git(["worktree", "list", "--porcelain"]).matches("worktree ").count(), 1);
    for args in [&["fetch", "-q", "self"][..], &["worktree", "prune"], &["gc", "-q"], &["fsck", "--strict"]] {
        repo.git(args);
    }
    let theirs = repo.root().join("theirs");
    repo.git(["worktree", "add", "-q", "-b", "fix", theirs.to_str().unwrap()]);
    repo.git(["worktree", "remove", theirs.to_str().unwrap()]);
    assert!(admin.exists(), "somebody deleted it before its time");
    assert!(manager.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn id_branch_and_path_are_free_while_the_last_one_is_still_being_deleted() {
    let repo = Repo::new();
    let manager = patient(&repo);
    for git in [GitAccess::Direct, GitAccess::Private, GitAccess::Private, GitAccess::Direct] {
        let worktree = manager.create(Request { git, ..request("fix") }).await.unwrap();
        assert_eq!(status(worktree.path()), "");
        write(&worktree.path().join("work"), "x\n");
        removed(&manager, worktree).await;
        repo.assert_sound();
    }
    let entries = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().count();
    assert_eq!(entries, 4, "the entries stay for a while");
    let living = manager.create(request("fix")).await.unwrap();
    repo.purge();
    assert_eq!(std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().count(), 1);
    assert_eq!(status(living.path()), "", "the purge took something of the one that lives");
    assert_eq!(manager.capture(&living, crate::capture::message()).await.unwrap().tip, repo.head());
}

#[tokio::test]
async fn a_branch_in_a_rebase_that_left_with_its_tree_is_not_in_use_any_more() {
    let repo = Repo::new();
    let manager = patient(&repo);
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&admin_of(&repo, "fix").join("rebase-merge/head-name"), "refs/heads/fix\n");
    removed(&manager, worktree).await;
    let again = manager.create(request("fix")).await.unwrap();
    assert_eq!(again.branch().unwrap().as_str(), "fix");
}

#[tokio::test]
async fn what_left_is_deleted_in_the_background_without_being_asked_for() {
    let repo = Repo::new();
    let clean = repo.traces();
    let options = LocalOptions::default().grace(Some(Duration::from_millis(50)));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    for _ in 0..3 {
        let worktree = manager.create(request("fix")).await.unwrap();
        removed(&manager, worktree).await;
    }
    while repo.untouched_traces() != clean {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_an_ended_process_had_not_deleted_is_deleted_by_the_next_one() {
    let repo = Repo::new();
    let clean = repo.traces();
    let manager = patient(&repo);
    let worktree = manager.create(request("fix")).await.unwrap();
    removed(&manager, worktree).await;
    drop(manager);
    assert_ne!(repo.untouched_traces(), clean, "the entry must stay for its time");
    let options = LocalOptions::default().grace(Some(Duration::ZERO));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    assert!(manager.recover().await.unwrap().mended.is_empty(), "the removal itself was complete");
    while repo.untouched_traces() != clean {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_purge_waits_until_nothing_is_left_and_can_be_dropped() {
    let repo = Repo::new();
    let clean = repo.traces();
    let options = LocalOptions::default().grace(Some(Duration::from_millis(300)));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    removed(&manager, worktree).await;
    assert!(tokio::time::timeout(Duration::from_millis(1), patient(&repo).purge()).await.is_err(), "it did not wait");
    assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
    assert_eq!(repo.untouched_traces(), clean);
    assert_eq!(manager.purge().await.unwrap(), hedgerow_worktree::Purged::default());
}

#[tokio::test]
async fn a_clock_that_jumped_or_belongs_to_another_boot_keeps_nothing_for_ever() {
    let repo = Repo::new();
    let clean = repo.traces();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let ahead = json!({ "boot": boot.trim(), "millis": u64::MAX });
    for written in [json!({ "boot": "another", "millis": 1 }), ahead, serde_json::Value::Null] {
        let manager = patient(&repo);
        let worktree = manager.create(request("fix")).await.unwrap();
        removed(&manager, worktree).await;
        drop(manager);
        let trash = repo.path().join(".git/hedgerow/trash");
        let find = |name: &str| {
            let mut all = std::fs::read_dir(&trash).unwrap().map(|entry| entry.unwrap().path());
            all.find(|path| path.extension().is_some_and(|e| e == name)).unwrap()
        };
        let (record, link) = (find("json"), find("left"));
        let mut departure: serde_json::Value =
            serde_json::from_slice(std::fs::read_link(&link).unwrap().as_os_str().as_encoded_bytes()).unwrap();
        std::fs::remove_file(&link).unwrap();
        if written.is_null() {
            // As an earlier version left it.
            let mut value: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
            value["written"] = written;
            std::fs::write(&record, value.to_string()).unwrap();
        } else {
            departure["since"] = written;
            std::os::unix::fs::symlink(departure.to_string(), &link).unwrap();
        }
        let options = LocalOptions::default().grace(Some(Duration::from_millis(40)));
        let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
        assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
        assert_eq!(repo.untouched_traces(), clean);
    }
}

#[tokio::test]
async fn a_record_in_the_trash_that_cannot_be_read_is_reported_and_nothing_of_it_deleted() {
    let repo = Repo::new();
    let manager = patient(&repo);
    let worktree = manager.create(request("fix")).await.unwrap();
    removed(&manager, worktree).await;
    drop(manager);
    let admin = admin_of(&repo, "fix");
    let record = repo.path().join(format!(".git/hedgerow/trash/{}.json", admin.file_name().unwrap().to_str().unwrap()));
    for damage in ["", "{", "{\"version\": 99}"] {
        std::fs::write(&record, damage).unwrap();
        let options = LocalOptions::default().grace(Some(Duration::ZERO));
        let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
        let left = manager.purge().await.unwrap().left;
        assert!(left.len() == 1 && left[0].contains("damaged"), "{left:?}");
        assert_eq!(manager.recover().await.unwrap().left, Vec::<String>::new());
        assert!(admin.exists() && record.exists());
        let again = manager.create(request("fix")).await.unwrap();
        removed(&manager, again).await;
    }
}

#[test]
fn neither_a_runtime_nor_a_manager_that_ends_waits_for_the_trash() {
    let repo = Repo::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let manager = patient(&repo);
        let worktree = manager.create(request("fix")).await.unwrap();
        removed(&manager, worktree).await;
        // Asked for and dropped: nobody is waited for.
        let _ = tokio::time::timeout(Duration::from_millis(1), manager.purge()).await;
    });
    drop(runtime);
    let left = repo.untouched_traces();
    assert!(left.iter().any(|trace| trace.ends_with(".json")), "{left:?}");
}

/// A directory of the user's that is also to be seen in another place, until this is dropped.
struct Bound {
    from: std::path::PathBuf,
    below: std::path::PathBuf,
}

impl Bound {
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    fn mount(below: &std::path::Path, at: &std::path::Path) -> Option<Self> {
        let bound = Self { from: below.join("data"), below: below.to_owned() };
        write(&bound.from.join("precious"), "of the user\n");
        write(&bound.from.join("deep/precious"), "of the user\n");
        std::fs::create_dir_all(at).unwrap();
        let mounted = std::process::Command::new("mount").arg("--bind").args([&bound.from, at]).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(bound);
        }
        let required = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
        let required = required.split(',').any(|name| name == "native" || name == "mounts");
        assert!(!required, "mounts are required, and nothing can be mounted");
        eprintln!("SKIPPED: nothing can be mounted here, so no tree had a mount in it");
        None
    }

    /// Takes it away, wherever it was moved to.
    fn unmount(&self) {
        // Whoever deletes in the background gives the directories around it other names meanwhile.
        for _ in 0..200 {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
            let mut all = mounts.lines().filter_map(|line| line.split(' ').nth(4));
            let Some(at) = all.find(|at| std::path::Path::new(at).starts_with(&self.below)) else { return };
            std::process::Command::new("umount").arg(at).output().unwrap();
        }
        panic!("the mount is still there");
    }

    fn assert_whole(&self) {
        for file in ["precious", "deep/precious"] {
            assert_eq!(std::fs::read_to_string(self.from.join(file)).unwrap(), "of the user\n");
        }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.unmount();
        }
    }
}

#[tokio::test]
async fn what_is_mounted_into_a_tree_is_not_deleted_with_it() {
    let repo = Repo::new();
    repo.write(".gitignore", "cache/\n");
    repo.commit("ignore");
    for place in ["cache", "cache/deeper"] {
        let grace = Some(Duration::ZERO);
        let manager = LocalWorktrees::open_with(repo.path(), LocalOptions::default().grace(grace)).unwrap();
        let worktree = manager.create(request("fix")).await.unwrap();
        let Some(bound) = Bound::mount(&repo.root(), &worktree.path().join(place)) else { return };
        removed(&manager, worktree).await;
        let purged = manager.purge().await.unwrap();
        bound.assert_whole();
        assert_eq!(purged.left.len(), 1, "nobody said that the tree is still there: {purged:?}");
        bound.unmount();
        assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
        bound.assert_whole();
        assert_eq!(std::fs::read_dir(repo.root().join("repo.worktrees")).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rescued_beside_a_garbage_collection_that_prunes_everything_is_whole() {
    let repo = Repo::new();
    let manager = repo.manager();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (stop, path) = (done.clone(), repo.path().to_owned());
    let collecting = std::thread::spawn(move || {
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            // It fails now and then, as it does beside any other program that makes refs.
            let _ = crate::repo::try_git(&path, ["gc", "-q", "--prune=now"]);
        }
    });
    let mut removed = 0;
    for n in 0..60 {
        let name = format!("fix-{n}");
        let Ok(worktree) = manager.create(request(&name)).await else { continue };
        write(&worktree.path().join("work"), &format!("{n}\n"));
        write(&worktree.path().join("deep/er/work"), &format!("deep {n}\n"));
        let path = worktree.path().to_owned();
        match manager.release(worktree, Disposition::Archive).await.unwrap().fate {
            Fate::Removed => {
                removed += 1;
                let rescues = manager.rescues(&id(&name)).await.unwrap();
                let last = rescues.last().unwrap_or_else(|| panic!("nothing of {name} was rescued"));
                repo.git(["rev-list", "--objects", "--quiet", &last.reference]);
                assert_eq!(repo.git(["show", &format!("{}:deep/er/work", last.reference)]), format!("deep {n}"));
            }
            _ => assert!(path.join("work").exists()),
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    collecting.join().unwrap();
    assert!(removed > 30, "only {removed} of 60 were removed");
    for line in repo.git(["for-each-ref", "--format=%(refname)", "refs/hedgerow/rescue"]).lines() {
        repo.git(["rev-list", "--objects", "--quiet", line]);
    }
}
