//! Two suites that any [`Sandbox`] can be run against: what a hostile program tries, and what an honest one must be able to do.
//!
//! Each probe has a stable id, says which [`Guarantee`] it attacks, and what must become of it where that guarantee is
//! promised. What is seen from outside (files, processes, listeners of the host) counts more than what a probe says. Every
//! probe is run without a sandbox first ([`Suite::control`]): one that does not get through there proves nothing, and is
//! reported so. One that cannot be run is reported as not run, and never as passed.
//!
//! The probes are Perl, which is wherever git is; where the sandbox has none, nothing is run. The host needs it for the controls.
//!
//! ```no_run
//! use hedgerow_sandbox::NativeSandbox;
//! use hedgerow_sandbox::escape::Suite;
//!
//! # async fn try_it() -> hedgerow_sandbox::Result<()> {
//! let suite = Suite::escape("/var/tmp");
//! let controls = suite.control().await?;
//! let report = suite.run(&NativeSandbox::probe()?, &controls).await?;
//! assert!(report.passed(), "{report}");
//! # Ok(()) }
//! ```

mod judge;
mod limits;
mod plain;
mod probe;
mod probes;
mod report;
mod round;
mod run;
mod script;
mod spawn;
mod stage;
mod suite;

pub use judge::{Control, Seen, Verdict};
pub use probe::{Category, Expected, Probe};
pub use report::{Controls, Report, Row};
pub use suite::Suite;

#[cfg(doc)]
use crate::{Guarantee, Sandbox};
