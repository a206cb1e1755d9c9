#![doc = include_str!("../README.md")]

mod archive;
mod candidate;
mod certificate;
mod change;
mod commit;
mod conflict;
#[cfg(feature = "conformance")]
pub mod conformance;
mod conserve;
mod engine;
mod error;
mod fallback;
mod flush;
mod forecast;
mod graph;
mod land;
mod ledger;
mod made;
mod name;
mod names;
mod open;
mod patch;
mod path;
pub mod queue;
mod refs;
mod repository;
mod resolve;
mod sign;
mod strategies;
mod strategy;
mod text;
mod trial;

pub use archive::{ArchivedChange, Archiving};
pub use candidate::{Candidate, Checkout, Landing};
pub use certificate::{Doubt, Finding, GatePass, LandingCertificate, LandingRange, Verification};
pub use change::{Change, Identity, Target};
pub use conflict::{
    Conflict, ConflictKind, ConflictPath, ConflictPaths, Entry, Hunk, Inspection, MarkerStyle, Markers,
    NothingConflicts, Rendered, Terms, Touch,
};
pub use conserve::{Loss, Lost, MergeInside, Whose};
pub use error::{Error, Result};
pub use fallback::{Engine, Fallback};
pub use forecast::{Clash, Forecast, Foreseen, News, Outlook};
pub use made::{Made, Step};
pub use name::{BranchName, CommitId, ConflictId, TreeId};
pub use names::Names;
pub use path::{BadEscape, RepoPath};
pub use repository::Repository;
pub use resolve::{
    Answer, Answered, Asked, Brief, Case, Content, Declined, Done, Edit, Edited, Editor, File, Fill, GiveUp, Intents,
    Job, Recorded, Regenerate, Reply, Resolution, ResolvedPath, Resolver, Resolvers, Settled, Structured, Take, Union,
    Version, Workshop,
};
pub use sign::Signer;
pub use strategies::{
    CherryPick, Diverged, Empties, FastForward, MergeCommit, Merges, Octopus, Ours, Promote, Rebase, Squash,
};
pub use strategy::{MergeStrategy, Prepared, Refusal};
pub use trial::{BothTrials, Trial, Tried};
