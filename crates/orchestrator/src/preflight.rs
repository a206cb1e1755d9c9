//! What is checked before a run starts, so that no agent works for nothing.

use hedgerow_merge::{BranchName, Checkout};

use crate::services::Services;
use crate::{Error, GateSpec, Plan, Result, handoff};

/// Finds the target of a plan and makes sure that changes can be isolated, gated and landed on it.
pub(crate) async fn check(services: &Services, plan: &Plan) -> Result<BranchName> {
    let mut shortfalls = services.policy.shortfalls(&*services.lane);
    if services.gate.is_some() || plan.gate != GateSpec::None {
        shortfalls.extend(services.gate_policy.shortfalls(&*services.lane));
    }
    shortfalls.dedup();
    if !shortfalls.is_empty() {
        let missing: Vec<_> = shortfalls.iter().map(ToString::to_string).collect();
        let problem = format!("the lane cannot enforce what the policy requires: {}", missing.join("; "));
        return Err(Error::Preflight { problem });
    }
    let (repository, wanted, checkout) = (services.repository.clone(), plan.target.clone(), services.checkout);
    tokio::task::spawn_blocking(move || target(&repository, wanted, checkout)).await.map_err(handoff::gone)?
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
