//! The integration tests of this crate, in one binary.

#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod policy;
#[cfg(target_os = "linux")]
mod world;
