//! What is wrong is said by name, before anything starts.

use std::sync::Arc;

use hedgerow_orchestrator::sandbox::{HostSandbox, Policy};
use hedgerow_orchestrator::{Error, Fleet, GateSpec, Outcome, Plan};

use crate::repo::{Repo, outcome, plan, task};

async fn open(path: &std::path::Path) -> Result<Fleet, Error> {
    Fleet::builder(path, Arc::new(HostSandbox::new().unwrap())).policy(Policy::open()).open().await
}

#[tokio::test]
async fn a_path_that_is_no_repository_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let message = open(empty.path()).await.unwrap_err().chain();
    assert!(message.contains(&empty.path().display().to_string()), "{message}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "something was written");
    let missing = empty.path().join("missing");
    assert!(open(&missing).await.unwrap_err().chain().contains("missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_repository_works() {
    let repo = Repo::new();
    let bare = repo.path.join("../bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let mut fleet = open(&bare).await.unwrap();
    let report = fleet.run(plan(GateSpec::None).task(task("t", "echo x >f"))).await.unwrap();
    assert!(report.success(), "{report:#?}");
    repo.git(&["--git-dir", bare.to_str().unwrap(), "cat-file", "-e", "agents:f"]);
}

#[tokio::test]
async fn a_branch_without_a_commit_is_named() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "--orphan", "unborn"]);
    let mut wired = plan(GateSpec::None).task(task("t", "true"));
    wired.target = None;
    let message = open(&repo.path).await.unwrap().run(wired).await.unwrap_err().chain();
    assert!(message.contains("unborn"), "{message}");
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_starts_nothing() {
    let repo = Repo::new();
    let mut fleet = open(&repo.path).await.unwrap();
    let error = fleet.run(Plan::new(GateSpec::None)).await.unwrap_err();
    assert!(matches!(&error, Error::Plan { problem } if problem.contains("no tasks")), "{error}");
    let mut unknown = task("t", "true");
    unknown.agent = "ghost".into();
    let error = fleet.run(plan(GateSpec::None).task(unknown)).await.unwrap_err();
    assert!(matches!(&error, Error::Plan { problem } if problem.contains("ghost")), "{error}");
    assert!(Fleet::status(&repo.path).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_or_gate_binary_that_is_missing_is_named_in_the_outcome() {
    use hedgerow_orchestrator::agents::CommandAgent;
    let repo = Repo::new();
    let mut lost = task("lost", "x");
    lost.agent = "lost".into();
    let wired = plan(GateSpec::command(["no-such-gate"]))
        .agent("lost", CommandAgent::new(["no-such-agent"]))
        .task(lost)
        .task(task("fine", "echo x >f"));
    let report = open(&repo.path).await.unwrap().run(wired).await.unwrap();
    assert!(
        matches!(outcome(&report, "lost"), Outcome::AgentFailed { why } if why.contains("no-such-agent")),
        "{report:#?}"
    );
    let gate = format!("{:?}", outcome(&report, "fine"));
    assert!(gate.contains("no-such-gate") && gate.contains("GateFailed"), "{gate}");
    repo.assert_nothing_left_over();
}

#[tokio::test]
async fn a_lane_that_cannot_enforce_the_policy_is_refused_with_every_missing_piece() {
    let repo = Repo::new();
    let lane = Arc::new(HostSandbox::new().unwrap());
    let mut fleet = Fleet::builder(&repo.path, lane).open().await.unwrap();
    let message = fleet.run(plan(GateSpec::None).task(task("t", "true"))).await.unwrap_err().chain();
    for piece in ["no-host-writes", "no-host-reads", "no-network", "no-privilege-gain", "pids"] {
        assert!(message.contains(piece), "{piece} is not in: {message}");
    }
}

#[tokio::test]
async fn a_second_fleet_is_told_who_holds_the_repository() {
    let repo = Repo::new();
    let first = open(&repo.path).await.unwrap();
    let error = open(&repo.path).await.unwrap_err();
    let pid = std::process::id().to_string();
    assert!(matches!(&error, Error::Held { holder, .. } if holder.contains(&pid)), "{error}");
    drop(first);
    open(&repo.path).await.unwrap();
}
