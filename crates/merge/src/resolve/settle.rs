//! From answers to a commit that descends from both sides.
//!
//! The two sides are merged again with each answer in both of them: what both have in the same way does not conflict, and
//! everything else is merged as it always is. So nothing but the answers is decided here.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;

use super::{Answer, Answered, Content, File, Resolution, ResolvedPath, Version, involved};
use crate::commit::{self, draft, persist};
use crate::conflict::entry_in;
use crate::engine::{Merged, merge};
use crate::{
    Change, CommitId, Conflict, ConflictPath, Error, Markers, Rendered, RepoPath, Repository, Result, conserve, graph,
};

/// What came of settling a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the conflict may still be open"]
pub enum Settled {
    /// Everything is decided. The tip is a new tip of the change.
    Resolved(Resolution),
    /// This is still open. Nothing was made.
    Open(Conflict),
}

/// What is put where nobody has answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The file with markers; where there is no text, the target's version, or the change's where the target has none.
    Markers(Markers),
    /// One of the versions.
    Take(Version),
}

impl Repository {
    /// Makes answers a commit whose parents are the change and the target, in this order.
    ///
    /// `change` is what was prepared when the conflict was found; its subject, trailers and committer are those of the
    /// commit, with a trailer `Resolved-By` for each answer. The same input gives the same id, and the objects are flushed
    /// to the disk. Prepare the new tip as a change of its own; a [`Rebase`](crate::Rebase) refuses it, being a merge.
    ///
    /// # Errors
    /// [`Error::Object`] when an object is missing, an answer is for another conflict, has a mode or a path that no tree may
    /// have, or when the conflict is not that of merging two commits but of a step in a series (merge such a change instead).
    pub fn settle(&self, conflict: &Conflict, answers: &[Answered], change: &Change) -> Result<Settled> {
        if change.tip != conflict.theirs {
            let problem =
                format!("the conflict is about {}, not this; give the change that conflicted", conflict.theirs);
            return Err(graph::unusable(&change.tip, problem));
        }
        self.in_memory(|session| {
            let with = answers.iter().map(|answered| &answered.answer);
            let (sides, tree) = match merged(session, conflict, with)? {
                Ok(found) => found,
                Err(open) => return Ok(Settled::Open(open)),
            };
            let dropped = conserve::of_trees(session, sides.ours, sides.theirs, tree)?;
            let mut resolved = Vec::new();
            for (path, answered) in by_path(conflict, answers) {
                let files =
                    answered.answer.files.iter().map(|(name, _)| entry_in(session, tree, name.as_bytes().as_bstr()));
                let files = files.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
                let (conflict, path) = (path.id.clone(), path.path.clone());
                resolved.push(ResolvedPath { conflict, path, by: answered.by.clone(), files });
            }
            let said = resolved.iter().map(|path| ("Resolved-By".to_owned(), format!("{} {}", path.by, path.path)));
            let trailers = change.trailers.iter().cloned().chain(said).collect();
            let change = Change { trailers, ..change.clone() };
            let tip = draft(session, tree, &[sides.theirs, sides.ours], self.by(&change))?;
            persist::persist(session, tip)?;
            let (ours, theirs) = (conflict.ours.clone(), conflict.theirs.clone());
            Ok(Settled::Resolved(Resolution { tip: graph::public(tip)?, ours, theirs, resolved, dropped }))
        })
    }

    /// Makes a commit of a conflict that is still open in places, for a program, an agent or a person to go on with.
    ///
    /// Its parents are the change and the target. No ref names it, and git's garbage collection removes it after two weeks. Nothing
    /// when even so it does not merge, as where the histories are unrelated.
    ///
    /// # Errors
    /// As [`settle`](Self::settle) says.
    pub fn sketch(&self, conflict: &Conflict, answers: &[Answered], fill: &Fill) -> Result<Option<CommitId>> {
        let mut filled: Vec<Answer> = Vec::new();
        for path in conflict.paths.iter().filter(|path| !path.path.is_empty()) {
            if !answers.iter().any(|answered| answered.answer.conflict == path.id) {
                filled.push(self.filling(conflict, path, fill)?);
            }
        }
        self.in_memory(|session| {
            let with = answers.iter().map(|answered| &answered.answer).chain(&filled);
            let Ok((sides, tree)) = merged(session, conflict, with)? else { return Ok(None) };
            let made = commit::scratch(session, tree, &[sides.theirs, sides.ours])?;
            persist::persist(session, made)?;
            graph::public(made).map(Some)
        })
    }

    fn filling(&self, conflict: &Conflict, path: &ConflictPath, fill: &Fill) -> Result<Answer> {
        let markers = match fill {
            Fill::Take(version) => return Ok(version.answer(path)),
            Fill::Markers(markers) => markers,
        };
        let entry = path.ours().or(path.theirs()).or(path.base());
        let Some(entry) = entry else { return Ok(Answer::delete(path)) };
        Ok(match self.render(conflict, path, markers)? {
            Rendered::Text(text) => Answer::file(path, File { mode: entry.mode, content: Content::Bytes(text) }),
            Rendered::NoText => Answer::file(path, File::of(entry)),
        })
    }
}

struct Sides {
    ours: ObjectId,
    theirs: ObjectId,
}

/// Merges both sides with the answers in them. The session must keep objects in memory.
fn merged<'a>(
    session: &gix::Repository,
    conflict: &Conflict,
    answers: impl Iterator<Item = &'a Answer>,
) -> Result<std::result::Result<(Sides, ObjectId), Conflict>> {
    let (ours, theirs) = (graph::commit(session, &conflict.ours)?, graph::commit(session, &conflict.theirs)?);
    let mut bases =
        graph::merge_bases(session, ours, theirs)?.into_iter().map(graph::public).collect::<Result<Vec<_>>>()?;
    let mut expected = conflict.bases.clone();
    bases.sort();
    expected.sort();
    if bases != expected {
        let problem =
            "the conflict is that of a step in a series; prepare the change with a merge or a squash and resolve that";
        return Err(graph::unusable(theirs, problem));
    }
    let mut removed: Vec<&RepoPath> = Vec::new();
    let mut files: BTreeMap<&RepoPath, &File> = BTreeMap::new();
    for answer in answers {
        let found = conflict.paths.iter().find(|path| path.id == answer.conflict);
        let path = found.ok_or_else(|| graph::unusable(&answer.conflict, "it is not a part of this conflict"))?;
        let involved = involved(path);
        for (name, file) in &answer.files {
            if !involved.contains(&name) {
                return Err(graph::unusable(
                    name,
                    "an answer gives a file there, which does not conflict; leave it out",
                ));
            }
            if files.insert(name, file).is_some_and(|other| other != file) {
                return Err(graph::unusable(name, "two answers give different files there; decide for one"));
            }
        }
        removed.extend(involved);
    }
    let mut sides = Vec::new();
    for commit in [ours, theirs] {
        let tree = with(session, graph::tree_of(session, commit)?, &removed, &files)?;
        sides.push(commit::scratch(session, tree, &[commit])?);
    }
    Ok(match merge(session, sides[0], sides[1])? {
        Merged::Clean { tree, .. } => Ok((Sides { ours, theirs }, tree)),
        Merged::Contained => Ok((Sides { ours, theirs }, graph::tree_of(session, sides[0])?)),
        Merged::Conflict(open) => {
            let (ours, theirs, bases) = (conflict.ours.clone(), conflict.theirs.clone(), conflict.bases.clone());
            Err(Conflict { ours, theirs, bases, paths: open.paths })
        }
    })
}

/// A tree without some paths and with some files.
fn with(
    session: &gix::Repository,
    tree: ObjectId,
    removed: &[&RepoPath],
    files: &BTreeMap<&RepoPath, &File>,
) -> Result<ObjectId> {
    let mut editor = session.edit_tree(tree).map_err(Error::git("write a resolved tree"))?;
    for path in removed {
        // Where one side has a directory, what is in it is no part of this conflict.
        if entry_in(session, tree, path.as_bytes().as_bstr())?.is_none() {
            continue;
        }
        editor.remove(path.as_bytes().as_bstr()).map_err(Error::git("write a resolved tree"))?;
    }
    for (path, file) in files {
        let (kind, id) = object(session, path, file)?;
        editor.upsert(path.as_bytes().as_bstr(), kind, id).map_err(Error::git("write a resolved tree"))?;
    }
    Ok(editor.write().map_err(Error::git("write a resolved tree"))?.detach())
}

fn object(session: &gix::Repository, path: &RepoPath, file: &File) -> Result<(EntryKind, ObjectId)> {
    let bad = |problem: &str| graph::unusable(path, format!("the answer for it cannot be used: {problem}"));
    if path.as_bytes().split(|byte| *byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")) {
        return Err(bad("no tree can have such a path"));
    }
    let kind = match file.mode {
        0o100_644 => EntryKind::Blob,
        0o100_755 => EntryKind::BlobExecutable,
        0o120_000 => EntryKind::Link,
        0o160_000 => EntryKind::Commit,
        other => return Err(bad(&format!("{other:o} is no mode of a file"))),
    };
    let id = match &file.content {
        Content::Bytes(_) if kind == EntryKind::Commit => return Err(bad("a submodule is at a commit; give its id")),
        Content::Bytes(bytes) => session.write_blob(bytes).map_err(Error::git("write an answer"))?.detach(),
        Content::Object(id) => {
            let id = ObjectId::from_hex(id.as_bytes()).ok().filter(|id| id.kind() == session.object_hash());
            id.ok_or_else(|| bad("its content is no object id of this repository"))?
        }
    };
    if kind != EntryKind::Commit && !session.find_header(id).is_ok_and(|found| found.kind() == gix::objs::Kind::Blob) {
        return Err(bad(&format!("{id} is no content in this repository")));
    }
    Ok((kind, id))
}

/// The answers in the order of paths.
fn by_path<'a>(conflict: &'a Conflict, answers: &'a [Answered]) -> Vec<(&'a ConflictPath, &'a Answered)> {
    let found = |path: &'a ConflictPath| {
        answers.iter().find(|answered| answered.answer.conflict == path.id).map(|answered| (path, answered))
    };
    conflict.paths.iter().filter_map(found).collect()
}

/// What is not as a resolution says, if anything. The session must keep objects in memory.
pub(crate) fn doubt(session: &gix::Repository, resolution: &Resolution) -> Result<Option<Doubted>> {
    let [tip, ours, theirs] =
        [&resolution.tip, &resolution.ours, &resolution.theirs].map(|id| graph::commit(session, id));
    let (tip, ours, theirs) = (tip?, ours?, theirs?);
    if graph::parents(session, tip)? != [theirs, ours] {
        return Ok(Some(Doubted::Shape));
    }
    let mut losses = conserve::of_trees(session, ours, theirs, graph::tree_of(session, tip)?)?;
    losses.retain(|loss| !resolution.dropped.contains(loss));
    Ok((!losses.is_empty()).then_some(Doubted::Lost(losses)))
}

/// What is wrong with a resolution.
pub(crate) enum Doubted {
    /// Its tip is no merge of the two sides.
    Shape,
    /// It lacks this, and does not say so.
    Lost(Vec<crate::Loss>),
}
