//! Brings the index of a worktree along when a capture moves its branch.
//!
//! With direct access `HEAD` is on the branch that is moved. To git, an index that stayed as it was would have everything
//! that was captured staged the other way round, and the next plain commit would take it back. So each entry that is what
//! the branch had becomes what the branch has then, one by one, as `git read-tree -m` does it; whatever else is staged, a
//! conflict among it, stays as it is.
//!
//! The index goes first. Killed in between, the work is staged and not committed yet, and no commit takes it back. Where
//! the index cannot be changed, a note says so before the branch is moved, and whoever comes next makes up for it.

mod behind;
mod cached;
mod put;
mod splice;
mod write;

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::index::entry::Stat;

use super::base::{self, Item};
use super::beneath::Dir;
use super::notices::Notices;
use super::observe::own_dir;
use super::{Input, differ, limits};
use crate::{GitAccess, Notice};

use put::Put;
use splice::{Step, Steps};

/// What is known of files that were stored, as long as it cannot be mistaken for a later state of theirs.
pub(super) type Stats = BTreeMap<BString, Stat>;

/// When the index follows the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Together with it.
    AtOnce,
    /// Not before somebody calls [`catch_up`]: what is staged is to be kept first.
    Later,
}

/// What the index of a worktree needs.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    input: &'a Input,
    /// The git directory of the worktree's own.
    own: Dir,
    /// Whether a note is there already.
    noted: Vec<ObjectId>,
    /// The commits that it may be at.
    from: Vec<ObjectId>,
    steps: Result<Steps, String>,
}

/// What there is to be done about it.
#[derive(Debug)]
enum Next<'a> {
    /// It is to be replaced.
    Put(Put<'a>),
    /// It is as it should be.
    Nothing,
    /// It must stay behind, in words why.
    Stay(String),
}

/// A plan that only has to be carried out.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    plan: Plan<'a>,
    next: Next<'a>,
    otherwise: Vec<BString>,
}

/// What a move of the branch to `tip` asks of the index; none when it asks nothing.
pub(super) fn plan<'a>(
    repo: &gix::Repository,
    input: &'a Input,
    previous: Option<ObjectId>,
    tip: ObjectId,
    stats: &Stats,
) -> Option<Plan<'a>> {
    if input.git != GitAccess::Direct {
        return None;
    }
    let branch = input.branch.as_ref()?;
    let own = own_dir(input).ok()?;
    let noted = behind::read(&own, repo.object_hash());
    let moves = previous != Some(tip);
    if !moves && (noted.is_empty() || input.follow == Follow::Later) {
        return None;
    }
    let head = own.read(b"HEAD", limits::REF_BYTES).ok()?;
    if head.trim_ascii_end() != format!("ref: refs/heads/{branch}").as_bytes() {
        // It stays where it is, and so what is staged upon it.
        return None;
    }
    let mut from = noted.clone();
    let left = previous.unwrap_or(input.base);
    if moves && !from.contains(&left) {
        from.push(left);
    }
    let steps = match input.follow {
        Follow::AtOnce => steps(repo, &from, tip, stats),
        Follow::Later => Ok(Steps::new()),
    };
    Some(Plan { input, own, noted, from, steps })
}

fn steps(repo: &gix::Repository, from: &[ObjectId], tip: ObjectId, stats: &Stats) -> Result<Steps, String> {
    let new = base::root(repo, tip)?;
    let mut steps = Steps::new();
    // The newest first. What an older note names may be gone, and then nothing is known to be as it was there.
    for (n, old) in from.iter().rev().enumerate() {
        let old = match base::root(repo, *old) {
            Err(why) if n == 0 && from.len() == 1 => return Err(why),
            Err(_) => continue,
            Ok(old) => old,
        };
        let found = differ::between(repo, Some(old), Some(new), limits::PATHS).map_err(|e| e.to_string())?;
        for differ::Change { path, before, after } in found {
            let item = |item: differ::Item| Item { kind: item.mode.kind(), id: item.id };
            let stat = stats.get(&path).copied().unwrap_or_default();
            let step = || Step { before: Vec::new(), after: after.map(item), stat };
            steps.entry(path).or_insert_with(step).before.push(before.map(item));
        }
    }
    Ok(steps)
}

impl<'a> Plan<'a> {
    /// Reads the index and writes the next one where nobody looks. That takes longest, and nothing is locked meanwhile.
    pub(super) fn prepare(self) -> Ready<'a> {
        let mut otherwise = Vec::new();
        let next = match &self.steps {
            _ if self.input.follow == Follow::Later => Next::Stay(String::new()),
            Ok(steps) => match put::prepare(&self.own, self.input, steps, &mut otherwise) {
                Ok(next) => next,
                Err(why) => Next::Stay(why),
            },
            Err(why) => Next::Stay(why.clone()),
        };
        Ready { plan: self, next, otherwise }
    }

    /// Whether the index is so large that it is worth a thread.
    pub(super) fn is_long(&self) -> bool {
        const LONG: i64 = 1 << 20;
        self.own.stat(b"index").is_ok_and(|stat| stat.st_size > LONG)
    }
}

impl Ready<'_> {
    /// Replaces the index, right before the branch is moved.
    pub(super) fn carry_out(self, notices: &mut Notices) -> Moving {
        let Self { plan, next, otherwise } = self;
        for path in &otherwise {
            notices.staged(path.as_bstr());
        }
        let why = match next {
            Next::Nothing => None,
            Next::Put(put) => put.put(&plan.own).err(),
            Next::Stay(why) => Some(why),
        };
        let Some(why) = why else { return Moving { own: plan.own, noted: !plan.noted.is_empty() } };
        // Where it cannot be written, what was said must do.
        let noted = behind::write(&plan.own, &plan.noted, &plan.from);
        if plan.input.follow == Follow::AtOnce {
            let more = noted.err().map(|e| format!("; that could not be noted: {e}")).unwrap_or_default();
            notices.push(Notice::IndexBehind { why: format!("{why}{more}") });
        }
        Moving { own: plan.own, noted: false }
    }
}

/// An index that is where the branch is about to be, or that stays behind with a note about it.
#[must_use = "a note that nobody needs any more is to be taken away"]
pub(super) struct Moving {
    own: Dir,
    /// Whether there is a note that holds no longer.
    noted: bool,
}

impl Moving {
    /// The branch was moved.
    pub(super) fn moved(self) {
        if self.noted {
            behind::clear(&self.own);
        }
    }
}

/// Brings an index to where its branch is, if a note says that it is behind, and takes away a lock of it that we left.
///
/// What does not work now is tried again by the next capture.
pub(crate) fn catch_up(repo: &gix::Repository, input: &Input, tip: ObjectId) {
    if input.git != GitAccess::Direct {
        return;
    }
    put::clear(input);
    if let Some(plan) = plan(repo, input, Some(tip), tip, &Stats::new()) {
        plan.prepare().carry_out(&mut Notices::default()).moved();
    }
}
