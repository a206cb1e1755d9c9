//! Takes over what was done in a worktree: the agent's own commits, then what lies uncommitted in the tree.
//!
//! Everything that is read here was writable by an agent. So the private git directory is never opened with git or gix,
//! no symlink is followed, nothing but regular files is read, every size is limited (see [`limits`]), and an object is
//! believed for its hash alone.

pub(crate) mod ancestry;
mod aside;
mod base;
mod bases;
pub(crate) mod beneath;
pub(crate) mod cache;
mod commit;
mod convert;
mod crew;
mod delta;
pub(crate) mod differ;
mod durable;
mod edit;
pub(crate) mod fault;
mod files;
mod follow;
mod freshen;
mod glob;
mod history;
mod ignore;
mod import;
mod index;
mod inflate;
mod land;
mod limits;
mod look;
mod loose;
mod names;
mod nested;
mod notices;
mod observe;
mod own;
mod pack;
mod pointer;
mod refs;
mod rescue;
mod rewrite;
mod snapshot;
mod staged;
mod stash;
mod store;
pub(crate) mod survey;
mod tree;
mod uncaptured;
mod verify;
mod walk;
pub(crate) mod way;

use std::any::Any;
use std::path::PathBuf;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

pub(crate) use ancestry::contains;
pub(crate) use aside::aside;
pub(crate) use cache::Cache;
pub(crate) use delta::apply_into as apply_delta;
pub(crate) use durable::{is_whole, sync as make_durable};
pub(crate) use follow::{Follow, catch_up};
pub(crate) use index::says as index_says;
pub(crate) use limits::IGNORED_DIRS;
pub(crate) use nested::ends_early as search_ends_early;
pub(crate) use observe::{Marks, Observed, observe};
pub(crate) use rescue::{prefix as rescue_prefix, rescue, rescues};
pub(crate) use rewrite::rewrite;
pub(crate) use staged::{Difference, Former, Kept, head, keep, read as former};
pub(crate) use uncaptured::uncaptured;
pub(crate) use way::settle as settle_rescues;

use base::Base;
use beneath::Dir;
use look::Look;
use notices::Notices;
use tree::{Changes, Tree};

use crate::{BranchName, Capture, CommitId, GitAccess, HiddenRepositories, Message, Notice, Result, WorktreeId};

/// What [`capture`] must know about a worktree; all of it from the manager's own records.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The repository's common directory.
    pub(crate) common: PathBuf,
    /// The worktree's id.
    pub(crate) id: WorktreeId,
    /// The absolute path of its tree.
    pub(crate) tree: PathBuf,
    /// Its admin directory, which its `.git` file names.
    pub(crate) admin: PathBuf,
    /// The index whose stat data tells which files are as they were checked out.
    pub(crate) index: PathBuf,
    /// The commit that it was created from.
    pub(crate) base: ObjectId,
    /// Its branch, if it has one.
    pub(crate) branch: Option<BranchName>,
    /// Whether git inside worked on the repository itself or on a view.
    pub(crate) git: GitAccess,
    /// What becomes of what is found.
    pub(crate) keep: Keep,
    /// When the index follows the branch to what was captured.
    pub(crate) follow: Follow,
    /// Where the next index is written, which only this worktree uses; in the directory that locks of ours are known by.
    pub(crate) sign: PathBuf,
    /// How many threads look through the tree.
    pub(crate) threads: usize,
    /// Whether repositories in ignored directories are looked for, which only who deletes them must know.
    pub(crate) hidden: HiddenRepositories,
}

/// What becomes of the objects that a look at a worktree makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// They are stored.
    Objects,
    /// They are forgotten: commits and trees are in memory for as long as it takes, files are only hashed.
    Nothing,
}

/// Asked right before refs are moved, and kept until they are: an error there ends the capture.
pub(crate) type Fence<'a> = &'a dyn Fn() -> Result<Turn>;

/// The right to move refs.
pub(crate) struct Turn {
    /// Ends it when it is dropped.
    pub(crate) _hold: Box<dyn Any>,
    /// Which other checkout is on the branch, in words: its files would all seem to be changed if the branch moved.
    pub(crate) user: Option<String>,
}

/// Takes over the agent's commits and a snapshot of the tree, and moves the branch there, unless another checkout is on it.
///
/// Everything is durable when this returns. Capturing a tree again that has not changed finds the same commit.
///
/// # Errors
/// When the repository or the tree cannot be read, or the repository cannot be written; no ref was moved then, unless
/// the error is that the branch could not be.
pub(crate) fn capture(repo: &gix::Repository, input: &Input, message: &Message, fence: Fence<'_>) -> Result<Capture> {
    look::take(repo, input, |found| store(found, message, fence))
}

fn store(found: Look<'_>, message: &Message, fence: Fence<'_>) -> Result<Capture> {
    let Look { repo, input, branch: previous, agent, of_agent, mut lines, content, stats, mut notices, .. } = found;
    let upon = commit::in_place_of(repo, input, previous, agent, message)?.or(previous);
    let placed = commit::Lines { repo, agent, of_agent, previous: upon }.place(&content, message)?;
    let tip = placed.tip;
    if let Some(previous) = previous
        && !contains(repo, tip, previous)?
    {
        lines.push(previous);
    }
    let to = land::Move { previous, tip, snapshot: placed.snapshot, stats: &stats, message };
    let land::Landed { tip, rescued } = land::publish(repo, input, to, &lines, fence, &mut notices)?;
    Ok(Capture {
        base: commit_id(input.base)?,
        tip: commit_id(tip)?,
        commits: ancestry::since(repo, input.base, tip)?.len(),
        files: placed.content.as_ref().unwrap_or(content.changes()).len(),
        // The last commit, if there is one, and then perhaps that of an earlier capture.
        snapshot: placed.snapshot.map(|_| commit_id(tip)).transpose()?,
        rescued,
        notices: notices.into_list(),
    })
}

fn open_base(repo: &gix::Repository, input: &Input) -> Result<Base> {
    Base::open(repo, input.base, &input.index).map_err(|why| fault::strange(&input.common, &why))
}

/// What the branch names before anything is done.
fn branch_value(common: &Dir, input: &Input) -> Result<Option<ObjectId>> {
    let Some(branch) = &input.branch else { return Ok(None) };
    let refs = refs::Refs { own: common, common, hash: input.base.kind() };
    refs.commit(&format!("refs/heads/{branch}")).map_err(|why| fault::strange(&input.common, &why))
}

/// The agent's last commit and its tree, or the base where the agent's history cannot be built upon; that history is
/// then one of the `lines` to be rescued.
fn agent_tip<'a>(
    repo: &gix::Repository,
    input: &Input,
    tip: Option<ObjectId>,
    base: &'a Base,
    lines: &mut Vec<ObjectId>,
    notices: &mut Notices,
) -> Result<(ObjectId, Tree<'a>)> {
    let of_base = Tree::new(base, Changes::new());
    let Some(tip) = tip.filter(|tip| *tip != input.base) else { return Ok((input.base, of_base)) };
    if !contains(repo, tip, input.base)? {
        notices.push(Notice::HistoryNotFromBase { tip: commit_id(tip)? });
        lines.push(tip);
        return Ok((input.base, of_base));
    }
    match base::root(repo, tip).and_then(|root| differ::changes(repo, base.root(), root)) {
        Ok(changes) => {
            let is_module = |item: &Option<base::Item>| item.is_some_and(|item| item.kind == EntryKind::Commit);
            for (path, _) in changes.iter().filter(|(_, item)| is_module(item)) {
                if base.get(path.as_ref()).is_none() {
                    notices.nested(path.as_ref());
                }
            }
            Ok((tip, Tree::new(base, changes)))
        }
        Err(why) => {
            notices.refused(format!("commit {tip}: {why}"));
            lines.push(tip);
            Ok((input.base, of_base))
        }
    }
}

fn commit_id(id: ObjectId) -> Result<CommitId> {
    CommitId::new(id.to_string())
}
