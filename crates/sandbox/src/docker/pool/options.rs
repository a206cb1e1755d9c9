//! Which containers are kept ready.

use crate::Spec;

/// One kind of containers that are kept ready, and how many.
#[derive(Clone, Debug)]
pub struct Warm {
    pub(super) pattern: Spec,
    pub(super) count: usize,
    pub(super) trees: Trees,
}

/// How the mounts of a sandbox get into a container that was made before they were known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trees {
    /// They are mounted when it is claimed, so any sandbox of the same policy and user can have it. That takes root on the
    /// engine's machine and a runtime with the host's kernel; elsewhere it is refused.
    #[default]
    Added,
    /// It is made with those of the pattern, and only a sandbox with the very same mounts and home can have it.
    Fixed,
}

/// What is kept ready of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmth {
    /// How many containers are ready now.
    pub ready: usize,
    /// How many have been given to commands.
    pub claimed: u64,
    /// Why the last attempt to make one failed, if none has been made since.
    pub failed: Option<String>,
}

impl Warm {
    /// So many containers for sandboxes that are like this one: with its policy, its user (the owner of its first writable
    /// mount) and, unless [`Trees::Fixed`] is chosen, with other mounts. Its id and its labels do not count.
    pub fn like(pattern: Spec, count: usize) -> Self {
        Self { pattern, count, trees: Trees::default() }
    }

    /// The same with this way for the mounts.
    #[must_use]
    pub fn trees(mut self, trees: Trees) -> Self {
        self.trees = trees;
        self
    }
}
