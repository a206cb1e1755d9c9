//! Refs whose trees several may add to at once: notes, and recorded resolutions.

use gix::ObjectId;
use gix::actor::Signature;

use crate::commit::{self, persist};
use crate::refs::{self, Move, RefName, Swap};
use crate::{Error, Result, graph};

/// What is said of an addition.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// One line for the log.
    pub(crate) message: &'a str,
    pub(crate) who: &'a Signature,
    /// A commit that shall stay in the repository as long as this.
    pub(crate) keep: Option<ObjectId>,
}

/// Has the tree of a ref edited, and again when somebody else was faster. Durable when it returns. The session must keep
/// objects in memory.
///
/// `edit` gets the tree of now and gives another one, or the same one when there is nothing to do.
pub(crate) fn add(
    session: &mut gix::Repository,
    name: &RefName,
    entry: Entry<'_>,
    mut edit: impl FnMut(&gix::Repository, ObjectId) -> Result<ObjectId>,
) -> Result<()> {
    loop {
        let tip = refs::read(session, name)?;
        let before = match tip {
            Some(tip) => graph::tree_of(session, tip)?,
            None => graph::empty_tree(session)?,
        };
        let tree = edit(session, before)?;
        if tree == before {
            // Whoever wrote it may have been killed before it was on the disk.
            return refs::flush(session, name);
        }
        let Entry { message, who, keep } = entry;
        let parents: Vec<ObjectId> = tip.into_iter().chain(keep).collect();
        let noted = commit::noted(session, tree, &parents, who)?;
        let written = persist::write(session, noted)?;
        match refs::compare_and_swap(session, name, &Move { expected: tip, new: noted, message, who }, written)? {
            Swap::Refused(never) => match never {},
            Swap::Moved => return Ok(()),
            // Somebody else added something meanwhile, so somebody always gets on.
            Swap::Elsewhere(_) => {
                session.objects.set_object_memory(Default::default());
            }
        }
    }
}

/// What a tree of such a ref has at a path, if it is a file and no longer than `longest`. What is longer was not written here.
pub(crate) fn file(session: &gix::Repository, tree: ObjectId, path: &str, longest: u64) -> Result<Option<Vec<u8>>> {
    let tree = session.find_tree(tree).map_err(Error::git("read notes"))?;
    let entry = tree.lookup_entry(path.split('/')).map_err(Error::git("read notes"))?;
    match entry.filter(|entry| entry.mode().is_blob()) {
        Some(entry) => match session.find_header(entry.object_id()).map_err(Error::git("read notes"))?.size() {
            size if size > longest => Ok(None),
            _ => content(session, entry.object_id(), longest).map(Some),
        },
        None => Ok(None),
    }
}

/// The bytes of an object. What is longer was not written by this crate, and is not read into memory.
pub(crate) fn content(session: &gix::Repository, id: ObjectId, longest: u64) -> Result<Vec<u8>> {
    let header = session.find_header(id).map_err(Error::git("read notes"))?;
    if header.size() > longest {
        return Err(graph::unusable(id, format!("notes of {} bytes are not read; remove them", header.size())));
    }
    let mut object = session.find_object(id).map_err(Error::git("read notes"))?;
    Ok(std::mem::take(&mut object.data))
}
