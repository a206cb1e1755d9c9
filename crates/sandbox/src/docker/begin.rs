//! Making and starting a container, and what it means when that fails.

use std::sync::Arc;

use bollard::errors::Error as Client;

use crate::{Command, Error, Result, Spec};

use super::config;
use super::ended::{Contact, is_unstarted};
use super::engine::{answered, lane};
use super::image;
use super::input::Names;
use super::lease::{LEASE, Lease};
use super::probe::{Facts, unavailable};
use super::record::{Given, Record};
use super::{LANE, Lane};

/// How many names are tried that containers of an earlier process may still hold.
const NAMES: u64 = 64;

/// Starts the command, and says whether the engine was within reach all the time. An error means that it did not run.
pub(super) async fn start(shared: &Lane, container: &str, command: &Command) -> Result<Contact> {
    let Err(error) = shared.engine.start(container).await else { return Ok(Contact::Kept) };
    let mut contact = Contact::Kept;
    if !answered(&error) {
        // It may have been started, and may run: that is for its end to tell.
        contact.lost();
        return Ok(contact);
    }
    match shared.engine.state(container, &mut contact).await {
        // The engine said no, and it is still as it was made. Unless the engine itself had lost sight of it.
        Ok(Some(state)) if is_unstarted(&state) && !is_cut_off(&error) => {
            Err(not_started(error, command, &shared.facts))
        }
        Ok(None) => Err(not_started(error, command, &shared.facts)),
        Ok(Some(_)) | Err(_) => {
            contact.lost();
            Ok(contact)
        }
    }
}

/// Whether the engine's own way to what runs its containers broke off in the middle of a start.
fn is_cut_off(error: &Client) -> bool {
    let Client::DockerResponseServerError { status_code: 500.., message } = error else { return false };
    let broken = ["transport is closing", "unavailable", "EOF", "connection", "deadline exceeded", "context canceled"];
    // Until its parts were made, nothing had been started.
    let early = ["failed to create", "OCI runtime create failed", "network", "mount"];
    broken.iter().any(|word| message.contains(word)) && !early.iter().any(|word| message.contains(word))
}

/// A container that was made and not started.
pub(super) struct Made {
    pub(super) container: String,
    pub(super) names: Names,
    /// What the engine says that it will not do.
    pub(super) warnings: Vec<String>,
}

/// Makes the container.
pub(super) async fn create(
    shared: &Arc<Lane>,
    spec: &Spec,
    command: &Command,
    user: (u32, u32),
    first: u64,
) -> Result<Made> {
    let mut taken = None;
    for number in first..first.saturating_add(NAMES) {
        let mut labels = Record::new(spec, command, number).to_labels(&spec.id, &shared.labels)?;
        labels.extend(shared.me.clone().map(|owner| (LEASE.to_owned(), Lease { epoch: 1, owner }.to_string())));
        let body = config::container(spec, command, &shared.facts, user, labels)?;
        let names = Names::new(&spec.id, number);
        let (name, other) = names.first(Given::to(spec, command));
        // The name that it will have, or that an earlier owner's container of this number has still. Asked at the same time:
        // it hardly ever is in use, and the answer takes a while.
        let (in_use, made) = tokio::join!(shared.engine.exists(other), shared.engine.create(name, body));
        match (in_use, made) {
            (Ok(false), Ok((container, warnings))) => return Ok(Made { container, names, warnings }),
            (in_use, Ok((container, _))) => {
                if shared.engine.remove(&container).await.is_err() {
                    shared.note_left_over(&spec.id, names.both());
                    shared.sweep_later(&spec.id);
                }
                in_use?;
                taken = Some(format!("{other} is in use"));
            }
            (Ok(true), Err(Client::DockerResponseServerError { .. })) => taken = Some(format!("{other} is in use")),
            (_, Err(error)) => match refused(shared, spec, &names, error).await {
                Taken::Name(message) => taken = Some(message),
                Taken::No(error) => return Err(error),
            },
        }
    }
    let problem = format!(
        "containers of an earlier owner hold its names ({}); adopt it or stop it first",
        taken.unwrap_or_default()
    );
    Err(invalid(spec, problem))
}

/// Why a container was not made.
enum Taken {
    /// Its name belongs to another one.
    Name(String),
    No(Error),
}

async fn refused(shared: &Arc<Lane>, spec: &Spec, names: &Names, error: Client) -> Taken {
    match error {
        Client::DockerResponseServerError { status_code: 409, message } => Taken::Name(message),
        Client::DockerResponseServerError { status_code: 404, .. } => Taken::No(image::removed(&shared.facts.image)),
        Client::DockerResponseServerError { status_code: 400, message } => Taken::No(invalid(spec, message)),
        error => {
            // It may have been made although the answer was lost.
            shared.note_left_over(&spec.id, names.both());
            if shared.sweep(&spec.id).await.is_err() {
                shared.sweep_later(&spec.id);
            }
            Taken::No(lane("make a container", error))
        }
    }
}

fn invalid(spec: &Spec, problem: String) -> Error {
    Error::InvalidSpec { what: format!("sandbox {}", spec.id), problem }
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
