#![doc = include_str!("../README.md")]

mod capture;
#[cfg(feature = "conformance")]
pub mod conformance;
mod disk;
mod error;
#[cfg(feature = "fake")]
mod fake;
mod integration;
mod local;
mod manager;
mod milestone;
mod name;
mod outcome;
mod policy;
mod quarantine;
pub mod removal;
mod repo;
pub mod safety;
mod swap;
mod template;
mod view;
mod worktree;

pub use error::{Error, NameKind, Result, Taken};
#[cfg(feature = "fake")]
pub use fake::{FakeWorktrees, Method};
pub use integration::Integration;
pub use local::{CopyFrom, Filled, Handover, LocalOptions, LocalWorktrees, SetupStep};
pub use manager::{Base, Disposition, GitAccess, Head, Message, Request, Seed, WorktreeManager};
pub use milestone::{Life, Milestone};
pub use name::{BranchName, CommitId, WorktreeId};
pub use outcome::{
    Capture, Entry, Fate, Keeper, Mended, Notice, Owner, Purged, Recovery, Released, Rescue, Rescued, State,
};
pub use policy::{FileUrls, HiddenRepositories, Lfs, Sparse, Submodules};
pub(crate) use removal::{Removal, Seen, Step};
pub use safety::SafetyReport;
pub(crate) use safety::{Fact, Operation, Process, Sample, Unknown};
pub use template::{BranchTemplate, Collision};
pub use worktree::{Access, Mount, Parts, Worktree};

/// Trees that are there before they are asked for.
pub mod pool {
    pub use crate::local::{Check, Claims, Dropped, Exhausted, Keep, Pool, PoolOptions, PoolStatus, Refilled, Unseen};
}

/// What of the state that all worktrees share changed around a task, and putting it back.
pub mod guard {
    pub use crate::local::{Change, Fingerprint, Loss, Repair, What};
}

/// What is wrong with worktrees, whoever left it, and mending it.
pub mod doctor {
    pub use crate::local::{Cure, Finding, Holds, Remedy, Severity, Trouble};
}

/// How much disk the trees take, and which may go when it is too much.
pub mod usage {
    pub use crate::local::{Budget, Evicted, Eviction, Plan, Spared, TreeUsage, Usage};
}
