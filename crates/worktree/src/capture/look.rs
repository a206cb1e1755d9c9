//! What a capture, and whoever only looks, begins with: the agent's history and a snapshot of the files.

use gix::ObjectId;

use super::base::Base;
use super::beneath::Dir;
use super::follow::Stats;
use super::notices::Notices;
use super::tree::Tree;
use super::{Input, Keep, agent_tip, branch_value, fault, history, open_base, snapshot};
use crate::Result;

/// What was found in a worktree.
pub(super) struct Look<'a> {
    pub(super) repo: &'a gix::Repository,
    pub(super) input: &'a Input,
    pub(super) common: &'a Dir,
    pub(super) base: &'a Base,
    /// What the branch named before.
    pub(super) branch: Option<ObjectId>,
    /// The agent's last commit, or the base.
    pub(super) agent: ObjectId,
    pub(super) of_agent: &'a Tree<'a>,
    /// Other lines of its history.
    pub(super) lines: Vec<ObjectId>,
    /// The files.
    pub(super) content: Tree<'a>,
    /// What is known of those that were stored.
    pub(super) stats: Stats,
    pub(super) notices: Notices,
}

/// Looks at a worktree, storing what is found, and hands that on.
pub(super) fn take<T>(repo: &gix::Repository, input: &Input, then: impl FnOnce(Look<'_>) -> Result<T>) -> Result<T> {
    let mut repo = repo.clone();
    if input.keep == Keep::Nothing {
        repo = repo.with_object_memory();
    }
    repo.objects.ignore_replacements = true;
    let repo = &repo;
    let common = &Dir::open(&input.common).map_err(fault::io("open", &input.common))?;
    let root = Dir::open(&input.tree).map_err(fault::io("open", &input.tree))?;
    let mut notices = Notices::default();
    let branch = branch_value(common, input)?;
    let history = history::take(repo, common, input, &mut notices)?;
    let base = &open_base(repo, input)?;
    let mut lines = history.lines;
    let (agent, of_agent) = agent_tip(repo, input, history.tip, base, &mut lines, &mut notices)?;
    let (content, stats) = snapshot::take(repo, common, &root, input, &of_agent, &mut notices)?;
    then(Look { repo, input, common, base, branch, agent, of_agent: &of_agent, lines, content, stats, notices })
}

/// As [`take`], without storing anything.
pub(super) fn only<T>(repo: &gix::Repository, input: &Input, then: impl FnOnce(Look<'_>) -> Result<T>) -> Result<T> {
    take(repo, &Input { keep: Keep::Nothing, ..input.clone() }, then)
}
