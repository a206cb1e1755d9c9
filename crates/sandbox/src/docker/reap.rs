//! Removing what dead owners left.

use std::sync::Arc;

use bollard::models::ContainerSummary;

use crate::{Result, SandboxId};

use super::lease::{self, Lease};
use super::owner::Fate;
use super::{Lane, label, pool, record};

/// What to do with containers of whose owner it cannot be told whether it is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// They are left.
    Leave,
    /// They are removed, by this explicit choice of a caller who knows that nobody else uses these labels on this engine.
    Remove,
}

/// What [`DockerSandbox::reap`](crate::DockerSandbox::reap) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Reaped {
    /// What is gone.
    pub removed: Vec<Leftover>,
    /// What is still there.
    pub left: Vec<Leftover>,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// The sandbox that it was made for, or given to; `warm` for one that waited for a command.
    pub sandbox: SandboxId,
    /// Its id, as the engine knows it.
    pub container: String,
    /// Why it was removed or left.
    pub why: String,
}

pub(super) async fn reap(lane: &Arc<Lane>, doubt: Doubt) -> Result<Reaped> {
    let mut reaped = Reaped::default();
    for container in lane.engine.containers(None).await? {
        if !lane.labels.iter().all(|(k, v)| label(&container, k) == Some(v)) {
            continue;
        }
        let made_for = || label(&container, record::SANDBOX).and_then(|id| SandboxId::new(id).ok());
        let sandbox = pool::claimed_by(&container).or_else(made_for);
        let (Some(sandbox), Some(id)) = (sandbox, container.id.clone()) else { continue };
        let (gone, why) = match verdict(lane, &container, doubt) {
            Verdict::Leave(why) => (false, why),
            Verdict::Remove(why) => match remove(lane, &container, &id).await {
                Ok(()) => (true, why),
                Err(problem) => (false, format!("{why}, and {problem}")),
            },
        };
        let leftover = Leftover { sandbox, container: id, why };
        if gone { reaped.removed.push(leftover) } else { reaped.left.push(leftover) }
    }
    Ok(reaped)
}

enum Verdict {
    Leave(String),
    Remove(String),
}

fn verdict(lane: &Lane, container: &ContainerSummary, doubt: Doubt) -> Verdict {
    let fate = Lease::of(container).map_or_else(
        || Fate::Unknown("it does not say who holds it".into()),
        |lease| lease.owner.fate(lane.me.as_ref()),
    );
    match fate {
        Fate::Ourselves if lease::name(container).is_some_and(|name| lane.is_left_over(name)) => {
            Verdict::Remove("this process could not remove it before".into())
        }
        Fate::Ourselves => Verdict::Leave("this process holds it".into()),
        Fate::Alive => Verdict::Leave("the process that holds it is alive".into()),
        Fate::Dead(why) => Verdict::Remove(why),
        Fate::Unknown(why) if doubt == Doubt::Remove => Verdict::Remove(format!("{why}, and the caller knows it")),
        Fate::Unknown(why) => Verdict::Leave(why),
    }
}

/// Claims it first, so that what somebody takes over at the same time is not removed under his hands.
async fn remove(lane: &Lane, container: &ContainerSummary, id: &str) -> std::result::Result<(), String> {
    match lane.claim(container).await {
        Ok(Some(_)) => {}
        Ok(None) => return Err("somebody else took it over meanwhile".into()),
        Err(error) => return Err(format!("it could not be claimed: {error}")),
    }
    lane.engine.remove(id).await.map_err(|error| format!("it could not be removed: {error}"))
}

impl Lane {
    /// Makes this process the owner of a container, which has the returned name then; none when somebody else was faster.
    pub(super) async fn claim(&self, container: &ContainerSummary) -> Result<Option<String>> {
        let now = lease::name(container).unwrap_or_default();
        let (Some(id), Some(me)) = (container.id.as_ref(), &self.me) else { return Ok(Some(now.to_owned())) };
        let epoch = Lease::of(container).map_or(1, |lease| lease.epoch);
        let name = Lease { epoch: epoch.saturating_add(1), owner: me.clone() }.name(now);
        Ok(self.engine.claim(id, now, &name).await?.then_some(name))
    }
}
