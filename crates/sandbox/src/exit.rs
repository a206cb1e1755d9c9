//! How a command ended, and what it used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// How that was learnt.
    #[serde(default)]
    pub witness: Witness,
    /// How long it took.
    pub wall: Duration,
    /// What it used.
    pub usage: Usage,
    /// Bytes that it wrote to standard output and error, whether they were kept or not.
    pub written: u64,
    /// How many of these bytes were dropped, because they were more than the output limit.
    #[serde(default)]
    pub dropped: u64,
    /// Processes that still ran when the program had ended by itself, and were killed; none where it was ended, or where
    /// the lane cannot count them.
    #[serde(default)]
    pub leftovers: Option<u32>,
}

/// How the end of a command was learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Witness {
    /// A process of the lane's own was the parent of the program. It saw the end of the program, or killed everything until
    /// nothing was left, and its record of that arrived whole.
    Parent,
    /// An engine reported it.
    Engine,
    /// Nobody saw it: the end is that which the lane brought about, or is not known.
    #[default]
    Nobody,
}

impl Exit {
    /// An end of which nothing more is known.
    pub fn new(end: End, witness: Witness) -> Self {
        let (wall, usage) = (Duration::ZERO, Usage::default());
        Self { end, witness, wall, usage, written: 0, dropped: 0, leftovers: None }
    }

    /// Whether somebody saw that the program ended by itself with status 0. It says nothing about whether it did what it
    /// should.
    pub fn success(&self) -> bool {
        self.end == (End::Exited { code: 0 }) && self.witness != Witness::Nobody
    }
}

/// Why a command is no longer running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum End {
    /// The program ended by itself.
    Exited {
        /// Its exit status.
        code: i32,
    },
    /// A signal that we did not send ended the program.
    Signaled {
        /// Its number.
        signal: i32,
    },
    /// The program ended by itself with this status, or a signal that we did not send and whose number is this less 128 ended
    /// it. Who saw the end writes both down in the same way, so it is not known which: an engine does, and
    /// the init in its containers; and bubblewrap.
    ExitedOrSignaled {
        /// The status as it was told, from 129 to 192.
        code: i32,
    },
    /// It ran into its deadline and was killed.
    Deadline,
    /// It was silent for too long and was killed.
    Idle,
    /// It used more memory than it was given and was killed.
    OutOfMemory,
    /// It wrote more to the writable mounts and the home than it was given and was killed.
    OutOfDisk,
    /// It wrote more output than it may, and the policy ends such a command.
    OutputLimit,
    /// The caller stopped it.
    Stopped,
    /// Contact was lost: whether and how it ended is not known.
    Lost {
        /// What happened.
        why: String,
    },
}

/// What a command or a sandbox used, as far as the lane can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all processes together.
    pub cpu: Option<Duration>,
    /// The highest memory use seen, in bytes.
    pub peak_memory: Option<u64>,
}

impl Usage {
    /// What two commands that ran one after the other used.
    #[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
    pub(crate) fn plus(self, other: Self) -> Self {
        let cpu = self.cpu.into_iter().chain(other.cpu).reduce(|a, b| a + b);
        Self { cpu, peak_memory: self.peak_memory.max(other.peak_memory) }
    }
}
