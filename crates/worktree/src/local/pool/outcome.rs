//! What a pool reports.

use crate::capture::fault;
use crate::{CommitId, Result};

/// What [`Pool::refill`](crate::pool::Pool::refill) did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refilled {
    /// Slots that were filled from nothing.
    pub made: usize,
    /// Slots that were at the commit already and were found to be clean.
    pub kept: usize,
    /// Slots of another commit that were brought to this one by writing the difference.
    pub moved: usize,
    /// Released trees that were reset, proven and made ready again.
    pub recycled: usize,
    /// Slots that cannot be used. They were deleted, or [`Dropped::why`] says why not.
    pub dropped: Vec<Dropped>,
}

/// A slot that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The commit that it was at; none if its record could not be read.
    pub commit: Option<CommitId>,
    /// Why it could not stay, in words; also why it could not be deleted, if so. Then the next refill tries again.
    pub why: String,
    /// Whether it is gone.
    pub deleted: bool,
}

/// A slot that was to be deleted, and what came of it.
#[derive(Debug)]
pub(super) struct Cleared {
    pub(super) commit: Option<CommitId>,
    pub(super) why: String,
    pub(super) deleted: Result<()>,
}

impl From<Cleared> for Dropped {
    fn from(Cleared { commit, why, deleted }: Cleared) -> Self {
        match deleted {
            Ok(()) => Self { commit, why, deleted: true },
            Err(e) => {
                let why = format!("{why}; it could not be deleted: {}", fault::with_causes(&e));
                Self { commit, why, deleted: false }
            }
        }
    }
}

/// What [`Pool::status`](crate::pool::Pool::status) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// The commits of the slots that can be claimed now.
    pub ready: Vec<CommitId>,
    /// How many slots somebody is making, proving or claiming at this moment.
    pub filling: usize,
    /// How many released trees wait for a refill.
    pub dirty: usize,
    /// What this handle and its clones claimed.
    pub claims: Claims,
}

/// How creations through a [`Pool`](crate::pool::Pool) got their files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// Creations that were given a slot.
    pub hits: u64,
    /// Creations for which there was none.
    pub misses: u64,
    /// Files that had to be written into claimed slots: those that differ between two commits.
    pub written: u64,
    /// Files that had to be deleted from claimed slots.
    pub deleted: u64,
}
