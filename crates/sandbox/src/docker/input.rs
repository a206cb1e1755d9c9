//! Delivering standard input, and the mark of a delivery that was whole.
//!
//! An engine takes the death of the client that writes a command's input for the end of that input. A program that saw half of it
//! may well end with success. So a command with input starts under a name that says that its input is pending, and gets its
//! final name once all is in the engine's hands; what never got that name is not taken over.

use std::pin::Pin;

use bollard::models::ContainerSummary;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{Result, SandboxId};

use super::engine::Engine;
use super::record::{Given, Record};

/// No final name ends like this: those end with a number.
const PENDING: &str = ".input-pending";

/// The two names that the container of one command may have.
#[derive(Debug)]
pub(super) struct Names {
    /// Of a command that has all of its input, or was given none.
    pub(super) complete: String,
    /// Of a command whose input is not known to be whole.
    pub(super) pending: String,
}

impl Names {
    pub(super) fn new(id: &SandboxId, number: u64) -> Self {
        let complete = format!("hedgerow-{id}-{number}");
        Self { pending: format!("{complete}{PENDING}"), complete }
    }

    /// The name to start with, and the one that must be free as well.
    pub(super) fn first(&self, given: Given) -> (&str, &str) {
        match given {
            Given::Nothing => (&self.complete, &self.pending),
            Given::Input => (&self.pending, &self.complete),
        }
    }
}

/// Whether a container's command is known to have been given all of its input.
pub(super) fn is_whole(id: &SandboxId, record: &Record, container: &ContainerSummary) -> bool {
    let complete = Names::new(id, record.number).complete;
    match record.given {
        Given::Nothing => true,
        // The engine puts a slash before names.
        Given::Input => container.names.iter().flatten().any(|name| name.trim_start_matches('/') == complete),
    }
}

/// What goes to standard input, where, and the name that tells of it.
pub(super) struct Input {
    pub(super) pipe: Pin<Box<dyn AsyncWrite + Send>>,
    pub(super) bytes: Vec<u8>,
    pub(super) complete: String,
}

/// Writes everything, closes, and has the engine note it. A program that does not read its input, or ends before it has, is
/// none of our trouble; it just is not noted.
pub(super) async fn deliver(engine: &Engine, container: &str, input: Option<Input>) -> Result<()> {
    let Some(Input { mut pipe, bytes, complete }) = input else { return Ok(()) };
    if pipe.write_all(&bytes).await.is_err() || pipe.shutdown().await.is_err() {
        return Ok(());
    }
    engine.rename(container, &complete).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Labels, Policy, Spec};

    fn whole(stdin: &str, name: &str) -> bool {
        let id = SandboxId::new("s-1").expect("valid");
        let spec = Spec { id: id.clone(), labels: Labels::new(), policy: Policy::strict(), mounts: vec![], home: None };
        let record = Record::new(&spec, &Command::new("sh", "/").stdin(stdin), 7);
        let container = ContainerSummary { names: Some(vec![format!("/{name}")]), ..Default::default() };
        is_whole(&id, &record, &container)
    }

    #[test]
    fn input_is_whole_under_the_final_name_alone() {
        let Names { complete, pending } = Names::new(&SandboxId::new("s-1").expect("valid"), 7);
        assert!(whole("text", &complete));
        assert!(!whole("text", &pending));
        assert!(!whole("text", "renamed-by-hand"));
        assert!(!whole("text", "hedgerow-s-1-77"));
    }

    #[test]
    fn a_command_that_was_given_nothing_lacks_nothing() {
        assert!(whole("", "renamed-by-hand"));
    }
}
