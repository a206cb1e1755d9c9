//! What a merge would come to, without making anything.

use serde::{Deserialize, Serialize};

use crate::engine::{Merged, merge};
use crate::{CommitId, Conflict, Repository, Result, TreeId, graph};

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

impl Repository {
    /// Merges two commits in memory, as a [strategy](crate::MergeStrategy) would, and writes nothing.
    ///
    /// For asking what would happen, as often as you like: the answer depends on nothing but the two commits.
    ///
    /// # Errors
    /// As [`MergeCommit`](crate::MergeCommit) says.
    pub fn trial(&self, ours: &CommitId, theirs: &CommitId) -> Result<Trial> {
        let merged = self.in_memory(|session| {
            let (ours, theirs) = (graph::commit(session, ours)?, graph::commit(session, theirs)?);
            merge(session, ours, theirs)
        })?;
        Ok(match merged {
            Merged::Contained => Trial::AlreadyMerged,
            Merged::Conflict(conflict) => Trial::Conflict(conflict),
            Merged::Clean { tree, bases } => {
                let bases = bases.into_iter().map(graph::public).collect::<Result<_>>()?;
                Trial::Clean { tree: TreeId::new(tree.to_string())?, bases }
            }
        })
    }
}
