//! Brings what a strategy made in memory to the disk, and only what the candidate needs.
//!
//! A merge makes more objects than it keeps: files with conflict markers, virtual merge bases. Those never leave memory.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::objs::{Exists, Kind, TreeRefIter, Write};

use crate::flush::Unflushed;
use crate::{Error, Result, graph};

/// Whether what an object refers to was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    First,
    Last,
}

/// Writes the commit and every object of the session's memory that it reaches, and flushes them.
pub(crate) fn persist(session: &mut gix::Repository, commit: ObjectId) -> Result<()> {
    write(session, commit)?.flush()
}

/// Writes them; no ref may name them before they are flushed.
pub(crate) fn write(session: &mut gix::Repository, commit: ObjectId) -> Result<Unflushed> {
    let memory = session.objects.take_object_memory().unwrap_or_default();
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pending = vec![(commit, Visit::First)];
    while let Some((id, visit)) = pending.pop() {
        let Some((kind, data)) = memory.get(&id) else { continue };
        // What is referred to goes first: whoever finds an object finds all of it.
        if visit == Visit::Last {
            ordered.push((id, *kind, data));
            continue;
        }
        if !seen.insert(id) {
            continue;
        }
        pending.push((id, Visit::Last));
        pending.extend(references(id, *kind, data)?.into_iter().map(|id| (id, Visit::First)));
    }
    let objects = session.common_dir().join("objects");
    let mut written = Unflushed::default();
    for (id, kind, data) in ordered {
        if !session.objects.exists(&id) {
            session.objects.write_buf(kind, data).map_err(Error::git(format!("write object {id}")))?;
        }
        // One that is there may be what a process wrote that was killed before it was on the disk.
        let hex = id.to_string();
        written.add_named(&objects.join(&hex[..2]).join(&hex[2..]));
    }
    written.add(objects);
    Ok(written)
}

/// What an object refers to. What a tag names was there before it.
pub(crate) fn references(id: ObjectId, kind: Kind, data: &[u8]) -> Result<Vec<ObjectId>> {
    let damaged = || graph::unusable(id, "it was made damaged");
    match kind {
        Kind::Commit => {
            let parsed = gix::objs::CommitRef::from_bytes(data, id.kind()).map_err(|_| damaged())?;
            Ok(parsed.parents().chain([parsed.tree()]).collect())
        }
        Kind::Tree => {
            let entries = TreeRefIter::from_bytes(data, id.kind());
            entries.map(|entry| entry.map(|entry| entry.oid.to_owned()).map_err(|_| damaged())).collect()
        }
        Kind::Blob | Kind::Tag => Ok(Vec::new()),
    }
}
