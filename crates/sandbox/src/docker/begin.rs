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
        // The name that it will have, or that an earlier owner's container of this number has still.
        if shared.engine.exists(other).await? {
            taken = Some(format!("{other} is in use"));
            continue;
        }
        match shared.engine.create(name, body).await {
            Ok((container, warnings)) => return Ok(Made { container, names, warnings }),
            Err(Client::DockerResponseServerError { status_code: 409, message }) => taken = Some(message),
            Err(Client::DockerResponseServerError { status_code: 404, .. }) => {
                return Err(image::removed(&shared.facts.image));
            }
            Err(Client::DockerResponseServerError { status_code: 400, message }) => return Err(invalid(spec, message)),
            Err(error) => {
                // It may have been made although the answer was lost.
                shared.note_left_over(&spec.id, names.both());
                if shared.sweep(&spec.id).await.is_err() {
                    shared.sweep_later(&spec.id);
                }
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
