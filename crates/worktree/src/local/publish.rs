//! Makes a finished worktree visible with two renames.
//!
//! Everything here runs under the lock of the repository and can be killed after any step: between the two renames git
//! sees a locked worktree whose tree is absent, which it and everybody else leaves alone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use super::record::Record;
use super::{base, refs, scan};
use crate::capture::fault;
use crate::disk;
use crate::swap::Staged;
use crate::{Error, Result, Taken};

/// Who publishes.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// The creator: the branch, for which this is staged, must not exist.
    Creator(Option<&'a Staged>),
    /// A recovery of what the creator had begun: it may have made the branch already.
    Recovery,
}

/// How far publishing came; what undoing it needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Whether the branch is ours to delete.
    pub(super) branch_made: bool,
}

/// Publishes what the record describes, from wherever an earlier attempt stopped.
pub(super) fn publish(
    repo: &gix::Repository,
    layout: &Layout,
    record: &Record,
    by: By<'_>,
    progress: &mut Progress,
) -> Result<()> {
    let _turn = layout.turn()?;
    let parts = &record.parts;
    let (staged, published) = (record.staging_dir(layout), record.admin_dir(layout));
    if disk::identity(&published).is_none() {
        if parts.path.symlink_metadata().is_ok() {
            return Err(path_taken(&parts.path));
        }
        make_branch(repo, layout, record, by, progress)?;
        move_admin(layout, &staged, &published)?;
        // From here on the entry says whose the branch is.
        disk::remove_file(&announcement(layout, record))?;
    }
    if record.has_tree() {
        return Ok(());
    }
    let git_file = record.temporary.join(".git");
    let text = format!("gitdir: {}\n", published.display());
    // A tree that comes out of a pool was somebody's before.
    disk::write_plain(&git_file, text.as_bytes())?;
    disk::rename_new(&record.temporary, &parts.path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => path_taken(&parts.path),
        _ => fault::io("move the new tree to", &parts.path)(e),
    })
}

fn make_branch(
    repo: &gix::Repository,
    layout: &Layout,
    record: &Record,
    by: By<'_>,
    progress: &mut Progress,
) -> Result<()> {
    let Some(branch) = &record.parts.branch else { return Ok(()) };
    let at = base::object_id(&record.parts.base)?;
    if let Some(problem) = scan::user_of(&layout.common, branch, &record.admin)? {
        return Err(refs::taken(layout, branch, problem));
    }
    let remade;
    let staged = match by {
        By::Recovery if is_branch_ours(layout, record) && refs::branch_tip(repo, branch)? == Some(at) => {
            progress.branch_made = true;
            return Ok(());
        }
        By::Recovery | By::Creator(None) => {
            remade = Staged::durable(&layout.common, at)?;
            &remade
        }
        By::Creator(Some(staged)) => staged,
    };
    // Before it is announced: a branch that somebody else made is never to be taken for ours.
    if let Some(problem) = refs::conflict(repo, branch)? {
        return Err(refs::taken(layout, branch, problem));
    }
    let announcement = announcement(layout, record);
    disk::write_plain(&announcement, b"")?;
    if let Err(e) = refs::create_branch(repo, branch, staged) {
        disk::remove_file(&announcement)?;
        return Err(e);
    }
    progress.branch_made = true;
    Ok(())
}

/// Lies there while the branch may have been made and no entry says so yet. Whoever deletes what is staged for this
/// worktree deletes it too.
fn announcement(layout: &Layout, record: &Record) -> PathBuf {
    layout.staging().join(format!("{}.branch", record.token))
}

/// Whether a branch of this name that is at the base was made by the creator of this worktree.
pub(super) fn is_branch_ours(layout: &Layout, record: &Record) -> bool {
    announcement(layout, record).symlink_metadata().is_ok() || disk::identity(&record.admin_dir(layout)).is_some()
}

fn move_admin(layout: &Layout, staged: &Path, published: &Path) -> Result<()> {
    const ATTEMPTS: usize = 16;
    let admins = layout.admins();
    let mut last = ErrorKind::NotFound.into();
    for _ in 0..ATTEMPTS {
        std::fs::create_dir_all(&admins).map_err(fault::io("create", &admins))?;
        match disk::rename_new(staged, published) {
            Ok(()) => return Ok(()),
            // git removes the directory together with its last entry, perhaps at this very moment.
            Err(e) if e.kind() == ErrorKind::NotFound => last = e,
            Err(e) => return Err(fault::io("publish", published)(e)),
        }
    }
    Err(fault::io("publish", published)(last))
}

fn path_taken(path: &Path) -> Error {
    let problem = "something is there already; move it away, or choose another id".to_owned();
    Error::Occupied { what: Taken::Path, name: path.display().to_string(), problem }
}
