//! What a user without privileges can tell who shares the machine with root's daemons and other people.

use std::num::NonZeroUsize;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use hedgerow_worktree::pool::{Pool, PoolOptions};
use hedgerow_worktree::{Base, Disposition, Fate, WorktreeManager, usage::Budget};

use crate::child;
use crate::repo::{Repo, id, request};

const NOBODY: u32 = 65_534;
const DAEMON: u32 = 1;

fn am_root() -> bool {
    std::path::Path::new("/proc/self").metadata().is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// Does it as a user without privileges, in a process of its own where this one is root's.
pub(crate) fn unprivileged(role: &str, argument: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = child::command_of("/proc/self/exe", &[role, argument]);
    command.env("TMPDIR", dir.path());
    if am_root() {
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn a_pool_of_a_user_without_privileges_does_not_throw_its_slots_away() {
    unprivileged("unprivileged-pool", "");
}

#[test]
fn who_may_not_write_is_told_where_and_what_to_do_and_leaves_nothing() {
    unprivileged("unprivileged-denied", "");
}

pub(crate) async fn denied() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for closed in [repo.root(), repo.path().join(".git/refs/heads"), repo.path().join(".git")] {
        let open = std::fs::metadata(&closed).unwrap().permissions();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o500)).unwrap();
        let e = manager.create(request("fix")).await.unwrap_err();
        std::fs::set_permissions(&closed, open).unwrap();
        let text = e.to_string();
        assert!(text.contains(closed.to_str().unwrap()) && text.contains("give it access"), "{closed:?}: {text}");
        let source = std::error::Error::source(&e).unwrap().to_string();
        assert!(source.contains("denied"), "{closed:?}: {source}");
        assert_eq!(repo.traces(), clean, "{closed:?}");
    }
}

pub(crate) async fn pool() {
    let repo = Repo::new();
    let options = PoolOptions::new(NonZeroUsize::new(2).unwrap());
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 2);
    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!((done.kept, done.dropped.len()), (2, 0), "{done:?}");
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!((done.kept, done.recycled, done.dropped.len()), (1, 1, 0), "{done:?}");
}

/// A process of another user, until it is dropped.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_cannot_be_asked_counts_where_it_may_write_and_nowhere_else() {
    let mut command = Command::new("sleep");
    command.arg("600");
    if am_root() {
        command.uid(DAEMON).gid(DAEMON).current_dir("/");
    }
    let stranger = Stranger(command.spawn().unwrap());
    unprivileged("unprivileged-safety", &stranger.0.id().to_string());
}

pub(crate) async fn safety(stranger: &str) {
    let repo = Repo::new();
    let manager = repo.manager();
    let path = manager.create(request("fix")).await.unwrap().path().to_owned();
    let report = manager.inspect(&id("fix")).await.unwrap();
    assert!(report.is_safe(), "{report}");
    // Where it can be asked, as it is the same user's, it is not in there.
    let hidden = std::fs::read_link(format!("/proc/{stranger}/cwd")).is_err();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let report = manager.inspect(&id("fix")).await.unwrap();
    let told = report.unknowns.iter().any(|unknown| unknown.subject == format!("process {stranger}"));
    assert_eq!(told, hidden, "{report}");
    if hidden {
        let evicted = manager.evict(&Budget { most: 0, least_free: 0 }).await.unwrap();
        assert!(evicted.removed.is_empty() && path.exists());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(manager.evict(&Budget { most: 0, least_free: 0 }).await.unwrap().removed.len(), 1);
    }
}
