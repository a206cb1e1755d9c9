//! Why the engine stopped without an answer, and the count of work that makes it stop.

use std::cell::Cell;

use crate::Error;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The merge costs more than is spent here. The count is of the input alone, so the same input always ends here.
    Costly,
    /// The histories cross more often than is followed here.
    Crossed,
    /// An object could not be read, or could not be used.
    Error(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What a merge may still cost, in bytes that are looked at.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

impl Budget {
    pub(super) fn new(units: u64) -> Self {
        Self(Cell::new(units))
    }

    /// Takes so much, or ends the merge.
    pub(super) fn spend(&self, units: u64) -> Result<(), Halt> {
        let left = self.0.get().checked_sub(units).ok_or(Halt::Costly)?;
        self.0.set(left);
        Ok(())
    }
}
