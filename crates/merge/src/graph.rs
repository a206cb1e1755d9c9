//! Commits: finding them, and how they relate.

use gix::ObjectId;

use crate::{CommitId, Error, Result};

/// The object id of a commit that must exist.
pub(crate) fn commit(session: &gix::Repository, id: &CommitId) -> Result<ObjectId> {
    let parsed = ObjectId::from_hex(id.as_str().as_bytes())
        .ok()
        .filter(|parsed| parsed.kind() == session.object_hash())
        .ok_or_else(|| unusable(id, "the repository uses another hash"))?;
    tree_of(session, parsed).map(|_| parsed)
}

/// The tree of a commit.
pub(crate) fn tree_of(session: &gix::Repository, id: ObjectId) -> Result<ObjectId> {
    let object = session
        .try_find_object(id)
        .map_err(Error::git(format!("read object {id}")))?
        .ok_or_else(|| unusable(id, "it is not in the repository; fetch it, or check the id"))?;
    let commit = object.try_into_commit().map_err(|_| unusable(id, "it is not a commit"))?;
    Ok(commit.tree_id().map_err(|_| unusable(id, "it is a damaged commit"))?.detach())
}

/// The parents of a commit, in order.
pub(crate) fn parents(session: &gix::Repository, id: ObjectId) -> Result<Vec<ObjectId>> {
    let commit = session.find_commit(id).map_err(Error::git(format!("read commit {id}")))?;
    Ok(commit.parent_ids().map(|id| id.detach()).collect())
}

/// The tree with nothing in it. The session must keep objects in memory.
pub(crate) fn empty_tree(session: &gix::Repository) -> Result<ObjectId> {
    Ok(session.write_object(gix::objs::Tree::empty()).map_err(Error::git("write an empty tree"))?.detach())
}

/// The order in which git merges several merge bases: by date, as their committers said.
pub(crate) fn oldest_first(session: &gix::Repository, bases: &[ObjectId]) -> Result<Vec<ObjectId>> {
    let dated = |id: &ObjectId| {
        let commit = session.find_commit(*id).map_err(Error::git(format!("read commit {id}")))?;
        Ok((commit.time().map_err(|_| unusable(*id, "it is a damaged commit"))?.seconds, *id))
    };
    let mut dated = bases.iter().rev().map(dated).collect::<Result<Vec<_>>>()?;
    dated.sort_by_key(|(time, _)| *time);
    Ok(dated.into_iter().map(|(_, id)| id).collect())
}

/// All best common ancestors of two commits, best first.
pub(crate) fn merge_bases(session: &gix::Repository, one: ObjectId, two: ObjectId) -> Result<Vec<ObjectId>> {
    let bases = session
        .merge_bases_many(one, &[two])
        .map_err(Error::git(format!("find the merge bases of {one} and {two}")))?;
    Ok(bases.into_iter().map(|id| id.detach()).collect())
}

/// Whether `commit` is `ancestor` or descends from it.
pub(crate) fn contains(session: &gix::Repository, commit: ObjectId, ancestor: ObjectId) -> Result<bool> {
    // Mostly it is a parent, and then no history has to be walked.
    let near = commit == ancestor || parents(session, commit)?.contains(&ancestor);
    Ok(near || merge_bases(session, commit, ancestor)?.contains(&ancestor))
}

/// The id as the public interface gives it.
pub(crate) fn public(id: ObjectId) -> Result<CommitId> {
    CommitId::new(id.to_string())
}

/// The error for an object that is not there; `what` says what it is.
pub(crate) fn missing(session: &gix::Repository, id: ObjectId, what: &str) -> Error {
    // Nothing is fetched here, not even by git's own program: who may talk to whom is the embedder's to say.
    let config = session.config_snapshot();
    let mut remotes = config.plumbing().sections_by_name("remote").into_iter().flatten();
    let partial = config.string("extensions.partialClone").is_some()
        || remotes.any(|remote| remote.contains_value_name("promisor"));
    let problem = match partial {
        true => format!(
            "{what} is missing, because the clone is partial, and nothing is fetched here; have git fetch it: \
             'git merge-tree' of the two sides fetches what a merge needs, 'git fetch --refetch --no-filter' everything"
        ),
        false => format!("{what} is missing"),
    };
    unusable(id, problem)
}

pub(crate) fn unusable(id: impl ToString, problem: impl Into<String>) -> Error {
    Error::Object { id: id.to_string(), problem: problem.into() }
}
