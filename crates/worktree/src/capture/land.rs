//! Moves the branch to what was captured, and makes it last.

use gix::ObjectId;
use gix::date::Time;
use gix::objs::Commit;

use super::follow::{self, Stats};
use super::notices::Notices;
use super::rescue::hold;
use super::{Fence, Input, commit, durable, rescue, rescues};
use crate::disk::Batch;
use crate::swap::{self, Log, Staged, Value};
use crate::{BranchName, Error, Message, Notice, Rescue, Result};

/// A move of the branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move<'a> {
    /// What the branch named when the capture began.
    pub(super) previous: Option<ObjectId>,
    /// What it shall name.
    pub(super) tip: ObjectId,
    /// The commit that this capture made of files, if it made one.
    pub(super) snapshot: Option<ObjectId>,
    /// What is known of the files in it.
    pub(super) stats: &'a Stats,
    /// What its log is told.
    pub(super) message: &'a Message,
}

/// What became of a move.
pub(super) struct Landed {
    /// The commit that holds everything.
    pub(super) tip: ObjectId,
    /// The refs under which other lines were put, and the tip if the branch could not be moved.
    pub(super) rescued: Vec<Rescue>,
}

/// Puts the lines under rescue refs, then moves the branch; objects are durable before, the refs afterwards.
///
/// A branch that another checkout is on as well is not moved, and what it should name is under a rescue ref.
pub(super) fn publish(
    repo: &gix::Repository,
    input: &Input,
    to: Move<'_>,
    lines: &[ObjectId],
    fence: Fence<'_>,
    notices: &mut Notices,
) -> Result<Landed> {
    let moves = input.branch.as_ref().filter(|_| to.previous != Some(to.tip));
    // What the agent committed too, and whoever captured before: git itself flushes no object that it makes loose.
    let tips: Vec<ObjectId> = lines.iter().copied().chain([to.tip]).filter(|tip| *tip != input.base).collect();
    let mut batch = Batch::default();
    let staged = moves.map(|_| Staged::begin(&input.common, to.tip, &mut batch)).transpose()?;
    let plan = follow::plan(repo, input, to.previous, to.tip, to.stats);
    let flush = || {
        if !tips.is_empty() {
            durable::sync(repo, input.base, &tips)?;
        }
        batch.settle()
    };
    let index = beside(flush, plan)?;
    let mut landed = Landed { tip: to.tip, rescued: Vec::new() };
    if lines.is_empty() && moves.is_none() && index.is_none() {
        return Ok(landed);
    }
    let turn = fence()?;
    for &line in lines {
        landed.put(rescue(repo, &input.id, line)?);
    }
    let Some((name, staged)) = moves.zip(staged) else {
        if let Some(index) = index {
            index.carry_out(notices).moved();
        }
        return Ok(landed);
    };
    if let Some(by) = turn.user {
        if to.snapshot == Some(to.tip) {
            landed.tip = already(repo, input, to.tip)?.unwrap_or(to.tip);
        }
        landed.put(hold(repo, &input.id, landed.tip)?);
        notices.push(Notice::BranchInUse { by });
        return Ok(landed);
    }
    let reference = format!("refs/heads/{name}");
    let unmoved = swap::read(&input.common, &reference)? == to.previous.map_or(Value::Missing, Value::Id);
    let index = index.filter(|_| unmoved).map(|index| index.carry_out(notices));
    branch(repo, name, to, &staged)?;
    if let Some(index) = index {
        index.moved();
    }
    swap::sync_name(&input.common, &reference)?;
    Ok(landed)
}

/// Flushes, and prepares the index meanwhile: the one waits for the disk, and the other computes.
fn beside<'a>(flush: impl FnOnce() -> Result<()>, plan: Option<follow::Plan<'a>>) -> Result<Option<follow::Ready<'a>>> {
    let Some(plan) = plan else { return flush().map(|()| None) };
    if !plan.is_long() {
        flush()?;
        return Ok(Some(plan.prepare()));
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| plan.prepare());
        let flushed = flush();
        let ready = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        flushed.map(|()| Some(ready))
    })
}

impl Landed {
    fn put(&mut self, made: Rescue) {
        if !self.rescued.contains(&made) {
            self.rescued.push(made);
        }
    }
}

/// The rescued commit that is the same as this snapshot in all but the times, as an earlier capture has made it.
fn already(repo: &gix::Repository, input: &Input, snapshot: ObjectId) -> Result<Option<ObjectId>> {
    let timeless = |id: ObjectId| {
        let commit = repo.find_commit(id).ok()?;
        let mut commit = Commit::try_from(commit.decode().ok()?).ok()?;
        commit.author.time = Time::default();
        commit.committer.time = Time::default();
        Some(commit)
    };
    let Some(wanted) = timeless(snapshot) else { return Ok(None) };
    let held = rescues(&input.common, &input.id)?.into_iter();
    let mut held = held.filter_map(|rescue| ObjectId::from_hex(rescue.commit.as_str().as_bytes()).ok());
    Ok(held.find(|id| timeless(*id).as_ref() == Some(&wanted)))
}

/// Moves a branch, if it still names what it did.
fn branch(repo: &gix::Repository, branch: &BranchName, to: Move<'_>, staged: &Staged) -> Result<()> {
    let reference = format!("refs/heads/{branch}");
    let common = repo.common_dir();
    let expected = to.previous.map_or(Value::Missing, Value::Id);
    if expected == Value::Missing
        && let Some(problem) = swap::conflict(common, &reference)?
    {
        return Err(Error::RefMoved { reference, problem });
    }
    let who = commit::signature(to.message);
    let subject = to.message.text.lines().next().unwrap_or_default();
    let log = Log::new(repo, &format!("{} <{}>", who.name, who.email), &format!("capture: {subject}"));
    let found = swap::set_staged(common, &reference, staged, Some(&log), |value| value == expected)?;
    if found == expected {
        return Ok(());
    }
    let problem = format!("it was expected at {}, and is at {}", shown(expected), shown(found));
    Err(Error::RefMoved { reference, problem })
}

fn shown(value: Value) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Other => "something that is no commit".to_owned(),
    }
}
