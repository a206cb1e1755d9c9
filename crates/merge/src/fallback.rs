//! Which engine merges, and git's own program for what costs too much here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a merge may cost before it is left to git: so many bytes are looked at.
const COST: u64 = 4 << 30;
/// How long git may take.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Who merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Engine {
    /// This crate, in memory.
    #[default]
    Own,
    /// The git program.
    Git,
}

/// git's own program, for merges that cost more than is spent here.
///
/// What a merge costs is counted, not timed: the same commits are merged by the same engine on every machine. git runs
/// in a repository of its own that holds nothing but a reference to the objects: it reads no configuration, no hook, no
/// attribute file but those of the target's tree, and no environment. What it makes goes to that repository, which is
/// gone afterwards; a candidate takes out of it what it needs.
#[derive(Clone, Debug)]
pub struct Fallback {
    program: PathBuf,
    beyond: u64,
    time_limit: Duration,
}

impl Fallback {
    /// Uses the program at this absolute path, 2.45 or later, for merges for which more than 4 GiB would be looked at, or whose histories cross
    /// without end.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), beyond: COST, time_limit: TIME_LIMIT }
    }

    /// Leaves merges to git for which more than so many bytes would be looked at.
    #[must_use]
    pub fn beyond(mut self, bytes: u64) -> Self {
        self.beyond = bytes;
        self
    }

    /// Kills git after this time, 10 minutes if it is not set. The merge is then an error.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn limit(&self) -> Duration {
        self.time_limit
    }

    /// What may be spent here.
    pub(crate) fn cost(fallback: Option<&Self>) -> u64 {
        fallback.map_or(COST, |fallback| fallback.beyond)
    }
}
