//! The integration tests of this crate, in one binary.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod applied;
mod archive;
mod bad_input;
mod baseline;
mod certificate;
mod checkout;
mod conflicts;
#[cfg(feature = "conformance")]
mod conformance;
mod conserve;
mod edges;
mod fallback;
mod forecast;
mod guarantees;
mod inspect;
mod land;
mod markers;
mod merge_commit;
mod names;
mod queue;
mod race;
mod repo;
mod resolve;
mod scene;
mod sign;
mod strategies;
mod trailers;
mod trial;
