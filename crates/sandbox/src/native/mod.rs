//! The lane on Linux namespaces: no daemon, no root.

mod facts;
mod options;

#[cfg(target_os = "linux")]
mod blueprint;
#[cfg(target_os = "linux")]
mod confined;
#[cfg(target_os = "linux")]
mod denied;
#[cfg(target_os = "linux")]
mod enter;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod found;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod group_base;
#[cfg(target_os = "linux")]
mod hint;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod lane;
#[cfg(target_os = "linux")]
mod layout;
#[cfg(target_os = "linux")]
mod limited;
#[cfg(all(target_os = "linux", not(feature = "egress")))]
#[path = "no_outlet.rs"]
mod outlet;
#[cfg(all(target_os = "linux", feature = "egress"))]
mod outlet;
#[cfg(target_os = "linux")]
mod search;
#[cfg(target_os = "linux")]
#[cfg_attr(not(feature = "escape"), expect(unreachable_pub, reason = "only that feature lets it out"))]
pub mod shown;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod system;
#[cfg(target_os = "linux")]
mod wall;
#[cfg(target_os = "linux")]
mod wrapped;

pub use facts::NativeFacts;
pub use options::{Demand, Mechanism, NativeOptions};
pub use system::NativeSandbox;

const LANE: &str = "native";
