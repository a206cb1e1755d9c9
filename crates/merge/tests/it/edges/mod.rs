//! The edge cases of `docs/merge-edge-cases.md` that have no other test, by theme. git is the oracle wherever it has an answer.

mod checkouts;
mod histories;
pub(crate) mod kinds;
mod stores;
mod targets;
mod trees;
