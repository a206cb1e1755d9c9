//! Whether a commit stays reachable when the branch of a worktree goes.

use gix::ObjectId;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use crate::BranchName;
use crate::capture::way::PINS;
use crate::swap::{self, Value};

/// How many commits are looked through. What lies deeper counts as held by nothing: a rescue ref more does no harm.
const MOST_COMMITS: usize = 50_000;

/// Whether a ref reaches this commit that stays when the worktree of `branch` goes; what cannot be told is held by none.
///
/// Branches come first, and of their commits the newest: mostly it is the tip of the branch that was landed on.
pub(in super::super) fn is_held(repo: &gix::Repository, branch: Option<&BranchName>, commit: ObjectId) -> bool {
    let own = branch.map(|branch| format!("refs/heads/{branch}"));
    let stays = |name: &String| !name.starts_with(PINS) && Some(name) != own.as_ref();
    let tips = |prefix| -> Vec<ObjectId> {
        let refs = swap::below(repo.common_dir(), prefix).unwrap_or_default();
        let named = refs.into_iter().filter(|(name, _)| stays(name)).filter_map(|(_, value)| match value {
            Value::Id(id) => Some(id),
            Value::Missing | Value::Other => None,
        });
        named.collect()
    };
    tips("refs/heads/").contains(&commit) || reaches(repo, tips("refs/"), commit)
}

fn reaches(repo: &gix::Repository, named: Vec<ObjectId>, commit: ObjectId) -> bool {
    let commits = |id: ObjectId| Some(repo.find_object(id).ok()?.peel_to_kind(gix::objs::Kind::Commit).ok()?.id);
    let mut tips: Vec<ObjectId> = named.into_iter().filter_map(commits).collect();
    tips.sort_unstable();
    tips.dedup();
    let sorting = Sorting::ByCommitTime(CommitTimeOrder::NewestFirst);
    let Ok(walk) = repo.rev_walk(tips).sorting(sorting).all() else { return false };
    walk.take(MOST_COMMITS).map_while(Result::ok).any(|found| found.id == commit)
}
