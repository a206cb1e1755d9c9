//! The manager for embedders' tests.

use std::io;
use std::path::Path;

use hedgerow_worktree::{
    Base, CommitId, Disposition, Error, FakeWorktrees, Fate, Message, Method, Request, Rescue, Taken, WorktreeManager,
};

use crate::repo::{branch, id, request, write};

fn fake() -> FakeWorktrees {
    FakeWorktrees::new([("README", "hello\n"), ("src/main.rs", "fn main() {}\n")])
}

fn message() -> Message {
    Message { text: "work".into(), name: "A".into(), email: "a@example.com".into() }
}

fn branch_tip(fake: &FakeWorktrees) -> CommitId {
    fake.branch(&branch("main")).unwrap()
}

fn full_disk() -> Error {
    Error::Io { action: "write", path: "tree".into(), source: io::ErrorKind::StorageFull.into() }
}

#[tokio::test]
async fn agents_see_the_files_and_tests_see_what_they_did() {
    let fake = fake();
    let worktree = fake.create(request("fix")).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("src/main.rs")).unwrap(), "fn main() {}\n");
    write(&worktree.path().join("src/main.rs"), "fn main() { work() }\n");
    let tip = fake.capture(&worktree, message()).await.unwrap().tip;
    assert_eq!(fake.branch(&branch("fix")), Some(tip.clone()));
    assert_eq!(fake.file(&tip, "src/main.rs").unwrap(), b"fn main() { work() }\n");
    assert_eq!(fake.file(&tip, "missing"), None);
    let released = fake.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!((released.fate, &released.rescues[0].commit), (Fate::Removed, &tip));
    assert_eq!(fake.branch(&branch("fix")), None);
}

#[tokio::test]
async fn the_same_work_has_the_same_ids_every_time() {
    let tip = |content: &'static str| async move {
        let fake = fake();
        let worktree = fake.create(request("fix")).await.unwrap();
        write(&worktree.path().join("work"), content);
        fake.capture(&worktree, message()).await.unwrap().tip
    };
    assert_eq!(tip("x\n").await, tip("x\n").await);
    assert_ne!(tip("x\n").await, tip("y\n").await);
}

#[tokio::test]
async fn planned_failures_come_once_each_and_before_anything_is_done() {
    let fake = fake();
    fake.fail_next(Method::Create, full_disk());
    fake.fail_next(Method::Capture, full_disk());
    fake.fail_next(Method::Release, full_disk());
    assert!(matches!(fake.create(request("fix")).await, Err(Error::Io { .. })));
    assert!(fake.list().await.unwrap().is_empty());
    let worktree = fake.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    fake.capture(&worktree, message()).await.unwrap_err();
    fake.release(worktree, Disposition::Archive).await.unwrap_err();
    let orphan = fake.recover().await.unwrap().adopted.pop().unwrap();
    assert!(orphan.path().join("work").exists());
    assert_eq!(fake.release(orphan, Disposition::Archive).await.unwrap().rescues.len(), 1);
    for method in [Method::List, Method::Recover, Method::Inspect, Method::Restore, Method::Rescues] {
        fake.fail_next(method, full_disk());
    }
    fake.list().await.unwrap_err();
    fake.recover().await.unwrap_err();
    fake.inspect(&id("fix")).await.unwrap_err();
    let rescue = Rescue::new("refs/hedgerow/rescue/fix/1", branch_tip(&fake));
    fake.restore(&rescue, request("again")).await.unwrap_err();
    fake.rescues(&id("fix")).await.unwrap_err();
    fake.list().await.unwrap();
}

#[tokio::test]
async fn a_nested_repository_keeps_the_tree_as_it_does_in_a_real_one() {
    let fake = fake();
    let worktree = fake.create(request("fix")).await.unwrap();
    write(&worktree.path().join("vendor/.git/HEAD"), "ref: refs/heads/main\n");
    write(&worktree.path().join("vendor/file"), "x\n");
    let released = fake.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    let adopted = fake.adopt(&id("fix")).unwrap();
    assert!(fake.adopt(&id("fix")).is_err(), "it was leased twice");
    assert!(adopted.path().join("vendor/file").exists());
}

#[tokio::test]
async fn branches_exclude_each_other_as_gits_do() {
    let fake = fake();
    let _one = fake.create(request("a")).await.unwrap();
    for name in ["a/b", "main", "main/x"] {
        let request = Request::new(id("other"), branch(name), Base::Head);
        match fake.create(request).await {
            Err(Error::Occupied { what, .. }) => assert_eq!(what, Taken::Branch),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_directories_go_with_the_last_clone() {
    let fake = fake();
    let worktree = fake.create(request("fix")).await.unwrap();
    let path = worktree.path().to_owned();
    let clone = fake.clone();
    drop(fake);
    assert!(Path::new(&path).exists());
    drop(clone);
    assert!(!path.exists());
    drop(worktree);
}
