//! Warm trees: filled in the background, claimed by bringing the difference of two commits up to date.
//!
//! A slot is a tree that nobody has yet: a hidden directory beside the other trees, that git never hears of, with a record
//! and the index that describes it. To claim it is to rename it to where a new tree is made; from there on it is a
//! creation like any other. So nothing has to be written down about a claim: whoever dies before the rename has left the
//! slot as it was, and whoever dies after it has left a half-made worktree, which a recovery undoes.

mod advance;
mod claim;
mod diff;
mod fill;
mod kept;
mod manager;
mod mode;
mod options;
mod outcome;
mod recycle;
mod refill;
mod reset;
mod scan;
mod setting;
mod shelf;
mod slot;
mod sweep;
mod write;

pub use manager::Pool;
pub use options::{Check, Exhausted, Keep, PoolOptions, Unseen};
pub use outcome::{Claims, Dropped, PoolStatus, Refilled};

pub(super) use recycle::Origin;
pub(super) use slot::is_slot;
