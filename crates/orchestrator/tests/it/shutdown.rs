//! Stopping loses nothing.

use std::time::{Duration, Instant};

use hedgerow_orchestrator::{EventKind, GateSpec, Live, Outcome, Stage};

use crate::repo::{Repo, outcome, plan, rescues, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_agents_captures_their_work_and_starts_nothing() {
    let repo = Repo::new();
    let flag = repo.path.join("../working");
    let script = |id: &str| format!("echo x >{id}; touch {}.{id}; sleep 600", flag.display());
    let mut wired = plan(GateSpec::None);
    for id in ["a", "b", "c"] {
        wired = wired.task(task(id, &script(id)));
    }
    let mut fleet = repo.builder().parallel(2).open().await.unwrap();
    let stopper = fleet.stopper();
    let run = tokio::spawn(async move { fleet.run(wired).await });
    let began = Instant::now();
    while !(repo.path.join("../working.a").exists() && repo.path.join("../working.b").exists()) {
        assert!(began.elapsed() < Duration::from_secs(60), "the agents never began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stopper.stop();
    let report = run.await.unwrap().unwrap();
    for id in ["a", "b", "c"] {
        assert_eq!(outcome(&report, id), &Outcome::Cancelled);
    }
    for id in ["a", "b"] {
        assert!(rescues(&report, id).iter().any(|reference| repo.has(reference, id)), "{report:#?}");
    }
    assert!(!repo.has_anywhere("c"), "a task was started after the stop");
    assert!(report.finished);
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_does_not_wait_for_an_agent_that_ignores_signals() {
    let repo = Repo::new();
    let mut fleet = repo.builder().open().await.unwrap();
    let (stopper, mut live) = (fleet.stopper(), fleet.subscribe());
    let wired = plan(GateSpec::None)
        .task(task("deaf", "trap '' TERM INT; echo x >deaf; echo ready; while :; do sleep 1; done"));
    let run = tokio::spawn(async move { fleet.run(wired).await });
    loop {
        if let Live::Output { text, .. } = live.next().await.unwrap()
            && text.contains("ready")
        {
            break;
        }
    }
    stopper.abort();
    let report = run.await.unwrap().unwrap();
    assert_eq!(outcome(&report, "deaf"), &Outcome::Cancelled);
    assert!(rescues(&report, "deaf").iter().any(|reference| repo.has(reference, "deaf")), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_are_those_of_the_journal_without_gaps() {
    let repo = Repo::new();
    let mut fleet = repo.builder().open().await.unwrap();
    let mut live = fleet.subscribe();
    let report = fleet.run(plan(GateSpec::None).task(task("t", "echo x >f"))).await.unwrap();
    drop(fleet);
    let mut seen = Vec::new();
    while let Some(message) = live.next().await {
        if let Live::Event(event) = message {
            seen.push(*event);
        }
    }
    let journal = hedgerow_orchestrator::Fleet::events(&repo.path, &report.run).unwrap();
    assert_eq!(seen, journal);
    assert!(journal.iter().enumerate().all(|(n, event)| event.seq == n as u64));
    let landing = |e: &EventKind| matches!(e, EventKind::Attempt { stage: Stage::Landing { .. }, .. });
    assert!(journal.iter().any(|event| landing(&event.kind)));
}
