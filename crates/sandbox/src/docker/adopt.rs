//! Taking over what an earlier process left running.

use std::sync::Arc;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};

use crate::{Error, Result, SandboxId, Spec};

use super::Lane;
use super::ended::Contact;
use super::input::is_whole;
use super::lease::Lease;
use super::owner::Fate;
use super::record::Record;
use super::run::{Job, Watched};
use super::running::DockerRunning;
use super::tally::Tally;
use super::tap::Tap;

/// A command that another process started.
#[derive(Debug)]
pub(super) struct Underway {
    container: String,
    name: String,
    record: Record,
}

/// Finds the newest command of a sandbox, and removes what is left of older ones.
///
/// The newest one is removed too if it may have been cut off from its input: neither its work nor its end can be trusted.
pub(super) async fn adopt(lane: &Arc<Lane>, id: &SandboxId) -> Result<Option<DockerRunning>> {
    let mut found = Vec::new();
    for container in lane.containers(id).await? {
        let record = Record::from_labels(container.labels.as_ref().unwrap_or(&Default::default()))?;
        found.push((record, container));
    }
    let Some(newest) = found.iter().map(|(record, _)| record.number).max() else { return Ok(None) };
    let mut spec = None;
    let mut underway = None;
    for (_, container) in &found {
        free(lane, id, container)?;
    }
    for (record, container) in found {
        let Some(name) = container.id.clone() else { continue };
        let Some(taken) = lane.claim(&container).await? else {
            return Err(held(id, "another process took it over just now"));
        };
        if record.number == newest {
            spec = Some(record.spec(id));
        }
        if record.number == newest && can_be_followed(&container) && is_whole(id, &record, &container) {
            underway = Some(Underway { container: name, name: taken, record });
        } else {
            lane.engine.remove(&name).await?;
        }
    }
    let Some(spec) = spec else { return Ok(None) };
    lane.enter(&spec)?;
    Ok(Some(DockerRunning::new(Arc::clone(lane), spec, newest + 1, underway)))
}

/// Refuses what a process holds that is alive for certain. Whether the others are dead is for the caller to know.
fn free(lane: &Lane, id: &SandboxId, container: &ContainerSummary) -> Result<()> {
    let Some(lease) = Lease::of(container) else { return Ok(()) };
    match lease.owner.fate(lane.me.as_ref()) {
        Fate::Alive => Err(held(id, &format!("process {} holds it and is alive", lease.owner.pid()))),
        Fate::Ourselves | Fate::Dead(_) | Fate::Unknown(_) => Ok(()),
    }
}

fn held(id: &SandboxId, problem: &str) -> Error {
    Error::InvalidSpec { what: format!("sandbox {id}"), problem: problem.to_owned() }
}

/// An owner that died between making and starting a container left nothing to take over; nor did one whose last request, which
/// the engine still works at, was to remove it: its output may be gone already.
fn can_be_followed(container: &ContainerSummary) -> bool {
    use ContainerSummaryStateEnum::{CREATED, DEAD, REMOVING};
    !matches!(container.state, Some(CREATED | REMOVING | DEAD))
}

impl Underway {
    /// How to follow it. Its log has everything from the beginning, as far as the log's size reaches; its deadline is counted
    /// from its start.
    pub(super) fn job(self, lane: &Arc<Lane>, spec: &Spec, tally: Tally) -> Job {
        let Self { container, name, record } = self;
        Job {
            output: Tap::logged(lane.engine.clone(), container.clone()),
            input: None,
            watched: Watched {
                lane: Arc::clone(lane),
                sandbox: spec.id.clone(),
                container,
                // It has a name of this claim's; nothing is left over under it unless it is noted as such.
                names: vec![name],
                contact: Contact::Kept,
                image: lane.facts.image.name.clone(),
                limits: spec.policy.limits,
                age: record.age(),
                deadline: record.deadline,
                idle: record.idle,
                grace: record.grace,
                program: record.program,
                tally,
            },
        }
    }
}
