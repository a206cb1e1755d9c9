#![doc = include_str!("../README.md")]

#[cfg_attr(not(feature = "docker"), expect(dead_code, reason = "the lanes come next"))]
mod check;
mod error;
mod exit;
mod guarantee;
mod policy;
mod process;
#[cfg_attr(not(feature = "docker"), expect(dead_code, unused_imports, reason = "the lanes come next"))]
mod run;
mod sandbox;
mod spec;

pub use error::{Error, Result, Shortfall};
pub use exit::{End, Exit, Usage};
pub use guarantee::{Coverage, Guarantee};
pub use policy::{Limits, Network, Policy, Strength};
pub use process::{Feed, Output, Process, Stopper, Stream};
pub use sandbox::{Running, Sandbox, Stopped};
pub use spec::{Access, Command, Labels, Mount, SandboxId, Spec};
