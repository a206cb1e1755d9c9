//! Brings what a strategy made in memory to the disk, and only what the candidate needs.
//!
//! A merge makes more objects than it keeps: files with conflict markers, virtual merge bases. Those never leave memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use gix::ObjectId;
use gix::objs::{Exists, Kind, TreeRefIter, Write};

use crate::{Error, Result, graph};

/// Writes the commit and every object of the session's memory that it reaches, and flushes them.
pub(crate) fn persist(session: &mut gix::Repository, commit: ObjectId) -> Result<()> {
    let memory = session.objects.take_object_memory().unwrap_or_default();
    let mut ordered = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pending = vec![commit];
    while let Some(id) = pending.pop() {
        let Some((kind, data)) = memory.get(&id).filter(|_| seen.insert(id)) else { continue };
        match kind {
            Kind::Commit => {
                let parsed = gix::objs::CommitRef::from_bytes(data, id.kind());
                pending.push(parsed.map_err(|_| graph::unusable(id, "it was made damaged"))?.tree());
            }
            Kind::Tree => {
                for entry in TreeRefIter::from_bytes(data, id.kind()) {
                    pending.push(entry.map_err(|_| graph::unusable(id, "it was made damaged"))?.oid.to_owned());
                }
            }
            Kind::Blob | Kind::Tag => {}
        }
        ordered.push((id, *kind, data));
    }
    // What is referred to goes first: whoever finds the commit finds all of it.
    let mut written = Vec::new();
    for (id, kind, data) in ordered.into_iter().rev() {
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
