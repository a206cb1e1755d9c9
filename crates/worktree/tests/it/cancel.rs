//! Whatever is dropped half-way is finished, undone or found again.

use std::time::Duration;

use hedgerow_worktree::{
    Disposition, Entry, Fate, LocalOptions, LocalWorktrees, Owner, State, Worktree, WorktreeManager, usage::Budget,
};

use crate::capture::message;
use crate::repo::{Repo, git_in, id, request, try_git, write};

/// One at a time, so that operations have to wait for their turn.
fn narrow(repo: &Repo) -> LocalWorktrees {
    let options = LocalOptions::default().parallel(std::num::NonZeroUsize::new(1));
    LocalWorktrees::open_with(repo.path(), options).unwrap()
}

async fn drop_after(operation: impl Future, after: Duration) {
    let _ = tokio::time::timeout(after, operation).await;
}

async fn worked_in(manager: &LocalWorktrees, repo: &Repo) -> Worktree {
    let worktree = loop {
        // A release that goes on in the background may have the id still.
        for adopted in manager.recover().await.unwrap().adopted {
            manager.release(adopted, Disposition::Archive).await.unwrap();
        }
        if let Ok(worktree) = manager.create(request("fix")).await {
            break worktree;
        }
    };
    for rescue in manager.rescues(&id("fix")).await.unwrap() {
        repo.git(["update-ref", "-d", &rescue.reference]);
    }
    write(&worktree.path().join("work"), "of an agent\n");
    worktree
}

/// Recovers until nothing is underway in the background any more.
async fn settled(manager: &LocalWorktrees) {
    loop {
        for worktree in manager.recover().await.unwrap().adopted {
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        }
        if manager.list().await.unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn assert_held(repo: &Repo, manager: &LocalWorktrees, moment: &str) {
    let held =
        manager.rescues(&id("fix")).await.unwrap().into_iter().any(|rescue| {
            try_git(repo.path(), ["cat-file", "-e", &format!("{}:work", rescue.reference)]).status.success()
        });
    assert!(held, "the work is lost: {moment}");
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_dropped_at_any_moment_loses_nothing_and_leaves_nothing_half_done() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    for n in 0..16_u64 {
        let worktree = worked_in(&manager, &repo).await;
        let release = manager.release(worktree, Disposition::Archive);
        drop_after(release, Duration::from_micros(n * n * 120)).await;
        settled(&manager).await;
        assert_held(&repo, &manager, &format!("dropped at {n}")).await;
    }
    let left = repo.traces();
    assert!(left.iter().all(|trace| trace == "refs/heads/main" || trace.contains("rescue/fix/")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_or_handover_or_recovery_dropped_at_any_moment_loses_nothing() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    for n in 0..18_u64 {
        let after = Duration::from_micros(n / 3 * n / 3 * 300);
        let worktree = worked_in(&manager, &repo).await;
        match n % 3 {
            0 => {
                drop_after(manager.capture(&worktree, message()), after).await;
                drop(worktree);
            }
            1 => drop_after(manager.hand_over(worktree, Duration::ZERO), after).await,
            _ => {
                drop(worktree);
                drop_after(manager.recover(), after).await;
            }
        }
        settled(&manager).await;
        assert_held(&repo, &manager, &format!("dropped at {n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_their_turn_can_be_dropped_and_hold_nobody_up() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    let clean = repo.traces();
    let waiting: Vec<_> = (0..12)
        .map(|n| {
            let manager = manager.clone();
            tokio::spawn(async move { drop(manager.create(request(&format!("waits-{n}"))).await) })
        })
        .collect();
    tokio::task::yield_now().await;
    waiting.into_iter().for_each(|task| task.abort());
    let worktree = manager.create(request("fix")).await.unwrap();
    manager.release(worktree, Disposition::Archive).await.unwrap();
    settled(&manager).await;
    assert_eq!(repo.traces(), clean);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handover_that_is_accepted_by_one_who_was_dropped_is_not_lost() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    for n in 0..8_u64 {
        let worktree = worked_in(&manager, &repo).await;
        let handover = manager.hand_over(worktree, Duration::from_secs(600)).await.unwrap();
        drop_after(manager.accept(&handover), Duration::from_micros(n * 300)).await;
        // It has either not begun, so that the offer stands, or it was accepted, and then dropped like any handle.
        let again = loop {
            match manager.accept(&handover).await {
                Ok(worktree) => break Some(worktree),
                Err(_) => match manager.recover().await.unwrap().adopted.pop() {
                    Some(worktree) => break Some(worktree),
                    None => tokio::time::sleep(Duration::from_millis(2)).await,
                },
            }
        };
        let worktree = again.expect("somebody gets it");
        assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        assert_held(&repo, &manager, &format!("dropped at {n}")).await;
    }
}

/// What is kept for a person: with a commit of its own that nothing else holds.
async fn kept(manager: &LocalWorktrees, repo: &Repo) {
    let worktree = worked_in(manager, repo).await;
    git_in(worktree.path(), ["add", "-A"]);
    git_in(worktree.path(), ["commit", "-q", "-m", "of an agent"]);
    manager.release(worktree, Disposition::Keep).await.unwrap();
}

fn state(entry: &Entry) -> Option<State> {
    match entry.owner {
        Owner::Hedgerow { state, .. } => Some(state),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_dropped_at_any_moment_leaves_what_was_kept_kept_or_rescued() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    let budget = Budget { most: 0, least_free: 0 };
    for n in 0..12_u64 {
        kept(&manager, &repo).await;
        drop_after(manager.evict(&budget), Duration::from_micros(n * n * 500)).await;
        // What it was at when it was dropped is finished in the background.
        loop {
            match manager.list().await.unwrap().iter().find_map(state) {
                None => break,
                Some(State::Kept) => {
                    assert_eq!(manager.recover().await.unwrap().adopted.len(), 0, "dropped at {n}");
                    if let Ok(worktree) = manager.adopt(&id("fix")).await {
                        manager.release(worktree, Disposition::Archive).await.unwrap();
                    }
                }
                Some(State::Orphaned) => panic!("it is kept no more: dropped at {n}"),
                Some(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        assert_held(&repo, &manager, &format!("dropped at {n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_dropped_at_any_moment_can_be_made_again() {
    let repo = Repo::new();
    let manager = narrow(&repo);
    for n in 0..8_u64 {
        kept(&manager, &repo).await;
        drop_after(manager.adopt(&id("fix")), Duration::from_micros(n * 200)).await;
        let again = loop {
            match manager.adopt(&id("fix")).await {
                Ok(worktree) => break worktree,
                // The one that was dropped has it for a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        assert_eq!(manager.release(again, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        assert_held(&repo, &manager, &format!("dropped at {n}")).await;
    }
}
