//! One holder at most, whatever happens to processes, clocks and handles.

use std::path::PathBuf;
use std::time::Duration;

use hedgerow_worktree::{
    Capture, Disposition, Error, Fate, Handover, LocalOptions, LocalWorktrees, Owner, Result, State, WorktreeManager,
};
use rustix::fs::FlockOperation;
use serde_json::{Value, json};

use crate::capture::message;
use crate::child;
use crate::repo::{Repo, id, request, status, write};

const LONG: Duration = Duration::from_secs(600);

fn record(repo: &Repo) -> PathBuf {
    repo.path().join(".git/hedgerow/worktrees/fix.json")
}

fn edit(repo: &Repo, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(record(repo)).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(record(repo), value.to_string()).unwrap();
}

fn generation(repo: &Repo) -> u64 {
    let value: Value = serde_json::from_slice(&std::fs::read(record(repo)).unwrap()).unwrap();
    value["holder"]["generation"].as_u64().unwrap()
}

fn is_lost<T: std::fmt::Debug>(result: Result<T>) -> bool {
    match result {
        Err(Error::LeaseLost { .. }) => true,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn git_worktree_list_shows_who_holds_what() {
    let repo = Repo::new();
    let options = LocalOptions::default().owner("night\nshift 7".to_owned());
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let shown = || {
        let listed = repo.git(["worktree", "list", "--porcelain"]);
        listed.lines().find(|line| line.starts_with("locked ")).unwrap().to_owned()
    };
    let line = shown();
    assert!(
        line.starts_with("locked hedgerow worktree fix: leased, owner=night-shift-7 generation=1 lease="),
        "{line}"
    );
    assert!(line.ends_with(&format!(" pid={} boot={}", std::process::id(), boot.trim())), "{line}");
    let handover = manager.hand_over(worktree, LONG).await.unwrap();
    assert!(shown().starts_with("locked hedgerow worktree fix: being handed over, last owner=night-shift-7"));
    repo.git(["worktree", "prune", "--expire=now"]);
    let worktree = repo.manager().accept(&handover).await.unwrap();
    assert!(shown().contains(": leased, owner=it-") && shown().contains(" generation=2 "), "{}", shown());
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn the_numbers_of_leases_grow_over_releases_and_new_creations_of_an_id() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut last = 0;
    for round in 0..4 {
        let worktree = manager.create(request("fix")).await.unwrap();
        assert!(generation(&repo) > last);
        last = generation(&repo);
        let handover = manager.hand_over(worktree, LONG).await.unwrap();
        let worktree = manager.accept(&handover).await.unwrap();
        assert!(generation(&repo) > last);
        last = generation(&repo);
        if round == 2 {
            // What a power failure may leave of it, while there is a record that knows better.
            std::fs::write(repo.path().join(".git/hedgerow/generation"), "").unwrap();
            drop(manager.create(request("other")).await.unwrap());
        }
        assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_is_accepted_by_exactly_one_of_many_beside_recoveries() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let handover = manager.hand_over(worktree, LONG).await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (one, two, handover) = (repo.manager(), repo.manager(), handover.clone());
        all.spawn(async move { one.accept(&handover).await.map(Some) });
        all.spawn(async move {
            let recovery = two.recover().await?;
            assert!(recovery.adopted.is_empty() && recovery.left.is_empty(), "{recovery:?}");
            Ok(None)
        });
    }
    let mut won = Vec::new();
    while let Some(done) = all.join_next().await {
        match done.unwrap() {
            Ok(worktree) => won.extend(worktree),
            Err(Error::LeaseLost { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(status(won[0].path()), "?? work");
    assert!(is_lost(repo.manager().accept(&handover).await));
    won.clear();
    assert!(is_lost(repo.manager().accept(&handover).await), "an old handover leased what was dropped");
}

#[tokio::test]
async fn what_is_handed_over_outlives_its_process_and_is_nobody_elses_until_it_is_too_old() {
    let repo = Repo::new();
    let place = repo.root().join("handover");
    let mut process = child::start("hand-over", &[repo.path().to_str().unwrap(), "fix", place.to_str().unwrap()]);
    assert!(process.wait().unwrap().success());
    let handover: Handover = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    assert_eq!(handover.id(), &id("fix"));
    let manager = repo.manager();
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.left.is_empty(), "{recovery:?}");
    assert!(is_lost(manager.adopt(&id("fix")).await));
    assert!(matches!(manager.create(request("fix")).await, Err(Error::Occupied { .. })));
    assert_eq!(manager.list().await.unwrap()[0].owner, Owner::Hedgerow { id: id("fix"), state: State::Leased });
    let worktree = manager.accept(&handover).await.unwrap();
    assert_eq!(status(worktree.path()), "?? work");

    let again = manager.hand_over(worktree, LONG).await.unwrap();
    // Whatever the clock on the wall says, a restarted machine has nobody left who could accept it.
    edit(&repo, |record| record["offer"]["since"]["boot"] = json!("another boot"));
    assert!(is_lost(manager.accept(&again).await));
    assert_eq!(manager.list().await.unwrap()[0].owner, Owner::Hedgerow { id: id("fix"), state: State::Orphaned });
    let worktree = manager.recover().await.unwrap().adopted.pop().expect("it is orphaned");
    let late = manager.hand_over(worktree, Duration::ZERO).await.unwrap();
    assert!(is_lost(manager.accept(&late).await));
    assert_eq!(manager.adopt(&id("fix")).await.unwrap().id(), &id("fix"));
}

#[tokio::test]
async fn a_forged_handover_or_one_of_another_repository_is_worth_nothing() {
    let (repo, other) = (Repo::new(), Repo::new());
    let manager = repo.manager();
    let old = manager.hand_over(manager.create(request("fix")).await.unwrap(), LONG).await.unwrap();
    let worktree = manager.accept(&old).await.unwrap();
    let handover = manager.hand_over(worktree, LONG).await.unwrap();
    let _there = other.manager().hand_over(other.manager().create(request("fix")).await.unwrap(), LONG).await.unwrap();
    assert!(is_lost(manager.accept(&old).await));
    assert!(is_lost(other.manager().accept(&handover).await));
    let genuine = serde_json::to_value(&handover).unwrap();
    let forged = [("token", json!("0".repeat(32))), ("generation", json!(1)), ("id", json!("unknown"))];
    for (key, value) in forged {
        let mut forged = genuine.clone();
        forged[key] = value;
        let forged: Handover = serde_json::from_value(forged).unwrap();
        assert!(is_lost(manager.accept(&forged).await), "{key}");
    }
    assert!(!format!("{handover:?}").contains(genuine["token"].as_str().unwrap()), "logs would tell the secret");
    let before = repo.traces();
    assert!(!before.iter().any(|trace| trace.contains("unknown")), "{before:?}");
    drop(manager.accept(&handover).await.unwrap());
}

/// Lets an operation run until it stands before its first effect, has the lease given to somebody else, and lets it go on.
async fn overtaken<T: std::fmt::Debug + Send + 'static>(
    repo: &Repo,
    operation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let lock = std::fs::File::open(repo.path().join(".git/hedgerow/lock")).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    let running = tokio::spawn(operation);
    // For it to get as far as it can; what it finds must not depend on how far it got.
    tokio::time::sleep(Duration::from_millis(150)).await;
    edit(repo, |record| {
        record["holder"]["lease"] = json!("somebody else's");
        record["holder"]["generation"] = json!(1000);
    });
    rustix::fs::flock(&lock, FlockOperation::Unlock).unwrap();
    running.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_or_release_that_is_overtaken_half_way_moves_nothing() {
    for round in 0..5 {
        let repo = Repo::new();
        let manager = repo.manager();
        let detached = hedgerow_worktree::Request::detached(id("fix"), repo.head());
        let made = if round == 4 { detached } else { request("fix") };
        let worktree = manager.create(made).await.unwrap();
        let path = worktree.path().to_owned();
        if round != 2 {
            write(&path.join("work"), "x\n");
        }
        let before = repo.traces();
        let left = status(&path);
        let lost = match round {
            0 => is_lost(overtaken(&repo, async move { manager.capture(&worktree, message()).await }).await),
            1 | 2 => is_lost_or_left(overtaken(&repo, released(manager, worktree, Disposition::Archive)).await),
            3 => is_lost(overtaken(&repo, released(manager, worktree, Disposition::Keep)).await),
            _ => is_lost(overtaken(&repo, released(manager, worktree, Disposition::Discard)).await),
        };
        assert!(lost, "round {round}");
        assert_eq!(repo.traces(), before, "round {round}");
        assert_eq!(status(&path), left, "round {round}");
        repo.assert_sound();
    }
}

async fn released(
    manager: LocalWorktrees,
    worktree: hedgerow_worktree::Worktree,
    disposition: Disposition,
) -> Result<hedgerow_worktree::Released> {
    manager.release(worktree, disposition).await
}

/// A release whose capture failed leaves everything to the next recovery, and says why.
fn is_lost_or_left(result: Result<hedgerow_worktree::Released>) -> bool {
    match result {
        Ok(released) => matches!(released.fate, Fate::Kept { why: Some(why), .. } if why.contains("lease")),
        lost => is_lost(lost),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_was_cancelled_cannot_move_the_branch_of_who_got_the_lease_since() {
    let repo = Repo::new();
    let manager = repo.manager();
    for round in 0..12_u64 {
        let worktree = manager.create(request("fix")).await.unwrap();
        write(&worktree.path().join("work"), &format!("{round}\n"));
        let capture = manager.capture(&worktree, message());
        let done: Option<Result<Capture>> = tokio::time::timeout(Duration::from_millis(round), capture).await.ok();
        let handover = manager.hand_over(worktree, LONG).await.unwrap();
        let tip = repo.git(["rev-parse", "fix"]);
        let mine = repo.manager().accept(&handover).await.unwrap();
        // Whether the capture was before the handover or not at all, from now on only its new holder moves it.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(repo.git(["rev-parse", "fix"]), tip, "round {round}, captured: {}", done.is_some());
        assert_eq!(manager.release(mine, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    }
}

#[tokio::test]
async fn an_old_handle_can_do_nothing_to_a_new_lease_of_the_same_id_and_path() {
    let repo = Repo::new();
    let manager = repo.manager();
    let old = manager.create(request("fix")).await.unwrap();
    // A file system on which locks do not hold: somebody adopts what seems to be orphaned.
    std::fs::remove_file(repo.path().join(".git/hedgerow/worktrees/fix.lease")).unwrap();
    let new = repo.manager().recover().await.unwrap().adopted.pop().expect("it seems to be orphaned");
    assert_eq!(old.path(), new.path());
    write(&new.path().join("work"), "x\n");
    let before = repo.traces();
    assert!(is_lost(manager.capture(&old, message()).await));
    assert_eq!(manager.release(new, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    let again = manager.create(request("fix")).await.unwrap();
    write(&again.path().join("work"), "y\n");
    assert!(is_lost(manager.capture(&old, message()).await));
    assert!(is_lost(manager.hand_over(old, LONG).await));
    assert_eq!(status(again.path()), "?? work");
    assert!(before.iter().all(|trace| !trace.contains("rescue")), "{before:?}");
}

#[tokio::test]
async fn a_process_number_that_lives_again_and_another_boot_mean_nothing() {
    let repo = Repo::new();
    let manager = repo.manager();
    for (pid, boot) in [(1, None), (std::process::id(), None), (1, Some("another boot"))] {
        drop(manager.create(request("fix")).await.unwrap());
        edit(&repo, |record| {
            record["holder"]["pid"] = json!(pid);
            if let Some(boot) = boot {
                record["holder"]["boot"] = json!(boot);
            }
        });
        let worktree = manager.recover().await.unwrap().adopted.pop().expect("its holder is dead");
        manager.release(worktree, Disposition::Archive).await.unwrap();
    }
    let living = manager.create(request("fix")).await.unwrap();
    edit(&repo, |record| record["holder"]["pid"] = json!(u32::MAX));
    assert!(repo.manager().recover().await.unwrap().adopted.is_empty(), "its holder lives, whatever the record says");
    drop(living);
}
