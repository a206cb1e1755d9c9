#![doc = include_str!("../README.md")]

mod error;
mod exit;
mod guarantee;
mod policy;
mod process;
mod sandbox;
mod spec;

pub use error::{Error, Result, Shortfall};
pub use exit::{End, Exit, Usage};
pub use guarantee::{Coverage, Guarantee};
pub use policy::{Limits, Network, Policy, Strength};
pub use process::{Feed, Output, Process, Stopper, Stream};
pub use sandbox::{Running, Sandbox, Stopped};
pub use spec::{Access, Command, Labels, Mount, SandboxId, Spec};
