//! What lies in a worktree, as facts: the base of every decision to remove it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{CommitId, WorktreeId};

/// What [`inspect`](crate::WorktreeManager::inspect) found in a worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SafetyReport {
    /// Which worktree.
    pub id: WorktreeId,
    /// What is there.
    pub facts: Vec<Fact>,
    /// What could not be told.
    pub unknowns: Vec<Unknown>,
}

impl SafetyReport {
    /// A report on this worktree, in which nothing was found yet.
    pub fn new(id: WorktreeId) -> Self {
        Self { id, facts: Vec::new(), unknowns: Vec::new() }
    }

    /// Whether removing the worktree would lose nothing and disturb nobody; what is unknown counts as work.
    pub fn is_safe(&self) -> bool {
        self.unknowns.is_empty() && self.work().next().is_none()
    }

    /// The facts that speak against removing it.
    pub fn work(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(|fact| fact.is_work())
    }
}

impl fmt::Display for SafetyReport {
    /// One line for each fact and each unknown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.facts.is_empty() && self.unknowns.is_empty() {
            return writeln!(f, "nothing would be lost");
        }
        self.facts.iter().try_for_each(|fact| writeln!(f, "{fact}"))?;
        self.unknowns.iter().try_for_each(|unknown| writeln!(f, "{unknown}"))
    }
}

/// One thing that is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fact {
    /// Tracked files are changed or deleted, compared with the last commit.
    Changed(Sample<PathBuf>),
    /// As [`Changed`](Self::Changed), of files for which git was told not to look (assume-unchanged, skip-worktree).
    ChangedUnseen(Sample<PathBuf>),
    /// The index differs from the last commit.
    Staged(Sample<PathBuf>),
    /// Paths with a conflict that is not resolved.
    Unmerged(Sample<PathBuf>),
    /// Files that are neither tracked nor ignored.
    Untracked(Sample<PathBuf>),
    /// Ignored files that are seeded or listed as precious, and are not the same in the main checkout.
    Precious(Sample<PathBuf>),
    /// Commits that no other ref reaches.
    Commits(Sample<CommitId>),
    /// Commits that were amended, rebased or reset away and that only a reflog remembers.
    Rewritten(Sample<CommitId>),
    /// Stashes that only this worktree has.
    Stashes(Sample<CommitId>),
    /// Stashes of this worktree in the stack that all worktrees share. They stay when it is removed.
    SharedStashes(Sample<CommitId>),
    /// git was interrupted in the middle of something.
    Operation(Operation),
    /// Repositories of their own inside, also below what is ignored.
    NestedRepositories(Sample<PathBuf>),
    /// Submodules with files in them.
    Submodules(Sample<PathBuf>),
    /// Processes that work in there, or have a file open, mapped or mounted.
    ///
    /// One that cannot be asked and may write into the tree is an [`Unknown`]. Taken to be elsewhere, because they are on
    /// every machine, are root's daemons, programs that the kernel closes to their own user (`sshd`, `sudo`, agents that
    /// hold keys), and processes of users whom the owner and the mode of the tree's root do not let write; that
    /// directories inside do not allow more than the root is assumed.
    Processes(Sample<Process>),
}

impl Fact {
    /// Whether it speaks against removing the worktree.
    pub fn is_work(&self) -> bool {
        !matches!(self, Self::SharedStashes(_))
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(paths) => write!(f, "{paths} changed"),
            Self::ChangedUnseen(paths) => write!(f, "{paths} changed where git was told not to look"),
            Self::Staged(paths) => write!(f, "{paths} staged"),
            Self::Unmerged(paths) => write!(f, "{paths} in conflict"),
            Self::Untracked(paths) => write!(f, "{paths} untracked"),
            Self::Precious(paths) => write!(f, "{paths} ignored but listed"),
            Self::Commits(commits) => write!(f, "{commits} on no other ref"),
            Self::Rewritten(commits) => write!(f, "{commits} rewritten, only in the reflog"),
            Self::Stashes(commits) => write!(f, "{commits} stashed"),
            Self::SharedStashes(commits) => write!(f, "{commits} in the shared stash, where they stay"),
            Self::Operation(operation) => write!(f, "{operation} in progress"),
            Self::NestedRepositories(paths) => write!(f, "{paths} with a repository of its own"),
            Self::Submodules(paths) => write!(f, "{paths} a submodule with files"),
            Self::Processes(processes) => write!(f, "{processes} at work inside"),
        }
    }
}

/// Something that could not be told, and so may be work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unknown {
    /// What it is about: a path, a ref, or words.
    pub subject: String,
    /// Why it could not be told.
    pub why: String,
}

impl Unknown {
    /// What could not be told of this subject, and why.
    pub fn new(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { subject: subject.into(), why: why.into() }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown: {}: {}", self.subject, self.why)
    }
}

/// How many there are, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample<T> {
    /// All of them.
    pub count: usize,
    /// At most as many as [`SAMPLE`] says.
    pub first: Vec<T>,
}

/// How many things a [`Sample`] names.
pub const SAMPLE: usize = 20;

impl<T> Sample<T> {
    /// A sample of these; none when there are none.
    pub fn of(all: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut sample = Self { count: 0, first: Vec::new() };
        for one in all {
            sample.count += 1;
            if sample.count <= SAMPLE {
                sample.first.push(one);
            }
        }
        (sample.count > 0).then_some(sample)
    }
}

/// What a sample is of.
trait Named {
    const ONE: &'static str;
    const MANY: &'static str;

    fn name(&self) -> String;
}

impl Named for PathBuf {
    const ONE: &'static str = "path";
    const MANY: &'static str = "paths";

    fn name(&self) -> String {
        format!("{self:?}")
    }
}

impl Named for CommitId {
    const ONE: &'static str = "commit";
    const MANY: &'static str = "commits";

    fn name(&self) -> String {
        self.as_str().chars().take(12).collect()
    }
}

impl Named for Process {
    const ONE: &'static str = "process";
    const MANY: &'static str = "processes";

    fn name(&self) -> String {
        format!("{} {:?}", self.pid, self.name)
    }
}

impl<T: Named> fmt::Display for Sample<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        let what = if self.count == 1 { T::ONE } else { T::MANY };
        let mut names: Vec<String> = self.first.iter().take(SHOWN).map(Named::name).collect();
        if self.count > names.len() {
            names.push("…".into());
        }
        write!(f, "{} {what} ({})", self.count, names.join(", "))
    }
}

/// A process that uses a worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it calls itself.
    pub name: String,
    /// The directory that it works in or a file that it has open.
    pub path: PathBuf,
}

impl Process {
    /// A process that uses this path.
    pub fn new(pid: u32, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { pid, name: name.into(), path: path.into() }
    }
}

/// What git can be interrupted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Operation {
    /// `git merge`
    Merge,
    /// `git rebase`
    Rebase,
    /// `git cherry-pick`
    CherryPick,
    /// `git revert`
    Revert,
    /// `git bisect`
    Bisect,
    /// `git am`
    Am,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "a merge is",
            Self::Rebase => "a rebase is",
            Self::CherryPick => "a cherry-pick is",
            Self::Revert => "a revert is",
            Self::Bisect => "a bisection is",
            Self::Am => "the application of patches is",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(facts: Vec<Fact>, unknowns: Vec<Unknown>) -> SafetyReport {
        SafetyReport { id: WorktreeId::new("fix").unwrap(), facts, unknowns }
    }

    #[test]
    fn what_is_unknown_counts_as_work() {
        assert!(report(vec![], vec![]).is_safe());
        let unknown = Unknown { subject: "HEAD".into(), why: "it cannot be read".into() };
        assert!(!report(vec![], vec![unknown]).is_safe());
        assert!(!report(vec![Fact::Operation(Operation::Bisect)], vec![]).is_safe());
        let stash = Sample::of([CommitId::new("0123456789012345678901234567890123456789").unwrap()]).unwrap();
        assert!(report(vec![Fact::SharedStashes(stash.clone())], vec![]).is_safe());
        assert!(!report(vec![Fact::Stashes(stash)], vec![]).is_safe());
    }

    #[test]
    fn a_report_is_one_line_for_each_fact_and_survives_being_stored() {
        let paths = Sample::of((0..30).map(|n| PathBuf::from(format!("file-{n}")))).unwrap();
        assert_eq!((paths.count, paths.first.len()), (30, SAMPLE));
        let unknown = Unknown { subject: "the index".into(), why: "is damaged".into() };
        let report = report(vec![Fact::Changed(paths), Fact::Operation(Operation::Merge)], vec![unknown]);
        let text = "30 paths (\"file-0\", \"file-1\", \"file-2\", …) changed\na merge is in progress\nunknown: the index: is damaged\n";
        assert_eq!(report.to_string(), text);
        let stored = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<SafetyReport>(&stored).unwrap(), report);
    }
}
