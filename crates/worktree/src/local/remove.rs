//! Takes a worktree out of the world: the mirror image of publishing.
//!
//! Everything here runs under the lock of the repository, deletes no directory and can be killed after any step: it is
//! idempotent, and a recovery goes on with it where it finds it [begun](super::departure). Afterwards id, branch and path are free, and
//! what has left waits in the trash to be [purged](super::purge).

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::history::{Pen, Written};
use super::layout::Layout;
use super::lock::Turn;
use super::publish::Progress;
use super::record::{Record, Stage};
use super::{base, departure, fence, moved, refs, scan};
use crate::capture::fault;
use crate::disk::{self, Batch, Draft};
use crate::{CommitId, Life, Notice, Result, view};

/// What whoever has a worktree removed has found in the place of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// The tree. What is in it is rescued, or not wanted.
    There,
    /// No tree. One that is there by now was put back since, and nothing in it is rescued.
    Absent,
}

impl Tree {
    /// Looks once, before anything is rescued.
    pub(super) fn seen(record: &Record) -> Self {
        if moved::is_gone(&record.parts.path) { Self::Absent } else { Self::There }
    }

    /// What to say of a tree that was not there.
    pub(super) fn missing(self, record: &Record) -> Vec<Notice> {
        match self {
            Self::Absent => vec![Notice::TreeMissing { path: record.parts.path.clone() }],
            Self::There => Vec::new(),
        }
    }
}

/// How a worktree ends.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// What is remembered of it.
    pub(super) life: Life,
    /// What its branch must still name to be deleted.
    pub(super) tip: Option<CommitId>,
    /// What was found in the place of its tree. What is in it is rescued.
    pub(super) found: Tree,
}

/// Removes a leased worktree. Nobody finds it any more when this returns; that this survives a power failure is what the
/// returned has to be flushed for, which takes longer than all the rest and keeps nobody else waiting.
///
/// If it fails and the record says that it is being removed, some of it may be done.
pub(super) fn end(layout: &Layout, record: &mut Record, end: End) -> Result<Written> {
    let named = name_slot(layout, record);
    let _turn = fence::enter(layout, record)?;
    named.map_or(Ok(()), Draft::put)?;
    let mut pen = Pen::take(layout)?;
    pen.write(record, end.life)?;
    departure::begin(layout, record, end.tip)?;
    take_out(layout, record, end.found, &mut pen)?;
    pen.put_down()
}

/// Writes what the record says of the slot of a pool into which the tree goes. Put in its place before the tree, it is
/// there after a power failure that has undone the link and nothing else, when somebody has to know the tree.
///
/// This waits for the disk, and so is done before the lock is taken. Where it fails, the tree goes to the trash.
fn name_slot(layout: &Layout, record: &mut Record) -> Option<Draft> {
    if record.trash == record.own_trash() {
        return None;
    }
    let mut batch = Batch::default();
    let draft = record.draft_next(layout, &mut batch).and_then(|draft| batch.settle().map(|()| draft));
    draft.inspect_err(|_| record.trash = record.own_trash()).ok()
}

/// Goes on with the removal that the record describes, which says so durably.
pub(super) fn go_on(layout: &Layout, record: &Record, found: Tree) -> Result<()> {
    let _turn = turn(layout, record, fence::check)?;
    let mut pen = Pen::take(layout)?;
    take_out(layout, record, found, &mut pen)?;
    pen.put_down().map(drop)
}

fn take_out(layout: &Layout, record: &Record, found: Tree, pen: &mut Pen<'_>) -> Result<()> {
    let parts = &record.parts;
    let there = record.has_tree();
    if found == Tree::Absent && there {
        return Err(fault::strange(&parts.path, "its tree was put back while it was removed, and stays"));
    }
    // Only the very directory that we made; what somebody else put in its place is theirs.
    if there {
        disk::rename_new(&parts.path, &record.trash).map_err(fault::io("move to the trash", &parts.path))?;
        if !record.is_tree(&record.trash) {
            // Exchanged in the last moment.
            disk::rename_new(&record.trash, &parts.path).map_err(fault::io("put back", &parts.path))?;
            return Err(fault::strange(&parts.path, "another directory was put in the place of the tree"));
        }
    } else if disk::identity(&record.trash).is_some() && !record.is_tree(&record.trash) {
        return Err(fault::strange(&record.trash, "this is not the tree that was moved to the trash; look at it"));
    }
    let tip = match &record.stage {
        Stage::Removing { tip } => tip.as_ref(),
        _ => None,
    };
    pen.write(record, Life::Gone)?;
    leave(layout, record, tip)
}

/// Has a worktree be leased again whose removal was written down and whose tree did not go, and says whether that was so.
///
/// It stands where everybody finds it, so somebody may have worked in it since; what was rescued stays rescued.
pub(super) fn take_back(layout: &Layout, record: &mut Record) -> Result<bool> {
    let _turn = fence::enter(layout, record)?;
    if !record.has_tree() {
        return Ok(false);
    }
    record.stage = Stage::Leased;
    // From here on what says that it is leaving is about an earlier lease, also if a power failure brings it back.
    record.holder.lease = disk::token()?;
    // A pool may have named another place for it, which nobody keeps free any more.
    record.trash = record.own_trash();
    record.write(layout)?;
    departure::forget(layout, &record.admin)?;
    Ok(true)
}

/// Takes a creation back as far as it came.
pub(super) fn undo(layout: &Layout, record: &Record, progress: Progress) -> Result<()> {
    let _turn = turn(layout, record, |_, _| Ok(()))?;
    let parts = &record.parts;
    if record.has_tree() {
        disk::rename_new(&parts.path, &record.temporary).map_err(fault::io("take back", &parts.path))?;
    }
    leave(layout, record, progress.branch_made.then_some(&parts.base))
}

/// The lock of the repository, when it is checked that the record still holds. It tells how long ago its entry left, so it
/// must not be much older than that.
fn turn(layout: &Layout, record: &Record, check: impl Fn(&Layout, &Record) -> Result<()>) -> Result<Turn> {
    const MUCH: Duration = Duration::from_millis(100);
    let started = Instant::now();
    let turn = layout.turn()?;
    check(layout, record)?;
    if started.elapsed() > MUCH {
        record.write(layout)?;
    }
    Ok(turn)
}

/// Hides the admin directory from git, deletes the branch if it still names this commit, and frees the id.
fn leave(layout: &Layout, record: &Record, tip: Option<&CommitId>) -> Result<()> {
    let parts = &record.parts;
    let admin = record.admin_dir(layout);
    if disk::identity(&admin).is_some() {
        // One step: git passes by an entry without it, and whoever had read it before still finds all other files. The
        // lock stays, so that nobody prunes them.
        let gitdir = admin.join("gitdir");
        match std::fs::rename(&gitdir, admin.join("gitdir.left")) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(fault::io("hide", &gitdir)(e)),
            _ => {}
        }
    }
    if let (Some(branch), Some(tip)) = (&parts.branch, tip)
        && scan::user_of(&layout.common, branch, &record.admin)?.is_none()
    {
        detach(layout, record, tip);
        // A branch that moved on is somebody's work, and stays.
        refs::delete_branch(&layout.common, branch, base::object_id(tip)?)?;
    }
    let view = view::dir(&layout.common, &parts.id);
    if disk::identity(&view).is_some() {
        let leaving = layout.leaving_view(&record.admin);
        disk::rename_new(&view, &leaving).map_err(fault::io("move to the trash", &view))?;
    }
    record.retire(layout)
}

/// Has the entry stand on the commit instead of the branch, for a git that looks at it while the branch goes. Where that
/// fails, because somebody has put something strange in the place of `HEAD`, git has no use of it anyway.
fn detach(layout: &Layout, record: &Record, tip: &CommitId) {
    let head = record.admin_dir(layout).join("HEAD");
    let text = layout.staging().join(format!("{}.head", record.token));
    if head.symlink_metadata().is_ok() && disk::write_plain(&text, format!("{tip}\n").as_bytes()).is_ok() {
        let moved = std::fs::rename(&text, &head);
        let _ = moved.or_else(|_| std::fs::remove_file(&text));
    }
}
