//! What becomes of a worktree and of the work in it when its lease ends.

use std::os::unix::fs::{PermissionsExt, symlink};

use hedgerow_worktree::{
    CommitId, Disposition, Error, Fate, GitAccess, Keeper, Message, Notice, Released, Request, Worktree,
    WorktreeManager,
};

use crate::repo::{Repo, git_in, id, request, status, write};

fn message() -> Message {
    Message { text: "work".into(), name: "An Agent".into(), email: "agent@example.com".into() }
}

/// The commits that it named, in its order.
fn commits(released: &Released) -> Vec<CommitId> {
    released.rescues.iter().map(|rescue| rescue.commit.clone()).collect()
}

fn commit_in(worktree: &Worktree, file: &str) -> CommitId {
    write(&worktree.path().join(file), "committed\n");
    git_in(worktree.path(), ["add", "-A"]);
    git_in(worktree.path(), ["commit", "-q", "-m", "work"]);
    CommitId::new(git_in(worktree.path(), ["rev-parse", "HEAD"])).unwrap()
}

#[tokio::test]
async fn a_kept_worktree_stays_and_nobody_prunes_it() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    write(&path.join("work"), "x\n");
    let released = manager.release(worktree, Disposition::Keep).await.unwrap();
    assert_eq!(released.fate, Fate::kept(&path, Keeper::Request, None));
    assert_eq!(released.rescues, []);
    repo.git(["worktree", "prune", "--expire=now"]);
    assert_eq!(status(&path), "?? work");
    assert!(repo.git(["worktree", "list", "--porcelain"]).contains("locked hedgerow worktree fix: kept"));
    assert!(matches!(manager.create(request("fix")).await, Err(Error::Occupied { .. })));
}

#[tokio::test]
async fn an_archived_worktree_is_gone_and_all_of_it_is_under_a_rescue_ref() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    let committed = commit_in(&worktree, "committed");
    write(&path.join("uncommitted"), "left lying\n");
    std::fs::remove_file(path.join("README")).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();

    assert_eq!(released.fate, Fate::Removed);
    let [rescue] = &released.rescues[..] else { panic!("{released:?}") };
    assert_eq!(repo.git(["rev-parse", &rescue.reference]), rescue.commit.as_str());
    assert_eq!(repo.git(["show", &format!("{}:uncommitted", rescue.reference)]), "left lying");
    let files = repo.git(["ls-tree", "-r", "--name-only", &rescue.reference]);
    assert!(!files.contains("README") && files.contains("committed"), "{files}");
    repo.git(["merge-base", "--is-ancestor", committed.as_str(), &rescue.reference]);
    assert!(!path.exists());
    assert_eq!(repo.git(["branch", "--list", "fix"]), "");
    assert_eq!(repo.git(["worktree", "list", "--porcelain"]).matches("worktree ").count(), 1);
    repo.purge();
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/base"]), "");
    assert_eq!(manager.rescues(&id("fix")).await.unwrap(), released.rescues);
    repo.assert_sound();
    let again = manager.create(request("fix")).await.unwrap();
    assert_eq!(status(again.path()), "");
}

#[tokio::test]
async fn an_archived_worktree_without_work_leaves_nothing_at_all() {
    let repo = Repo::new();
    let manager = repo.manager();
    let before = repo.traces();
    for git in [GitAccess::Direct, GitAccess::Private] {
        let worktree = manager.create(Request { git, ..request("fix") }).await.unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!((released.fate, released.rescues), (Fate::Removed, vec![]));
        assert_eq!(repo.traces(), before);
    }
    let worktree = manager.create(Request::detached(id("gate"), repo.head())).await.unwrap();
    manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn a_merged_worktree_needs_no_rescue() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    commit_in(&worktree, "committed");
    repo.git(["merge", "-q", "--no-ff", "-m", "merge", "fix"]);
    let released = manager.release(worktree, Disposition::Merged { into: repo.head() }).await.unwrap();
    assert_eq!((released.fate, released.rescues), (Fate::Removed, vec![]));
    assert_eq!(repo.git(["branch", "--list", "fix"]), "");
    repo.assert_sound();
}

#[tokio::test]
async fn what_is_not_merged_after_all_is_rescued_first() {
    let repo = Repo::new();
    let manager = repo.manager();
    let unknown = CommitId::new("0123456789012345678901234567890123456789").unwrap();
    for (n, into) in [repo.head(), unknown].into_iter().enumerate() {
        let worktree = manager.create(request(&format!("fix-{n}"))).await.unwrap();
        let work = commit_in(&worktree, "committed");
        let released = manager.release(worktree, Disposition::Merged { into }).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        assert_eq!(commits(&released), [work]);
    }
}

#[tokio::test]
async fn commits_that_only_a_detached_head_reached_are_rescued() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(Request::detached(id("gate"), repo.head())).await.unwrap();
    let work = commit_in(&worktree, "committed");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_eq!(commits(&released), [work]);
}

#[tokio::test]
async fn a_nested_repository_keeps_the_tree() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    let nested = path.join("vendor/lib");
    std::fs::create_dir_all(&nested).unwrap();
    git_in(&nested, ["init", "-q"]);
    git_in(&nested, ["commit", "-q", "--allow-empty", "-m", "history of its own"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    match released.fate {
        Fate::Kept { path: kept, by: Keeper::Work, why: Some(why), .. } => {
            assert_eq!(kept, path);
            assert!(why.contains("vendor/lib"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    git_in(&nested, ["log", "-1"]);
    assert!(repo.git(["worktree", "list", "--porcelain"]).contains("kept, "));
}

#[tokio::test]
async fn a_tree_that_stays_tells_everything_that_was_noticed_and_not_only_what_keeps_it() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    git_in(&path, ["init", "-q", "vendor"]);
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    let captured = manager.capture(&worktree, message()).await.unwrap().notices;
    assert!(captured.iter().any(|one| matches!(one, Notice::NestedRepository { .. })), "{captured:?}");
    assert!(captured.iter().any(|one| matches!(one, Notice::Unstorable { .. })), "{captured:?}");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { by: Keeper::Work, .. }), "{released:?}");
    assert_eq!(released.notices, captured);
}

#[tokio::test]
async fn a_git_directory_in_place_of_the_git_file_keeps_the_tree() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    std::fs::remove_file(path.join(".git")).unwrap();
    git_in(&path, ["init", "-q"]);
    git_in(&path, ["commit", "-q", "--allow-empty", "-m", "history of its own"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    git_in(&path, ["log", "-1"]);
}

#[tokio::test]
async fn another_directory_in_place_of_the_tree_is_never_deleted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    std::fs::rename(&path, repo.root().join("moved")).unwrap();
    write(&path.join("mine"), "somebody else's\n");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    assert!(path.join("mine").exists());
    assert!(repo.root().join("moved/README").exists());
}

#[tokio::test]
async fn a_tree_that_somebody_deleted_leaves_its_commits() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let work = commit_in(&worktree, "committed");
    std::fs::remove_dir_all(worktree.path()).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_eq!(commits(&released), [work]);
    repo.assert_sound();
}

#[tokio::test]
async fn a_tree_that_was_moved_is_not_taken_for_deleted() {
    for by_git in [true, false] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let path = worktree.path().to_owned();
        let away = repo.root().join("elsewhere");
        write(&path.join("work"), "not committed\n");
        let (from, to) = (path.to_str().unwrap(), away.to_str().unwrap());
        if by_git {
            repo.git(["worktree", "move", "-f", "-f", from, to]);
        } else {
            std::fs::rename(from, to).unwrap();
            repo.git(["worktree", "repair", to]);
        }
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        let Fate::Kept { why: Some(why), .. } = released.fate else { panic!("{:?}", released.fate) };
        assert!(why.contains("elsewhere"), "{why}");
        assert_ne!(repo.git(["branch", "--list", "fix"]), "", "the branch of a living tree was deleted");
        assert_eq!(status(&away), "?? work");

        repo.git(["worktree", "move", "-f", "-f", to, from]);
        let worktree = manager.adopt(&id("fix")).await.unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        let rescue = released.rescues.last().unwrap();
        assert_eq!(repo.git(["show", &format!("{}:work", rescue.reference)]), "not committed");
    }
}

#[tokio::test]
async fn trees_on_a_volume_that_is_not_mounted_are_not_taken_for_deleted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let (trees, away) = (repo.root().join("repo.worktrees"), repo.root().join("unmounted"));
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "not committed\n");
    std::fs::rename(&trees, &away).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");

    std::fs::rename(&away, &trees).unwrap();
    let worktree = manager.adopt(&id("fix")).await.unwrap();
    // The directory in which another file system was mounted.
    let record = manager.state_dir().join("worktrees/fix.json");
    let text = std::fs::read(&record).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    value["root"]["device"] = 1.into();
    std::fs::write(&record, value.to_string()).unwrap();
    std::fs::rename(&trees, &away).unwrap();
    std::fs::create_dir(&trees).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");
}

#[tokio::test]
async fn removal_follows_no_symlink_and_stops_at_no_permission() {
    let repo = Repo::new();
    let manager = repo.manager();
    let outside = repo.root().join("outside");
    write(&outside.join("precious"), "x\n");
    repo.write(".gitignore", "/node_modules\n/build\n");
    repo.commit("ignore");
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    symlink(&outside, path.join("node_modules")).unwrap();
    write(&path.join("build/deep/file"), "x\n");
    std::fs::set_permissions(path.join("build/deep"), std::fs::Permissions::from_mode(0o500)).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert!(!path.exists());
    repo.purge();
    assert_eq!(std::fs::read_to_string(outside.join("precious")).unwrap(), "x\n");
    assert_eq!(std::fs::read_dir(repo.root().join("repo.worktrees")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_branch_that_others_are_on_stays() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let other = repo.root().join("other");
    repo.git(["worktree", "add", "-q", "-f", other.to_str().unwrap(), "fix"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");
    assert_eq!(status(&other), "");
    repo.assert_sound();
}

#[tokio::test]
async fn a_branch_that_another_checkout_was_forced_onto_is_not_moved_and_the_work_is_rescued() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    let before = repo.head();
    write(&worktree.path().join("work"), "the only copy\n");
    let capture = manager.capture(&worktree, message()).await.unwrap();
    let in_use = |notice: &Notice| matches!(notice, Notice::BranchInUse { by } if by.contains("main checkout"));
    assert!(capture.notices.iter().any(in_use), "{capture:?}");
    assert_eq!((repo.head(), status(repo.path())), (before.clone(), String::new()));
    let again = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!((again.tip, again.snapshot), (capture.tip.clone(), Some(capture.tip)), "the same is captured twice");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    assert!(released.notices.iter().any(in_use), "{released:?}");
    assert_eq!((repo.head(), status(repo.path())), (before, String::new()));
    let rescue = &released.rescues.last().unwrap().reference;
    assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy");
    repo.assert_sound();
}

#[tokio::test]
async fn a_commit_of_somebody_elses_is_not_taken_for_what_was_captured_before() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    write(&worktree.path().join("work"), "x\n");
    let ours = manager.capture(&worktree, message()).await.unwrap().tip;
    let text = repo.git(["cat-file", "commit", ours.as_str()]);
    for (from, to) in [("author An Agent", "author Somebody Else"), ("\n\n", "\nclaim of-somebody-else\n\n")] {
        std::fs::write(repo.root().join("forged"), format!("{}\n", text.replacen(from, to, 1))).unwrap();
        let forged = repo.git(["hash-object", "-t", "commit", "-w", "--literally", "../forged"]);
        repo.git(["update-ref", "refs/hedgerow/rescue/fix/1", &forged]);
        let tip = manager.capture(&worktree, message()).await.unwrap().tip;
        assert_ne!(tip.as_str(), forged);
        assert_eq!(repo.git(["log", "-1", "--format=%an", tip.as_str()]), "An Agent");
        repo.git(["update-ref", "-d", "refs/hedgerow/rescue/fix/2"]);
    }
}

#[tokio::test]
async fn the_handle_of_an_older_lease_can_do_nothing() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    // What a handover while this process was cut off from its disk would leave.
    let record = manager.state_dir().join("worktrees/fix.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["holder"]["lease"] = "somebody else's".into();
    std::fs::write(&record, value.to_string()).unwrap();
    let before = repo.traces();
    assert!(matches!(manager.capture(&worktree, message()).await, Err(Error::LeaseLost { .. })));
    assert!(matches!(manager.release(worktree, Disposition::Archive).await, Err(Error::LeaseLost { .. })));
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn the_handle_of_another_repository_can_do_nothing() {
    let (one, two) = (Repo::new(), Repo::new());
    let worktree = one.manager().create(request("fix")).await.unwrap();
    let _same = two.manager().create(request("fix")).await.unwrap();
    let before = (one.traces(), two.traces());
    assert!(matches!(two.manager().capture(&worktree, message()).await, Err(Error::LeaseLost { .. })));
    assert!(matches!(two.manager().release(worktree, Disposition::Archive).await, Err(Error::LeaseLost { .. })));
    assert_eq!((one.traces(), two.traces()), before);
}

#[tokio::test]
async fn bystanders_on_a_disk_that_is_not_mounted_survive_a_removal() {
    let repo = Repo::new();
    let manager = repo.manager();
    let bystander = repo.root().join("bystander");
    repo.git(["worktree", "add", "-q", bystander.to_str().unwrap()]);
    std::fs::rename(&bystander, repo.root().join("unmounted")).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    manager.release(worktree, Disposition::Archive).await.unwrap();
    drop(manager.recover().await.unwrap());
    std::fs::rename(repo.root().join("unmounted"), &bystander).unwrap();
    assert_eq!(status(&bystander), "");
}

#[tokio::test]
async fn a_discarded_tree_is_gone_with_what_a_gate_wrote_and_leaves_no_ref() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(Request::detached(id("gate"), repo.head())).await.unwrap();
    let path = worktree.path().to_owned();
    write(&path.join("junk"), "of a build\n");
    let released = manager.release(worktree, Disposition::Discard).await.unwrap();
    assert_eq!((released.fate, released.rescues), (Fate::Removed, vec![]));
    assert!(!path.exists());
    repo.purge();
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow"]), "");
    repo.assert_sound();
}

#[tokio::test]
async fn a_tree_with_a_branch_cannot_be_discarded() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    write(&path.join("work"), "x\n");
    let released = manager.release(worktree, Disposition::Discard).await.unwrap();
    assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("fix")), "{released:?}");
    assert_eq!(status(&path), "?? work");
}

#[tokio::test]
async fn what_was_kept_because_something_failed_is_handed_out_again_by_the_next_recovery() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let lock = repo.path().join(".git/refs/heads/fix.lock");
    std::fs::write(&lock, "").unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    std::fs::remove_file(&lock).unwrap();

    let mut recovery = manager.recover().await.unwrap();
    let again = recovery.adopted.pop().unwrap();
    let released = manager.release(again, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    let rescue = released.rescues.last().unwrap();
    assert_eq!(repo.git(["show", &format!("{}:work", rescue.reference)]), "x");
    repo.assert_sound();
}

#[tokio::test]
async fn work_whose_commit_claims_to_be_old_was_rescued_today() {
    let repo = Repo::new();
    repo.git(["config", "core.logAllRefUpdates", "false"]);
    let manager = repo.manager();
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    git_in(worktree.path(), ["add", "-A"]);
    git_in(worktree.path(), ["commit", "-q", "-m", "of 2024"]);
    manager.release(worktree, Disposition::Archive).await.unwrap();
    repo.git(["pack-refs", "--all"]);
    let mut rescues = manager.all_rescues().await.unwrap();
    assert!(rescues[0].time.is_some_and(|time| time > before), "{rescues:?}");
    manager.forget(&rescues.remove(0).rescue).await.unwrap();
    assert!(!repo.git(["for-each-ref"]).contains("rescue/fix/1"));
}

#[tokio::test]
async fn a_tree_that_could_not_be_moved_away_is_leased_again_and_what_is_written_later_is_not_deleted() {
    for disposition in [Disposition::Archive, Disposition::Discard] {
        let repo = Repo::new();
        let manager = repo.manager();
        let request = match disposition {
            Disposition::Discard => Request::detached(id("fix"), repo.head()),
            _ => request("fix"),
        };
        let worktree = manager.create(request).await.unwrap();
        write(&worktree.path().join("work"), "x\n");
        let text = std::fs::read(manager.state_dir().join("worktrees/fix.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let trash = std::path::PathBuf::from(record["trash"].as_str().unwrap());
        write(&trash.join("in the way"), "x\n");
        let released = manager.release(worktree, disposition).await.unwrap();
        let Fate::Kept { path, why: Some(why), .. } = released.fate else { panic!("{:?}", released.fate) };
        assert!(why.contains("trash"), "{why}");
        write(&path.join("later"), "not captured\n");
        let mut recovery = manager.recover().await.unwrap();
        assert_eq!((recovery.left, recovery.mended), (vec![], vec![]));
        std::fs::remove_dir_all(&trash).unwrap();
        let worktree = recovery.adopted.pop().expect("it is an orphan");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        let rescue = released.rescues.last().unwrap();
        assert_eq!(repo.git(["show", &format!("{}:later", rescue.reference)]), "not captured");
    }
}

#[tokio::test]
async fn ignored_files_beside_an_index_that_cannot_be_read_keep_the_tree() {
    let repo = Repo::new();
    repo.write(".gitignore", "ignored\n");
    repo.commit("ignore");
    let manager = repo.manager();
    for git in [GitAccess::Direct, GitAccess::Private] {
        let worktree = manager.create(Request { git, ..request(&format!("{git:?}").to_lowercase()) }).await.unwrap();
        let path = worktree.path().to_owned();
        write(&path.join("ignored"), "perhaps added by force\n");
        let index = match git {
            GitAccess::Direct => git_in(&path, ["rev-parse", "--git-path", "index"]).into(),
            GitAccess::Private => manager.state_dir().join("views/private/git/index"),
        };
        std::fs::write(&index, "no index").unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        let Fate::Kept { why: Some(why), .. } = &released.fate else { panic!("{released:?}") };
        assert!(why.contains("index") && path.join("ignored").exists(), "{why}");
    }
}
