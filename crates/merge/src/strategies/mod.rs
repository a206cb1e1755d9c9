//! The strategies that come with this crate.

mod merge_commit;

pub use merge_commit::MergeCommit;
