#![doc = include_str!("../README.md")]

pub mod audit;
mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(all(target_os = "linux", any(feature = "native", feature = "docker")))]
mod disk;
#[cfg(feature = "docker")]
mod docker;
mod egress;
mod error;
#[cfg(all(target_os = "linux", feature = "escape"))]
pub mod escape;
mod exit;
#[cfg(feature = "fake")]
mod fake;
mod guarantee;
mod host;
#[cfg(any(target_os = "linux", feature = "fake"))]
mod intake;
#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
mod kept;
mod layers;
#[cfg(feature = "native")]
mod native;
mod pinned;
mod policy;
mod process;
mod profiles;
#[cfg(any(target_os = "linux", feature = "docker"))]
mod redact;
#[cfg(target_os = "linux")]
mod run;
mod sandbox;
mod secret;
mod spec;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(any(target_os = "linux", feature = "docker"))]
mod token;
pub mod verify;

#[cfg(feature = "docker")]
pub use docker::{DockerOptions, DockerSandbox, Doubt, Leftover, Pull, Reaped, Scratch, Trees, Warm, Warmth};
pub use egress::{AllowList, Endpoint};
#[cfg(feature = "egress")]
pub use egress::{Decision, Egress, EgressLimits, Proxy, Resolver, Serving, Verdict};
pub use error::{Error, Result, Shortfall};
pub use exit::{End, Exit, Usage, Witness};
#[cfg(feature = "fake")]
pub use fake::{Call, FakeSandbox, OnStop, Script};
pub use guarantee::{Coverage, Guarantee};
pub use host::{Grouping, HostFacts, HostOptions, HostSandbox};
pub use layers::{Audited, Limited, Timeout};
#[doc(hidden)]
#[cfg(all(target_os = "linux", feature = "native", feature = "escape"))]
pub use native::shown;
#[cfg(feature = "native")]
pub use native::{Demand, Mechanism, NativeFacts, NativeOptions, NativeSandbox};
pub use policy::{Limits, Network, Overflow, Policy, Strength};
pub use process::{Feed, Output, Process, Start, Stopper, Stream};
pub use sandbox::{Running, Sandbox, Stopped};
pub use secret::{Redact, Secret};
pub use spec::{Access, Command, Labels, Mount, SandboxId, Spec};
