//! What is checked before a run starts, so that no agent works for nothing.

use std::collections::BTreeSet;

use hedgerow_merge::{BranchName, Checkout};

use crate::layout::RunDir;
use crate::services::Services;
use crate::state::RunState;
use crate::{Error, GateSpec, Plan, Result, TaskId, attempt, handoff};

/// Finds the target of a plan and makes sure that changes can be isolated, gated and landed on it.
pub(crate) async fn check(services: &Services, plan: &Plan) -> Result<BranchName> {
    let mut shortfalls = services.policy.shortfalls(&*services.lane);
    if services.gate.is_some() || plan.gate != GateSpec::None {
        shortfalls.extend(services.gate_policy.shortfalls(&*services.lane));
    }
    if !shortfalls.is_empty() {
        let missing: BTreeSet<_> = shortfalls.iter().map(ToString::to_string).collect();
        let missing: Vec<_> = missing.into_iter().collect();
        let problem = format!("the lane cannot enforce what the policy requires: {}", missing.join("; "));
        return Err(Error::Preflight { problem });
    }
    let (repository, wanted, checkout) = (services.repository.clone(), plan.target.clone(), services.checkout);
    let tasks: Vec<_> = plan.tasks.iter().map(|task| task.id.clone()).collect();
    let look = move || {
        branches_are_free(&repository, &tasks)?;
        target(&repository, wanted, checkout)
    };
    handoff::blocking("reading the target", look).await?
}

/// Git cannot have a branch `agent/x/1` beside one called `agent` or `agent/x`.
fn branches_are_free(repository: &hedgerow_merge::Repository, tasks: &[TaskId]) -> Result<()> {
    let above = std::iter::once("agent".to_owned()).chain(tasks.iter().map(|task| format!("agent/{task}")));
    for name in above {
        if repository.tip(&BranchName::new(&*name)?).is_ok() {
            let problem = format!("a branch is called {name}, so no branches of tasks can be made below it; rename it");
            return Err(Error::Preflight { problem });
        }
    }
    Ok(())
}

fn target(
    repository: &hedgerow_merge::Repository,
    wanted: Option<BranchName>,
    checkout: Checkout,
) -> Result<BranchName> {
    let branch = match wanted {
        Some(branch) => branch,
        None => repository.head_branch()?.ok_or_else(|| Error::Preflight {
            problem: "HEAD is on no branch, so the plan must name its target".into(),
        })?,
    };
    repository.tip(&branch)?;
    match (checkout, repository.checked_out(&branch)?) {
        (Checkout::Refuse, Some(path)) => Err(Error::Preflight {
            problem: format!(
                "the target {branch} is checked out at {}, and moving it would make that checkout look changed; \
                 choose another target, or allow a clean checkout to be brought forward with it",
                path.display()
            ),
        }),
        _ => Ok(branch),
    }
}

/// Whether this fleet can go on with a run: another lane could not see the sandboxes that the run may have left, another
/// gate would let something else land, and an agent that is not known could not be waited for.
pub(crate) fn same_wiring(dir: &RunDir, run: &RunState, services: &Services) -> Result<()> {
    let refuse = |what: &str, began: &str, here: &str| {
        let (id, journal) = (dir.id.as_str(), dir.journal());
        let problem = format!(
            "run {id} is not finished and began with the {what} {began:?}, this fleet has {here:?}; open it with the same \
             one. If that is gone for good, remove {}: the next start then puts the run's worktrees under rescue refs",
            journal.display()
        );
        Err(Error::Preflight { problem })
    };
    if run.lane != services.lane.name() {
        return refuse("lane", &run.lane, services.lane.name());
    }
    if run.gate != services.gate_name() {
        return refuse("gate", &run.gate, services.gate_name());
    }
    for (task, _) in attempt::underway(run) {
        if !run.plan.agents.contains_key(&task.agent) && !services.agents.contains_key(&task.agent) {
            let known: Vec<_> = services.agents.keys().map(String::as_str).collect();
            return refuse("agent", &task.agent, &known.join(", "));
        }
    }
    Ok(())
}
