//! The integration tests of this crate, in one binary.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod another_user;
mod aside;
mod attack;
mod bad_input;
mod branch_in_use;
mod cancel;
mod capture;
mod child;
mod concurrent;
#[cfg(all(feature = "conformance", feature = "fake"))]
mod conformance;
mod crash_points;
mod create;
mod damage;
mod departure;
mod doctor;
#[cfg(feature = "fake")]
mod fake;
mod fill;
mod guard;
mod held;
mod hidden;
mod identity;
mod import;
mod in_the_way;
mod kill;
mod lease;
mod lifecycle;
mod limits;
mod list;
mod machine;
mod merged;
mod modules;
mod moved;
mod planned;
mod pool;
mod recover;
mod release;
mod removal;
mod repo;
mod restore;
mod safety;
mod seed;
mod state_files;
mod stress;
mod unflushed;
mod usage;
mod variants;
mod view;
