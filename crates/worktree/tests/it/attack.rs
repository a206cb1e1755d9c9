//! What a hostile agent or a clumsy user may do besides: strange files in the places of ours, exchanged directories, links
//! out of a tree, file systems that change below it, names that nobody expects.

#![expect(clippy::print_stderr, reason = "a test that cannot be had says so")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hedgerow_worktree::pool::{Check, Pool, PoolOptions};
use hedgerow_worktree::{Disposition, Fate, Keeper, LocalOptions, LocalWorktrees, WorktreeManager};

use crate::capture::message;
use crate::repo::{Repo, git_in, id, request, write};

fn run(program: &str, args: &[&OsStr]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// A mount that ends with the test; none where nothing can be mounted.
struct Mounted(PathBuf);

impl Mounted {
    fn new(args: &[&str], at: &Path) -> Option<Self> {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).chain([at.as_os_str()]).collect();
        if run("mount", &args) {
            return Some(Self(at.to_owned()));
        }
        let required = std::env::var("HEDGEROW_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name == "mounts"));
        assert!(!required, "mounts are required, and nothing can be mounted");
        eprintln!("SKIPPED: nothing can be mounted here");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["--lazy".as_ref(), self.0.as_os_str()]);
    }
}

/// Puts something strange there.
fn plant(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
    match kind {
        "fifo" => assert!(run("mkfifo", &[path.as_os_str()])),
        "directory" => fs::create_dir(path).unwrap(),
        "link" => symlink("/nowhere/at/all", path).unwrap(),
        "huge" => fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
        "garbage" => fs::write(path, b"\xff\0\n{[[[").unwrap(),
        other => panic!("{other}"),
    }
}

const KINDS: [&str; 5] = ["fifo", "directory", "link", "huge", "garbage"];

/// What is released, and what is to be written or locked on the way.
fn attacked() -> Vec<(&'static str, Disposition)> {
    let removed = ["lock", "generation", "generation.tmp", "history.lock", "history.tmp", "purge"];
    let removed = removed.map(|file| (file, Disposition::Archive));
    // Only what is kept has its record written anew.
    removed.into_iter().chain([("worktrees/fix.json.tmp", Disposition::Keep)]).collect()
}

#[tokio::test]
async fn nothing_that_is_in_the_place_of_a_file_of_ours_makes_anybody_wait_for_ever_or_lose_work() {
    for (file, disposition) in attacked() {
        for kind in KINDS {
            let moment = format!("{kind} at {file}");
            let repo = Repo::new();
            let options = LocalOptions::default().grace(Some(Duration::ZERO));
            let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
            let worktree = manager.create(request("fix")).await.unwrap();
            write(&worktree.path().join("work"), "the only copy\n");
            let (path, at) = (worktree.path().join("work"), manager.state_dir().join(file));
            if file == "history.tmp" {
                // So large that it is made smaller by whoever writes the next line.
                fs::write(manager.state_dir().join("history"), format!("{:1023}\n", "").repeat(3 << 10)).unwrap();
            }
            plant(kind, &at);
            let released = manager.release(worktree, disposition.clone()).await;
            match &released {
                Ok(released) if released.fate == Fate::Removed => {
                    let rescue = &released.rescues.last().expect("there was work").reference;
                    assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy", "{moment}");
                }
                Ok(_) | Err(_) => assert!(path.exists(), "{moment}"),
            }
            // A link, a pipe and a directory are nothing into which a record is written.
            let strange = ["fifo", "directory", "link"].contains(&kind);
            let hindered = disposition == Disposition::Keep && strange;
            let failed = released.as_ref().is_ok_and(|r| matches!(r.fate, Fate::Kept { by: Keeper::Failure, .. }));
            assert!(
                failed || !hindered,
                "{moment}: the release never came to it, or gave another answer: {released:?}"
            );
            let _ = manager.list().await;
            let _ = manager.doctor().await;
            if file == "purge" {
                let _ = manager.purge().await;
            }
            let _ = manager.create(request("other")).await;
            // And when somebody has taken it away, everything goes on.
            let _ = fs::remove_file(&at);
            let _ = fs::remove_dir_all(&at);
            let mut left = manager.recover().await.unwrap_or_else(|e| panic!("{moment}: {e}")).adopted;
            if path.exists() && left.iter().all(|worktree| *worktree.id() != id("fix")) {
                left.push(manager.adopt(&id("fix")).await.unwrap_or_else(|e| panic!("{moment}: {e}")));
            }
            for worktree in left {
                let released = manager.release(worktree, Disposition::Archive).await.unwrap();
                assert_eq!(released.fate, Fate::Removed, "{moment}");
            }
            let rescues = manager.rescues(&id("fix")).await.unwrap();
            let last = rescues.last().unwrap_or_else(|| panic!("{moment}: nothing was rescued"));
            assert_eq!(repo.git(["show", &format!("{}:work", last.reference)]), "the only copy", "{moment}");
        }
    }
}

#[tokio::test]
async fn packed_refs_that_are_no_file_make_nobody_wait_for_ever() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "the only copy\n");
    let packed = repo.path().join(".git/packed-refs");
    plant("fifo", &packed);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { by: Keeper::Failure, why: Some(why), .. } = &released.fate else { panic!("{released:?}") };
    assert!(why.contains("packed-refs"), "{why}");
    fs::remove_file(&packed).unwrap();
    let worktree = manager.recover().await.unwrap().adopted.pop().unwrap();
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
}

#[tokio::test]
async fn what_is_linked_into_a_pooled_tree_is_never_written_through() {
    let repo = Repo::new();
    let manager = repo.manager();
    let slots = std::num::NonZeroUsize::MIN;
    for check in [Check::Difference, Check::Everything] {
        let pool = Pool::open(manager.clone(), PoolOptions { check, ..PoolOptions::new(slots) }).await.unwrap();
        pool.refill(&hedgerow_worktree::Base::Head).await.unwrap();
        let worktree = pool.create(request("fix")).await.unwrap();
        let victims = ["README", ".git", "src/main.rs"].map(|name| {
            let victim = repo.root().join(format!("victim-{}", name.replace('/', "-")));
            let _ = fs::remove_file(&victim);
            fs::write(&victim, "of somebody else\n").unwrap();
            let place = worktree.path().join(name);
            let git_file = fs::read(&place).unwrap();
            if name == ".git" {
                fs::write(&victim, git_file).unwrap();
            }
            fs::remove_file(&place).unwrap();
            fs::hard_link(&victim, &place).unwrap();
            (victim.clone(), fs::read(&victim).unwrap())
        });
        let released = pool.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{released:?}");
        repo.write("README", "changed\n");
        repo.commit("another");
        let worktree = pool.create(request("fix")).await.unwrap();
        assert_eq!(fs::read_to_string(worktree.path().join("README")).unwrap(), "changed\n");
        for (victim, before) in victims {
            assert_eq!(fs::read(&victim).unwrap(), before, "{victim:?} was written through a link");
            let inode = fs::metadata(&victim).unwrap().ino().to_string();
            let found = Command::new("find").arg(worktree.path()).args(["-inum", &inode]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{victim:?} is part of a tree that was handed out");
        }
        pool.worktrees().release(worktree, Disposition::Archive).await.unwrap();
        pool.drain().await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_that_is_exchanged_with_a_link_while_it_is_captured_lets_nothing_in_from_outside() {
    let repo = Repo::new();
    let manager = repo.manager();
    let outside = repo.root().join("outside");
    write(&outside.join("file"), "a secret of the host\n");
    let worktree = manager.create(request("fix")).await.unwrap();
    let (inside, link) = (worktree.path().join("d"), worktree.path().join("l"));
    write(&inside.join("file"), "of the tree\n");
    symlink(&outside, &link).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    &inside,
                    rustix::fs::CWD,
                    &link,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
            }
        });
        let captured = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for n in 0..40 {
                write(&worktree.path().join("n"), &format!("{n}\n"));
                let _ = runtime.block_on(manager.capture(&worktree, message()));
            }
        });
        captured.join().unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    let blob = repo.git(["hash-object", outside.join("file").to_str().unwrap()]);
    assert!(!crate::repo::try_git(repo.path(), ["cat-file", "-e", &blob]).status.success(), "it was captured");
    drop(worktree);
    repo.git(["fsck", "--strict"]);
}

#[tokio::test]
async fn a_file_that_grows_and_shrinks_while_it_is_captured_damages_nothing() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let file = worktree.path().join("growing");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut size = 0;
            while !stop.load(Ordering::Relaxed) {
                size = (size * 7 + 4093) % 3_000_000;
                fs::write(&file, vec![u8::try_from(size % 251).unwrap(); size]).unwrap();
            }
        });
        let captured = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for _ in 0..20 {
                runtime.block_on(manager.capture(&worktree, message())).unwrap();
            }
        });
        captured.join().unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    repo.git(["fsck", "--strict", "--full"]);
}

#[tokio::test]
async fn what_is_made_immutable_keeps_the_tree_or_the_trash_and_loses_nothing() {
    for (place, keeps) in [(".", true), ("src/main.rs", false), ("src/deep", false)] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let (root, at) = (worktree.path().to_owned(), worktree.path().join(place));
        write(&root.join("work"), "the only copy\n");
        if !run("chattr", &["+i".as_ref(), at.as_os_str()]) {
            return eprintln!("SKIPPED: this file system knows no immutable files");
        }
        let inode = fs::metadata(&at).unwrap().ino();
        let released = manager.release(worktree, Disposition::Archive).await;
        let free = || {
            let freed = || {
                let found = Command::new("find").arg(repo.root()).args(["-inum", &inode.to_string()]).output().unwrap();
                let paths = String::from_utf8(found.stdout).unwrap();
                paths.lines().all(|path| run("chattr", &["-i".as_ref(), path.as_ref()]))
            };
            // What is above it may be renamed by who empties the trash, just after it was found.
            assert!((0..100).any(|_| freed()), "{place} stays immutable");
        };
        let released = released.unwrap_or_else(|e| {
            free();
            panic!("{place}: {e}")
        });
        let purged = manager.purge().await;
        free();
        let left = purged.unwrap().left;
        assert_eq!(matches!(released.fate, Fate::Kept { .. }), keeps, "{place}: {released:?}");
        if keeps {
            let worktree = manager.recover().await.unwrap().adopted.pop().unwrap();
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        } else {
            assert_eq!(left.len(), 1, "{place}: {left:?}");
        }
        let rescues = manager.rescues(&id("fix")).await.unwrap();
        assert_eq!(repo.git(["show", &format!("{}:work", rescues.last().unwrap().reference)]), "the only copy");
        repo.purge();
        assert!(!root.exists(), "{place}");
    }
}

#[tokio::test]
async fn a_file_system_that_somebody_mounted_over_a_tree_is_not_taken_for_it() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    write(&path.join("work"), "the only copy\n");
    let Some(mounted) = Mounted::new(&["-t", "tmpfs", "none"], &path) else { return };
    manager.capture(&worktree, message()).await.unwrap_err();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { by: Keeper::Moved, .. }), "{released:?}");
    drop(mounted);
    let worktree = manager.adopt(&id("fix")).await.unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_eq!(repo.git(["show", &format!("{}:work", released.rescues.last().unwrap().reference)]), "the only copy");
}

#[tokio::test]
async fn a_repository_that_became_read_only_refuses_in_words_and_goes_on_afterwards() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "the only copy\n");
    let git = repo.path().join(".git");
    let Some(mounted) = Mounted::new(&["--bind", git.to_str().unwrap()], &git) else { return };
    assert!(run("mount", &["-o".as_ref(), "remount,ro,bind".as_ref(), git.as_os_str()]));
    let refused = manager.create(request("other")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("ReadOnly"), "{refused:?}");
    assert!(!repo.root().join("repo.worktrees/other").exists());
    if let Ok(released) = manager.release(worktree, Disposition::Archive).await {
        assert!(matches!(released.fate, Fate::Kept { .. }), "{released:?}");
    }
    assert!(repo.root().join("repo.worktrees/fix/work").exists());
    drop(mounted);
    let worktree = manager.recover().await.unwrap().adopted.pop().unwrap();
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    drop(manager.create(request("other")).await.unwrap());
}

#[tokio::test]
async fn a_disk_without_free_inodes_leaves_nothing_of_a_creation() {
    let repo = Repo::new();
    for n in 0..300 {
        repo.write(&format!("many/{n}"), "x\n");
    }
    repo.commit("many");
    let place = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(&["-t", "tmpfs", "-o", "nr_inodes=100", "none"], place.path()) else { return };
    let options = LocalOptions::default().trees(place.path().join("trees"));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let refused = manager.create(request("fix")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("StorageFull"), "{refused:?}");
    // What it had written is deleted in the background.
    assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(place.path().join("trees")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert_eq!(repo.git(["branch", "--list", "fix"]), "");
    repo.assert_sound();
}

#[tokio::test]
async fn a_repository_whose_path_nobody_expects_works_or_is_refused_before_anything_is_made() {
    let long = "x".repeat(250);
    let names: [&[u8]; 8] =
        [b"a\nb", b"a\xffb", b" a ", b"-a", b"a:b", b"a\"b\\c", "\u{202e}a\u{0301}".as_bytes(), long.as_bytes()];
    for name in names {
        let outer = Repo::new();
        let path = outer.root().join(OsStr::from_bytes(name));
        fs::rename(outer.path(), &path).unwrap();
        let manager = match LocalWorktrees::open(&path) {
            Ok(manager) => manager,
            Err(e) => {
                assert!(e.to_string().contains("UTF-8") && name.contains(&0xff), "{name:?}: {e}");
                continue;
            }
        };
        match manager.create(request("fix")).await {
            Ok(worktree) => {
                assert_eq!(git_in(worktree.path(), ["status", "--porcelain"]), "", "{name:?}");
                write(&worktree.path().join("work"), "x\n");
                manager.capture(&worktree, message()).await.unwrap();
                drop(worktree);
                assert_eq!(manager.doctor().await.unwrap().len(), 1, "{name:?}: that its owner is gone");
                let worktree = manager.recover().await.unwrap().adopted.pop().unwrap();
                let released = manager.release(worktree, Disposition::Archive).await.unwrap();
                assert_eq!(released.fate, Fate::Removed, "{name:?}");
            }
            Err(e) => {
                assert!(!e.to_string().is_empty());
                let manager = LocalWorktrees::open(&path).unwrap();
                assert_eq!(manager.recover().await.unwrap().left, Vec::<String>::new(), "{name:?}");
                assert_eq!(git_in(&path, ["branch", "--list", "fix"]), "", "{name:?}");
                assert_eq!(manager.list().await.unwrap(), [], "{name:?}");
            }
        }
        crate::repo::assert_sound(&path);
    }
}

#[tokio::test]
async fn refs_whose_names_are_no_text_disturb_nobody() {
    let repo = Repo::new();
    let manager = repo.manager();
    let commit = repo.head();
    let common = repo.path().join(".git");
    for name in [&b"a\nb"[..], b"\xff\xfe", b"c\x01", b"d e", b"*", b"HEAD", b"@{1}", b"x.lock"] {
        for dir in ["refs/heads", "refs/hedgerow/base", "refs/hedgerow/rescue/fix"] {
            let path = common.join(dir).join(OsStr::from_bytes(name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{commit}\n")).unwrap();
        }
    }
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "the only copy\n");
    manager.capture(&worktree, message()).await.unwrap();
    assert!(manager.inspect(&id("fix")).await.is_ok());
    manager.list().await.unwrap();
    manager.doctor().await.unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    let last = &released.rescues.last().unwrap().reference;
    assert_eq!(repo.git(["show", &format!("{last}:work")]), "the only copy");
    manager.all_rescues().await.unwrap();
    manager.recover().await.unwrap().left.is_empty().then_some(()).unwrap();
}

#[tokio::test]
async fn a_tree_that_was_copied_to_another_file_system_is_not_taken_for_deleted_while_the_copy_is_near() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let (path, far) = (worktree.path().to_owned(), repo.root().join("far"));
    fs::create_dir(&far).unwrap();
    write(&path.join("work"), "the only copy\n");
    let Some(_mounted) = Mounted::new(&["-t", "tmpfs", "none"], &far) else { return };
    // As `mv` does it between file systems, to the root of one that is mounted beside the repository.
    assert!(run("cp", &["-a".as_ref(), path.join(".").as_os_str(), far.as_os_str()]));
    fs::remove_dir_all(&path).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = &released.fate else { panic!("{released:?}") };
    assert!(why.contains("far"), "{why}");
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");
    assert!(far.join("work").exists());
}

#[tokio::test]
async fn links_that_lead_to_one_another_are_captured_as_links() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let tree = worktree.path();
    for n in 0..200 {
        symlink(format!("l{}", n + 1), tree.join(format!("l{n}"))).unwrap();
    }
    symlink("l0", tree.join("l200")).unwrap();
    symlink(".", tree.join("here")).unwrap();
    symlink("x".repeat(4000), tree.join("long")).unwrap();
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!((capture.files, capture.notices.len()), (203, 0), "{:?}", capture.notices);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    let rescue = released.rescues.last().unwrap();
    let again = manager.restore(rescue, request("again")).await.unwrap();
    assert_eq!(fs::read_link(again.path().join("long")).unwrap().as_os_str().len(), 4000);
}

#[tokio::test]
async fn an_index_that_is_a_hole_or_a_pipe_keeps_the_tree_and_is_not_read_to_its_end() {
    for kind in ["huge", "fifo", "directory", "link", "garbage"] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let path = worktree.path().to_owned();
        write(&path.join("work"), "the only copy\n");
        let admin = fs::read_dir(repo.path().join(".git/worktrees")).unwrap().next().unwrap().unwrap().path();
        plant(kind, &admin.join("index"));
        let _ = manager.inspect(&id("fix")).await.unwrap();
        manager.capture(&worktree, message()).await.unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        if released.fate == Fate::Removed {
            let rescue = &released.rescues.last().unwrap().reference;
            assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy", "{kind}");
        } else {
            assert!(path.join("work").exists(), "{kind}: {released:?}");
        }
        let _ = manager.list().await.unwrap();
        let _ = manager.doctor().await.unwrap();
    }
}
