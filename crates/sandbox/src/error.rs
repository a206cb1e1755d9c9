//! The one error type of this crate.

use std::fmt;
use std::path::PathBuf;

use crate::Guarantee;

/// The result of an operation on sandboxes.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a lane refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy requires what the lane cannot enforce here. Nothing was started.
    #[error("the {lane} lane refuses: it cannot enforce {}", list(.shortfalls))]
    Refused {
        /// Which lane.
        lane: &'static str,
        /// Every missing piece, with its reason.
        shortfalls: Vec<Shortfall>,
    },
    /// The lane cannot be used on this machine at all.
    #[error("the {lane} lane is not available: {problem}")]
    Unavailable {
        /// Which lane.
        lane: &'static str,
        /// What is missing and how to get it.
        problem: String,
    },
    /// Something in the specification or the command cannot be meant so.
    #[error("{what} cannot be used: {problem}")]
    InvalidSpec {
        /// Which part.
        what: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The program could not be started.
    #[error("program {program:?} could not be started in the {lane} lane: {problem}")]
    Program {
        /// Which lane.
        lane: &'static str,
        /// Which program.
        program: PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// An operation of the lane failed.
    #[error("failed to {action}")]
    Lane {
        /// What was tried, as a verb with its object.
        action: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One guarantee that is required and missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Which one.
    pub guarantee: Guarantee,
    /// Why it is missing and what would enable it.
    pub why: String,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.guarantee, self.why)
    }
}

fn list(shortfalls: &[Shortfall]) -> String {
    shortfalls.iter().map(Shortfall::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Whether trying the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Lane { .. })
    }
}
