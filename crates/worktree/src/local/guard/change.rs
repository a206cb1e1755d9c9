//! What became of the shared state, one thing at a time.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Rescue, WorktreeId};

/// Something that all worktrees share and that is not as it was.
///
/// Its text is one line for people. Values of the configuration that may be secrets are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Change {
    /// Keys of a configuration file.
    Config {
        /// The file, relative to the repository.
        file: String,
        /// What became of the keys that make git run something, look elsewhere or work differently for everybody.
        dangerous: Vec<String>,
        /// What became of the others.
        harmless: Vec<String>,
        /// Which content the file has now.
        now: Option<String>,
    },
    /// A configuration file that git cannot use any more.
    ConfigBroken {
        /// The file, relative to the repository.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// Which content the file has now.
        now: Option<String>,
    },
    /// A program that git runs.
    Hook {
        /// Where it lies.
        path: PathBuf,
        /// What became of it.
        what: What,
        /// Which content it has now.
        now: Option<String>,
    },
    /// Another file that git heeds: patterns, attributes, where else objects are.
    File {
        /// The file, relative to the repository.
        file: String,
        /// What became of it.
        what: What,
        /// Which content it has now.
        now: Option<String>,
    },
    /// A ref that is not the task's own.
    Ref {
        /// Its full name.
        name: String,
        /// The object that it named.
        before: Option<String>,
        /// The object that it names now.
        after: Option<String>,
        /// Whether it gave up what it held.
        loss: Loss,
        /// The worktree that it belongs to, if it belongs to one.
        owner: Option<WorktreeId>,
    },
    /// An entry of the stash that is gone.
    StashDropped {
        /// Its commit.
        commit: String,
    },
    /// A new entry of the stash, which all worktrees see.
    StashPushed {
        /// Its commit.
        commit: String,
    },
    /// `HEAD` of the main checkout, or of a worktree that is not the task's.
    Head {
        /// The entry of the worktree; none for the main checkout.
        entry: Option<String>,
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// A worktree that git does not know any more.
    EntryGone {
        /// Its name in `.git/worktrees`.
        entry: String,
        /// Where its tree is, or was.
        tree: Option<PathBuf>,
        /// Its id, if this crate manages it.
        owner: Option<WorktreeId>,
    },
    /// A worktree that this crate did not make.
    EntryAdded {
        /// Its name in `.git/worktrees`.
        entry: String,
        /// Where its tree is.
        tree: Option<PathBuf>,
    },
    /// A worktree whose lock is gone, so that any `git worktree prune` may forget it.
    Unlocked {
        /// Its name in `.git/worktrees`.
        entry: String,
        /// Its id, if this crate manages it.
        owner: Option<WorktreeId>,
    },
    /// What the index of the main checkout holds.
    Index,
    /// A file of the main checkout, where no task has any business.
    Edited {
        /// Its path in the checkout.
        path: String,
        /// What became of it.
        what: What,
        /// Whether something was lost that no commit and no index held.
        loss: Loss,
    },
    /// Something that cannot be told.
    Unknown {
        /// What, and why.
        what: String,
    },
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum What {
    /// It is new.
    Added,
    /// It is another one, or has other permissions.
    Changed,
    /// It is gone.
    Removed,
}

/// Whether a change gave up what was there before. What cannot be told counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Loss {
    /// All of it is held by what is there now.
    Nothing,
    /// Some of it is not.
    Work,
}

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Repair {
    /// It is as it was before.
    Restored {
        /// Where that was put which was in its place, if anything was.
        aside: Option<PathBuf>,
    },
    /// What was lost is under a rescue ref.
    Rescued(Rescue),
    /// It is left as it is.
    Left {
        /// Why.
        why: String,
    },
}

impl Change {
    /// Whether it can lose somebody's work, run somebody's program later, or keep others from using the repository.
    pub fn is_dangerous(&self) -> bool {
        match self {
            Self::Config { dangerous, .. } => !dangerous.is_empty(),
            Self::Ref { loss, .. } | Self::Edited { loss, .. } => *loss == Loss::Work,
            Self::Head { after, .. } => {
                !after.starts_with("ref: refs/heads/") && after.len() != 40 && after.len() != 64
            }
            Self::StashPushed { .. } | Self::EntryAdded { .. } | Self::Index => false,
            Self::File { file, .. } => file != "info/exclude",
            Self::ConfigBroken { .. }
            | Self::Hook { .. }
            | Self::StashDropped { .. }
            | Self::EntryGone { .. }
            | Self::Unlocked { .. }
            | Self::Unknown { .. } => true,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "nothing";
        match self {
            Self::Config { file, dangerous, harmless, .. } => {
                let told: Vec<&str> = dangerous.iter().chain(harmless).map(String::as_str).collect();
                write!(f, "{file}: {}", told.join("; "))
            }
            Self::ConfigBroken { file, problem, .. } => write!(f, "{file}: {}", problem.replace('\n', " ")),
            Self::Hook { path, what, .. } => write!(f, "hook {} {what}", path.display()),
            Self::File { file, what, .. } => write!(f, "{file} {what}"),
            Self::Ref { name, before, after, loss, owner } => {
                let [before, after] = [before, after].map(|id| id.as_deref().unwrap_or(none));
                write!(f, "{name} moved from {before} to {after}")?;
                if *loss == Loss::Work {
                    f.write_str(", which does not hold what was there")?;
                }
                owner.as_ref().map_or(Ok(()), |id| write!(f, " (the branch of worktree {id})"))
            }
            Self::StashDropped { commit } => write!(f, "the stash lost its entry {commit}"),
            Self::StashPushed { commit } => write!(f, "the stash has a new entry {commit}, which every worktree sees"),
            Self::Head { entry, before, after } => {
                let whose = entry.as_ref().map_or("the main checkout".to_owned(), |name| format!("worktree {name:?}"));
                write!(f, "HEAD of {whose} was {before:?} and is {after:?}")
            }
            Self::EntryGone { entry, tree, owner } => {
                let whose = owner.as_ref().map_or(entry.clone(), ToString::to_string);
                write!(f, "git does not know worktree {whose:?} any more; its tree {}", place(tree.as_ref()))
            }
            Self::EntryAdded { entry, tree } => {
                write!(f, "somebody made worktree {entry:?}; its tree {}", place(tree.as_ref()))
            }
            Self::Unlocked { entry, owner } => {
                let whose = owner.as_ref().map_or(entry.clone(), ToString::to_string);
                write!(f, "worktree {whose:?} was unlocked, so that it can be pruned")
            }
            Self::Index => f.write_str("something was staged in the main checkout"),
            Self::Edited { path, what, loss } => {
                write!(f, "{path} in the main checkout {what}")?;
                if *loss == Loss::Work { f.write_str(", and what it held was in no commit") } else { Ok(()) }
            }
            Self::Unknown { what } => f.write_str(&what.replace('\n', " ")),
        }
    }
}

fn place(tree: Option<&PathBuf>) -> String {
    match tree {
        Some(tree) if tree.symlink_metadata().is_ok() => format!("is at {}", tree.display()),
        Some(tree) => format!("was at {}", tree.display()),
        None => "is unknown".to_owned(),
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "was added",
            Self::Changed => "was changed",
            Self::Removed => "is gone",
        })
    }
}
