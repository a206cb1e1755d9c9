//! What programs do that embed a fleet: parts of their own, handles that live on, futures that are dropped.

use std::time::Duration;

use async_trait::async_trait;
use hedgerow_orchestrator::merge::{Change, MergeCommit, MergeStrategy, Prepared, Repository, Target};
use hedgerow_orchestrator::{Agent, AgentContext, AgentReport, Error, Fleet, Gate, GateSpec, Outcome, Result, Verdict};

use crate::repo::{Repo, outcome, plan, rescues, task};

/// A strategy with a flaw that one task runs into.
#[derive(Debug)]
struct Flawed;

impl MergeStrategy for Flawed {
    fn prepare(
        &self,
        repository: &Repository,
        target: &Target,
        change: &Change,
    ) -> hedgerow_orchestrator::merge::Result<Prepared> {
        assert!(!change.subject.starts_with("unlucky"), "a flaw of the strategy");
        MergeCommit.prepare(repository, target, change)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_panics_breaks_one_task_and_not_the_run() {
    let repo = Repo::new();
    let wired = plan(GateSpec::None).task(task("unlucky", "echo x >unlucky")).task(task("fine", "echo x >fine"));
    let report = repo.builder().strategy(Flawed).open().await.unwrap().run(wired).await.unwrap();
    assert!(matches!(outcome(&report, "unlucky"), Outcome::Broken { why } if why.contains("panicked")), "{report:#?}");
    assert!(rescues(&report, "unlucky").iter().any(|reference| repo.has(reference, "unlucky")));
    assert!(matches!(outcome(&report, "fine"), Outcome::Landed { .. }), "{report:#?}");
    repo.assert_nothing_left_over();
}

/// A gate in Rust that looks at the tree by a command.
#[derive(Debug)]
struct NoTabs;

#[async_trait]
impl Gate for NoTabs {
    fn name(&self) -> &str {
        "no-tabs"
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn judge(&self, context: &mut AgentContext<'_>) -> Result<Verdict> {
        let command = context.command("grep").args(["-rlP", "\\t", "--exclude=.git", "."]);
        context.exec(command).await?;
        let found = String::from_utf8_lossy(context.output()).trim().to_owned();
        Ok(if found.is_empty() { Verdict::Passed } else { Verdict::Failed { why: format!("tabs in {found}") } })
    }
}

/// An agent in Rust that runs two commands.
#[derive(Debug)]
struct TwoSteps;

#[async_trait]
impl Agent for TwoSteps {
    async fn run(&self, context: &mut AgentContext<'_>) -> Result<AgentReport> {
        let name = context.command("cat").stdin(context.prompt());
        context.exec(name).await?;
        let text = String::from_utf8_lossy(context.output()).into_owned();
        let exit = context.exec(context.command("sh").args(["-c", "cat >\"$HEDGEROW_TASK\""]).stdin(text)).await?;
        Ok(AgentReport::from_exit(&exit))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_a_gate_written_in_rust_see_what_their_commands_print() {
    let repo = Repo::new();
    let mut clean = task("clean", "no tabs here");
    let mut tabs = task("tabs", "a\ttab");
    (clean.agent, tabs.agent) = ("two-steps".into(), "two-steps".into());
    let wired = plan(GateSpec::None).task(clean).task(tabs);
    let mut fleet = repo.builder().agent("two-steps", TwoSteps).gate(NoTabs).open().await.unwrap();
    let report = fleet.run(wired).await.unwrap();
    assert!(matches!(outcome(&report, "clean"), Outcome::Landed { .. }), "{report:#?}");
    let failed = format!("{:?}", outcome(&report, "tabs"));
    assert!(failed.contains("tabs in ./tabs"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_future_is_dropped_goes_on_and_the_next_call_waits_for_it() {
    let repo = Repo::new();
    let mut fleet = repo.builder().open().await.unwrap();
    let wired = plan(GateSpec::None).task(task("slow", "echo x >slow; sleep 2"));
    let short = tokio::time::timeout(Duration::from_millis(700), fleet.run(wired)).await;
    assert!(short.is_err(), "the run should not have ended yet");
    assert!(fleet.recover().await.unwrap().is_none(), "the run had ended when it was waited for");
    assert!(repo.has("agents", "slow"));
    let report = fleet.run(plan(GateSpec::None).task(task("next", "echo x >next"))).await.unwrap();
    assert!(report.success(), "{report:#?}");
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_fleet_holds_the_repository_until_its_run_has_ended() {
    let repo = Repo::new();
    let mut fleet = repo.builder().open().await.unwrap();
    let stopper = fleet.stopper();
    let wired = plan(GateSpec::None).task(task("slow", "echo x >slow; sleep 60"));
    assert!(tokio::time::timeout(Duration::from_millis(700), fleet.run(wired)).await.is_err());
    drop(fleet);
    assert!(matches!(repo.builder().open().await, Err(Error::Held { .. })));
    stopper.stop();
    for _ in 0..200 {
        if repo.builder().open().await.is_ok() {
            let report = Fleet::status(&repo.path).unwrap().pop().unwrap();
            assert_eq!(outcome(&report, "slow"), &Outcome::Cancelled);
            return repo.assert_nothing_left_over();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_was_stopped_says_so_instead_of_cancelling_the_next_run() {
    let repo = Repo::new();
    let mut fleet = repo.builder().open().await.unwrap();
    fleet.stopper().stop();
    let error = fleet.run(plan(GateSpec::None).task(task("t", "true"))).await.unwrap_err();
    assert!(matches!(&error, Error::Preflight { problem } if problem.contains("stopped")), "{error}");
    assert!(Fleet::status(&repo.path).unwrap().is_empty());
}
