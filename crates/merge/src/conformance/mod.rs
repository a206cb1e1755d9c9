//! The rules of [`MergeStrategy`] as checks that any implementor can run in a test of its own.
//!
//! ```
//! use hedgerow_merge::{MergeCommit, conformance};
//!
//! conformance::check(|| MergeCommit).assert();
//! ```
//!
//! Each check makes a repository of its own in a temporary directory, and runs no program. That objects outlive a power
//! failure cannot be checked, only that they are there for whoever opens the repository again.

mod bench;
mod outcome;
mod quiet;
mod result;
mod situations;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::MergeStrategy;
use bench::Bench;

/// What a check found: nothing, or why it is no proof.
type Found = Result<(), Failure>;

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
    check: fn(&Bench) -> Found,
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
    pub broken: Vec<Breach>,
    /// The rules that could not be checked, because the strategy makes no candidate that they are about.
    pub not_checked: Vec<Breach>,
}

/// What was found about one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// Its name.
    pub rule: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    /// What was found.
    pub found: String,
}

/// All rules, in the order in which they are checked.
pub fn rules() -> Vec<Rule> {
    [outcome::RULES, result::RULES, quiet::RULES].concat()
}

/// Checks every rule, each with a strategy of its own that `factory` makes. Blocks for some seconds.
pub fn check<S: MergeStrategy>(factory: impl Fn() -> S) -> Report {
    let mut report = Report::default();
    for rule in rules() {
        let breach = |found| Breach { rule: rule.name, demand: rule.demand, found };
        match rule.check(factory()) {
            Verdict::Kept => report.kept.push(rule.name),
            Verdict::Broken(found) => report.broken.push(breach(found)),
            Verdict::NotChecked(why) => report.not_checked.push(breach(why)),
        }
    }
    report
}

impl Rule {
    /// Checks this rule alone.
    pub fn check(&self, strategy: impl MergeStrategy) -> Verdict {
        let bench = Bench { strategy: Arc::new(strategy) };
        // A strategy that panics takes nobody else's check with it.
        match catch_unwind(AssertUnwindSafe(|| (self.check)(&bench))) {
            Ok(Ok(())) => Verdict::Kept,
            Ok(Err(Failure::Broken(found))) => Verdict::Broken(found),
            Ok(Err(Failure::NotChecked(why))) => Verdict::NotChecked(why),
            Err(_) => Verdict::Broken("it panicked.".into()),
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, broken, not_checked } = self;
        write!(f, "{} rules were kept, {} broken, {} not checked", kept.len(), broken.len(), not_checked.len())?;
        broken.iter().try_for_each(|breach| write!(f, "\nbroken: {breach}"))?;
        not_checked.iter().try_for_each(|breach| write!(f, "\nnot checked: {}: {}", breach.rule, breach.found))
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
