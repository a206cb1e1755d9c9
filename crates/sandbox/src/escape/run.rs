//! One command, read to its end or to the end of patience.

use std::time::Duration;

use crate::{Command, End, Error, Exit, Output, Process, Running, Stream};

/// How much of each stream is looked at.
const MOST: usize = 4 << 20;

/// What a command did.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Bytes that were delivered.
    kept: u64,
    /// Whether it was said that there was more.
    truncated: bool,
    pub(super) end: Ended,
}

/// Whether a command ended.
#[derive(Debug, Default)]
pub(super) enum Ended {
    /// Nobody knows: patience was over first.
    #[default]
    Not,
    /// Whoever started it stopped looking.
    Dropped,
    /// It did.
    Yes(Exit),
    /// It did not begin, or the lane failed.
    Failed(String),
}

impl Ran {
    /// Both streams, the beginning and the end of each.
    pub(super) fn text(&self) -> String {
        let ends = |bytes: &[u8]| {
            const PART: usize = 16 << 10;
            let (head, tail) = (&bytes[..bytes.len().min(PART)], &bytes[bytes.len().saturating_sub(PART)..]);
            [String::from_utf8_lossy(head), String::from_utf8_lossy(tail)].join("\n")
        };
        format!("{}\n{}", ends(&self.stderr), ends(&self.stdout))
    }

    pub(super) fn hung(&self) -> bool {
        matches!(self.end, Ended::Not)
    }

    /// More was delivered than the limit, or nobody said that something is missing.
    pub(super) fn flooded(&self, most: u64) -> bool {
        self.kept > most + (64 << 10) || !self.truncated
    }

    /// How it ended, when that was not by itself.
    pub(super) fn end(&self) -> Option<String> {
        let exit = match &self.end {
            Ended::Yes(exit) => exit,
            Ended::Failed(why) => return Some(format!("failed: {why}")),
            Ended::Not => return Some("did not end".to_owned()),
            Ended::Dropped => return None,
        };
        match &exit.end {
            End::Exited { code } if *code > 128 => Some(format!("status {code}")),
            End::Exited { .. } => None,
            End::Signaled { signal } => Some(format!("signal {signal}")),
            End::Deadline => Some("deadline".to_owned()),
            End::OutOfMemory => Some("out of memory".to_owned()),
            End::Lost { why } => Some(format!("lost: {why}")),
            other => Some(format!("{other:?}")),
        }
    }
}

/// Runs a command; drops it once it has said `until`, if that is given.
pub(super) async fn run(running: &mut dyn Running, command: Command, patience: Duration, until: Option<&str>) -> Ran {
    let mut ran = Ran::default();
    let failed = |error: Error| Ended::Failed(with_sources(&error));
    let process = match tokio::time::timeout(patience, running.exec(command)).await {
        Ok(Ok(process)) => process,
        Ok(Err(error)) => return Ran { end: failed(error), ..ran },
        Err(_) => return ran,
    };
    match tokio::time::timeout(patience, read(process, &mut ran, until)).await {
        Ok(Some(Ok(exit))) => ran.end = Ended::Yes(exit),
        Ok(Some(Err(error))) => ran.end = failed(error),
        Ok(None) => ran.end = Ended::Dropped,
        Err(_) => {}
    }
    ran
}

async fn read(mut process: Process, ran: &mut Ran, until: Option<&str>) -> Option<crate::Result<Exit>> {
    while let Some(output) = process.next().await {
        match output {
            Output::Bytes(stream, bytes) => {
                ran.kept += bytes.len() as u64;
                let kept = if stream == Stream::Stdout { &mut ran.stdout } else { &mut ran.stderr };
                let room = MOST.saturating_sub(kept.len());
                kept.extend(bytes.iter().take(room));
                if until.is_some_and(|text| kept.windows(text.len()).any(|window| window == text.as_bytes())) {
                    return None;
                }
            }
            Output::Truncated { .. } => ran.truncated = true,
        }
    }
    Some(process.wait().await)
}

/// An error and what it comes from, in one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
