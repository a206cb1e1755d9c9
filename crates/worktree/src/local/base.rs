//! From what the caller names as a base to one commit.

use gix::ObjectId;

use crate::capture::fault;
use crate::{Base, BranchName, CommitId, Error, Result};

/// Resolves the base once.
pub(super) fn resolve(repo: &gix::Repository, base: &Base) -> Result<ObjectId> {
    match base {
        Base::Head => head(repo),
        Base::Branch(name) => branch(repo, name),
        Base::Commit(id) => commit(repo, id),
    }
}

/// The object id behind the text.
pub(super) fn object_id(id: &CommitId) -> Result<ObjectId> {
    ObjectId::from_hex(id.as_str().as_bytes()).map_err(|e| refuse(id.as_str(), format!("it is no object id: {e}")))
}

/// The text of an object id.
pub(super) fn commit_id(id: ObjectId) -> CommitId {
    CommitId::new(id.to_string()).expect("an object id prints as one")
}

fn head(repo: &gix::Repository) -> Result<ObjectId> {
    let head = repo.head().map_err(|e| refuse("HEAD", format!("it cannot be read: {e}")))?;
    if head.is_unborn() {
        let name = head.referent_name().map(|name| name.shorten().to_string()).unwrap_or_default();
        let problem = format!("the branch {name:?} has no commit yet; make a first commit, or name another base");
        return Err(refuse("HEAD", problem));
    }
    let commit = repo.head_commit().map_err(|e| refuse("HEAD", format!("it does not lead to a commit: {e}")))?;
    Ok(commit.id)
}

fn branch(repo: &gix::Repository, name: &BranchName) -> Result<ObjectId> {
    let full = format!("refs/heads/{name}");
    let found = repo.try_find_reference(full.as_str()).map_err(fault::git(format!("read {full}")))?;
    let Some(mut reference) = found else {
        return Err(refuse(name.as_str(), "there is no such branch; see `git branch --list`"));
    };
    let commit = reference.peel_to_commit();
    Ok(commit.map_err(|e| refuse(name.as_str(), format!("it does not lead to a commit: {e}")))?.id)
}

fn commit(repo: &gix::Repository, id: &CommitId) -> Result<ObjectId> {
    let oid = object_id(id)?;
    if oid.kind() != repo.object_hash() {
        return Err(refuse(id.as_str(), format!("the object ids of this repository are {} ones", repo.object_hash())));
    }
    let found = repo.try_find_object(oid).map_err(fault::git(format!("read object {id}")))?;
    let Some(object) = found else {
        return Err(refuse(id.as_str(), "there is no such object in this repository; fetch it first"));
    };
    match object.try_into_commit() {
        Ok(commit) => Ok(commit.id),
        Err(_) => Err(refuse(id.as_str(), "it names an object that is not a commit")),
    }
}

fn refuse(revision: &str, problem: impl Into<String>) -> Error {
    Error::Base { revision: revision.to_owned(), problem: problem.into() }
}
