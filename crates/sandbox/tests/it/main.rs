//! The integration tests of this crate, in one binary.

#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod policy;
#[cfg(target_os = "linux")]
mod world;

#[cfg(feature = "docker")]
mod docker;
