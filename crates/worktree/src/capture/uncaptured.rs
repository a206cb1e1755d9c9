//! Tells without moving a ref whether a capture would find anything.

use super::beneath::Dir;
use super::notices::Notices;
use super::{Input, agent_tip, branch_value, contains, fault, history, listing, rescues, snapshot};
use crate::{Notice, Result};

/// Why not everything in the worktree is on its branch, in words; none when it provably is.
///
/// Objects that it had to look at may be left in the repository, held by no ref.
///
/// # Errors
/// When the repository or the tree cannot be read; then nothing is known about the work in it.
pub(crate) fn uncaptured(repo: &gix::Repository, input: &Input) -> Result<Option<String>> {
    let mut repo = repo.clone();
    repo.objects.ignore_replacements = true;
    let repo = &repo;
    let common = Dir::open(&input.common).map_err(fault::io("open", &input.common))?;
    let root = Dir::open(&input.tree).map_err(fault::io("open", &input.tree))?;
    let mut notices = Notices::default();
    let branch = branch_value(&common, input)?;
    let history = history::take(repo, &common, input, &mut notices)?;
    let base = listing::of_commit(repo, input.base).map_err(|why| fault::strange(&input.common, &why))?;
    let mut lines = history.lines;
    let (agent, of_agent) = agent_tip(repo, input, history.tip, &base, &mut lines, &mut notices)?;
    let content = snapshot::take(repo, &common, &root, input, &base, of_agent.as_ref().unwrap_or(&base), &mut notices)?;
    if let Some(notice) = notices.into_list().into_iter().next() {
        return Ok(Some(told(&notice)));
    }
    let held = rescues(&input.common, &input.id)?;
    let is_held = |line: &str| held.iter().any(|rescue| rescue.commit.as_str() == line);
    if lines.iter().any(|line| !is_held(&line.to_string())) {
        return Ok(Some("commits were made in it that no branch holds".into()));
    }
    let tip = branch.unwrap_or(input.base);
    if !contains(repo, tip, agent)? {
        return Ok(Some("its last commit is not on its branch".into()));
    }
    let of_tip = listing::of_commit(repo, tip).map_err(|why| fault::strange(&input.common, &why))?;
    Ok((content != of_tip).then(|| "files in it are not as its branch has them".into()))
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::NestedRepository { path } => format!("{path:?} is a repository of its own"),
        Notice::GitFileReplaced => "its .git file was replaced".into(),
        Notice::HistoryNotFromBase { tip } => format!("its HEAD is at {tip}, which does not go on from its base"),
        Notice::HistoryRefused { why } => format!("the history made inside could not be read: {why}"),
        Notice::Unstorable { path, why } => format!("{path:?} could not be stored: {why}"),
    }
}
