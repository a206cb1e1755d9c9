//! The integration tests of this crate, in one binary.

mod bad_input;
mod create;
mod repo;
mod seed;
