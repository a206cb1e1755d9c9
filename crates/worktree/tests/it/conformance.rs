//! The rules for implementors hold for the managers of this crate, and find what is wrong with broken ones.

mod broken;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use hedgerow_worktree::{
    Base, FakeWorktrees, GitAccess, LocalWorktrees, WorktreeManager, conformance,
    pool::{Pool, PoolOptions},
};

use crate::repo::{Repo, status};
use broken::{Broken, FAULTS};

fn fake() -> FakeWorktrees {
    FakeWorktrees::new([("README", "hello\n")])
}

/// Checks a manager of real repositories, and afterwards has git look at what is left of each.
async fn real<M: WorktreeManager, F: Future<Output = M>>(git: GitAccess, open: impl Fn(LocalWorktrees) -> F) {
    let repos = Mutex::new(Vec::new());
    let factory = async || {
        let repo = Repo::new();
        let manager = open(repo.manager()).await;
        repos.lock().unwrap().push(repo);
        manager
    };
    conformance::check(git, factory).await.assert();
    let repos = repos.into_inner().unwrap();
    assert_eq!(repos.len(), conformance::rules().len());
    for repo in repos {
        // What a check left lying is an orphan, unless it deleted a tree by hand.
        drop(repo.manager().recover().await.unwrap());
        assert_eq!(status(repo.path()), "");
        repo.git(["fsck", "--strict"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_manager_keeps_every_rule_with_direct_access() {
    real(GitAccess::Direct, async |worktrees| worktrees).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_manager_keeps_every_rule_with_a_private_view() {
    real(GitAccess::Private, async |worktrees| worktrees).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_keeps_every_rule_with_trees_that_were_ready_before() {
    let open = async |worktrees| {
        let pool = Pool::open(worktrees, PoolOptions::new(NonZeroUsize::MIN)).await.unwrap();
        pool.refill(&Base::Head).await.unwrap();
        pool
    };
    real(GitAccess::Direct, open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_keeps_every_rule() {
    for git in [GitAccess::Direct, GitAccess::Private] {
        let report = conformance::check(git, async || fake()).await;
        report.assert();
        assert_eq!(report.kept.len(), conformance::rules().len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_wraps_another_one_without_a_fault_keeps_every_rule() {
    conformance::check(GitAccess::Direct, async || Broken::new(fake(), None)).await.assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_finds_a_manager_that_breaks_it() {
    let rules = conformance::rules();
    let mut found = BTreeSet::new();
    for (fault, broken) in FAULTS {
        for name in *broken {
            let rule = rules.iter().find(|rule| rule.name == *name).unwrap_or_else(|| panic!("there is no {name}"));
            let breach = rule.check(GitAccess::Direct, Broken::new(fake(), Some(*fault))).await;
            let breach = breach.unwrap_or_else(|| panic!("{name} does not find the fault {fault:?}"));
            assert!(breach.to_string().contains(rule.demand) && !breach.found.is_empty());
            found.insert(rule.name);
        }
    }
    let all: BTreeSet<_> = rules.iter().map(|rule| rule.name).collect();
    assert_eq!(all.len(), rules.len(), "two rules have one name");
    let unproven: Vec<_> = all.difference(&found).collect();
    assert!(unproven.is_empty(), "no fault shows that these rules find anything: {unproven:?}");
}

#[tokio::test]
#[should_panic(expected = "an-id-is-given-once")]
async fn a_report_with_a_breach_fails_the_test() {
    let factory = async || Broken::new(fake(), Some(broken::Fault::OccupiedAsOther));
    conformance::check(GitAccess::Direct, factory).await.assert();
}
