//! Files that a power failure emptied, and disks that are full: nothing is lost, and nobody else is held up.

use std::path::{Path, PathBuf};
use std::process::Command;

use hedgerow_worktree::{
    Disposition, Fate, Keeper, LocalOptions, LocalWorktrees, Owner, Released, State, WorktreeManager,
};

use crate::capture::message;
use crate::repo::{Repo, git_in, id, request, status, try_git, write};

const WORK: &str = "of an agent\n";

/// Every file that we write about a worktree.
fn files(repo: &Repo) -> Vec<PathBuf> {
    let common = repo.path().join(".git");
    let admin = std::fs::read_dir(common.join("worktrees")).unwrap().map(|entry| entry.unwrap().path());
    let admin = admin.into_iter().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("fix")).unwrap();
    let ours =
        ["worktrees/fix.json", "worktrees/fix.index", "generation"].map(|file| common.join("hedgerow").join(file));
    let gits = ["HEAD", "commondir", "gitdir", "locked", "index", "logs/HEAD"].map(|file| admin.join(file));
    let mut files: Vec<_> = ours.into_iter().chain(gits).collect();
    files.push(repo.root().join("repo.worktrees/fix/.git"));
    files
}

#[tokio::test]
async fn any_file_that_a_power_failure_emptied_is_diagnosed_and_takes_no_work_with_it() {
    let silent = ["generation", "index", "fix.index", "logs/HEAD", ".git"];
    for number in 0..files_of_a_worktree().await {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let path = worktree.path().to_owned();
        write(&path.join("work"), WORK);
        drop(worktree);
        let file = files(&repo).swap_remove(number);
        std::fs::write(&file, "").unwrap();

        let entries = manager.list().await.unwrap();
        let entry = entries.iter().find(|entry| entry.path == path).expect("it is still listed");
        let told = entry.problem.is_some() || entry.locked.as_deref() == Some("");
        assert!(told || silent.iter().any(|name| file.ends_with(name)), "{file:?} is empty and nobody said so");
        let other = manager.create(request("other")).await.expect("the worktrees of others are made all the same");
        assert_eq!(manager.release(other, Disposition::Archive).await.unwrap().fate, Fate::Removed, "{file:?}");
        let mut recovery = manager.recover().await.unwrap();
        assert!(!recovery.left.is_empty() || recovery.adopted.len() == 1, "{file:?}: {recovery:?}");
        assert_eq!(std::fs::read_to_string(path.join("work")).unwrap(), WORK, "{file:?}");
        let released = match recovery.adopted.pop() {
            Some(worktree) => manager.release(worktree, Disposition::Archive).await.unwrap(),
            None => continue,
        };
        assert!(is_held(&repo, &released) || has_work(&released), "{file:?}: {released:?}");
        drop(manager.recover().await.unwrap());
        repo.purge();
    }
}

async fn files_of_a_worktree() -> usize {
    let repo = Repo::new();
    drop(repo.manager().create(request("fix")).await.unwrap());
    let files = files(&repo);
    assert!(files.iter().all(|file| file.exists()), "{files:?}");
    files.len()
}

fn is_held(repo: &Repo, released: &Released) -> bool {
    released.rescues.iter().any(|rescue| {
        let found = try_git(repo.path(), ["cat-file", "-p", &format!("{}:work", rescue.reference)]);
        found.stdout == WORK.as_bytes()
    })
}

fn has_work(released: &Released) -> bool {
    match &released.fate {
        Fate::Kept { path, by, why, .. } => {
            let expected = matches!(by, Keeper::Work | Keeper::Failure | Keeper::Lock) && why.is_some();
            expected && std::fs::read_to_string(path.join("work")).unwrap() == WORK
        }
        _ => false,
    }
}

#[tokio::test]
async fn a_worktree_that_somebody_locked_is_kept_with_their_reason() {
    let repo = Repo::new();
    let manager = repo.manager();
    for reason in ["mine, do not touch", "two\nlines", ""] {
        let worktree = manager.create(request("fix")).await.unwrap();
        let path = worktree.path().to_owned();
        repo.git(["worktree", "unlock", path.to_str().unwrap()]);
        repo.git(["worktree", "lock", "--reason", reason, path.to_str().unwrap()]);
        let listed = repo.git(["worktree", "list", "--porcelain"]);
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert!(
            matches!(&released.fate, Fate::Kept { by: Keeper::Lock, why: Some(why), .. } if why.contains("unlock")),
            "{released:?}"
        );
        assert_eq!(repo.git(["worktree", "list", "--porcelain"]), listed, "their reason was replaced");
        let again = manager.adopt(&id("fix")).await.unwrap();
        assert_eq!(repo.git(["worktree", "list", "--porcelain"]), listed, "their reason was replaced");
        repo.git(["worktree", "unlock", path.to_str().unwrap()]);
        assert_eq!(manager.release(again, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    }
}

#[tokio::test]
async fn a_path_that_holds_something_else_by_now_is_never_removed() {
    let repo = Repo::new();
    let manager = repo.manager();
    let outside = repo.root().join("outside");
    write(&outside.join("precious"), "x\n");
    let put: [&dyn Fn(&Path); 6] = [
        &|path| write(&path.join("precious"), "x\n"),
        &|path| std::fs::write(path, "x\n").unwrap(),
        &|path| std::os::unix::fs::symlink(&outside, path).unwrap(),
        &|path| drop(git_in(&repo.root(), ["clone", "-q", "repo", path.to_str().unwrap()])),
        &|path| drop(git_in(&repo.root(), ["clone", "-q", "--bare", "repo", path.to_str().unwrap()])),
        &|path| drop(repo.git(["worktree", "add", "-q", "-f", "-f", "--detach", path.to_str().unwrap()])),
    ];
    for (number, put) in put.iter().enumerate() {
        let name = format!("fix-{number}");
        let worktree = manager.create(request(&name)).await.unwrap();
        let path = worktree.path().to_owned();
        std::fs::rename(&path, repo.root().join(format!("moved-{number}"))).unwrap();
        put(&path);
        let before = path.symlink_metadata().unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else {
            panic!("{number}: {released:?}")
        };
        let moved = repo.root().join(format!("moved-{number}"));
        assert!(why.contains("something else") && why.contains(moved.to_str().unwrap()), "{number}: {why}");
        let list = manager.list().await.unwrap();
        let state = list.iter().find_map(|entry| match &entry.owner {
            Owner::Hedgerow { id: x, state } if *x == id(&name) => Some(*state),
            _ => None,
        });
        assert_eq!(state, Some(State::Kept), "{number}");
        drop(manager.recover().await.unwrap());
        use std::os::unix::fs::MetadataExt;
        assert_eq!(path.symlink_metadata().unwrap().ino(), before.ino(), "{number}");
        assert!(repo.root().join(format!("moved-{number}/README")).exists(), "{number}");
    }
    assert_eq!(std::fs::read_to_string(outside.join("precious")).unwrap(), "x\n");
}

/// A small disk of its own.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    fn mount(kilobytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={kilobytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { dir });
        }
        let required = std::env::var("HEDGEROW_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name == "mounts"));
        assert!(!required, "mounts are required, and a small disk cannot be mounted");
        eprintln!("SKIPPED: no small disk can be mounted here, so none was filled");
        None
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.dir.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Leaves this many bytes free, at most.
    fn fill(&self, leave: u64) {
        let filler = vec![0_u8; usize::try_from(self.free().saturating_sub(leave)).unwrap()];
        // What does not fit is not needed.
        let _ = std::fs::write(self.dir.path().join("filler"), filler);
    }

    fn empty(&self) {
        let filler = self.dir.path().join("filler");
        // Removed alone, it would keep its room while a process that another test is just starting has it open.
        std::fs::File::options().write(true).truncate(true).open(&filler).unwrap();
        std::fs::remove_file(&filler).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir.path()).status();
    }
}

fn repository(disk: &Disk) -> (PathBuf, LocalWorktrees) {
    let path = disk.dir.path().canonicalize().unwrap().join("repo");
    std::fs::create_dir(&path).unwrap();
    git_in(&path, ["init", "-q", "-b", "main"]);
    for n in 0..20 {
        write(&path.join(format!("dir-{n}/file")), &format!("{n}\n").repeat(500));
    }
    git_in(&path, ["add", "-A"]);
    git_in(&path, ["commit", "-q", "-m", "first"]);
    let options = LocalOptions::default().grace(Some(std::time::Duration::ZERO));
    let manager = LocalWorktrees::open_with(&path, options).unwrap();
    (path, manager)
}

/// How much is left free, one after the other: each fails somewhere else.
fn rooms() -> impl Iterator<Item = u64> {
    [0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 80, 110, 150].into_iter().map(|pages| pages * 4096)
}

#[tokio::test]
async fn a_creation_on_a_full_disk_is_a_typed_error_and_leaves_nothing() {
    let Some(disk) = Disk::mount(4096) else { return };
    let (path, manager) = repository(&disk);
    let mut failed = 0;
    for room in rooms() {
        disk.fill(room);
        let made = manager.create(request("fix")).await;
        disk.empty();
        match made {
            Ok(worktree) => drop(manager.release(worktree, Disposition::Archive).await.unwrap()),
            Err(e) => {
                assert!(
                    matches!(e, hedgerow_worktree::Error::Io { .. } | hedgerow_worktree::Error::Git { .. }),
                    "{e:?}"
                );
                failed += 1;
            }
        }
        for worktree in manager.recover().await.unwrap().adopted {
            manager.release(worktree, Disposition::Archive).await.unwrap();
        }
        let retry = manager.create(request("fix")).await.unwrap_or_else(|e| panic!("with {room} bytes before: {e}"));
        assert_eq!(status(retry.path()), "");
        assert_eq!(manager.release(retry, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
        crate::repo::assert_sound(&path);
        let refs = git_in(&path, ["for-each-ref", "--format=%(refname)"]);
        assert_eq!(refs, "refs/heads/main", "with {room} bytes");
    }
    assert!(failed > 3, "the disk was never full");
}

#[tokio::test]
async fn a_capture_or_release_on_a_full_disk_loses_nothing_and_can_be_had_again() {
    let Some(disk) = Disk::mount(6144) else { return };
    let (path, manager) = repository(&disk);
    let mut failed = 0;
    for room in rooms() {
        let worktree = manager.create(request("fix")).await.unwrap();
        let tree = worktree.path().to_owned();
        // More than fits, and of no use to a packer.
        let work: String = (0..6000_u32).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
        write(&worktree.path().join("work"), &work);
        disk.fill(room);
        let captured = manager.capture(&worktree, message()).await;
        let released = manager.release(worktree, Disposition::Archive).await;
        disk.empty();
        failed += usize::from(captured.is_err());
        let removed = released.as_ref().is_ok_and(|released| released.fate == Fate::Removed);
        // One answer, wherever the disk was full: it is left to the next recovery, unless its tree is gone already.
        let left =
            released.as_ref().is_ok_and(|released| matches!(released.fate, Fate::Kept { by: Keeper::Failure, .. }));
        assert!(removed || left || !tree.exists(), "with {room} bytes: {released:?}");
        failed += usize::from(!removed);
        for worktree in manager.recover().await.unwrap().adopted {
            assert_eq!(std::fs::read_to_string(worktree.path().join("work")).unwrap(), work, "with {room} bytes");
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        }
        let rescues = manager.rescues(&id("fix")).await.unwrap();
        let held = rescues.iter().any(|r| git_in(&path, ["cat-file", "-p", &format!("{}:work", r.reference)]) == work);
        assert!(held, "with {room} bytes the work is lost: {captured:?}, {released:?}");
        for rescue in rescues {
            git_in(&path, ["update-ref", "-d", &rescue.reference]);
        }
        let left = manager.list().await.unwrap();
        assert!(left.is_empty(), "with {room} bytes: {captured:?}, {released:?}, {left:?}");
        assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new());
        git_in(&path, ["gc", "-q", "--prune=now"]);
        crate::repo::assert_sound(&path);
    }
    assert!(failed > 5, "the disk was never full");
}
