//! The rules of [`Sandbox`] and [`Running`](crate::Running) as checks that any implementor can run in a test of its own.
//!
//! ```
//! # #[cfg(target_os = "linux")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use hedgerow_sandbox::{HostSandbox, conformance};
//!
//! let rule = conformance::rules().into_iter().find(|rule| rule.name == "an-exit-status-is-told").unwrap();
//! let lane = HostSandbox::new().unwrap();
//! assert_eq!(rule.check(conformance::Shell, lane).await, conformance::Verdict::Kept);
//! # }
//! # #[cfg(not(target_os = "linux"))]
//! # fn main() {}
//! ```
//!
//! [`check`] does it for all of them. A rule that cannot be checked, because the lane does not claim what it is about or
//! cannot run what it takes, is reported as not checked, never as kept.

mod act;
mod bench;
mod exit;
mod kill;
mod life;
mod output;
mod place;
mod refusal;
#[cfg(feature = "fake")]
mod scripted;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::Sandbox;
use bench::Bench;

pub use act::{Act, Beat, Programs, Shell};
#[cfg(feature = "fake")]
pub use scripted::Scripted;

/// How long one check may take. Nothing in it takes more than some seconds, unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a check found: nothing, or why it is no proof.
type Found = Result<(), Failure>;
type Checking = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Why a check did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    Broken(String),
    NotChecked(String),
}

/// One rule of the contract.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    check: fn(Bench) -> Checking,
}

/// What came of the check of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a verdict that nobody looks at finds nothing"]
pub enum Verdict {
    /// The rule was kept.
    Kept,
    /// It was broken; the text says what happened instead.
    Broken(String),
    /// It could not be checked; the text says why.
    NotChecked(String),
}

/// What came of a check of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a report that nobody looks at finds nothing"]
#[non_exhaustive]
pub struct Report {
    /// The names of the rules that were kept.
    pub kept: Vec<&'static str>,
    /// The rules that were broken, each with what the contract demands and what happened instead.
    pub broken: Vec<Finding>,
    /// The rules that could not be checked, each with why.
    pub not_checked: Vec<Finding>,
}

/// What was found about one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Its name.
    pub rule: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    /// What was found.
    pub found: String,
}

/// All rules, in the order in which they are checked.
pub fn rules() -> Vec<Rule> {
    [refusal::RULES, exit::RULES, output::RULES, place::RULES, kill::RULES, life::RULES].concat()
}

/// Checks every rule, each with a lane of its own that `factory` makes.
///
/// `programs` says how the things that the checks need are done inside: with [`Shell`] where there is a shell. It takes a
/// Tokio runtime with time enabled.
pub async fn check<P, S, F>(programs: P, factory: impl Fn() -> F) -> Report
where
    P: Programs + Clone + 'static,
    S: Sandbox,
    F: Future<Output = S>,
{
    let mut report = Report::default();
    for rule in rules() {
        let finding = |found| Finding { rule: rule.name, demand: rule.demand, found };
        match rule.check(programs.clone(), factory().await).await {
            Verdict::Kept => report.kept.push(rule.name),
            Verdict::Broken(found) => report.broken.push(finding(found)),
            Verdict::NotChecked(why) => report.not_checked.push(finding(why)),
        }
    }
    report
}

impl Rule {
    /// Checks this rule alone.
    pub async fn check(&self, programs: impl Programs + 'static, sandbox: impl Sandbox) -> Verdict {
        let bench = match Bench::new(self.name, Arc::new(programs), Arc::new(sandbox)) {
            Ok(bench) => bench,
            Err(error) => return Verdict::NotChecked(format!("no temporary directory can be made: {error}")),
        };
        match tokio::time::timeout(PATIENCE, (self.check)(bench)).await {
            Ok(Ok(())) => Verdict::Kept,
            Ok(Err(Failure::Broken(found))) => Verdict::Broken(found),
            Ok(Err(Failure::NotChecked(why))) => Verdict::NotChecked(why),
            Err(_) => Verdict::Broken(format!("it did not come to an end within {PATIENCE:?}")),
        }
    }
}

impl Report {
    /// Fails the test that calls it, unless no rule was broken.
    ///
    /// # Panics
    /// When a rule was broken, with all of them.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.broken.is_empty(), "{self}");
    }
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self::Broken(format!("the lane failed: {error} ({error:?})"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, broken, not_checked } = self;
        write!(f, "{} rules were kept, {} broken, {} not checked", kept.len(), broken.len(), not_checked.len())?;
        broken.iter().try_for_each(|finding| write!(f, "\nbroken: {finding}"))?;
        not_checked.iter().try_for_each(|finding| write!(f, "\nnot checked: {}: {}", finding.rule, finding.found))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} But {}", self.rule, self.demand, self.found)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}
