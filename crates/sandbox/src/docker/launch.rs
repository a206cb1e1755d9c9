//! From a command to a container that runs it.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::redact::Redactor;
use crate::{Access, Command, Coverage, Error, Feed, Guarantee, Policy, Result, Shortfall, Spec, Start, Strength};

use super::begin::{Made, create, start};
use super::config::{HOME, TMP};
use super::disk::Watch;
use super::ended::{Contact, Sight};
use super::engine::Items;
use super::entry;
use super::input::{Input, Names};
use super::outlet::{Outlet, Outlets};
use super::pool::{Ask, Pool};
use super::probe::Facts;
use super::run::{Hold, Job, Watched, follow};
use super::tally::Tally;
use super::tap::Tap;
use super::{LANE, Lane};

/// Who runs commands when nothing may be written: nobody.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// Everything that is needed to run one command.
pub(super) struct Launch {
    pub(super) lane: Arc<Lane>,
    pub(super) pool: Option<Arc<Pool>>,
    pub(super) spec: Arc<Spec>,
    pub(super) command: Command,
    pub(super) number: u64,
    pub(super) tally: Tally,
    pub(super) outlets: Option<Outlets>,
}

/// A task of its own from the first request on, so that a caller who gives up in the middle leaves nothing behind.
pub(super) async fn launch(
    launch: Launch,
    feed: Feed,
    started: oneshot::Sender<Result<Start>>,
    gone: oneshot::Sender<()>,
) {
    match begin(launch).await {
        Ok(job) => follow(job, feed, started, gone).await,
        Err(error) => {
            // The caller may have given up.
            let _unheard = started.send(Err(error));
        }
    }
}

/// A container that was started, or that lacks nothing but the last line of its input.
pub(super) struct Begun {
    pub(super) container: String,
    pub(super) names: Names,
    pub(super) output: Items<LogOutput>,
    /// How many bytes its log has on standard error that are not the command's.
    pub(super) said: u64,
    pub(super) pipe: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) contact: Contact,
    pub(super) outlet: Option<Outlet>,
    pub(super) start: Start,
}

async fn begin(launch: Launch) -> Result<Job> {
    let Launch { lane: shared, pool, spec, command, number, tally, outlets } = launch;
    let place = place(&spec, &command.workdir);
    let user = look(Arc::clone(&shared), Arc::clone(&spec), command.workdir.clone(), place.clone()).await?;
    shared.sweep(&spec.id).await?;
    let disk = Watch::begin(&spec, shared.near).await?;
    let ask = Ask { spec: &spec, command: &command, user, number, outlets: outlets.as_ref() };
    let begun = match &pool {
        None => cold(&shared, ask, &place, Start::Fresh).await?,
        Some(pool) => match pool.claim(ask).await? {
            Ok(begun) => begun,
            Err(why) => cold(&shared, ask, &place, Start::Cold(why)).await?,
        },
    };
    let Begun { container, names, output, said, pipe, bytes, contact, outlet, start } = begun;
    Ok(Job {
        output: Tap::attached(shared.engine.clone(), container.clone(), output).behind(said),
        input: pipe.map(|pipe| Input { pipe, bytes, complete: names.complete.clone() }),
        outlet,
        watched: Watched {
            redactor: Redactor::of(&command),
            sandbox: spec.id.clone(),
            container,
            names: names.both(),
            contact,
            sight: Sight::Seen,
            start,
            hold: Hold::Own,
            program: command.program.into(),
            image: shared.facts.image.name.clone(),
            limits: spec.policy.limits,
            disk,
            age: Duration::ZERO,
            deadline: command.deadline,
            idle: command.idle,
            grace: command.grace,
            tally,
            lane: shared,
        },
    })
}

/// Makes a container for the command and starts it.
async fn cold(shared: &Arc<Lane>, ask: Ask<'_>, place: &Place, start_of: Start) -> Result<Begun> {
    let Ask { spec, command, user, number, outlets } = ask;
    let Made { container, names, warnings } = create(shared, spec, command, user, number).await?;
    let bytes = entry::input(spec, command);
    let begun = async {
        discarded(&spec.policy, &shared.facts, &warnings)?;
        if *place == Place::Image && !shared.workdirs.has(&shared.engine, &container, &command.workdir).await? {
            return Err(no_workdir(&command.workdir));
        }
        let output = shared.engine.attach(&container).await?;
        let pipe = if bytes.is_empty() { None } else { Some(shared.engine.attach_input(&container).await?) };
        let contact = start(shared, &container, command).await?;
        let outlet = match outlets {
            Some(outlets) => outlets.open(&shared.engine, &container).await?,
            None => None,
        };
        Ok((output, pipe, contact, outlet))
    };
    match begun.await {
        Ok((output, pipe, contact, outlet)) => {
            Ok(Begun { container, names, output, said: 0, pipe, bytes, contact, outlet, start: start_of })
        }
        Err(error) => {
            if shared.engine.remove(&container).await.is_err() {
                shared.note_left_over(&spec.id, names.both());
                shared.sweep_later(&spec.id);
            }
            Err(error)
        }
    }
}

/// Where a working directory comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// This path of the host's.
    Mounted(PathBuf),
    /// An empty directory of the sandbox's own.
    Fresh,
    /// Below such a directory, where nothing is when a command starts.
    Missing,
    /// The image has it or not.
    Image,
}

fn place(spec: &Spec, workdir: &Path) -> Place {
    let home = spec.home.as_ref().map(|home| (Path::new(HOME), Some(home)));
    let fresh = [(Path::new(TMP), None), (Path::new(HOME), None)];
    let mounts = spec.mounts.iter().map(|mount| (mount.target.as_path(), Some(&mount.source)));
    // Of the same target, the later one counts: a mount or home takes the place of an empty directory.
    let deepest = fresh.into_iter().chain(home).chain(mounts).filter(|(target, _)| workdir.starts_with(target));
    match deepest.max_by_key(|(target, _)| target.components().count()) {
        None => Place::Image,
        Some((target, None)) if target == workdir => Place::Fresh,
        // A mount below makes the directories that lead to it.
        Some((_, None)) if spec.mounts.iter().any(|mount| mount.target.starts_with(workdir)) => Place::Fresh,
        Some((_, None)) => Place::Missing,
        Some((target, Some(source))) => match workdir.strip_prefix(target) {
            Ok(rest) if rest.as_os_str().is_empty() => Place::Mounted(source.clone()),
            Ok(rest) => Place::Mounted(source.join(rest)),
            Err(_) => Place::Missing,
        },
    }
}

/// Looks at the host's files: who runs the command, and whether its working directory exists.
async fn look(shared: Arc<Lane>, spec: Arc<Spec>, workdir: PathBuf, place: Place) -> Result<(u32, u32)> {
    let looking = tokio::task::spawn_blocking(move || {
        let exists = match place {
            Place::Mounted(path) => path.is_dir(),
            Place::Fresh | Place::Image => true,
            Place::Missing => false,
        };
        if !exists {
            return Err(no_workdir(&workdir));
        }
        owner(&shared, &spec)
    });
    looking.await.map_err(|source| Error::Lane { action: "look at the mounts".into(), source: source.into() })?
}

/// Who runs the commands of a sandbox.
pub(super) async fn user(shared: &Arc<Lane>, spec: &Spec) -> Result<(u32, u32)> {
    let (shared, spec) = (Arc::clone(shared), spec.clone());
    let looking = tokio::task::spawn_blocking(move || owner(&shared, &spec));
    looking.await.map_err(|source| Error::Lane { action: "look at the mounts".into(), source: source.into() })?
}

fn owner(shared: &Lane, spec: &Spec) -> Result<(u32, u32)> {
    let owner = spec.mounts.iter().find(|m| m.access == Access::ReadWrite).map(|m| &m.source).or(spec.home.as_ref());
    match owner {
        None => Ok(NOBODY),
        Some(owner) => shared.facts.user(owner).map_err(|source| Error::Lane {
            action: format!("find the owner of {}", owner.display()),
            source: source.into(),
        }),
    }
}

pub(super) fn no_workdir(workdir: &Path) -> Error {
    let problem =
        "it does not exist inside; use a directory of a mount, of the image, /tmp or the home directory".into();
    Error::InvalidSpec { what: format!("working directory {}", workdir.display()), problem }
}

/// What the engine says at the very last that it will not enforce.
pub(super) fn discarded(policy: &Policy, facts: &Facts, warnings: &[String]) -> Result<()> {
    let about = |warning: &str| {
        let warning = warning.to_lowercase();
        let topics = [
            (Guarantee::Memory, "memory"),
            (Guarantee::Memory, "swap"),
            (Guarantee::Pids, "pids"),
            (Guarantee::Cpu, "cpu"),
        ];
        topics.into_iter().find(|(_, word)| warning.contains(word)).map(|(guarantee, _)| guarantee)
    };
    let broken = |warning: &String| {
        let guarantee = about(warning)?;
        // What is known to be partial has been accepted or refused at the start.
        let strength = policy.required.get(&guarantee)?;
        let news = facts.coverage.of(guarantee) == Coverage::Enforced;
        let accepted = *strength == Strength::AtLeastPartial && !warning.to_lowercase().contains("discarded");
        (news && !accepted).then(|| Shortfall { guarantee, why: format!("the engine says: {warning}") })
    };
    let shortfalls: Vec<_> = warnings.iter().filter_map(broken).collect();
    if shortfalls.is_empty() { Ok(()) } else { Err(Error::Refused { lane: LANE, shortfalls }) }
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
