//! How a command ended, and what it used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// How long it took.
    pub wall: Duration,
    /// What it used.
    pub usage: Usage,
    /// Bytes that it wrote to standard output and error, whether they were kept or not.
    pub written: u64,
}

impl Exit {
    /// Whether the program ended by itself with status 0. It says nothing about whether it did what it should.
    pub fn success(&self) -> bool {
        self.end == (End::Exited { code: 0 })
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
    /// It ran into its deadline and was killed.
    Deadline,
    /// It was silent for too long and was killed.
    Idle,
    /// It used more memory than it was given and was killed.
    OutOfMemory,
    /// It wrote more to the writable mounts and the home than it was given and was killed.
    OutOfDisk,
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
