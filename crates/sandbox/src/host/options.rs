//! How the host lane ends what it started: what the embedding program wants, and what was found.

use std::path::PathBuf;

/// How the host lane is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostOptions {
    /// Whether commands get control groups.
    pub groups: Grouping,
}

/// Whether the host lane makes control groups of version 2, each for one command and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grouping {
    /// Where this program may, which is found by trying; [`HostSandbox::facts`](crate::HostSandbox::facts) says whether.
    #[default]
    WherePossible,
    /// The lane is not available without them.
    Required,
    /// None are made, and none are looked for.
    Unused,
}

impl HostOptions {
    /// The same options with another choice about control groups.
    #[must_use]
    pub fn groups(mut self, groups: Grouping) -> Self {
        self.groups = groups;
        self
    }
}

/// How the host lane ends what it started, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostFacts {
    /// The control group below which each command gets one of its own, which is killed as a whole at its end; or why there is
    /// none, and the cure.
    pub groups: Result<PathBuf, String>,
}
