//! What a merge would come to, without making anything.

use serde::{Deserialize, Serialize};

use crate::engine::{Merged, merge, merge_by, merge_with_git};
use crate::{CommitId, Conflict, Engine, Fallback, Repository, Result, TreeId, graph};

/// What merging two commits would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trial {
    /// Ours contains theirs.
    AlreadyMerged,
    /// They merge by themselves.
    Clean {
        /// The tree that a merge commit would have. Nothing of it was written.
        tree: TreeId,
        /// The merge bases, best first. Several when the histories crossed.
        bases: Vec<CommitId>,
    },
    /// A decision is needed.
    Conflict(Conflict),
}

/// What merging two commits would come to, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// What it would come to.
    pub trial: Trial,
    /// Who merged. [`Engine::Git`] only where a [fallback](Fallback) was given.
    pub engine: Engine,
}

/// What both engines make of the same commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BothTrials {
    /// What this crate makes of them.
    pub own: Trial,
    /// What git makes of them.
    pub git: Trial,
}

impl BothTrials {
    /// Whether both find a conflict, or both come to the same tree.
    pub fn agree(&self) -> bool {
        match (&self.own, &self.git) {
            (Trial::Clean { tree, .. }, Trial::Clean { tree: other, .. }) => tree == other,
            (Trial::Conflict(_), Trial::Conflict(_)) | (Trial::AlreadyMerged, Trial::AlreadyMerged) => true,
            _ => false,
        }
    }
}

impl Repository {
    /// Merges two commits in memory, as a [strategy](crate::MergeStrategy) would, and writes nothing.
    ///
    /// For asking what would happen, as often as you like: the answer depends on nothing but the two commits.
    ///
    /// # Errors
    /// As [`MergeCommit`](crate::MergeCommit) says.
    pub fn trial(&self, ours: &CommitId, theirs: &CommitId) -> Result<Trial> {
        Ok(self.tried(ours, theirs)?.trial)
    }

    /// As [`trial`](Self::trial), and says which engine answered.
    ///
    /// # Errors
    /// As [`MergeCommit`](crate::MergeCommit) says; where git was needed, also when it could not be started, did not end
    /// in time or said something unknown.
    pub fn tried(&self, ours: &CommitId, theirs: &CommitId) -> Result<Tried> {
        let (merged, engine) = self.in_memory(|session| {
            let (ours, theirs) = (graph::commit(session, ours)?, graph::commit(session, theirs)?);
            merge_by(session, self.rules(), ours, theirs)
        })?;
        Ok(Tried { trial: trial(merged)?, engine })
    }

    /// Merges two commits with both engines, whatever that costs, so that they can be compared.
    ///
    /// # Errors
    /// As [`tried`](Self::tried) says.
    pub fn try_both(&self, git: &Fallback, ours: &CommitId, theirs: &CommitId) -> Result<BothTrials> {
        let (own, git) = self.in_memory(|session| {
            let (ours, theirs) = (graph::commit(session, ours)?, graph::commit(session, theirs)?);
            Ok((merge(session, ours, theirs)?, merge_with_git(session, git, ours, theirs)?))
        })?;
        Ok(BothTrials { own: trial(own)?, git: trial(git)? })
    }
}

fn trial(merged: Merged) -> Result<Trial> {
    Ok(match merged {
        Merged::Contained => Trial::AlreadyMerged,
        Merged::Conflict(conflict) => Trial::Conflict(conflict),
        Merged::Clean { tree, bases } => {
            let bases = bases.into_iter().map(graph::public).collect::<Result<_>>()?;
            Trial::Clean { tree: TreeId::new(tree.to_string())?, bases }
        }
    })
}
