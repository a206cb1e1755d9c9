//! The integration tests of this crate, in one binary.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod bad_input;
mod embed;
mod follow_up;
mod journal;
mod pipeline;
mod plan_files;
mod public_api;
mod recovery;
mod repo;
mod shutdown;
mod tidy;
mod vocabulary;
