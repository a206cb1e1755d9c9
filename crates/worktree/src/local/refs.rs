//! Changes of refs, each by compare-and-swap.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use gix::ObjectId;
use gix::refs::transaction::{Change, PreviousValue, RefEdit};
use gix::refs::{FullName, Target};

use super::{base, disk};
use crate::capture::fault;
use crate::{BranchName, Error, Rescue, Result, WorktreeId};

/// Who the reflogs name.
pub(super) const COMMITTER: &str = "hedgerow <hedgerow@localhost>";

const RESCUES: &str = "refs/hedgerow/rescue/";

/// Whether a compare-and-swap did what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swap {
    /// It did.
    Done,
    /// The ref was not as expected, and stays as it is.
    Refused,
}

/// The full name of a branch.
pub(super) fn full(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// What the branch names now, if it exists.
pub(super) fn branch_tip(repo: &gix::Repository, branch: &BranchName) -> Result<Option<ObjectId>> {
    let name = full(branch);
    let found = repo.try_find_reference(name.as_str()).map_err(fault::git(format!("read {name}")))?;
    Ok(found.and_then(|reference| reference.try_id().map(|id| id.detach())))
}

/// Creates the branch, or fails because it, or another one that excludes it, exists.
pub(super) fn create_branch(repo: &gix::Repository, branch: &BranchName, at: ObjectId) -> Result<()> {
    let taken = |problem: String| Error::Occupied { what: "branch", name: branch.to_string(), problem };
    if let Some(problem) = conflict(repo, branch)? {
        return Err(taken(problem));
    }
    let message = format!("branch: Created from {at}");
    let name = name(&full(branch))?;
    let edit = RefEdit::update(name, at, PreviousValue::MustNotExist, message);
    let edits = apply(repo, edit).map_err(|e| match branch_tip(repo, branch) {
        Ok(Some(_)) => taken(EXISTS.into()),
        _ => e,
    })?;
    // The library takes a branch that exists already with this very value for a success.
    let existed = edits.iter().any(|edit| {
        matches!(&edit.change, Change::Update { expected: PreviousValue::MustExistAndMatch(_), .. })
    });
    if existed { Err(taken(EXISTS.into())) } else { Ok(()) }
}

const EXISTS: &str = "a branch of this name exists already; choose another name, or delete it if it is not needed";

/// Which other ref excludes a branch of this name, in words: itself, one above it or one below it, loose or packed.
pub(super) fn conflict(repo: &gix::Repository, branch: &BranchName) -> Result<Option<String>> {
    if branch_tip(repo, branch)?.is_some() {
        return Ok(Some(EXISTS.into()));
    }
    let parts: Vec<_> = branch.as_str().split('/').collect();
    for end in 1..parts.len() {
        let above = format!("refs/heads/{}", parts[..end].join("/"));
        let found = repo.try_find_reference(above.as_str()).map_err(fault::git(format!("read {above}")))?;
        if found.is_some() {
            return Ok(Some(format!("git cannot have it beside the ref {above}; choose another name")));
        }
    }
    let below = format!("refs/heads/{branch}/");
    let all = repo.references().map_err(fault::git("read the refs"))?;
    let mut found = all.prefixed(below.as_str()).map_err(fault::git(format!("read the refs below {below}")))?;
    Ok(found.next().map(|_| format!("git cannot have it beside the refs below {below}; choose another name")))
}

/// Deletes the branch if it still names this commit.
pub(super) fn delete_branch(repo: &gix::Repository, branch: &BranchName, expected: ObjectId) -> Result<Swap> {
    match branch_tip(repo, branch)? {
        None => return Ok(Swap::Done),
        Some(tip) if tip != expected => return Ok(Swap::Refused),
        Some(_) => {}
    }
    let previous = PreviousValue::MustExistAndMatch(Target::Object(expected));
    match apply(repo, RefEdit::delete(name(&full(branch))?, previous)) {
        Ok(_) => Ok(Swap::Done),
        Err(e) => match branch_tip(repo, branch)? {
            Some(tip) if tip == expected => Err(e),
            Some(_) => Ok(Swap::Refused),
            None => Ok(Swap::Done),
        },
    }
}

/// Keeps the base of a worktree from being garbage-collected while it lives.
pub(super) fn pin_base(repo: &gix::Repository, id: &WorktreeId, base: ObjectId) -> Result<()> {
    apply(repo, RefEdit::update(pin(id)?, base, PreviousValue::Any, "hedgerow: base")).map(drop)
}

/// Gives the base up.
pub(super) fn unpin_base(repo: &gix::Repository, id: &WorktreeId) -> Result<()> {
    apply(repo, RefEdit::delete(pin(id)?, PreviousValue::Any)).map(drop)
}

/// All rescue refs of the repository.
pub(super) fn rescues(repo: &gix::Repository) -> Result<Vec<Rescue>> {
    let all = repo.references().map_err(fault::git("read the refs"))?;
    let below = all.prefixed(RESCUES).map_err(fault::git("read the rescue refs"))?;
    let mut found = Vec::new();
    for reference in below {
        let reference = reference.map_err(|e| Error::Git { action: "read a rescue ref".into(), source: e.into() })?;
        if let Some(id) = reference.try_id() {
            let name = reference.name().as_bstr().to_string();
            found.push(Rescue { reference: name, commit: base::commit_id(id.detach()) });
        }
    }
    Ok(found)
}

/// Makes a ref durable, together with the directories that lead to it.
pub(super) fn sync(common: &Path, reference: &str) -> Result<()> {
    let path = common.join(reference);
    match File::open(&path).and_then(|file| file.sync_all()) {
        // Packed by somebody meanwhile; git makes what it packs durable.
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        synced => synced.map_err(fault::io("flush", &path))?,
    }
    for dir in path.ancestors().skip(1).take_while(|dir| dir.starts_with(common) && *dir != common) {
        if dir.is_dir() {
            disk::sync_dir(dir)?;
        }
    }
    Ok(())
}

fn pin(id: &WorktreeId) -> Result<FullName> {
    name(&format!("refs/hedgerow/base/{id}"))
}

fn name(full: &str) -> Result<FullName> {
    FullName::try_from(full).map_err(fault::git(format!("use {full:?} as the name of a ref")))
}

fn apply(repo: &gix::Repository, edit: RefEdit) -> Result<Vec<RefEdit>> {
    let name = edit.name.as_bstr().to_string();
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let line = format!("{COMMITTER} {seconds} +0000");
    let committer = gix::actor::SignatureRef::from_bytes(line.as_bytes()).expect("the line is a signature");
    repo.edit_references_as(Some(edit), Some(committer)).map_err(|e| {
        if e.is_retryable() {
            Error::RefMoved { reference: name, problem: format!("it, or the packed refs, are locked: {e}") }
        } else {
            Error::Git { action: format!("change the ref {name}"), source: e.into() }
        }
    })
}
