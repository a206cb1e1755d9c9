//! The integration tests of this crate, in one binary.

mod bad_input;
mod child;
mod concurrent;
mod capture;
mod create;
mod list;
mod recover;
mod release;
mod repo;
mod seed;
mod view;
