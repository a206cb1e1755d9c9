//! Records that were copied with their repository, and directories that only look like ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hedgerow_worktree::pool::Pool;
use hedgerow_worktree::usage::Budget;
use hedgerow_worktree::{
    Base, Disposition, Error, Fate, LocalOptions, LocalWorktrees, Owner, Request, WorktreeManager,
};

use crate::pool::{options, slots};
use crate::repo::{Repo, id, request, write};

/// The repository as `cp -a` copies it, beside the original.
fn copied(repo: &Repo) -> PathBuf {
    let copy = repo.root().join("copy");
    let done = Command::new("cp").arg("-a").args([repo.path(), &copy]).status().unwrap();
    assert!(done.success());
    copy
}

fn record(repo: &Path, name: &str) -> PathBuf {
    repo.join(".git/hedgerow/worktrees").join(format!("{name}.json"))
}

#[tokio::test]
async fn a_copy_of_a_repository_is_refused_the_living_tree_of_the_original() {
    let repo = Repo::new();
    let worktree = repo.manager().create(request("x")).await.unwrap();
    write(&worktree.path().join("work"), "p\n");
    let copy = copied(&repo);
    let manager = LocalWorktrees::open(&copy).unwrap();

    for round in 0..2 {
        let recovery = manager.recover().await.unwrap();
        assert!(recovery.adopted.is_empty() && recovery.mended.is_empty(), "{round}: {recovery:?}");
        assert!(
            recovery.left.iter().any(|left| left.contains("copied with the repository; delete it")),
            "{recovery:?}"
        );
    }
    let entries = manager.list().await.unwrap();
    let ours = entries.iter().find(|e| matches!(&e.owner, Owner::Hedgerow { id: x, .. } if *x == id("x"))).unwrap();
    assert!(ours.problem.as_ref().unwrap().contains("copied with the repository; delete it"), "{ours:?}");
    let refused = manager.adopt(&id("x")).await.unwrap_err();
    assert!(refused.to_string().contains("copied with the repository"), "{refused}");
    let refused = manager.create(Request::new(id("x"), crate::repo::branch("y"), Base::Head)).await.unwrap_err();
    assert!(matches!(refused, Error::Occupied { .. }), "{refused}");
    let evicted = manager.evict(&Budget { most: 0, least_free: u64::MAX }).await.unwrap();
    assert!(evicted.removed.is_empty(), "{evicted:?}");
    assert!(manager.release(worktree, Disposition::Archive).await.is_err(), "the handle is the original's");
    manager.purge().await.unwrap();
    assert_eq!(std::fs::read(repo.root().join("repo.worktrees/x/work")).unwrap(), b"p\n");

    // The way out works, and costs the original nothing.
    std::fs::remove_file(record(&copy, "x")).unwrap();
    assert_eq!(manager.recover().await.unwrap().left, Vec::<String>::new());
    let other = Request::new(id("x"), crate::repo::branch("y"), Base::Head);
    let own = manager.create(other).await.unwrap();
    assert!(own.path().starts_with(repo.root().join("copy.worktrees")));
    manager.release(own, Disposition::Archive).await.unwrap();
    let original = repo.manager().adopt(&id("x")).await.unwrap();
    assert_eq!(std::fs::read(original.path().join("work")).unwrap(), b"p\n");
    repo.manager().release(original, Disposition::Archive).await.unwrap();
    repo.assert_sound();
}

#[tokio::test]
async fn a_copy_of_a_repository_leaves_the_trash_of_the_original_alone() {
    let repo = Repo::new();
    let grace = Some(Duration::from_secs(3600));
    let options = LocalOptions::default().grace(grace);
    let patient = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let worktree = patient.create(request("x")).await.unwrap();
    patient.release(worktree, Disposition::Archive).await.unwrap();
    let copy = copied(&repo);
    // Something that is not the original's own purger's to delete, so that only the copy's can.
    let trash = copy.join(".git/hedgerow/trash");
    let mut names = std::fs::read_dir(trash).unwrap().map(|entry| entry.unwrap().path());
    let left = names.find(|path| path.extension().is_some_and(|ext| ext == "json")).unwrap();
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&left).unwrap()).unwrap();
    let temporary = repo.root().join("living");
    text["temporary"] = temporary.to_str().unwrap().into();
    std::fs::write(&left, text.to_string()).unwrap();
    write(&temporary.join("work"), "p\n");

    let options = LocalOptions::default().grace(Some(Duration::ZERO));
    let manager = LocalWorktrees::open_with(&copy, options).unwrap();
    drop(manager.recover().await.unwrap());
    let purged = manager.purge().await.unwrap();
    assert_eq!(purged.deleted, 0);
    assert!(purged.left.iter().all(|left| left.contains("copied with the repository")), "{purged:?}");
    assert_eq!(purged.left.len(), 1);
    assert!(left.exists());
    assert_eq!(std::fs::read(temporary.join("work")).unwrap(), b"p\n");
}

#[tokio::test]
async fn a_copy_in_the_place_of_a_repository_is_refused_the_slots_of_the_original() {
    let repo = Repo::new();
    let pool = Pool::open(repo.manager(), options(1)).await.unwrap();
    assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 1);
    let [slot] = <[PathBuf; 1]>::try_from(slots(pool.worktrees())).unwrap();
    drop(pool);
    let copy = copied(&repo);
    std::fs::rename(repo.path(), repo.root().join("original")).unwrap();
    std::fs::rename(copy, repo.path()).unwrap();

    let pool = Pool::open(repo.manager(), options(1)).await.unwrap();
    let worktree = pool.create(request("x")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 0);
    let refilled = pool.refill(&Base::Head).await.unwrap();
    assert!(refilled.dropped.iter().any(|dropped| dropped.why.contains("copied with the repository")), "{refilled:?}");
    assert!(slot.join("README").exists(), "the slot of the original was taken or deleted");
    pool.worktrees().release(worktree, Disposition::Archive).await.unwrap();
}

#[tokio::test]
async fn a_slot_that_cannot_be_deleted_is_not_counted_among_the_drained_and_hides_no_other() {
    let repo = Repo::new();
    let pool = Pool::open(repo.manager(), options(2)).await.unwrap();
    assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 2);
    let [theirs, ours] = <[PathBuf; 2]>::try_from(slots(pool.worktrees())).unwrap();
    // As if that one had been made in another repository, of which this is a copy.
    let token = theirs.file_name().unwrap().to_str().unwrap().rsplit_once('.').unwrap().1;
    let mut dirs = std::fs::read_dir(repo.path().join(".git/hedgerow/pool")).unwrap();
    let path = dirs.next().unwrap().unwrap().path().join(format!("{token}.json"));
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let inode = &mut text["home"]["common"]["inode"];
    *inode = (inode.as_u64().unwrap() + 1).into();
    std::fs::write(&path, text.to_string()).unwrap();

    let e = pool.drain().await.expect_err("a slot that is still there was counted as deleted");
    assert!(e.to_string().contains("copied with the repository"), "{e}");
    assert!(theirs.join("README").exists() && !ours.exists());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(pool.drain().await.unwrap(), 1);
    assert!(!theirs.exists());
}

/// Has the record of a worktree say that it was written in another boot, in which the device had another number.
fn reboot(repo: &Repo, name: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let path = record(repo.path(), name);
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let root = &mut text["root"];
    root["device"] = (root["device"].as_u64().unwrap() + 1).into();
    root["boot"] = "another".into();
    change(root);
    std::fs::write(path, text.to_string()).unwrap();
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn a_tree_is_known_again_when_its_device_has_another_number_after_a_reboot() {
    let repo = Repo::new();
    let manager = repo.manager();
    let problem = async |name: &str| {
        let entries = manager.list().await.unwrap();
        let ours = entries.into_iter().find(|e| matches!(&e.owner, Owner::Hedgerow { id: x, .. } if *x == id(name)));
        ours.unwrap().problem
    };
    for name in ["fix", "replaced"] {
        let worktree = manager.create(request(name)).await.unwrap();
        write(&worktree.path().join("work"), "p\n");
        drop(worktree);
    }
    let text = std::fs::read_to_string(record(repo.path(), "fix")).unwrap();
    if serde_json::from_str::<serde_json::Value>(&text).unwrap()["root"]["born"].is_null() {
        return eprintln!("SKIPPED: this file system knows no times of birth");
    }
    reboot(&repo, "fix", |_| {});
    reboot(&repo, "replaced", |root| root["born"][1] = (root["born"][1].as_u64().unwrap() ^ 1).into());
    assert_eq!(problem("fix").await, None);
    assert!(problem("replaced").await.unwrap().contains("replaced"));
    let recovery = manager.recover().await.unwrap();
    let [worktree] = <[_; 1]>::try_from(recovery.adopted).unwrap();
    assert_eq!(*worktree.id(), id("fix"));
    let now: serde_json::Value = serde_json::from_slice(&std::fs::read(record(repo.path(), "fix")).unwrap()).unwrap();
    let device = std::os::unix::fs::MetadataExt::dev(&worktree.path().metadata().unwrap());
    assert_eq!(now["root"]["device"].as_u64(), Some(device), "the next boot would be compared with the one before");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_no_copy_and_keeps_its_trees() {
    let repo = Repo::new();
    drop(repo.manager().create(request("x")).await.unwrap());
    let renamed = repo.root().join("renamed");
    std::fs::rename(repo.path(), &renamed).unwrap();
    let manager = LocalWorktrees::open(&renamed).unwrap();
    let entries = manager.list().await.unwrap();
    assert!(!format!("{entries:?}").contains("copied"), "{entries:?}");
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.adopted.len(), 1, "{recovery:?}");
}

#[tokio::test]
async fn a_record_is_taken_for_a_copy_by_its_device_only_within_one_boot() {
    let repo = Repo::new();
    drop(repo.manager().create(request("x")).await.unwrap());
    let path = record(repo.path(), "x");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let device = text["home"]["common"]["device"].as_u64().unwrap();
    text["home"]["common"]["device"] = (device + 1).into();
    let says_copied = async |text: &serde_json::Value| {
        std::fs::write(&path, text.to_string()).unwrap();
        format!("{:?}", repo.manager().list().await.unwrap()).contains("copied with the repository")
    };
    assert!(says_copied(&text).await, "in one boot, another device is another repository");
    text["home"]["boot"] = "an earlier one".into();
    assert!(!says_copied(&text).await);
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn a_clone_that_was_given_the_inode_of_a_deleted_tree_is_never_discarded_as_that_tree() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(Request::detached(id("x"), repo.head())).await.unwrap();
    let tree = worktree.path().to_owned();
    std::fs::remove_dir_all(&tree).unwrap();
    repo.git(["clone", "-q", ".", tree.to_str().unwrap()]);
    write(&tree.join("work"), "p\n");
    // Whether the file system gave it the same inode is luck; this makes it so.
    let path = record(repo.path(), "x");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    if text["root"]["born"].is_null() {
        eprintln!("SKIPPED: this file system has no times of birth, without which nothing can be told");
        return;
    }
    let inode = std::os::unix::fs::MetadataExt::ino(&tree.symlink_metadata().unwrap());
    text["root"]["inode"] = inode.into();
    std::fs::write(&path, text.to_string()).unwrap();

    let released = manager.release(worktree, Disposition::Discard).await;
    assert_eq!(std::fs::read(tree.join("work")).unwrap(), b"p\n", "{released:?}");
}
