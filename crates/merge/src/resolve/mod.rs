//! Resolving conflicts: who may answer, what an answer is, and what is made of the answers.
//!
//! A conflict is shown to resolvers, which answer for the paths that they can decide ([`Resolvers::ask`]). The answers are
//! made a commit that descends from both sides ([`Repository::settle`](crate::Repository::settle)): a new tip of the change,
//! to be prepared, gated and landed like any other. What an answer drops of either side is found by the same check as
//! everywhere, and listed.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{CommitId, Conflict, ConflictId, ConflictPath, Entry, Loss, RepoPath, Repository, Result};

mod chain;
mod edited;
mod give_up;
mod recorded;
mod regenerate;
mod settle;
mod structured;
mod take;
mod union;
mod workshop;

pub use chain::{Asked, Declined, Resolvers};
pub use edited::{Brief, Edit, Edited, Editor};
pub use give_up::GiveUp;
pub use recorded::Recorded;
pub use regenerate::Regenerate;
pub(crate) use settle::{Doubted, doubt};
pub use settle::{Fill, Settled};
pub use structured::Structured;
pub use take::{Take, Version};
pub use union::Union;
pub use workshop::{Done, Job, Workshop};

/// Somebody who may know how to resolve a conflict: a rule, a memory, a program, an agent, a person.
#[async_trait]
pub trait Resolver: Debug + Send + Sync + 'static {
    /// The name by which certificates call it. One word is best.
    fn name(&self) -> &str;

    /// Answers for those of the open paths that it can decide; for the others, somebody else is asked.
    ///
    /// Dropping the future gives up; an implementation ends then what it has begun.
    ///
    /// # Errors
    /// When the resolver itself failed; not knowing an answer is a [`Reply`] without one.
    async fn resolve(&self, case: &Case<'_>) -> Result<Reply>;
}

/// What a resolver is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Case<'a> {
    /// Where the versions are.
    pub repository: &'a Repository,
    /// The whole conflict.
    pub conflict: &'a Conflict,
    /// The paths of it that this resolver may decide, and that nobody has yet.
    pub open: &'a [&'a ConflictPath],
    /// What was answered before.
    pub answers: &'a [Answered],
    /// What both sides were made for.
    pub intents: &'a Intents,
}

impl Case<'_> {
    /// Whether anything is open that is not for this resolver to decide.
    pub fn others_are_open(&self) -> bool {
        let answered = self.answers.iter().map(|answered| &answered.answer.conflict);
        let known: Vec<_> = answered.chain(self.open.iter().map(|path| &path.id)).collect();
        self.conflict.paths.iter().any(|path| !known.contains(&&path.id))
    }
}

/// What both sides of a conflict were made for, in words: the prompts of their tasks, the subjects of their commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intents {
    /// Of what is on the target.
    pub target: String,
    /// Of the change.
    pub change: String,
}

/// What a resolver says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Its answers, each for another conflict.
    pub answers: Vec<Answer>,
    /// Why there are not more.
    pub why: Option<String>,
}

impl Reply {
    /// No answer.
    pub fn declined(why: impl Into<String>) -> Self {
        Self { answers: Vec::new(), why: Some(why.into()) }
    }
}

impl From<Vec<Answer>> for Reply {
    fn from(answers: Vec<Answer>) -> Self {
        Self { answers, why: None }
    }
}

/// What shall become of one conflict.
///
/// Its paths that have no file here will not be there: a file that both renamed goes from its old name by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The conflict.
    pub conflict: ConflictId,
    /// The files.
    pub files: Vec<(RepoPath, File)>,
}

impl Answer {
    /// A file at the conflict's own path.
    pub fn file(path: &ConflictPath, file: File) -> Self {
        Self { conflict: path.id.clone(), files: vec![(path.path.clone(), file)] }
    }

    /// No file.
    pub fn delete(path: &ConflictPath) -> Self {
        Self { conflict: path.id.clone(), files: Vec::new() }
    }
}

/// A file of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The git mode: `0o100644`, `0o100755`, `0o120000` for a symbolic link or `0o160000` for a submodule.
    pub mode: u32,
    /// What is in it.
    pub content: Content,
}

/// What is in a file of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// An object that is in the repository, by its id. For a submodule, the commit, which is elsewhere.
    Object(String),
}

impl File {
    /// A version of the conflict, as it is.
    pub fn of(entry: &Entry) -> Self {
        Self { mode: entry.mode, content: Content::Object(entry.id.clone()) }
    }
}

/// An answer, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// The resolver's name.
    pub by: String,
}

/// A conflict that was resolved, with what was lost in it: for the certificate of the landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resolution {
    /// The new tip of the change. Its parents are the change and the target, as they were.
    pub tip: CommitId,
    /// The target, as it was.
    pub ours: CommitId,
    /// The change, as it was.
    pub theirs: CommitId,
    /// What was decided, and by whom, in the order of paths.
    pub resolved: Vec<ResolvedPath>,
    /// What of both sides is not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Loss>,
}

/// One conflict that was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedPath {
    /// The conflict.
    pub conflict: ConflictId,
    /// Its path in the result.
    pub path: RepoPath,
    /// The name of the resolver that decided.
    pub by: String,
    /// The files that there are now.
    pub files: Vec<Entry>,
}

/// The paths that a conflict is about.
pub(crate) fn involved(path: &ConflictPath) -> Vec<&RepoPath> {
    let entries = path.terms.adds().iter().chain(path.terms.removes()).flatten().map(|entry| &entry.path);
    let mut paths: Vec<_> = entries.chain([&path.path]).filter(|path| !path.is_empty()).collect();
    paths.sort();
    paths.dedup();
    paths
}
