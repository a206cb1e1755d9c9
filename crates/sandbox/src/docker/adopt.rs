//! Taking over what an earlier process left running.

use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use tokio::time::sleep;

use crate::redact::Redactor;
use crate::{Error, Result, SandboxId, Spec, Start};

use super::disk::Watch;
use super::ended::{Contact, Sight};
use super::input::is_whole;
use super::lease::Lease;
use super::owner::Fate;
use super::pool::Told;
use super::record::Record;
use super::run::{Hold, Job, Watched};
use super::running::DockerRunning;
use super::tally::Tally;
use super::tap::Tap;
use super::{Lane, pool};

/// How often, and how long apart, it is tried to take a sandbox over that changes at the same time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(200);

/// A command that another process started.
#[derive(Debug)]
pub(super) struct Underway {
    container: String,
    name: String,
    record: Record,
    sight: Sight,
    start: Start,
    /// How much of standard error was said before the command began.
    said: u64,
}

/// What there was of a sandbox.
#[derive(Debug)]
pub(super) enum Adopted {
    Nothing,
    Running(Box<DockerRunning>),
    /// A command of which nothing can be believed, and which was killed and removed.
    Lost,
}

/// Finds the newest command of a sandbox, and removes what is left of older ones.
///
/// The newest one is removed too if it may have been cut off from its input: neither its work nor its end can be trusted.
pub(super) async fn adopt(lane: &Arc<Lane>, id: &SandboxId) -> Result<Adopted> {
    let found = claimed(lane, id).await?;
    let lost = found.iter().any(|claimed| claimed.origin.is_none());
    let newest = found.iter().filter_map(|claimed| Some(claimed.origin.as_ref()?.record().number)).max();
    let mut spec = None;
    let mut underway = None;
    for Claimed { origin, container, id: engines, name } in found {
        let origin = origin.filter(|origin| Some(origin.record().number) == newest);
        if let Some(origin) = &origin {
            spec = Some(origin.record().spec(id));
        }
        match origin {
            Some(origin) if can_be_followed(&container) && origin.is_whole(id, &container) => {
                let sight = sight(&container);
                let (record, start, said) = match origin {
                    Origin::Made(record) => (record, Start::Fresh, 0),
                    Origin::Kept(told) => (told.record, Start::Warm, told.said),
                };
                underway = Some(Underway { container: engines, name, record, sight, start, said });
            }
            _ => lane.engine.remove(&engines).await?,
        }
    }
    let (Some(spec), Some(newest)) = (spec, newest) else {
        return Ok(if lost { Adopted::Lost } else { Adopted::Nothing });
    };
    lane.enter(&spec)?;
    Ok(Adopted::Running(Box::new(DockerRunning::new(Arc::clone(lane), spec, newest + 1, underway))))
}

/// What tells of the command in a container.
enum Origin {
    /// It was made for it, so its labels.
    Made(Record),
    /// It was kept ready, so the beginning of its log.
    Kept(Told),
}

impl Origin {
    fn record(&self) -> &Record {
        match self {
            Self::Made(record) => record,
            Self::Kept(told) => &told.record,
        }
    }

    fn is_whole(&self, id: &SandboxId, container: &ContainerSummary) -> bool {
        match self {
            Self::Made(record) => is_whole(id, record, container),
            Self::Kept(told) => told.is_whole(container),
        }
    }
}

struct Claimed {
    /// None of one that was kept ready and of whose command nothing can be believed any more.
    origin: Option<Origin>,
    /// As it was when it was claimed.
    container: ContainerSummary,
    id: String,
    /// The name that it has now.
    name: String,
}

/// Makes this process the owner of all that there is of a sandbox.
async fn claimed(lane: &Arc<Lane>, id: &SandboxId) -> Result<Vec<Claimed>> {
    for _ in 0..TRIES {
        if let Some(claimed) = claim_all(lane, id).await? {
            return Ok(claimed);
        }
        // The engine may still have been at the last request of the owner before, such as a new name or a removal.
        sleep(PAUSE).await;
    }
    Err(held(id, "its containers change under the hands of another process"))
}

/// None when one of them was not as it had been just before.
async fn claim_all(lane: &Arc<Lane>, id: &SandboxId) -> Result<Option<Vec<Claimed>>> {
    let mut claimed = Vec::new();
    let found = lane.containers(id).await?;
    for container in &found {
        free(lane, id, container)?;
    }
    for container in found {
        let origin = match pool::was_kept(&container) {
            true => pool::told(&lane.engine, id, &container).await.map(Origin::Kept),
            false => Some(Origin::Made(Record::from_labels(container.labels.as_ref().unwrap_or(&Default::default()))?)),
        };
        let Some(engines) = container.id.clone() else { continue };
        let Some(name) = lane.claim(&container).await? else { return Ok(None) };
        claimed.push(Claimed { origin, container, id: engines, name });
    }
    Ok(Some(claimed))
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

/// What ended while nobody watched may have been ended by its engine.
fn sight(container: &ContainerSummary) -> Sight {
    if container.state == Some(ContainerSummaryStateEnum::EXITED) { Sight::Unseen } else { Sight::Seen }
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
    pub(super) async fn job(self, lane: &Arc<Lane>, spec: &Spec, tally: Tally) -> Result<Job> {
        let Self { container, name, record, sight, start, said } = self;
        // From now on: what was there when the command began is not known any more.
        let disk = Watch::begin(spec, lane.near).await?;
        Ok(Job {
            output: Tap::logged(lane.engine.clone(), container.clone()).behind(said),
            input: None,
            outlet: None,
            watched: Watched {
                lane: Arc::clone(lane),
                sandbox: spec.id.clone(),
                container,
                // It has a name of this claim's; nothing is left over under it unless it is noted as such.
                names: vec![name],
                contact: Contact::Kept,
                sight,
                start,
                hold: Hold::TakenOver,
                image: lane.facts.image.name.clone(),
                limits: spec.policy.limits,
                disk,
                age: record.age(),
                deadline: record.deadline,
                idle: record.idle,
                grace: record.grace,
                program: record.program,
                tally,
                // What they were is known to nobody any more.
                redactor: Redactor::default(),
            },
        })
    }
}
