//! The integration tests of this crate, in one binary.

#![expect(clippy::unwrap_used, reason = "what a test cannot have fails it")]

#[cfg(any(feature = "docker", all(target_os = "linux", feature = "native")))]
mod attempts;
#[cfg(all(target_os = "linux", feature = "native"))]
mod compat;
#[cfg(all(target_os = "linux", feature = "conformance", feature = "fake"))]
mod conformance;
#[cfg(feature = "docker")]
mod docker;
#[cfg(all(target_os = "linux", feature = "egress", feature = "native"))]
mod egress;
#[cfg(all(target_os = "linux", feature = "escape", feature = "native"))]
mod escape;
#[cfg(target_os = "linux")]
mod exit;
#[cfg(all(target_os = "linux", feature = "native"))]
mod flood;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod host_groups;
#[cfg(target_os = "linux")]
mod host_unclean;
#[cfg(all(target_os = "linux", feature = "native"))]
mod hostile;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(all(target_os = "linux", feature = "conformance", feature = "fake"))]
mod layers;
#[cfg(target_os = "linux")]
mod lean;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native_calls;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native_confined;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native_disk;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native_wall;
#[cfg(all(target_os = "linux", feature = "native"))]
mod native_wrapped;
#[cfg(target_os = "linux")]
mod output;
#[cfg(all(target_os = "linux", feature = "native"))]
mod pinned;
#[cfg(target_os = "linux")]
mod policy;
#[cfg(all(target_os = "linux", feature = "native"))]
mod probe;
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(target_os = "linux")]
mod unread;
#[cfg(all(target_os = "linux", feature = "conformance", feature = "fake"))]
mod verify;
#[cfg(target_os = "linux")]
mod world;
