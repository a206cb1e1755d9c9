#![doc = include_str!("../README.md")]

mod candidate;
mod change;
mod conflict;
mod error;
mod name;
mod repository;
mod resolve;
mod strategy;

pub use candidate::{Candidate, Checkout, Landing};
pub use change::{Change, Identity, Target};
pub use conflict::{Conflict, ConflictKind, ConflictPath, Side};
pub use error::{Error, Result};
pub use name::{BranchName, CommitId};
pub use repository::Repository;
pub use resolve::{Resolution, Resolver};
pub use strategy::{MergeStrategy, Prepared};
