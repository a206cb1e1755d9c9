#![doc = include_str!("../README.md")]

mod candidate;
mod change;
mod commit;
mod conflict;
mod engine;
mod error;
mod forecast;
mod graph;
mod land;
mod name;
mod open;
pub mod queue;
mod repository;
mod resolve;
mod strategies;
mod strategy;
mod trial;

pub use candidate::{Candidate, Checkout, Landing};
pub use change::{Change, Identity, Target};
pub use conflict::{Conflict, ConflictKind, ConflictPath, Side};
pub use error::{Error, Result};
pub use forecast::{Clash, Forecast, Foreseen, News, Outlook};
pub use name::{BranchName, CommitId, TreeId};
pub use repository::Repository;
pub use resolve::{GiveUp, Resolution, Resolver};
pub use strategies::MergeCommit;
pub use strategy::{MergeStrategy, Prepared};
pub use trial::Trial;
