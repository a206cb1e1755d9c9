//! git's own answers, from a process that is asked one question after another.
//!
//! It writes its answers when it ends, or when it has many. So it is asked again as soon as it waits for the next
//! question, which the kernel tells, and what it said is read at the end.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::pairs::{Group, Pair};
use crate::{Failure, git};

/// What git says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This tree.
    Clean(String),
    Conflict,
    /// It did not merge at all; its words.
    Refused(String),
}

/// How often the process is looked at.
const PAUSE: Duration = Duration::from_micros(20);

/// What git makes of each merge of the group, and how long that kept a processor busy. No time is said of a merge that a
/// process of its own was needed for.
pub(crate) fn ask(repo: &Path, group: &Group) -> Result<Vec<(Answer, Option<Duration>)>, Failure> {
    let mut answers = Vec::new();
    while answers.len() < group.pairs.len() {
        let mut process = CoProcess::start(repo, &group.attributes)?;
        let mut costs = Vec::new();
        for pair in &group.pairs[answers.len()..] {
            match process.merge(pair) {
                Some(cost) => costs.push(cost),
                None => break,
            }
        }
        let said = process.end()?;
        answers.extend(said.into_iter().enumerate().map(|(n, answer)| (answer, costs.get(n).copied())));
        // A merge that git refuses ends the process.
        if let Some(pair) = group.pairs.get(answers.len()) {
            answers.push((once(repo, pair)?, None));
        }
    }
    Ok(answers)
}

/// A process that merges one pair after the other.
#[derive(Debug)]
pub(crate) struct CoProcess {
    child: Child,
    input: ChildStdin,
    reader: JoinHandle<std::io::Result<Vec<u8>>>,
    busy: Duration,
}

impl CoProcess {
    pub(crate) fn start(repo: &Path, attributes: &str) -> Result<Self, Failure> {
        let mut command = merge_tree(repo, attributes);
        let mut child =
            command.arg("--stdin").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take().ok_or("git takes no input")?;
        let mut output = child.stdout.take().ok_or("git gives no output")?;
        let reader = std::thread::spawn(move || {
            let mut said = Vec::new();
            output.read_to_end(&mut said).map(|_| said)
        });
        // The first question shall not pay for the start of the process.
        let busy = idle(&mut child, 0).map_or(Duration::ZERO, |(busy, _)| busy);
        Ok(Self { child, input, reader, busy })
    }

    /// Has it merge; how long that kept a processor busy, or nothing when it ended instead.
    pub(crate) fn merge(&mut self, pair: &Pair) -> Option<Duration> {
        let ran = turns(&self.child);
        writeln!(self.input, "{} {}", pair.ours, pair.theirs).ok()?;
        let (now, _) = idle(&mut self.child, ran)?;
        let cost = now.saturating_sub(self.busy);
        self.busy = now;
        Some(cost)
    }

    /// All its answers, in order.
    pub(crate) fn end(mut self) -> Result<Vec<Answer>, Failure> {
        drop(self.input);
        let said = self.reader.join().map_err(|_| "a panic")??;
        self.child.wait()?;
        let mut words = said.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut answers = Vec::new();
        loop {
            let clean = match words.next().as_deref() {
                Some("1") => true,
                Some("0") => false,
                _ => return Ok(answers),
            };
            let Some(tree) = words.next() else { return Ok(answers) };
            // The entries that conflict, then an empty word.
            if !words.any(|word| word.is_empty()) {
                return Ok(answers);
            }
            answers.push(if clean { Answer::Clean(tree.into_owned()) } else { Answer::Conflict });
        }
    }
}

fn merge_tree(repo: &Path, attributes: &str) -> Command {
    let mut command = git::command(repo);
    command.arg(format!("--attr-source={attributes}")).args(["merge-tree", "--write-tree", "-z", "--no-messages"]);
    command
}

/// Waits until the process waits for input after it ran again; how long it has been busy so far, or nothing if it ended.
fn idle(child: &mut Child, ran: u64) -> Option<(Duration, u64)> {
    loop {
        let waits = std::fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
        // `read` of the standard input.
        if waits.starts_with("0 0x0 ") && turns(child) > ran {
            return Some((busy(child), turns(child)));
        }
        if child.try_wait().ok()?.is_some() {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

fn schedstat(child: &Child, field: usize) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/schedstat", child.id())).unwrap_or_default();
    text.split_whitespace().nth(field).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// How long it has kept a processor busy.
fn busy(child: &Child) -> Duration {
    Duration::from_nanos(schedstat(child, 0))
}

/// How often it was given a processor.
fn turns(child: &Child) -> u64 {
    schedstat(child, 2)
}

/// The answer of a process that is asked nothing else, with the attributes of exactly the first commit.
pub(crate) fn once(repo: &Path, pair: &Pair) -> Result<Answer, Failure> {
    let output = merge_tree(repo, &pair.ours).args([&pair.ours, &pair.theirs]).output()?;
    let tree = String::from_utf8_lossy(output.stdout.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    Ok(match output.status.code() {
        Some(0) => Answer::Clean(tree),
        Some(1) => Answer::Conflict,
        _ => Answer::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    })
}
