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
mod removal;
mod repo;
mod safety;
mod swap;
mod template;
mod view;
mod worktree;

pub use error::{Error, Result};
#[cfg(feature = "fake")]
pub use fake::{FakeWorktrees, Method};
pub use integration::Integration;
pub use local::{Budget, Evicted, Eviction, Plan, Spared, TreeUsage, Usage};
pub use local::{Change, Fingerprint, Loss, Repair, What};
pub use local::{Check, Claims, Dropped, Exhausted, Keep, Pool, PoolOptions, PoolStatus, Refilled, Unseen};
pub use local::{CopyFrom, Filled, Handover, LocalOptions, LocalWorktrees, SetupStep};
pub use local::{Cure, Finding, Holds, Remedy, Severity, Trouble};
pub use manager::{Base, Disposition, GitAccess, Head, Message, Request, Seed, WorktreeManager};
pub use milestone::{Life, Milestone};
pub use name::{BranchName, CommitId, WorktreeId};
pub use outcome::{Capture, Entry, Fate, Mended, Notice, Owner, Purged, Recovery, Released, Rescue, Rescued, State};
pub use policy::{FileUrls, Lfs, Sparse, Submodules};
pub(crate) use removal::Seen;
pub use removal::{Removal, Step};
pub use safety::{Fact, Operation, Process, SAMPLE, SafetyReport, Sample, Unknown};
pub use template::{BranchTemplate, Collision};
pub use worktree::{Access, Mount, Parts, Worktree};
