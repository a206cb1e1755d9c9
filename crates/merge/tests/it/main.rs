//! The integration tests of this crate, in one binary.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod bad_input;
mod baseline;
mod checkout;
mod conflicts;
mod forecast;
mod land;
mod merge_commit;
mod queue;
mod race;
mod repo;
mod scene;
mod trial;
