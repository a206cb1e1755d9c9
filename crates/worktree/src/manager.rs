//! The trait that everything else in this crate implements or serves.

use std::fmt::Debug;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    BranchName, Capture, Collision, CommitId, Entry, Lfs, Recovery, Released, Rescue, Result, SafetyReport, Sparse,
    Submodules, Worktree, WorktreeId,
};

/// Hands out worktrees of one repository and never loses what was written into them.
///
/// Every method may be dropped half-way (cancelled): what it had begun is either finished in the background or found
/// and mended by the next [`recover`](Self::recover). No method, and no `Drop`, deletes work that no ref holds.
#[async_trait]
pub trait WorktreeManager: Debug + Send + Sync + 'static {
    /// Creates a worktree, complete and leased to the caller, or nothing at all.
    ///
    /// # Errors
    /// [`Error::Occupied`](crate::Error::Occupied) when the id, the branch or the path is taken: exactly one of several
    /// concurrent callers wins. After any error there is neither a branch nor a worktree, and id, branch and path are free. What
    /// was begun under names of its own, hidden files and the ref that held the base, may be deleted a little later, as that of
    /// a removal is.
    async fn create(&self, request: Request) -> Result<Worktree>;

    /// Commits everything that was left in the worktree onto its branch, the agent's own commits first.
    ///
    /// Tracked and untracked files, deletions, modes and symlinks are taken; ignored files stay where they are. The
    /// objects and the ref are durable when this returns. No file of the tree changes.
    ///
    /// With direct access, where git inside is on the branch that moves, its index follows: what was captured is no change
    /// any more, and what else was staged stays staged ([`Notice::StagedOtherwise`](crate::Notice::StagedOtherwise)). An index
    /// that cannot follow is [a notice](crate::Notice::IndexBehind). A private git directory is not written to: git inside
    /// shows what was captured as uncommitted still, and a commit there takes it along.
    ///
    /// # Errors
    /// When the content could not be read or stored; the worktree is then still as it was.
    async fn capture(&self, worktree: &Worktree, message: Message) -> Result<Capture>;

    /// Ends the lease and does with the worktree what the disposition says.
    ///
    /// Whatever is about to be removed and is not provably elsewhere is put under a rescue ref first. What could not be
    /// captured whole is kept, and [`Released::fate`] says why. Whatever fails while the tree is in its place, such as for want
    /// of room on the disk, is [`Keeper::Failure`](crate::Keeper::Failure), at whichever step: the next
    /// [`recover`](Self::recover) adopts it again.
    ///
    /// # Errors
    /// When the handle holds the lease no more. And when the removal could not be ended after the tree had gone, or what it
    /// says not be flushed: everything is rescued then, and the next recovery ends it.
    async fn release(&self, worktree: Worktree, disposition: Disposition) -> Result<Released>;

    /// Lists the worktrees of the repository, ours and foreign ones, damaged entries included.
    ///
    /// # Errors
    /// When the repository itself cannot be read; one unreadable entry is reported in its [`Entry`], not as an error.
    async fn list(&self) -> Result<Vec<Entry>>;

    /// Finishes or undoes what a dead process had begun, and adopts the worktrees that it left behind.
    ///
    /// Idempotent, and safe to kill at any point. Worktrees whose owner is alive are not touched.
    ///
    /// # Errors
    /// When the repository cannot be read; a single record that cannot be mended is reported in [`Recovery::left`].
    async fn recover(&self) -> Result<Recovery>;

    /// States what is in a worktree that removing it could lose, and what could not be told. Reads only.
    ///
    /// Whoever holds the worktree may go on meanwhile; the report is of one moment.
    ///
    /// # Errors
    /// When there is no worktree of this id, or the repository cannot be read. What of the worktree cannot be read is
    /// among [`SafetyReport::unknowns`], and counts as work.
    async fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport>;

    /// Makes a new worktree in which everything is as it was in the rescued one.
    ///
    /// Content, executable bits, symlinks and deletions are the same, and so is what was staged and what was in conflict;
    /// `HEAD` is the last commit that was made inside, on the branch that the request names. The request's base has no
    /// say. The rescue ref stays. A rescued commit that no release made is checked out as it is.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Error::Base`](crate::Error::Base) when the rescued commit is gone.
    async fn restore(&self, rescue: &Rescue, request: Request) -> Result<Worktree>;

    /// The refs under which work of this worktree was put, oldest first; also when the worktree is long gone.
    ///
    /// # Errors
    /// When the refs cannot be read.
    async fn rescues(&self, id: &WorktreeId) -> Result<Vec<Rescue>>;
}

/// What [`WorktreeManager::create`] shall make.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name under which the worktree is found again; unique in its repository.
    pub id: WorktreeId,
    /// The commit to start from. It is resolved once and pinned to an object id.
    pub base: Base,
    /// The branch to create, or none.
    pub head: Head,
    /// How git works inside the worktree.
    pub git: GitAccess,
    /// Untracked files of the main checkout to copy in.
    pub seed: Seed,
    /// Which files of the commit are checked out.
    pub sparse: Sparse,
    /// What is done about submodules.
    pub submodules: Submodules,
    /// What is done about files that Git LFS stores elsewhere.
    pub lfs: Lfs,
    /// What is done when a name is taken.
    pub collision: Collision,
}

impl Request {
    /// A request for `id` on a new branch at `base`, with direct git access and without seeded files.
    pub fn new(id: WorktreeId, branch: BranchName, base: Base) -> Self {
        Self::plain(id, base, Head::Branch(branch))
    }

    /// A request for a clean tree of exactly `commit`, on no branch.
    pub fn detached(id: WorktreeId, commit: CommitId) -> Self {
        Self::plain(id, Base::Commit(commit), Head::Detached)
    }

    fn plain(id: WorktreeId, base: Base, head: Head) -> Self {
        Self {
            id,
            base,
            head,
            git: GitAccess::Direct,
            seed: Seed::default(),
            sparse: Sparse::default(),
            submodules: Submodules::default(),
            lfs: Lfs::default(),
            collision: Collision::default(),
        }
    }
}

/// Where a worktree starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// What the repository's `HEAD` names now.
    Head,
    /// What this branch names now.
    Branch(BranchName),
    /// Exactly this commit.
    Commit(CommitId),
}

/// What `HEAD` of the new worktree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A new branch of this name; it must not exist yet.
    Branch(BranchName),
    /// No branch.
    Detached,
}

/// How git works inside the worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GitAccess {
    /// As in any linked worktree: what runs inside reaches the repository itself. For lanes without isolation.
    Direct,
    /// Through a private git directory that [`Worktree::mounts`] says how to mount: full git inside, while not one byte
    /// of the real repository can change. For lanes with their own view of the file system.
    Private,
}

/// Which untracked files of the main checkout are copied into a new worktree.
///
/// Only files that are ignored *and* listed are copied: never a tracked one, never through a symlink, never over a file
/// that is already there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Patterns in the syntax of `.gitignore`, for example `.env` or `config/*.local`.
    pub patterns: Vec<String>,
    /// Files with more such patterns, relative to the main checkout; a missing one is no error.
    pub lists: Vec<PathBuf>,
}

impl Seed {
    /// The usual environment files: `.env`, `.env.*`, `.envrc`, and what `.worktreeinclude` lists.
    pub fn environment() -> Self {
        Self {
            patterns: vec![".env".into(), ".env.*".into(), ".envrc".into()],
            lists: vec![PathBuf::from(".worktreeinclude")],
        }
    }
}

/// The message and the author of a commit that [`WorktreeManager::capture`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Subject, and a body after an empty line.
    pub text: String,
    /// Name of the author and committer.
    pub name: String,
    /// Their mail address.
    pub email: String,
}

/// What [`WorktreeManager::release`] does with the worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Disposition {
    /// Leave the tree and its branch in place for a person to look at.
    Keep,
    /// Put everything under a rescue ref, then remove tree and branch.
    Archive,
    /// The branch's work is part of `into`: remove tree and branch. What is not reachable from `into` after all is
    /// rescued first, and all of it when nothing but this branch holds `into`.
    Merged {
        /// The commit that contains the work.
        into: CommitId,
    },
    /// Remove a tree that was made to run something on a commit, and whatever that wrote into it: no work is done in
    /// such a tree. Only for worktrees without a branch; one with a branch is kept instead.
    Discard,
}
