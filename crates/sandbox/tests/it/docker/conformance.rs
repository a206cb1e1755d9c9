//! The rules for implementors hold on an engine.

use std::sync::Arc;

use hedgerow_sandbox::Sandbox;
use hedgerow_sandbox::conformance::{self, Shell, Verdict};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::lane;
use crate::conformance::Shared;

/// Each takes some containers, and an engine takes its time for them, so some are checked at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn the_docker_lane_keeps_every_rule() {
    let Some(lane) = lane().await else { return };
    let lane = Arc::new(lane);
    every_rule_is_kept(|| Shared(Arc::clone(&lane)), 6).await;
}

/// Checks all rules, so many at a time.
pub(super) async fn every_rule_is_kept<S: Sandbox>(lane: impl Fn() -> S, at_a_time: usize) {
    let (few, mut checks) = (Arc::new(Semaphore::new(at_a_time)), JoinSet::new());
    for rule in conformance::rules() {
        let (lane, few) = (lane(), Arc::clone(&few));
        checks.spawn(async move {
            let _turn = few.acquire().await;
            (rule.name, rule.check(Shell, lane).await)
        });
    }
    let verdicts = checks.join_all().await;
    let not_kept: Vec<_> = verdicts.into_iter().filter(|(_, verdict)| *verdict != Verdict::Kept).collect();
    // Where nothing is covered in part, there is nothing to consent to.
    assert!(not_kept.iter().all(|(rule, _)| *rule == "what-is-covered-in-part-needs-consent"), "{not_kept:#?}");
}
