//! Which worktrees go first.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::record::Record;
use super::super::{release, safety};
use super::measure::{TreeUsage, Usage};
use crate::capture::{self, fault};
use crate::{Fact, Result, State, WorktreeId, repo};

/// Uses that lie closer together than this are equally old, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// How much disk the worktrees of a repository may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// What they may take together, in bytes.
    pub most: u64,
    /// What must stay free on their file system, in bytes.
    pub least_free: u64,
}

impl Default for Budget {
    /// Without any limit.
    fn default() -> Self {
        Self { most: u64::MAX, least_free: 0 }
    }
}

impl Budget {
    /// How many bytes are too many.
    pub(super) fn excess(&self, usage: &Usage) -> u64 {
        usage.bytes.saturating_sub(self.most).max(self.least_free.saturating_sub(usage.free))
    }
}

/// What an eviction does, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// What goes, the first one first.
    pub evictions: Vec<Eviction>,
    /// What was looked at and stays, and why. Worktrees that somebody holds are not looked at.
    pub spared: Vec<Spared>,
    /// How many bytes are still too many after all of it.
    pub missing: u64,
}

/// One worktree that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Eviction {
    /// Its id.
    pub id: WorktreeId,
    /// Where its tree is.
    pub path: PathBuf,
    /// How many bytes it takes. What it shares with others does not become free.
    pub bytes: u64,
    /// When it was last leased, adopted or kept.
    pub last_use: SystemTime,
}

impl From<TreeUsage> for Eviction {
    fn from(tree: TreeUsage) -> Self {
        let TreeUsage { id, path, bytes, last_use, .. } = tree;
        Self { id, path, bytes, last_use }
    }
}

/// A worktree that stays although it is in nobody's hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spared {
    /// Its id.
    pub id: WorktreeId,
    /// Why it may not go.
    pub why: String,
}

/// Finds as many as are needed.
pub(super) fn plan(layout: &Layout, usage: Usage, budget: &Budget, precious: &[String]) -> Result<Plan> {
    let mut plan = Plan { missing: budget.excess(&usage), ..Plan::default() };
    for tree in ordered(usage.trees) {
        if plan.missing == 0 {
            break;
        }
        match obstacle(layout, &tree, precious) {
            Some(why) => plan.spared.push(Spared { id: tree.id, why }),
            None => {
                plan.missing = plan.missing.saturating_sub(tree.gain());
                plan.evictions.push(tree.into());
            }
        }
    }
    Ok(plan)
}

/// Those that nobody holds: the least recently used day first, within a day the largest.
pub(super) fn ordered(trees: Vec<TreeUsage>) -> Vec<TreeUsage> {
    let mut free: Vec<_> =
        trees.into_iter().filter(|tree| matches!(tree.state, State::Kept | State::Orphaned)).collect();
    let day = |tree: &TreeUsage| tree.last_use.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY);
    free.sort_by(|a, b| day(a).cmp(&day(b)).then(b.bytes.cmp(&a.bytes)).then(a.id.cmp(&b.id)));
    free
}

/// Why a worktree must not go, if so. What cannot be told is a reason.
pub(super) fn obstacle(layout: &Layout, tree: &TreeUsage, precious: &[String]) -> Option<String> {
    if let Some(problem) = &tree.problem {
        return Some(problem.clone());
    }
    let looked = || -> Result<Option<String>> {
        let Some(record) = Record::read(layout, &tree.id)? else { return Ok(Some("it is gone already".into())) };
        if !record.has_tree() {
            return Ok(Some("another directory is in the place of its tree".into()));
        }
        if let Some(why) = capture::uncaptured(&repo::open(&layout.common)?, &release::input(layout, &record)?)? {
            return Ok(Some(why));
        }
        let found = safety::inspect(layout, &record, precious)?;
        let nested = found.is_kept_by_a_repository(layout.hidden);
        let speaks_against = |fact: &&Fact| match fact {
            Fact::NestedRepositories(_) => nested,
            fact => !is_held(fact),
        };
        let report = found.report;
        let facts = report.facts.iter().filter(speaks_against).map(ToString::to_string);
        Ok(facts.chain(report.unknowns.iter().map(ToString::to_string)).next())
    };
    looked().unwrap_or_else(|e| Some(format!("it could not be told whether it holds work: {}", fault::with_causes(&e))))
}

/// Whether a fact is no reason to spare a tree that is as its branch has it: a release puts the branch's commits and the
/// stashes of a private view under rescue refs, and what differs from some other commit is in the branch.
fn is_held(fact: &Fact) -> bool {
    let commits = matches!(fact, Fact::Commits(_) | Fact::Stashes(_) | Fact::SharedStashes(_));
    let files = matches!(fact, Fact::Changed(_) | Fact::ChangedUnseen(_) | Fact::Staged(_) | Fact::Untracked(_));
    commits || files
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tree(id: &str, state: State, days: u64, bytes: u64) -> TreeUsage {
        TreeUsage {
            id: WorktreeId::new(id).unwrap(),
            path: PathBuf::from(id),
            state,
            bytes,
            exclusive: None,
            ignored: 0,
            files: 0,
            last_use: UNIX_EPOCH + Duration::from_secs(days * DAY + bytes),
            problem: None,
        }
    }

    #[test]
    fn the_oldest_goes_first_and_the_larger_of_equally_old_ones() {
        let trees = vec![
            tree("new", State::Kept, 9, 900),
            tree("small", State::Orphaned, 2, 10),
            tree("large", State::Kept, 2, 800),
            tree("held", State::Leased, 1, 900),
            tree("leaving", State::Removing, 1, 900),
            tree("oldest", State::Kept, 1, 1),
        ];
        let order: Vec<String> = ordered(trees).into_iter().map(|tree| tree.id.to_string()).collect();
        assert_eq!(order, ["oldest", "large", "small", "new"]);
    }

    #[test]
    fn both_limits_count_and_none_is_no_limit() {
        let usage = Usage { trees: Vec::new(), bytes: 100, free: 30 };
        assert_eq!(Budget::default().excess(&usage), 0);
        assert_eq!(Budget { most: 90, ..Budget::default() }.excess(&usage), 10);
        assert_eq!(Budget { most: 90, least_free: 70 }.excess(&usage), 40);
    }
}
