//! Ends a lease. Nothing is removed before everything in it is under a ref.

use gix::ObjectId;

use super::history::{self, Lasting, Written};
use super::layout::Layout;
use super::lease::Lease;
use super::pruned::{self, Before};
use super::record::{Record, Stage};
use super::remove::{End, Tree};
use super::work::{Work, everything, left_behind};
use super::{base, fence, locked, merged, moved, refs, remove, scan};
use crate::capture::{self, fault};
use crate::{
    BranchName, Capture, CommitId, Disposition, Error, Fate, HiddenRepositories, Keeper, Life, Message, Released,
    Rescue, Result, Worktree, WorktreeId, repo,
};

/// How often it is captured again what somebody else's garbage collection has deleted.
const TRIES: usize = 3;

/// Which lease a handle holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    id: WorktreeId,
    lease: String,
    generation: u64,
}

impl Held {
    /// Of which worktree it is.
    pub(super) fn id(&self) -> &WorktreeId {
        &self.id
    }
}

/// What the handle says that it holds.
pub(super) fn held(worktree: &Worktree) -> Result<Held> {
    match worktree.lease().downcast_ref::<Lease>() {
        Some(lease) => Ok(Held { id: worktree.id().clone(), lease: lease.id.clone(), generation: lease.generation }),
        None => Err(lost(worktree.id(), "the handle was not made by this manager")),
    }
}

/// The record behind the handle, if the handle still holds it.
pub(super) fn leased(layout: &Layout, held: &Held) -> Result<Record> {
    let Some(record) = Record::read(layout, &held.id)? else {
        return Err(lost(&held.id, "this repository has no record of it"));
    };
    if record.holder.lease != held.lease || record.holder.generation != held.generation {
        return Err(lost(&held.id, "it was leased anew to somebody else"));
    }
    if record.stage != Stage::Leased {
        return Err(lost(&held.id, "it was released or is being removed"));
    }
    if record.offer.is_some() {
        return Err(lost(&held.id, "it was handed over"));
    }
    Ok(record)
}

/// The error for a handle that lost its lease, or an id that cannot be leased.
pub(super) fn lost(id: &WorktreeId, problem: &str) -> Error {
    Error::LeaseLost { id: id.to_string(), problem: problem.to_owned() }
}

/// Commits what was left in the worktree.
pub(super) fn capture(layout: &Layout, held: &Held, message: &Message) -> Result<Capture> {
    let record = leased(layout, held)?;
    take_over(&repo::open(&layout.common)?, layout, &record, &input(layout, &record)?, message)
}

pub(super) fn take_over(
    repo: &gix::Repository,
    layout: &Layout,
    record: &Record,
    input: &capture::Input,
    message: &Message,
) -> Result<Capture> {
    let parts = &record.parts;
    if !record.has_tree() {
        return Err(fault::strange(&parts.path, &moved::problem(layout, record)));
    }
    let fence = || {
        let hold = Box::new(fence::enter(layout, record)?);
        let branch = parts.branch.as_ref();
        let user = branch.map(|branch| scan::user_of(&layout.common, branch, &record.admin)).transpose()?.flatten();
        Ok(capture::Turn { _hold: hold, user })
    };
    capture::capture(repo, input, message, &fence)
}

/// What a capture of this worktree must know. It leaves aside what lies in ignored directories.
pub(super) fn input(layout: &Layout, record: &Record) -> Result<capture::Input> {
    let parts = &record.parts;
    Ok(capture::Input {
        common: layout.common.clone(),
        id: parts.id.clone(),
        tree: parts.path.clone(),
        admin: record.admin_dir(layout),
        index: layout.index(&parts.id),
        base: base::object_id(&parts.base)?,
        branch: parts.branch.clone(),
        git: parts.git,
        keep: capture::Keep::Objects,
        follow: capture::Follow::AtOnce,
        sign: layout.staging().join(format!("{}.index.sign", record.token)),
        threads: layout.threads,
        hidden: HiddenRepositories::Remove,
    })
}

/// Asked before a tree is removed, everything in it being rescued: may name another place for it than the trash.
pub(super) type Goes<'a> = &'a dyn Fn(&mut Record) -> Result<()>;

/// A release that is over, but for what has to be flushed.
#[derive(Debug)]
#[must_use = "what it says may not survive a power failure before it is settled"]
pub(super) struct Ended {
    released: Released,
    written: Option<Written>,
}

impl Ended {
    /// Makes it durable. This waits for the disk and for nothing else.
    pub(super) fn settle(self) -> Result<Released> {
        self.written.map_or(Ok(()), Written::flush)?;
        Ok(self.released)
    }
}

impl From<Released> for Ended {
    fn from(released: Released) -> Self {
        Self { released, written: None }
    }
}

/// Ends the lease, does what the disposition says, and makes it durable.
pub(super) fn release(
    layout: &Layout,
    worktree: Worktree,
    disposition: &Disposition,
    goes: Goes<'_>,
) -> Result<Released> {
    end(layout, worktree, disposition, goes)?.settle()
}

/// Ends the lease and does what the disposition says; the handle's lock is given up at the very end.
///
/// Whatever fails while the tree is in its place leaves the worktree to the next recovery, wherever that was. It is an error
/// only that the lease is somebody else's, and that the tree is out of the way and the rest is not done.
pub(super) fn end(layout: &Layout, worktree: Worktree, disposition: &Disposition, goes: Goes<'_>) -> Result<Ended> {
    let mut record = leased(layout, &held(&worktree)?)?;
    let mut rescued = Vec::new();
    match ended(layout, worktree, &mut record, disposition, goes, &mut rescued) {
        Err(e) if !matches!(e, Error::LeaseLost { .. }) && record.has_tree() => {
            Ok(leave(layout, &record, fault::with_causes(&e), rescued).into())
        }
        ended => ended,
    }
}

/// The fallible part of [`end`], which says what it has rescued also where it fails.
fn ended(
    layout: &Layout,
    worktree: Worktree,
    record: &mut Record,
    disposition: &Disposition,
    goes: Goes<'_>,
    rescued: &mut Vec<Rescue>,
) -> Result<Ended> {
    if let Some(why) = locked::by_somebody(layout, record).filter(|_| *disposition != Disposition::Keep) {
        return Ok(keep(layout, record, Keeper::Lock, Some(why), Vec::new())?.into());
    }
    if let Some(why) = moved::elsewhere(layout, record)?.filter(|_| *disposition != Disposition::Keep) {
        return Ok(keep(layout, record, Keeper::Moved, Some(why), Vec::new())?.into());
    }
    let into = match disposition {
        Disposition::Keep => return Ok(keep(layout, record, Keeper::Request, None, Vec::new())?.into()),
        Disposition::Archive => None,
        Disposition::Merged { into } => Some(into),
        Disposition::Discard => return discard(layout, worktree, record, goes),
    };
    let mut tries = 1;
    let (tree, work, rescues) = loop {
        let repo = repo::open(&layout.common)?;
        let before = Before::now(&repo, layout, record)?;
        let tree = Tree::seen(record);
        let found = match tree {
            Tree::Absent => left_behind(&repo, layout, record),
            Tree::There => everything(&repo, layout, record),
        };
        let work = match found {
            Ok(Work::Whole(work)) => work,
            Ok(Work::Partly { why, rescued, notices }) => {
                let kept = keep(layout, record, Keeper::Work, Some(why), rescued)?;
                return Ok(Released { notices, ..kept }.into());
            }
            Err(e) => {
                // It may have failed after it had put something under a ref.
                let mut rescued = capture::rescues(&layout.common, &record.parts.id).unwrap_or_default();
                rescued.retain(|rescue| !before.has(rescue));
                return Ok(leave(layout, record, fault::with_causes(&e), rescued).into());
            }
        };
        let is_safe = |tip| is_safe(&repo, record.parts.branch.as_ref(), work.base, into, tip);
        let needed = work.needed(is_safe);
        let mut rescues = work.rescued.clone();
        rescued.clone_from(&rescues);
        if !needed.is_empty() {
            let _turn = fence::enter(layout, record)?;
            for tip in needed {
                let made = capture::rescue(&repo, &record.parts.id, tip)?;
                rescues.retain(|rescue| *rescue != made);
                rescues.push(made);
                rescued.clone_from(&rescues);
            }
        }
        if pruned::is_whole(layout, record, &before, work.branch, &mut rescues)? {
            break (tree, work, rescues);
        }
        if tries == TRIES {
            let why =
                "what was rescued was deleted by a garbage collection right away, each time; release it after that";
            return Ok(Released { notices: work.notices, ..leave(layout, record, why.into(), rescues) }.into());
        }
        tries += 1;
    };
    goes(record)?;
    let life = match into {
        Some(into) => Life::Merged { into: into.clone(), rescues: rescues.clone() },
        None => Life::Archived { rescues: rescues.clone() },
    };
    let end = End { life, tip: work.branch.map(base::commit_id), found: tree };
    match remove::end(layout, record, end) {
        Ok(written) => {
            drop(worktree);
            let released = Released { fate: Fate::Removed, rescues, notices: work.notices };
            Ok(Ended { released, written: Some(written) })
        }
        Err(e) => Ok(Released { notices: work.notices, ..stays(layout, record, e, rescues)? }.into()),
    }
}

/// A removal that failed before its tree went leaves a worktree in which anybody may go on working.
fn stays(layout: &Layout, record: &mut Record, e: Error, rescues: Vec<Rescue>) -> Result<Released> {
    let begun = matches!(record.stage, Stage::Removing { .. });
    if !begun || !remove::take_back(layout, record).unwrap_or(false) {
        return Err(e);
    }
    let why = fault::with_causes(&e);
    let life = Life::Kept { why: Some(why.clone()), rescues: rescues.clone() };
    history::note(layout, record, life, Lasting::Durable)?;
    Ok(leave(layout, record, why, rescues))
}

/// Removes a tree in which nobody worked.
fn discard(layout: &Layout, worktree: Worktree, record: &mut Record, goes: Goes<'_>) -> Result<Ended> {
    if let Some(branch) = &record.parts.branch {
        let why = format!("it has a branch, {branch}, so somebody may have worked in it; archive it instead");
        return Ok(keep(layout, record, Keeper::Work, Some(why), Vec::new())?.into());
    }
    let found = Tree::seen(record);
    goes(record)?;
    match remove::end(layout, record, End { life: Life::Discarded, tip: None, found }) {
        Ok(written) => {
            drop(worktree);
            let released = Released { fate: Fate::Removed, rescues: Vec::new(), notices: found.missing(record) };
            Ok(Ended { released, written: Some(written) })
        }
        Err(e) => Ok(stays(layout, record, e, Vec::new())?.into()),
    }
}

/// The base of a worktree and the last commit that was made in it, as far as the repository has it.
pub(super) fn tip_of(repo: &gix::Repository, layout: &Layout, id: &WorktreeId) -> Result<(ObjectId, Option<ObjectId>)> {
    let Some(record) = Record::read(layout, id)? else {
        return Err(lost(id, "there is no worktree of this id"));
    };
    let tip = match &record.parts.branch {
        Some(branch) => refs::branch_tip(repo, branch)?,
        None => head(layout, &record)?,
    };
    Ok((base::object_id(&record.parts.base)?, tip.filter(|tip| repo.has_object(tip))))
}

/// What a detached `HEAD` of the worktree names.
pub(super) fn head(layout: &Layout, record: &Record) -> Result<Option<ObjectId>> {
    let admins = scan::all(&layout.admins()).map_err(fault::io("list", layout.admins()))?;
    let admin = admins.into_iter().find(|admin| admin.name == record.admin);
    match admin.and_then(|admin| admin.head) {
        Some(scan::Head::Commit(id)) => {
            let kind = base::object_id(&record.parts.base)?.kind();
            Ok(Some(base::object_id(&id)?).filter(|id| id.kind() == kind))
        }
        _ => Ok(None),
    }
}

/// Whether a commit needs no ref of its own: it is the base, or part of `into`, and a ref that stays holds that.
pub(super) fn is_safe(
    repo: &gix::Repository,
    branch: Option<&BranchName>,
    base: ObjectId,
    into: Option<&CommitId>,
    tip: ObjectId,
) -> bool {
    if tip == base && merged::is_held(repo, branch, base) {
        return true;
    }
    let Some(into) = into.filter(|into| is_integrated(repo, base, into, tip)) else { return false };
    base::object_id(into).is_ok_and(|into| merged::is_held(repo, branch, into))
}

/// Whether `tip` is provably part of `into`; what cannot be told is not.
fn is_integrated(repo: &gix::Repository, base: ObjectId, into: &CommitId, tip: ObjectId) -> bool {
    let into = base::object_id(into).ok().filter(|into| into.kind() == base.kind());
    into.is_some_and(|into| merged::integration(repo, base, tip, into).is_integrated())
}

/// Brings an index along that a capture left behind its branch, as far as that is possible now.
pub(super) fn catch_up(layout: &Layout, record: &Record) {
    let Ok(input) = input(layout, record) else { return };
    let Ok(repo) = repo::open(&layout.common) else { return };
    let tip = input.branch.as_ref().and_then(|branch| refs::branch_tip(&repo, branch).ok().flatten());
    if let Some(tip) = tip {
        capture::catch_up(&repo, &input, tip);
    }
}

/// Leaves the worktree as it is after something failed that may pass, a full disk or a lock: its owner will have gone by
/// the next recovery, which hands it out again.
fn leave(layout: &Layout, record: &Record, why: String, rescues: Vec<Rescue>) -> Released {
    catch_up(layout, record);
    Released { fate: kept(record, Keeper::Failure, Some(why)), rescues, notices: Vec::new() }
}

fn kept(record: &Record, by: Keeper, why: Option<String>) -> Fate {
    Fate::Kept { path: record.parts.path.clone(), by, why }
}

/// Leaves the worktree in place. Its lock stays, so that nobody prunes it.
pub(super) fn keep(
    layout: &Layout,
    record: &mut Record,
    by: Keeper,
    why: Option<String>,
    rescues: Vec<Rescue>,
) -> Result<Released> {
    let id = &record.parts.id;
    let reason = match &why {
        None => format!("hedgerow worktree {id}: kept"),
        Some(why) => format!("hedgerow worktree {id}: kept, {}", why.replace('\n', " ")),
    };
    catch_up(layout, record);
    let turn = fence::enter(layout, record)?;
    history::note(layout, record, Life::Kept { why: why.clone(), rescues: rescues.clone() }, Lasting::Durable)?;
    record.stage = Stage::Kept;
    record.write(layout)?;
    drop(turn);
    locked::write_reason(layout, record, &reason)?;
    Ok(Released { fate: kept(record, by, why), rescues, notices: Vec::new() })
}
