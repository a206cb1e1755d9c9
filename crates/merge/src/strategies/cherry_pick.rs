//! Some commits, and not what is behind them.

use serde::{Deserialize, Serialize};

use super::{Empties, series, sides};
use crate::{Change, CommitId, MergeStrategy, Prepared, Refusal, Repository, Result, Target, graph};

/// Replays the given commits on the target, in the given order, and nothing else of the change.
///
/// They are replayed as [`Rebase`](crate::Rebase) says. A merge among them is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CherryPick {
    /// The commits. None stands for the tip of the change.
    pub commits: Vec<CommitId>,
    /// What becomes of commits that change nothing on the target.
    pub empties: Empties,
}

impl MergeStrategy for CherryPick {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (onto, tip) = sides(session, target, change)?;
            let mut commits = self.commits.iter().map(|id| graph::commit(session, id)).collect::<Result<Vec<_>>>()?;
            if commits.is_empty() {
                commits.push(tip);
            }
            for commit in &commits {
                if graph::parents(session, *commit)?.len() > 1 {
                    return Ok(Prepared::Refused(Refusal::MergeInside { commit: graph::public(*commit)? }));
                }
            }
            series::replay(
                session,
                (target, onto),
                (repository.by(change), repository.rules()),
                &commits,
                &Default::default(),
                (self.empties, "cherry-pick"),
            )
        })
    }
}
