//! What the operations of a manager report.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{BranchName, CommitId, Worktree, WorktreeId};

/// What [`capture`](crate::WorktreeManager::capture) found and stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capture {
    /// The commit that the worktree was created from.
    pub base: CommitId,
    /// The commit that now holds everything; equal to `base` when nothing was done.
    pub tip: CommitId,
    /// How many commits lie between base and tip, the snapshot included.
    pub commits: usize,
    /// How many paths differ between the trees of base and tip.
    pub files: usize,
    /// The commit that was made of what lay uncommitted in the tree, if anything did.
    pub snapshot: Option<CommitId>,
    /// Other lines of history found inside (stashes, further branches, rewritten tips), each now under a rescue ref; and the
    /// tip, if the branch [could not be moved](Notice::BranchInUse).
    pub rescued: Vec<Rescue>,
    /// What the caller should know.
    pub notices: Vec<Notice>,
}

impl Capture {
    /// A capture that made `tip` of what was done since `base`; what else there is to say is in the fields.
    pub fn new(base: CommitId, tip: CommitId) -> Self {
        let (rescued, notices) = (Vec::new(), Vec::new());
        Self { base, tip, commits: 0, files: 0, snapshot: None, rescued, notices }
    }

    /// Whether nothing at all was done in the worktree.
    pub fn is_empty(&self) -> bool {
        self.tip == self.base && self.rescued.is_empty()
    }
}

/// Something about a captured tree that the caller should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Notice {
    /// A repository inside the tree; its files were captured, its history was not, so the tree is kept on release.
    NestedRepository {
        /// Where it lies, relative to the tree.
        path: PathBuf,
    },
    /// A repository in an ignored directory, of which nothing was captured, so the tree is kept on release, unless
    /// [`LocalOptions::hidden`](crate::LocalOptions::hidden) says otherwise. Only a release looks for it.
    HiddenRepository {
        /// Where it lies, relative to the tree.
        path: PathBuf,
    },
    /// An ignored directory that could not be searched for repositories, so that the tree is kept on release.
    HiddenUnreadable {
        /// Where it lies, relative to the tree.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// There are more ignored directories than are searched for repositories, so that the tree is kept on release, unless
    /// [`HiddenRepositories::Remove`](crate::HiddenRepositories::Remove) gives them all up.
    HiddenUnsearched {
        /// How many were searched.
        most: usize,
    },
    /// The worktree's `.git` file is not the one that was put there; its content was not followed.
    GitFileReplaced,
    /// The tree was not in its place when it was released, nor found near it, so that only commits and what was staged could
    /// be rescued. Where somebody moved it, its files are still there, and git does not know it any more.
    TreeMissing {
        /// Where it should have been.
        path: PathBuf,
    },
    /// Another checkout is on the branch as well, so that it was not moved; what was captured is under a rescue ref.
    BranchInUse {
        /// Which one, in words.
        by: String,
    },
    /// `HEAD` inside no longer descends from the base; its line is under a rescue ref, the files were captured.
    HistoryNotFromBase {
        /// What `HEAD` named.
        tip: CommitId,
    },
    /// The history inside could not be taken over, so that only the files were captured.
    HistoryRefused {
        /// What was wrong with it.
        why: String,
    },
    /// What was staged could not be kept; the files were.
    NotStaged {
        /// What was wrong with it.
        why: String,
    },
    /// With direct access: something else is staged at this path than what was captured and than what the branch had before.
    /// It stays staged, so a commit inside has that, until the file is added again.
    StagedOtherwise {
        /// Where it is, relative to the tree.
        path: PathBuf,
    },
    /// With direct access: the index could not follow the branch to what was captured, so that git inside shows the work as
    /// staged the other way round, and a plain commit there would take it back. The next capture or adoption makes up for
    /// it; `git reset`, which changes no file, does as well.
    IndexBehind {
        /// Why not.
        why: String,
    },
    /// A conflict that was not resolved. Its sides are kept beside the file.
    Conflict {
        /// Where it is, relative to the tree.
        path: PathBuf,
    },
    /// A path that git cannot store (socket, FIFO, device) or that could not be read.
    Unstorable {
        /// Where it lies, relative to the tree.
        path: PathBuf,
        /// What it is.
        why: String,
    },
}

/// A ref under `refs/hedgerow/rescue/` that holds work which would otherwise be unreachable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rescue {
    /// The full name of the ref.
    pub reference: String,
    /// The commit that it names.
    pub commit: CommitId,
}

impl Rescue {
    /// A ref by its full name, and the commit that it names.
    pub fn new(reference: impl Into<String>, commit: CommitId) -> Self {
        Self { reference: reference.into(), commit }
    }
}

/// Something that was rescued, and of which worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rescued {
    /// The worktree; it may be long gone.
    pub id: WorktreeId,
    /// The ref, and what it names.
    pub rescue: Rescue,
    /// When it was rescued, which nothing in the commit can change. None where the log of the ref does not tell, as for
    /// one of an older version.
    pub time: Option<SystemTime>,
}

/// What [`release`](crate::WorktreeManager::release) did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Released {
    /// Whether the tree is still there.
    pub fate: Fate,
    /// Every ref under which work of this worktree was put by this release, the most telling one last: the tip, when no
    /// branch and nothing else holds it. Also those that the release found it under already.
    pub rescues: Vec<Rescue>,
    /// What the caller should know of what was found there, whether the tree is gone or stays. None where nothing was looked
    /// at, as for [`Disposition::Keep`](crate::Disposition::Keep), or where an error ended that.
    pub notices: Vec<Notice>,
}

impl Released {
    /// A release that came to this, with nothing rescued and nothing to notice.
    pub fn new(fate: Fate) -> Self {
        Self { fate, rescues: Vec::new(), notices: Vec::new() }
    }
}

/// What became of a released worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fate {
    /// The tree and its branch are gone from their places.
    Removed,
    /// The tree and its branch are still there.
    #[non_exhaustive]
    Kept {
        /// Where the tree lies.
        path: PathBuf,
        /// What keeps it, and so what ends that.
        by: Keeper,
        /// Why it was kept although removal was asked for; none when keeping was asked for.
        why: Option<String>,
    },
}

impl Fate {
    /// The tree at this path and its branch are still there; `why` is none when that was asked for.
    pub fn kept(path: impl Into<PathBuf>, by: Keeper, why: Option<String>) -> Self {
        Self::Kept { path: path.into(), by, why }
    }
}

/// What keeps a worktree after its release, which says what ends that. The words are beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Keeper {
    /// The request. It stays kept until somebody adopts it.
    Request,
    /// Somebody's `git worktree lock`. It stays kept until it is unlocked, adopted and released again.
    Lock,
    /// Its tree is not in its place: it was moved, may be on a disk that is not mounted, or something else is there, such
    /// as a copy of it. It stays kept until it is back, adopted and released again.
    Moved,
    /// Work in it that could not be rescued whole. It stays kept until a person has seen to that, adopted it and released it
    /// again.
    Work,
    /// The plan that was applied: it named obstacles, or something has changed since. Nothing was done; the next recovery
    /// finds its owner gone and hands it out again.
    Plan,
    /// A failure that may pass, such as a full disk, a lock or a garbage collection. It is not written down as kept, and
    /// what was rescued stays rescued; the next recovery finds its owner gone and hands it out again.
    Failure,
}

/// One worktree as [`list`](crate::WorktreeManager::list) sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Where its tree is, or should be.
    pub path: PathBuf,
    /// Its branch, if it is on one.
    pub branch: Option<BranchName>,
    /// The commit that it stands on, if that could be read.
    pub head: Option<CommitId>,
    /// Who manages it.
    pub owner: Owner,
    /// The reason of git's own lock, if it is locked.
    pub locked: Option<String>,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

impl Entry {
    /// A worktree at this path with nothing wrong; what else is known of it is in the fields.
    pub fn new(path: impl Into<PathBuf>, owner: Owner) -> Self {
        Self { path: path.into(), branch: None, head: None, owner, locked: None, problem: None }
    }
}

/// Who manages a listed worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Owner {
    /// This crate.
    Hedgerow {
        /// The id that it was created under.
        id: WorktreeId,
        /// What it is doing.
        state: State,
    },
    /// Somebody else: a person, or another tool.
    Foreign,
}

/// The life of a worktree that this crate manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum State {
    /// Being made; not yet visible to git.
    Creating,
    /// Complete, and leased to a living process.
    Leased,
    /// Complete, and its owner is dead: the next recovery adopts it.
    Orphaned,
    /// Left in place on purpose.
    Kept,
    /// On its way out; everything in it is rescued.
    Removing,
}

/// What [`recover`](crate::WorktreeManager::recover) found and did.
#[derive(Debug, Default)]
#[must_use = "worktrees in it are leased to whoever has it"]
#[non_exhaustive]
pub struct Recovery {
    /// Worktrees whose owner died, now leased to the caller.
    pub adopted: Vec<Worktree>,
    /// What was finished or undone.
    pub mended: Vec<Mended>,
    /// What could not be mended, in words; nothing of it was deleted.
    pub left: Vec<String>,
}

/// What [`LocalWorktrees::purge`](crate::LocalWorktrees::purge) did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Purged {
    /// How many removed worktrees it deleted for good; others may have been deleted in the background meanwhile.
    pub deleted: usize,
    /// What could not be deleted, in words. It is tried again by the next purge, recovery or removal.
    pub left: Vec<String>,
}

/// One half-done operation that recovery finished or undid.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// A creation that never became visible was undone.
    CreationUndone(WorktreeId),
    /// A creation that was nearly done was finished; the worktree is among the adopted.
    CreationFinished(WorktreeId),
    /// A removal was finished.
    RemovalFinished(WorktreeId),
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreationUndone(id) => write!(f, "worktree {id}, which was never finished, was undone"),
            Self::CreationFinished(id) => write!(f, "worktree {id}, which was nearly finished, was finished"),
            Self::RemovalFinished(id) => write!(f, "worktree {id}, whose removal had begun, was removed"),
        }
    }
}
