//! Tells without moving a ref whether a capture would find anything.

use gix::bstr::{BString, ByteSlice};

use super::base::Item;
use super::look::{self, Look};
use super::tree::Tree;
use super::{Input, base, contains, differ, fault, index, observe, rescues};
use crate::{Notice, Result};

/// Why not everything in the worktree is on its branch, in words; none when it provably is.
///
/// Nothing is written.
///
/// # Errors
/// When the repository or the tree cannot be read; then nothing is known about the work in it.
pub(crate) fn uncaptured(repo: &gix::Repository, input: &Input) -> Result<Option<String>> {
    look::only(repo, input, judge)
}

fn judge(look: Look<'_>) -> Result<Option<String>> {
    let Look { repo, input, base, branch, agent, of_agent, lines, content, notices, .. } = look;
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
    let of_tip = base::root(repo, tip).and_then(|root| differ::changes(repo, base.root(), root));
    let of_tip = of_tip.map_err(|why| fault::strange(&input.common, &why))?;
    if *content.changes() != of_tip {
        return Ok(Some("files in it are not as its branch has them".into()));
    }
    staged(repo, input, of_agent, &Tree::new(base, of_tip))
}

/// Whether the index holds something that neither the branch nor the agent's last commit does.
fn staged(repo: &gix::Repository, input: &Input, agent: &Tree<'_>, tip: &Tree<'_>) -> Result<Option<String>> {
    let staged = observe::own_dir(input).and_then(|own| index::read(&own, repo.object_hash()));
    let staged = match staged {
        Ok(staged) => staged.unwrap_or_default(),
        Err(why) => return Ok(Some(format!("what is staged cannot be told: {why}"))),
    };
    let held = |path: &BString, item: Item| [agent, tip].iter().any(|tree| tree.get(path.as_bstr()) == Some(item));
    let alone = staged.entries.iter().any(|(path, item)| !held(path, *item)) || !staged.sides.is_empty();
    Ok(alone.then(|| "something is staged in it that its branch does not have".into()))
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::NestedRepository { path } => format!("{path:?} is a repository of its own"),
        Notice::GitFileReplaced => "its .git file was replaced".into(),
        Notice::TreeMissing { path } => format!("nothing is at {path:?}"),
        Notice::BranchInUse { by } => format!("its branch was not moved: {by}"),
        Notice::HistoryNotFromBase { tip } => format!("its HEAD is at {tip}, which does not go on from its base"),
        Notice::HistoryRefused { why } => format!("the history made inside could not be read: {why}"),
        Notice::NotStaged { why } => format!("what is staged could not be read: {why}"),
        Notice::Conflict { path } => format!("{path:?} has a conflict"),
        Notice::StagedOtherwise { path } => format!("something else is staged at {path:?}"),
        Notice::IndexBehind { why } => format!("its index is behind its branch: {why}"),
        Notice::HiddenRepository { path } => format!("{path:?} is an ignored repository of its own"),
        Notice::HiddenUnreadable { path, why } => format!("the ignored {path:?} could not be searched: {why}"),
        Notice::HiddenUnsearched { most } => format!("only {most} ignored directories were searched"),
        Notice::Unstorable { path, why } => format!("{path:?} could not be stored: {why}"),
    }
}
