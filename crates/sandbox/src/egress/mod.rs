//! Egress by list: which connections may leave a sandbox that has no network of its own.
//!
//! The list is part of a policy. What keeps it is a proxy outside: a lane gives the sandbox a socket on its own loopback that
//! this process serves, and nothing else of any network.

mod host;
mod list;

#[cfg(feature = "egress")]
mod address;
#[cfg(feature = "egress")]
mod body;
#[cfg(feature = "egress")]
mod decision;
#[cfg(feature = "egress")]
mod dial;
#[cfg(feature = "egress")]
mod head;
#[cfg(feature = "egress")]
mod proxy;
#[cfg(feature = "egress")]
mod relay;
#[cfg(feature = "egress")]
mod settings;
#[cfg(feature = "egress")]
mod trouble;
#[cfg(all(feature = "egress", any(feature = "native", feature = "docker"), target_os = "linux"))]
mod variables;
#[cfg(feature = "egress")]
mod volume;

pub use list::{AllowList, Endpoint};

#[cfg(feature = "egress")]
pub use self::{
    decision::{Decision, Verdict},
    proxy::{Proxy, Serving},
    settings::{Egress, EgressLimits, Resolver},
};

#[cfg(all(feature = "egress", any(feature = "native", feature = "docker"), target_os = "linux"))]
pub(crate) use variables::{PROXY_PORT, VARIABLES};
