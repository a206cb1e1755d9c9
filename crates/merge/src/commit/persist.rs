//! Brings what a strategy made in memory to the disk, and only what the candidate needs.
//!
//! A merge makes more objects than it keeps: files with conflict markers, virtual merge bases. Those never leave memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use gix::ObjectId;
use gix::objs::{Exists, Kind, TreeRefIter, Write};

use crate::{Error, Result, graph};

/// Whether what an object refers to was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    First,
    Last,
}

/// Writes the commit and every object of the session's memory that it reaches, and flushes them.
pub(crate) fn persist(session: &mut gix::Repository, commit: ObjectId) -> Result<()> {
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
        let damaged = || graph::unusable(id, "it was made damaged");
        match kind {
            Kind::Commit => {
                let parsed = gix::objs::CommitRef::from_bytes(data, id.kind()).map_err(|_| damaged())?;
                pending.extend(parsed.parents().chain([parsed.tree()]).map(|id| (id, Visit::First)));
            }
            Kind::Tree => {
                for entry in TreeRefIter::from_bytes(data, id.kind()) {
                    pending.push((entry.map_err(|_| damaged())?.oid.to_owned(), Visit::First));
                }
            }
            // What a tag names was there before.
            Kind::Blob | Kind::Tag => {}
        }
    }
    let mut written = Vec::new();
    for (id, kind, data) in ordered {
        if !session.objects.exists(&id) {
            session.objects.write_buf(kind, data).map_err(Error::git(format!("write object {id}")))?;
            written.push(id);
        }
    }
    flush(session, &written)
}

fn flush(session: &gix::Repository, written: &[ObjectId]) -> Result<()> {
    let objects = session.common_dir().join("objects");
    let mut paths = BTreeSet::<PathBuf>::new();
    for id in written {
        let hex = id.to_string();
        let directory = objects.join(&hex[..2]);
        paths.insert(directory.join(&hex[2..]));
        paths.insert(directory);
    }
    paths.insert(objects);
    for path in paths {
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(Error::git(format!("flush {path:?} to the disk")))?;
    }
    Ok(())
}
