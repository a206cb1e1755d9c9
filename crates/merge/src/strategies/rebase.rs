//! The commits of a change on top of the target.

use serde::{Deserialize, Serialize};

use super::{Empties, series, sides};
use crate::{Change, MergeStrategy, Prepared, Refusal, Repository, Result, Target, graph, patch};

/// Replays each commit of the change on the target, so that history stays a line.
///
/// Author, date and message of each commit are kept; the change's trailers are added to each message, the committer is the
/// change's. The time is the later one of the parent's and of the original's: the same input gives the same ids. A conflict
/// names the commit at which the series stopped ([`Conflict::theirs`](crate::Conflict::theirs)) and what it was replayed
/// on, which is left in the repository under no ref. Signatures and notes are not taken over.
///
/// As `git rebase` does, it leaves out commits that the target has under another id: those whose patch is the same as that of
/// a commit that the target has and the change has not, whatever was made of it on the target since. Each is named with the
/// one that it is the same as ([`Step::same_as`](crate::Step::same_as)), and a verification compares the two again. With
/// [`Empties::Keep`], none is left out, as with `--reapply-cherry-picks --empty=keep`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebase {
    /// What becomes of commits that change nothing on the target, or that it has already under another id.
    pub empties: Empties,
    /// What becomes of merges among the commits.
    pub merges: Merges,
}

/// What to do with merge commits in a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merges {
    /// Do not replay the series.
    #[default]
    Refuse,
    /// Replay the commits of all their parents, and leave out the merges. What was decided in them has to be decided again.
    Flatten,
}

impl MergeStrategy for Rebase {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (onto, tip) = sides(session, target, change)?;
            if graph::contains(session, onto, tip)? {
                return Ok(Prepared::AlreadyMerged);
            }
            let mut commits = Vec::new();
            for commit in series::between(session, tip, onto)? {
                match (graph::parents(session, commit)?.len(), self.merges) {
                    (0 | 1, _) => commits.push(commit),
                    (_, Merges::Flatten) => {}
                    (_, Merges::Refuse) => {
                        return Ok(Prepared::Refused(Refusal::MergeInside { commit: graph::public(commit)? }));
                    }
                }
            }
            let applied = match self.empties {
                Empties::Drop => patch::applied(session, &commits, tip, onto)?,
                Empties::Keep => Default::default(),
            };
            series::replay(
                session,
                (target, onto),
                (repository.by(change), repository.rules()),
                &commits,
                &applied,
                (self.empties, "rebase"),
            )
        })
    }
}
