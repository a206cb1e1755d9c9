//! The ways to make a worktree that are compared.

use clap::ValueEnum;

/// One row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Variant {
    Git,
    GitW2,
    GitW4,
    Gix,
    /// hedgerow, with every file inflated from its object.
    Inflate,
    /// hedgerow, copying from the main checkout what it has.
    Copy,
    /// hedgerow, copying, without a branch, so that it can be discarded.
    Discard,
    /// hedgerow, with a tree from a pool that was filled at a commit near by.
    Claim,
    /// The same bytes, written from memory by one thread.
    Floor1,
    /// The same by two.
    Floor2,
}

impl Variant {
    /// Those that start from nothing, in the order in which they are measured.
    pub(crate) const ALL: [Self; 8] =
        [Self::Git, Self::GitW2, Self::GitW4, Self::Gix, Self::Inflate, Self::Copy, Self::Floor1, Self::Floor2];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Git => "git worktree add -b",
            Self::GitW2 => "git, checkout.workers=2",
            Self::GitW4 => "git, checkout.workers=4",
            Self::Gix => "gix add_worktree",
            Self::Inflate => "hedgerow, inflating",
            Self::Copy => "hedgerow, copying from the main checkout",
            Self::Discard => "hedgerow, discarding",
            Self::Claim => "hedgerow, claiming from a pool",
            Self::Floor1 => "floor: from memory, 1 thread",
            Self::Floor2 => "floor: from memory, 2 threads",
        }
    }

    /// The settings for git, when it is git's own program.
    pub(crate) fn workers(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Git => Some(&[]),
            Self::GitW2 => Some(&["-c", "checkout.workers=2", "-c", "checkout.thresholdForParallelism=1"]),
            Self::GitW4 => Some(&["-c", "checkout.workers=4", "-c", "checkout.thresholdForParallelism=1"]),
            _ => None,
        }
    }

    /// How git is told to remove: one of its rows looks for work first.
    pub(crate) fn removal(self) -> &'static [&'static str] {
        if self == Self::GitW2 { &["worktree", "remove"] } else { &["worktree", "remove", "--force"] }
    }

    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::Floor1 | Self::Floor2)
    }

    pub(crate) fn is_hedgerow(self) -> bool {
        matches!(self, Self::Inflate | Self::Copy | Self::Discard)
    }

    /// How many times faster than git's best setting it has to be.
    pub(crate) fn bar(self) -> Option<f64> {
        match self {
            Self::Inflate => Some(1.4),
            Self::Copy => Some(2.2),
            _ => None,
        }
    }

    /// Its name on the command line of a child.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
