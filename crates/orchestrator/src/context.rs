//! What an agent or a gate may act through.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hedgerow_sandbox::{Command, End, Exit, Output, Process, Running};

use crate::dispatcher::Reporter;
use crate::shutdown::{Phase, Watch};
use crate::{Result, TaskId, error};

/// The longest line of output that is put into a report, in characters.
const LINE: usize = 200;
/// How much of the end of a command's output is kept for whoever ran it, in bytes.
const TAIL: usize = 64 << 10;
/// What a deadline that is too far away for the clock is cut to.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The moment that is `span` from now.
pub(crate) fn later(span: Duration) -> Instant {
    Instant::now() + span.min(FAR)
}

/// The sandbox of one task, with its worktree as the current directory.
#[derive(Debug)]
pub struct AgentContext<'a> {
    pub(crate) task: &'a TaskId,
    pub(crate) turn: u32,
    pub(crate) prompt: &'a str,
    pub(crate) prompt_file: PathBuf,
    pub(crate) tree: PathBuf,
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) until: Instant,
    pub(crate) idle: Option<Duration>,
    pub(crate) running: &'a mut dyn Running,
    pub(crate) reporter: Reporter,
    pub(crate) watch: Watch,
    pub(crate) log: PathBuf,
    pub(crate) tail: Vec<u8>,
}

impl AgentContext<'_> {
    /// The task.
    pub fn task(&self) -> &TaskId {
        self.task
    }

    /// Which time the agent works on the task: 1, and more after a red gate.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// What the agent is told.
    pub fn prompt(&self) -> &str {
        self.prompt
    }

    /// A file with the prompt, readable inside under this path.
    pub fn prompt_file(&self) -> &Path {
        &self.prompt_file
    }

    /// The task's variables, for an agent that passes them on.
    pub fn env(&self) -> &BTreeMap<String, String> {
        self.env
    }

    /// The worktree, under the path that it has inside and outside.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// A command in the worktree, with what is left of the deadline and an identity for git.
    pub fn command(&self, program: &str) -> Command {
        let left = self.until.saturating_duration_since(Instant::now());
        let mut command = Command::new(program, &self.tree).deadline(left.max(Duration::from_millis(1)));
        command.idle = self.idle;
        for role in ["AUTHOR", "COMMITTER"] {
            command = command.env(format!("GIT_{role}_NAME"), crate::handoff::AGENT_NAME);
            command = command.env(format!("GIT_{role}_EMAIL"), crate::handoff::AGENT_EMAIL);
        }
        command.env("HEDGEROW_TASK", self.task.as_str()).env("HEDGEROW_TURN", self.turn.to_string())
    }

    /// Runs a command in the sandbox to its end, streaming what it prints to the observers and the task's log.
    ///
    /// When the run is being stopped, the command is stopped too and its end is [`End::Stopped`]. Afterwards,
    /// [`output`](Self::output) has the end of what it printed.
    ///
    /// # Errors
    /// When the sandbox failed, or the program could not be started.
    pub async fn exec(&mut self, command: Command) -> Result<Exit> {
        self.tail.clear();
        if self.watch.phase() != Phase::Run {
            return Ok(stopped());
        }
        let process = self.running.exec(command).await?;
        self.follow(process).await
    }

    /// The end of what the last command printed, standard output and error together: at most 64 KiB.
    pub fn output(&self) -> &[u8] {
        &self.tail[self.tail.len().saturating_sub(TAIL)..]
    }

    /// The last line that was printed, short and without control characters.
    pub(crate) fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.tail);
        text.lines().rev().map(printable).find(|line| !line.is_empty()).unwrap_or_default()
    }

    pub(crate) async fn follow(&mut self, mut process: Process) -> Result<Exit> {
        let mut log =
            File::options().create(true).append(true).open(&self.log).map_err(error::io("open", &self.log))?;
        let stopper = process.stopper();
        let mut phase = Phase::Run;
        loop {
            tokio::select! {
                output = process.next() => match output {
                    Some(output) => self.take(output, &mut log)?,
                    None => break,
                },
                next = self.watch.beyond(phase) => {
                    phase = next;
                    if next == Phase::Abort { stopper.kill() } else { stopper.stop() }
                }
            }
        }
        Ok(process.wait().await?)
    }

    fn take(&mut self, output: Output, log: &mut File) -> Result<()> {
        let bytes = match output {
            Output::Bytes(_, bytes) => bytes,
            Output::Truncated { dropped, .. } => {
                format!("\n[{dropped} bytes were dropped here: more than the output limit]\n").into_bytes()
            }
        };
        log.write_all(&bytes).map_err(error::io("write to", &self.log))?;
        self.tail.extend_from_slice(&bytes);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        self.reporter.output(self.task, String::from_utf8_lossy(&bytes).into_owned());
        Ok(())
    }
}

/// The start of a line without control characters, which an agent could use to repaint a terminal.
fn printable(line: &str) -> String {
    let short: String = line.chars().filter(|c| !c.is_control()).take(LINE).collect();
    short.trim().to_owned()
}

fn stopped() -> Exit {
    Exit::new(End::Stopped, hedgerow_sandbox::Witness::Nobody)
}
