//! Delivering standard input, and the mark of a delivery that was whole.
//!
//! An engine takes the death of the client that writes a command's input for the end of that input. A program that saw half of it
//! may well end with success. So a command with input starts under a name that says that its input is pending, and gets its
//! final name once all is in the engine's hands; what never got that name is not taken over.

use std::pin::Pin;
use std::time::Duration;

use bollard::models::ContainerSummary;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{Labels, Result, SandboxId};

use super::engine::Engine;
use super::lease;
use super::marks;
use super::record::{Given, Record};

/// No final name ends like this: those end with a number.
const PENDING: &str = ".input-pending";
/// What a pipe holds at least, and how long an engine takes at most to fill one.
const PIPE: usize = 60 << 10;
const PASSING: Duration = Duration::from_secs(5);

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

    /// The same of a container that was kept ready: its own labels tell nothing of the sandbox's. By the token its tale is
    /// believed.
    pub(super) fn marked(id: &SandboxId, number: u64, token: &str, labels: &Labels) -> Self {
        let complete = format!("hedgerow-{id}-{number}{}{}", marks::with_token(token), marks::suffix(labels));
        Self { pending: format!("{complete}{PENDING}"), complete }
    }

    /// The sandbox and the number that a name was made of.
    pub(super) fn parse(name: &str) -> Option<(&str, u64)> {
        let name = marks::split(name.strip_prefix("hedgerow-")?.trim_end_matches(PENDING)).0;
        let (name, _) = marks::split_token(name);
        let (id, number) = name.rsplit_once('-')?;
        Some((id, number.parse().ok()?))
    }

    /// The token that a name has.
    pub(super) fn token(name: &str) -> Option<&str> {
        marks::split_token(marks::split(name.trim_end_matches(PENDING)).0).1
    }

    /// Whether a name was made for a sandbox with this label.
    pub(super) fn tells_of(name: &str, key: &str, value: &str) -> bool {
        marks::split(name.trim_end_matches(PENDING)).1.any(|mark| mark == marks::of(key, value))
    }

    /// Both, for whoever looks for the container.
    pub(super) fn both(&self) -> Vec<String> {
        vec![self.complete.clone(), self.pending.clone()]
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
        Given::Input => lease::name(container).map(lease::given_name) == Some(&complete),
    }
}

/// What goes to standard input, where, and the name that tells of it.
pub(super) struct Input {
    pub(super) pipe: Pin<Box<dyn AsyncWrite + Send>>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) complete: String,
}

/// Whether a command has its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It was given none, or it had all of it before this process followed it.
    Nothing,
    Pending,
    /// So many bytes were noted as delivered at this time.
    Noted(usize, Instant),
}

impl Delivery {
    pub(super) fn of(input: Option<&Input>) -> Self {
        if input.is_some() { Self::Pending } else { Self::Nothing }
    }

    /// Whether an engine that died at this time had passed everything on for certain. What was noted is in its hands, and
    /// it passes on what a pipe holds without waiting for the reader.
    pub(super) fn is_whole_at(self, death: Instant) -> bool {
        match self {
            Self::Nothing => true,
            Self::Pending => false,
            Self::Noted(bytes, at) => bytes <= PIPE && death.saturating_duration_since(at) >= PASSING,
        }
    }
}

/// Writes everything, closes, and has the engine note it. A program that does not read its input, or ends before it has, is
/// none of our trouble; it just is not noted.
pub(super) async fn deliver(engine: &Engine, container: &str, input: Option<Input>) -> Result<Delivery> {
    let Some(Input { mut pipe, bytes, complete }) = input else { return Ok(Delivery::Nothing) };
    if pipe.write_all(&bytes).await.is_err() || pipe.shutdown().await.is_err() {
        return Ok(Delivery::Pending);
    }
    engine.rename(container, &complete).await?;
    Ok(Delivery::Noted(bytes.len(), Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Policy, Spec};

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
    fn input_that_was_given_just_before_the_engine_died_may_not_have_arrived() {
        let noted = Instant::now();
        let after = |seconds| noted + Duration::from_secs(seconds);
        assert!(Delivery::Noted(10, noted).is_whole_at(after(5)));
        assert!(!Delivery::Noted(10, noted).is_whole_at(after(4)));
        assert!(!Delivery::Noted(1 << 20, noted).is_whole_at(after(100)), "more than a pipe holds");
        assert!(!Delivery::Pending.is_whole_at(after(100)));
        assert!(Delivery::Nothing.is_whole_at(noted));
    }

    #[test]
    fn the_sandbox_is_read_from_both_of_its_names_and_from_no_other() {
        let names = Names::new(&SandboxId::new("s-1").expect("valid"), 7);
        assert_eq!(Names::parse(&names.complete), Some(("s-1", 7)));
        assert_eq!(Names::parse(&names.pending), Some(("s-1", 7)));
        assert_eq!(Names::parse("hedgerow.warm-12-7"), None);
        assert_eq!(Names::parse("hedgerow-s-x"), None);
    }

    #[test]
    fn a_command_that_was_given_nothing_lacks_nothing() {
        assert!(whole("", "renamed-by-hand"));
    }
}
