//! The manager of worktrees on the local disk.

mod admin;
mod base;
mod clock;
mod create;
mod encoding;
mod fence;
mod fill;
mod generation;
mod guard;
mod handover;
mod layout;
mod lease;
mod list;
mod lock;
mod manager;
mod merged;
mod pool;
mod publish;
mod purge;
mod record;
mod recover;
mod refs;
mod release;
mod remove;
mod scan;
mod seed;
mod sparse;
mod stale;
mod trash;
mod usage;

pub use fill::{CopyFrom, Filled};
pub use guard::{Change, Fingerprint, Loss, Repair, What};
pub use handover::Handover;
pub use manager::{LocalOptions, LocalWorktrees};
pub use pool::{Check, Claims, Dropped, Exhausted, Keep, Pool, PoolOptions, PoolStatus, Refilled, Unseen};
pub use usage::{Budget, Evicted, Eviction, Plan, Spared, TreeUsage, Usage};
