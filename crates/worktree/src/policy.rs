//! What a new worktree holds beside the plain files of its commit.

use serde::{Deserialize, Serialize};

/// Which files of the commit are checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Sparse {
    /// What the main checkout's patterns say: all of them unless it is sparse, as `git worktree add` does it.
    #[default]
    Inherit,
    /// All of them.
    Everything,
    /// The files at the top and next to these directories, and everything in them: `git sparse-checkout set --cone`.
    Cone(Vec<String>),
    /// What these lines in the syntax of `.gitignore` match: `git sparse-checkout set --no-cone`.
    Patterns(Vec<String>),
}

/// What becomes of a repository inside of an ignored directory when the worktree is released.
///
/// Nothing that is ignored is captured, so its history goes with the tree. One in which nothing was ever stored, as after a
/// bare `git init`, is none; a `.git` that cannot be read is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HiddenRepositories {
    /// The worktree is kept if there is one, and the release [names](crate::Notice::HiddenRepository) it. It is kept as well if
    /// an ignored directory cannot be searched, and if there are more than two hundred thousand of them, which
    /// [`Notice::HiddenUnsearched`](crate::Notice::HiddenUnsearched) says. A capture does not search; an
    /// [inspection](crate::WorktreeManager::inspect) does, up to two million files.
    #[default]
    Keep,
    /// It goes with the tree, as everything that is ignored does: for trees with clones that some tool made, such as those
    /// of packages. A release does not search for any.
    Remove,
}

/// What is done about submodules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Submodules {
    /// Their directories stay empty, as after `git worktree add`.
    #[default]
    Leave,
    /// They are cloned and checked out, nested ones too, by the git program of
    /// [`LocalOptions::git`](crate::LocalOptions::git), from the addresses that the repository's own configuration or
    /// else the commit's `.gitmodules` names.
    Fill(FileUrls),
}

/// Whether submodules may be cloned from paths of this machine, which git itself refuses unless it is told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileUrls {
    /// Such an address fails the creation.
    #[default]
    Refuse,
    /// A path is as good as any address. Only for repositories whose every commit is trusted.
    Allow,
}

/// What is done about files that Git LFS stores elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Lfs {
    /// The tree has the pointers, as after `GIT_LFS_SKIP_SMUDGE=1`.
    #[default]
    Pointers,
    /// The tree has the files: `git lfs pull`, by the git program of [`LocalOptions::git`](crate::LocalOptions::git).
    Fetch,
}
