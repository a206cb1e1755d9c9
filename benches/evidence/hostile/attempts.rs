//! The probes as the attempts of a real fleet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hedgerow_orchestrator::agents::CommandAgent;
use hedgerow_orchestrator::merge::BranchName;
use hedgerow_orchestrator::sandbox::{Limits, Policy, Sandbox};
use hedgerow_orchestrator::{Fleet, GateSpec, Kept, Outcome, Plan, Report, Status, Task, TaskReport};

use super::arena::{Arena, Before};
use super::gauge::Gauge;
use super::probe::{Effect, Ending, Probe, Verdict};
use crate::clone::TARGET;
use crate::lane::Lane;
use crate::{Failure, leftovers};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many attempts at once, where they leave each other alone.
const PARALLEL: usize = 3;

/// Prints what a tree says, so that what a gate prints is what an agent wrote.
const GATE: &str = "test ! -e GATE-SAYS || { cat GATE-SAYS; exit 1; }";

/// What became of the probes in a lane, and what was left when all were over.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    pub(super) verdicts: BTreeMap<&'static str, Verdict>,
    pub(super) left: Vec<String>,
}

/// Runs these probes in a lane, each as the agent of one task.
pub(super) async fn run(lane: Lane, sandbox: Arc<dyn Sandbox>, probes: &[Probe]) -> Result<Aftermath, Failure> {
    let arena = Arena::new()?;
    let policy = policy(lane);
    let mut after = Aftermath::default();
    let mut kept = Vec::new();
    let (alone, together): (Vec<&Probe>, Vec<&Probe>) =
        probes.iter().partition(|probe: &&Probe| probe.end == Ending::FailsAlone);
    let groups = std::iter::once(together).chain(alone.into_iter().map(|probe| vec![probe]));
    for group in groups.filter(|group| !group.is_empty()) {
        let before: Vec<Before> = group.iter().map(|probe| arena.before(probe)).collect::<Result<_, _>>()?;
        let plan = plan(&arena, &group)?;
        let builder = Fleet::builder(&arena.copy.path, Arc::clone(&sandbox)).policy(policy.clone());
        let mut fleet = builder.parallel(PARALLEL).open().await?;
        let gauge = Gauge::start();
        let report = tokio::time::timeout(PATIENCE, fleet.run(plan)).await.map_err(|_| "the fleet is stuck")??;
        fleet.purge().await?;
        drop(fleet);
        let rise = gauge.rise();
        for (probe, before) in group.iter().zip(&before) {
            let task = report.tasks.iter().find(|task| task.task.as_str() == probe.id).ok_or("a task is missing")?;
            let said = task.log.as_ref().and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
            let through = match probe.effect {
                Effect::Crowds => rise.processes > 1000,
                Effect::Hoards => rise.memory > 4096,
                Effect::Floods => said.len() as u64 > policy.limits.output + (64 << 10),
                Effect::Repaints => why(&task.status).chars().any(char::is_control),
                _ => arena.through(probe, before, &said)?,
            };
            let built_on = report.tasks.iter().find(|task| task.task.as_str() == format!("{}-next", probe.id));
            after.verdicts.insert(probe.id, verdict(probe, through, &said, task, built_on));
        }
        kept.extend(kept_trees(&report));
    }
    after.left = leftovers::all(&arena.copy)?;
    after.left.retain(|line| !kept.iter().any(|name| line.contains(name.as_str())));
    Ok(after)
}

/// The standard policy with limits that are reached soon; the host lane promises less.
fn policy(lane: Lane) -> Policy {
    let mut policy = if lane == Lane::Host { Policy::open() } else { Policy::standard() };
    if lane != Lane::Host {
        let limits = Limits { memory: Some(512 << 20), pids: Some(256), tmp: 64 << 20, ..policy.limits };
        policy.limits = limits;
    }
    policy
}

fn plan(arena: &Arena, probes: &[&Probe]) -> Result<Plan, Failure> {
    let mut plan = Plan::new(GateSpec::command(["sh", "-c", GATE]))
        .target(BranchName::new(TARGET)?)
        .agent("hostile", CommandAgent::new(["sh", "-s"]));
    for probe in probes {
        let script = arena.fill(probe, &probe.script())?;
        let task = Task::new(probe.id, "hostile")?.prompt(script).deadline(Duration::from_secs(60));
        let id = task.id.clone();
        plan = plan.task(task);
        if probe.end == Ending::IsBuiltOn {
            plan = plan.task(Task::new(format!("{id}-next"), "hostile")?.prompt("true").needs(&id));
        }
    }
    Ok(plan)
}

fn verdict(probe: &Probe, through: bool, said: &[u8], task: &TaskReport, built_on: Option<&TaskReport>) -> Verdict {
    let why = why(&task.status);
    // Not all of it: a flood is long.
    let head = String::from_utf8_lossy(&said[..said.len().min(1 << 10)]);
    let tail = String::from_utf8_lossy(&said[said.len().saturating_sub(1 << 10)..]);
    let went_through = match (probe.end, &task.status) {
        // It was tried, and was seen for what it is: nothing of it lands.
        (_, Status::Ended(Outcome::Incomplete { .. })) => true,
        (Ending::Lands, Status::Ended(end)) => matches!(end, Outcome::Landed { .. }),
        (Ending::IsBuiltOn, Status::Ended(Outcome::Landed { .. })) => {
            built_on.is_some_and(|next| next.status == Status::Ended(Outcome::NoChange))
        }
        (Ending::IsBuiltOn, _) => false,
        (_, Status::Ended(end)) => {
            !matches!(end, Outcome::Broken { .. } | Outcome::Cancelled | Outcome::Skipped { .. })
        }
        _ => false,
    };
    if !went_through && !through {
        return Verdict::NotTried(why);
    }
    // The script of a probe ends with status 0 or 7; anything else was not its own will.
    let ended = matches!(&task.status, Status::Ended(Outcome::AgentFailed { why }) if !why.ends_with("status 7"));
    Verdict::of(probe.effect, through, &format!("{head}\n{tail}"), ended.then_some(&*why))
}

/// What the report says about how a task ended, as it would be shown.
fn why(status: &Status) -> String {
    match status {
        Status::Ended(Outcome::AgentFailed { why } | Outcome::Broken { why } | Outcome::NotLanded { why }) => {
            why.clone()
        }
        Status::Ended(Outcome::GateFailed { verdict: hedgerow_orchestrator::Verdict::Failed { why } }) => why.clone(),
        other => format!("{other:?}"),
    }
}

/// The names of the worktrees that were kept on purpose: a nested repository's history is in no ref of ours.
fn kept_trees(report: &Report) -> Vec<String> {
    let name = |kept: &Kept| match kept {
        Kept::Tree { path, .. } => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        Kept::Rescue(_) => None,
    };
    let trees = |task: &TaskReport| {
        let names: Vec<_> = task.kept.iter().filter_map(name).collect();
        let branch = (!names.is_empty()).then(|| format!("refs/heads/agent/{}/", task.task));
        names.into_iter().chain(branch).collect::<Vec<_>>()
    };
    report.tasks.iter().flat_map(trees).collect()
}
