//! What a container that was kept ready tells of its command to whoever takes it over.
//!
//! Its labels were written before there was a command. So the waiting shell says the record of the command on standard error,
//! as its last words before it becomes the program; the engine keeps them at the beginning of the log. A program may fill its
//! log until the beginning is gone, and write what it likes in its place. That is not believed: beside the record stands a
//! token, which the container's name has too, and which nobody inside is told.

use bollard::container::LogOutput;
use bollard::models::ContainerSummary;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::{Command, Labels, SandboxId, Spec};

use super::super::engine::{Engine, Items, LOOK};
use super::super::input::Names;
use super::super::lease;
use super::super::record::{Given, Record};
use super::lines::WARM;

/// Larger records are not told of; such a command starts cold.
const MOST: usize = 16 << 10;
/// How much of a log is looked through for its beginning: output of the program may stand between the shell's lines there.
const LOOKED_THROUGH: usize = 1 << 20;
const READY: &str = "ready ";

/// A token and the line with it that a shell says when only the last line of its input is missing.
#[derive(Debug)]
pub(super) struct Tale {
    token: String,
    pub(super) line: String,
}

/// What was told of a command.
#[derive(Debug)]
pub(in super::super) struct Told {
    pub(in super::super) record: Record,
    /// How much of standard error was said before the command began.
    pub(in super::super) said: u64,
    names: Names,
}

impl Tale {
    /// The tale of a command, or why it cannot be told.
    pub(super) fn new(spec: &Spec, command: &Command, number: u64) -> Result<Self, String> {
        let token = crate::token::token().map_err(|error| format!("there is no randomness ({error})"))?;
        let mut record = Record::new(spec, command, number);
        // Its last line is input too.
        record.given = Given::Input;
        let text = serde_json::to_string(&record).map_err(|error| format!("it cannot be described ({error})"))?;
        if text.len() > MOST {
            return Err("its sandbox cannot be described in a few lines".into());
        }
        Ok(Self { line: format!("{READY}{token} {text}\n"), token })
    }

    /// The names of the container from now on.
    pub(super) fn names(&self, id: &SandboxId, number: u64, labels: &Labels) -> Names {
        Names::marked(id, number, &self.token, labels)
    }
}

/// What a container that was kept ready tells of its command; none when there is nothing, or nothing to believe.
pub(in super::super) async fn told(engine: &Engine, id: &SandboxId, container: &ContainerSummary) -> Option<Told> {
    let token = Names::token(lease::given_name(lease::name(container)?))?.to_owned();
    let (first, second) = beginning(engine.log(container.id.as_ref()?)).await?;
    let text = second.strip_prefix(READY)?.strip_prefix(&token)?.strip_prefix(' ')?.strip_suffix('\n')?;
    let record: Record = serde_json::from_str(text).ok().filter(|_| first == WARM)?;
    let names = Names::marked(id, record.number, &token, record.labels());
    Some(Told { said: (first.len() + second.len()) as u64, record, names })
}

impl Told {
    /// Whether the command is known to have been given all of its input.
    pub(in super::super) fn is_whole(&self, container: &ContainerSummary) -> bool {
        lease::name(container).map(lease::given_name) == Some(&self.names.complete)
    }
}

/// The first two lines of standard error, as far as the engine still has them.
async fn beginning(mut log: Items<LogOutput>) -> Option<(String, String)> {
    let (until, mut said, mut looked) = (Instant::now() + LOOK, Vec::new(), 0);
    while looked < LOOKED_THROUGH {
        let item = timeout_at(until, log.next()).await.ok()??.ok()?;
        looked += item.as_ref().len();
        if let LogOutput::StdErr { message } = item {
            said.extend_from_slice(&message);
        }
        let mut lines = said.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        if let (Some(first), Some(second)) = (lines.next(), lines.next()) {
            return Some((text(first)?, text(second)?));
        }
    }
    None
}

fn text(line: &[u8]) -> Option<String> {
    String::from_utf8(line.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::Policy;

    fn piece(text: &str) -> LogOutput {
        LogOutput::StdErr { message: text.to_owned().into() }
    }

    async fn lines(pieces: &[LogOutput]) -> Option<(String, String)> {
        let items: Vec<_> = pieces.iter().cloned().map(Ok).collect();
        beginning(Box::pin(stream::iter(items))).await
    }

    #[tokio::test]
    async fn the_first_two_lines_of_a_log_are_found_in_any_pieces() {
        let out = LogOutput::StdOut { message: "other\n".into() };
        let found = lines(&[piece("wa"), out, piece("rm\nrea"), piece("dy x"), piece(" {}\nown\n")]).await;
        assert_eq!(found, Some(("warm\n".to_owned(), "ready x {}\n".to_owned())));
        assert_eq!(lines(&[piece("warm\nready")]).await, None);
        let flood: Vec<_> = (0..40).map(|_| piece(&"x".repeat(64 << 10))).collect();
        assert_eq!(lines(&flood).await, None);
    }

    #[test]
    fn a_tale_is_one_line_and_another_one_each_time() {
        let id = SandboxId::new("s").expect("valid");
        let labels = Labels::from([("task".into(), "it's\nlong".into())]);
        let mut spec = Spec { id, labels, policy: Policy::strict(), mounts: vec![], home: None };
        let command = Command::new("true", "/");
        let tale = Tale::new(&spec, &command, 3).expect("told");
        assert_eq!(tale.line.matches('\n').count(), 1);
        assert_ne!(tale.token, Tale::new(&spec, &command, 3).expect("told").token);
        let names = tale.names(&spec.id, 3, &spec.labels);
        assert_eq!(Names::token(&names.pending), Some(tale.token.as_str()));
        spec.labels.insert("large".into(), "x".repeat(MOST));
        assert!(Tale::new(&spec, &command, 3).is_err());
    }
}
