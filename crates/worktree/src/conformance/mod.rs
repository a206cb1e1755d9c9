//! The rules of [`WorktreeManager`] as checks that any implementor can run in a test of its own.
//!
//! ```
//! # #[cfg(feature = "fake")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use hedgerow_worktree::{FakeWorktrees, GitAccess, conformance};
//!
//! let factory = async || FakeWorktrees::new([("README", "hello\n")]);
//! conformance::check(GitAccess::Direct, factory).await.assert();
//! # }
//! # #[cfg(not(feature = "fake"))]
//! # fn main() {}
//! ```

mod bench;
mod capture;
mod create;
mod inspect;
mod lease;
mod race;
mod release;
mod restore;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{GitAccess, WorktreeManager};
use bench::Bench;

/// What a check found: nothing, or what is wrong.
type Found = Result<(), String>;
type Checking = Pin<Box<dyn Future<Output = Found> + Send>>;

/// One rule of the contract.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    check: fn(Bench) -> Checking,
}

/// What came of a check of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a report that nobody looks at finds nothing"]
pub struct Report {
    /// The names of the rules that were kept.
    pub kept: Vec<&'static str>,
    /// The rules that were broken.
    pub broken: Vec<Breach>,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Its name.
    pub rule: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    /// What happened instead.
    pub found: String,
}

/// All rules, in the order in which they are checked.
pub fn rules() -> Vec<Rule> {
    [create::RULES, race::RULES, capture::RULES, release::RULES, restore::RULES, inspect::RULES, lease::RULES].concat()
}

/// Checks every rule, each with a manager of its own.
///
/// `factory` makes a manager of a repository without worktrees whose `HEAD` leads to a commit; nothing else may work on
/// it meanwhile. The worktrees are created with this access to git, but no git is run in them: files are all that the
/// checks write. It takes a Tokio runtime.
pub async fn check<M, F>(git: GitAccess, factory: impl Fn() -> F) -> Report
where
    M: WorktreeManager,
    F: Future<Output = M>,
{
    let mut report = Report::default();
    for rule in rules() {
        match rule.check(git, factory().await).await {
            None => report.kept.push(rule.name),
            Some(breach) => report.broken.push(breach),
        }
    }
    report
}

impl Rule {
    /// Checks this rule alone, with a manager as the factory of [`check`] makes it.
    pub async fn check(&self, git: GitAccess, manager: impl WorktreeManager) -> Option<Breach> {
        let bench = Bench { manager: Arc::new(manager), git };
        let found = (self.check)(bench).await.err()?;
        Some(Breach { rule: self.name, demand: self.demand, found })
    }
}

impl Report {
    /// Fails the test that calls it, unless every rule was kept.
    ///
    /// # Panics
    /// When a rule was broken, with all of them.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.broken.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rules were kept and {} broken", self.kept.len(), self.broken.len())?;
        self.broken.iter().try_for_each(|breach| write!(f, "\n{breach}"))
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} But {}", self.rule, self.demand, self.found)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}
