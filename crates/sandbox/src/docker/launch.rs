//! From a command to a container that runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as Client;
use tokio::sync::oneshot;

use crate::{Access, Command, Coverage, Error, Feed, Guarantee, Policy, Result, Shortfall, Spec, Strength};

use super::config::{self, HOME, TMP};
use super::engine::lane;
use super::image;
use super::input::{Input, Names};
use super::probe::{Facts, unavailable};
use super::record::{Given, Record};
use super::run::{Job, Watched, follow};
use super::tally::Tally;
use super::tap::Tap;
use super::{LANE, Lane};

/// Who runs commands when nothing may be written: nobody.
const NOBODY: (u32, u32) = (65_534, 65_534);
/// How many names are tried that containers of an earlier process may still hold.
const NAMES: u64 = 64;

/// Everything that is needed to run one command.
pub(super) struct Launch {
    pub(super) lane: Arc<Lane>,
    pub(super) spec: Arc<Spec>,
    pub(super) command: Command,
    pub(super) number: u64,
    pub(super) tally: Tally,
}

/// A task of its own from the first request on, so that a caller who gives up in the middle leaves nothing behind.
pub(super) async fn launch(
    launch: Launch,
    feed: Feed,
    started: oneshot::Sender<Result<()>>,
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

async fn begin(launch: Launch) -> Result<Job> {
    let Launch { lane: shared, spec, mut command, number, tally } = launch;
    let place = place(&spec, &command.workdir);
    let user = look(Arc::clone(&shared), Arc::clone(&spec), command.workdir.clone(), place.clone()).await?;
    let (container, complete, warnings) = create(&shared, &spec, &command, user, number).await?;
    let bytes = std::mem::take(&mut command.stdin);
    let attached = async {
        discarded(&spec.policy, &shared.facts, &warnings)?;
        if place == Place::Image {
            in_image(&shared, &container, &command.workdir).await?;
        }
        let output = shared.engine.attach(&container).await?;
        let pipe = if bytes.is_empty() { None } else { Some(shared.engine.attach_input(&container).await?) };
        shared.engine.start(&container).await.map_err(|e| not_started(e, &command, &shared.facts))?;
        Ok((output, pipe))
    };
    let (output, pipe) = match attached.await {
        Ok(attached) => attached,
        Err(error) => {
            shared.engine.remove(&container).await?;
            return Err(error);
        }
    };
    Ok(Job {
        output: Tap::attached(shared.engine.clone(), container.clone(), output),
        input: pipe.map(|pipe| Input { pipe, bytes, complete }),
        watched: Watched {
            engine: shared.engine.clone(),
            container,
            program: command.program.into(),
            image: shared.facts.image.name.clone(),
            limits: spec.policy.limits,
            age: Duration::ZERO,
            deadline: command.deadline,
            idle: command.idle,
            grace: command.grace,
            tally,
        },
    })
}

/// Makes the container; its id, the name it gets once it has its input, and the engine's warnings.
async fn create(
    shared: &Lane,
    spec: &Spec,
    command: &Command,
    user: (u32, u32),
    first: u64,
) -> Result<(String, String, Vec<String>)> {
    let mut taken = None;
    for number in first..first.saturating_add(NAMES) {
        let labels = Record::new(spec, command, number).to_labels(&spec.id, &shared.labels)?;
        let body = config::container(spec, command, &shared.facts, user, labels)?;
        let names = Names::new(&spec.id, number);
        let (name, other) = names.first(Given::to(command));
        // The name that it will have, or that an earlier owner's container of this number has still.
        if shared.engine.exists(other).await? {
            taken = Some(format!("{other} is in use"));
            continue;
        }
        match shared.engine.create(name, body).await {
            Ok((container, warnings)) => return Ok((container, names.complete, warnings)),
            Err(Client::DockerResponseServerError { status_code: 409, message }) => taken = Some(message),
            Err(Client::DockerResponseServerError { status_code: 404, .. }) => {
                return Err(image::removed(&shared.facts.image));
            }
            Err(Client::DockerResponseServerError { status_code: 400, message }) => return Err(invalid(spec, message)),
            Err(error) => {
                // It may have been made although the answer was lost.
                let _left = shared.engine.remove(name).await;
                return Err(lane("make a container", error));
            }
        }
    }
    let problem = format!(
        "containers of an earlier owner hold its names ({}); adopt it or stop it first",
        taken.unwrap_or_default()
    );
    Err(invalid(spec, problem))
}

fn invalid(spec: &Spec, problem: String) -> Error {
    Error::InvalidSpec { what: format!("sandbox {}", spec.id), problem }
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
        let owner =
            spec.mounts.iter().find(|m| m.access == Access::ReadWrite).map(|m| &m.source).or(spec.home.as_ref());
        match owner {
            None => Ok(NOBODY),
            Some(owner) => shared.facts.user(owner).map_err(|source| Error::Lane {
                action: format!("find the owner of {}", owner.display()),
                source: source.into(),
            }),
        }
    });
    looking.await.map_err(|source| Error::Lane { action: "look at the mounts".into(), source: source.into() })?
}

/// An engine makes a working directory that the image lacks; then it differs from its image there.
async fn in_image(shared: &Lane, container: &str, workdir: &Path) -> Result<()> {
    let made = shared.engine.changed_paths(container).await?;
    if made.iter().any(|path| Path::new(path) == workdir) { Err(no_workdir(workdir)) } else { Ok(()) }
}

fn no_workdir(workdir: &Path) -> Error {
    let problem =
        "it does not exist inside; use a directory of a mount, of the image, /tmp or the home directory".into();
    Error::InvalidSpec { what: format!("working directory {}", workdir.display()), problem }
}

/// What the engine says at the very last that it will not enforce.
fn discarded(policy: &Policy, facts: &Facts, warnings: &[String]) -> Result<()> {
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

fn not_started(error: Client, command: &Command, facts: &Facts) -> Error {
    let Client::DockerResponseServerError { message, .. } = &error else { return lane("start a container", error) };
    let program = |problem: String| Error::Program { lane: LANE, program: command.program.clone().into(), problem };
    if message.contains("docker-init") && message.contains("not found") {
        return unavailable(format!(
            "the engine has no docker-init ({message}); install it (the package tini or docker-init)"
        ));
    }
    if message.contains("argument list too long") {
        return program(
            "its arguments and environment are larger than the kernel takes; pass the large ones on standard input"
                .into(),
        );
    }
    if message.contains("chdir to cwd") {
        return Error::InvalidSpec {
            what: format!("working directory {}", command.workdir.display()),
            problem: format!("it cannot be entered by the user that runs the command ({message})"),
        };
    }
    if message.contains("exec:") {
        return program(format!("in image {}: {message}", facts.image.name));
    }
    lane("start a container", error)
}

#[cfg(test)]
#[path = "launch_tests.rs"]
mod tests;
