//! What a doctor can say: one finding, and what came of its cure.

use std::path::{Path, PathBuf};

/// One thing that is wrong with the worktrees of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub trouble: Trouble,
    /// What is concerned: an entry of `.git/worktrees`, a file in it, a tree, a record, or the shared configuration.
    pub path: PathBuf,
    /// What is wrong, what that breaks and what the cure is, in one line for people.
    pub says: String,
    /// Who is hindered.
    pub severity: Severity,
    /// Whether work may hang on it.
    pub holds: Holds,
    /// What [`mend`](crate::LocalWorktrees::mend) would do about it.
    pub remedy: Remedy,
}

/// What is wrong with an entry of `.git/worktrees`, whoever made it, or with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// An entry with nothing in it.
    Empty,
    /// An entry with nothing but a lock in it.
    LockOnly,
    /// An entry that knows its tree and nothing else.
    Unfinished,
    /// `commondir` is empty, so that no git command that looks at worktrees works in the whole repository.
    CommondirEmpty,
    /// `commondir` is missing.
    CommondirMissing,
    /// `HEAD` is missing.
    HeadMissing,
    /// `HEAD` is an object id of zeros, so that `git fetch` and `git gc` fail in the whole repository.
    HeadNull,
    /// `HEAD` is empty, or names neither a branch nor a commit.
    HeadDamaged,
    /// The entry has no index, so that every file of the tree looks deleted.
    IndexMissing,
    /// `gitdir` is missing, empty or does not name the `.git` of a tree.
    GitdirDamaged,
    /// The tree is not where the entry says; its disk may not be mounted.
    TreeMissing,
    /// The tree was moved, and still names this entry.
    TreeMoved {
        /// Where it is now.
        to: PathBuf,
    },
    /// Something that does not name this entry lies where its tree should be.
    TreeReplaced,
    /// Another entry for the same tree, to which that tree does not belong.
    Duplicate,
    /// A complete worktree that is still locked as if it were being made.
    LeftLocked,
    /// A lock file of git's kind that nobody holds any more.
    StaleLock,
    /// A tree that no entry and no record knows.
    StrayTree,
    /// A record of this crate that cannot be read.
    RecordDamaged,
    /// A record whose tree is missing, moved or replaced.
    RecordWithoutTree,
    /// A record whose worktree git does not know any more.
    RecordWithoutEntry,
    /// A worktree of this crate whose owner is dead.
    Orphaned,
    /// A creation or a removal whose owner is dead.
    HalfDone,
    /// Something in the staging area or in the trash that belongs to no record.
    LeftOver,
    /// Something of somebody else's is in the place of a ref of this crate.
    RefInTheWay {
        /// The name of the ref, or of the directory of refs.
        reference: String,
    },
    /// `core.bare` is on in a repository that has a checkout.
    BareWithCheckout,
    /// `core.worktree` is in the shared configuration.
    SharedWorktree,
    /// `core.hooksPath` does not lead to the same hooks in every worktree.
    HooksPath,
    /// The repository has relative worktrees, which many programs cannot read.
    RelativeWorktrees,
}

/// Who is hindered by a finding, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nobody at present.
    Notice,
    /// The users of one worktree, its branch or its path.
    Worktree,
    /// Everybody: commands fail in the whole repository.
    Repository,
}

/// Whether work may hang on what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Holds {
    /// Provably none.
    Nothing,
    /// Perhaps: files, staged changes, an operation in progress, commits that nothing else names; or it cannot be told.
    Work,
}

/// What [`mend`](crate::LocalWorktrees::mend) would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Complete what is missing; it is certain what that is.
    Complete,
    /// Move it to the quarantine, with one rename and a note that says from where.
    Quarantine,
    /// Nothing: [`recover`](crate::WorktreeManager::recover) does it.
    Recover,
    /// Nothing at present: it is young, or a process uses it.
    Wait,
    /// Nothing: only a person can tell; the finding says what to do.
    ByHand,
}

/// What [`mend`](crate::LocalWorktrees::mend) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cure {
    /// What was missing is there again.
    Completed,
    /// It was moved to the quarantine.
    Quarantined {
        /// Where it is now; the note is beside it, with `.note` at the end of its name.
        to: PathBuf,
    },
    /// It was not there any more, or had become something else.
    Gone,
    /// Nothing was done.
    LeftAlone {
        /// Why.
        why: String,
    },
}

impl Finding {
    pub(super) fn new(trouble: Trouble, path: &Path, says: impl Into<String>) -> Self {
        Self {
            trouble,
            path: path.to_owned(),
            says: says.into(),
            severity: Severity::Worktree,
            holds: Holds::Nothing,
            remedy: Remedy::ByHand,
        }
    }

    pub(super) fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    pub(super) fn holds(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }

    pub(super) fn remedy(self, remedy: Remedy) -> Self {
        Self { remedy, ..self }
    }
}
