//! Many who want a slot at once.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

use hedgerow_worktree::{
    Base, Disposition, Error, Fate, WorktreeManager,
    pool::{Exhausted, Pool},
};

use super::{by_git, content, filled, open, options, slots};
use crate::child;
use crate::repo::{Repo, request, status};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_claim_at_once_each_slot_goes_to_exactly_one() {
    let repo = Repo::new();
    let mut options = options(4);
    options.exhausted = Exhausted::Refuse;
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    pool.refill(&Base::Head).await.unwrap();
    let idle: HashSet<_> = slots(pool.worktrees()).iter().map(|slot| slot.metadata().unwrap().ino()).collect();
    let claims: Vec<_> = (0..12)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.create(request(&format!("w{n}"))).await })
        })
        .collect();
    let mut won = Vec::new();
    for claim in claims {
        match claim.await.unwrap() {
            Ok(worktree) => won.push(worktree),
            Err(Error::Exhausted { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
    let taken: HashSet<_> = won.iter().map(|worktree| worktree.path().metadata().unwrap().ino()).collect();
    assert_eq!((won.len(), taken), (4, idle));
    for worktree in won {
        assert_eq!(status(worktree.path()), "");
    }
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_releases_and_refills_at_once_do_not_disturb_each_other() {
    let repo = Repo::new();
    let pool = filled(&repo, 2).await;
    let expected = by_git(&repo, "HEAD");
    let mut tasks = Vec::new();
    for n in 0..4 {
        let (pool, expected) = (pool.clone(), expected.clone());
        tasks.push(tokio::spawn(async move {
            for round in 0..3 {
                let worktree = pool.create(request(&format!("w{n}-{round}"))).await.unwrap();
                assert_eq!(content(worktree.path()), expected, "{n} {round}");
                std::fs::write(worktree.path().join("left"), "behind\n").unwrap();
                let released = pool.release(worktree, Disposition::Archive).await.unwrap();
                assert_eq!((released.fate, released.rescues.len()), (Fate::Removed, 1));
                pool.refill(&Base::Head).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    pool.refill(&Base::Head).await.unwrap();
    let after = pool.status().await.unwrap();
    assert_eq!((after.ready.len(), after.filling, after.dirty), (2, 0, 0));
    assert_eq!(slots(pool.worktrees()).len(), 2);
    assert_eq!(after.claims.hits + after.claims.misses, 12);
    repo.assert_sound();
}

#[tokio::test]
async fn several_processes_share_the_slots_and_never_get_the_same_one() {
    let repo = Repo::new();
    let pool = filled(&repo, 3).await;
    let path = repo.path().to_str().unwrap();
    let mut children: Vec<_> =
        (0..3).map(|n| child::start("pool-claim-many", &[path, &format!("p{n}"), "4"])).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let expected = by_git(&repo, "HEAD");
    let recovery = pool.recover().await.unwrap();
    assert_eq!((recovery.adopted.len(), recovery.left), (12, Vec::new()));
    let mut inodes = HashSet::new();
    for worktree in recovery.adopted {
        assert_eq!(content(worktree.path()), expected, "{}", worktree.id());
        assert!(inodes.insert(worktree.path().metadata().unwrap().ino()));
    }
    repo.assert_sound();
}

/// What each of those processes does: claims as fast as it can, and refills now and then.
pub(crate) async fn claim_many(path: &str, prefix: &str, count: usize) {
    let manager = hedgerow_worktree::LocalWorktrees::open(path).unwrap();
    let pool = Pool::open(manager, options(3)).await.unwrap();
    for n in 0..count {
        drop(pool.create(request(&format!("{prefix}-{n}"))).await.unwrap());
        if n % 2 == 1 {
            pool.refill(&Base::Head).await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_that_refill_at_once_do_not_make_too_many() {
    let repo = Repo::new();
    let (one, other) = (open(&repo, 3).await, open(&repo, 3).await);
    let (a, b) = tokio::join!(one.refill(&Base::Head), other.refill(&Base::Head));
    assert_eq!(a.unwrap().made + b.unwrap().made, 3);
    assert_eq!(slots(one.worktrees()).len(), 3);
}
