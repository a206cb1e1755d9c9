//! The integration tests of this crate, in one binary.

mod bad_input;
mod baseline;
mod checkout;
mod conflicts;
mod land;
mod merge_commit;
mod race;
mod repo;
mod scene;
