//! Trees from what changed in them.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryMode;
use gix::objs::{Kind, Write};

use super::entries::Edits;
use super::failed;
use super::tree::{self, Entry};
use crate::Result;

/// What changes in one directory.
#[derive(Default)]
struct Directory {
    entries: BTreeMap<BString, Option<Entry>>,
    below: BTreeMap<BString, Directory>,
}

/// Our tree with the edits; it is kept in memory.
pub(super) fn write(session: &gix::Repository, ours: ObjectId, edits: Edits) -> Result<ObjectId> {
    let mut root = Directory::default();
    for (path, entry) in edits {
        let mut directory = &mut root;
        let (above, name) = tree::split(path.as_bstr());
        for part in above.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            directory = directory.below.entry(part.as_bstr().to_owned()).or_default();
        }
        directory.entries.insert(name.to_owned(), entry);
    }
    match root.write(session, Some(ours))? {
        Some(id) => Ok(id),
        None => session.objects.write_buf(Kind::Tree, &[]).map_err(failed("keep an empty tree")),
    }
}

impl Directory {
    /// The tree, or nothing where nothing is left in it.
    fn write(self, session: &gix::Repository, ours: Option<ObjectId>) -> Result<Option<ObjectId>> {
        let mut buf = Vec::new();
        let before = ours.map_or_else(|| Ok(Vec::new()), |ours| tree::read(session, ours, &mut buf))?;
        let mut changed: BTreeMap<&BStr, Option<Entry>> = BTreeMap::new();
        let mut same = true;
        let had: BTreeMap<&BStr, Entry> = before.iter().copied().collect();
        for (name, entry) in &self.entries {
            same &= had.get(name.as_bstr()) == entry.as_ref();
            changed.insert(name.as_bstr(), *entry);
        }
        let mut made = Vec::new();
        for (name, directory) in self.below {
            let had = had.get(name.as_bstr()).filter(|entry| entry.is_tree()).map(|entry| entry.id);
            let from = match self.entries.get(&name) {
                // The whole directory was replaced, and something in it edited.
                Some(entry) => entry.filter(|entry| entry.is_tree()).map(|entry| entry.id),
                None => had,
            };
            let id = directory.write(session, from)?;
            made.push((name, id, had));
        }
        for (name, id, before) in &made {
            let kind = gix::objs::tree::EntryKind::Tree;
            match id {
                Some(id) => _ = changed.insert(name.as_bstr(), Some(Entry { kind, id: *id })),
                // A file may have taken the place of a directory that was emptied.
                None if changed.get(name.as_bstr()).is_some_and(Option::is_some) => {}
                None if before.is_none() => continue,
                None => _ = changed.insert(name.as_bstr(), None),
            }
            same &= id == before;
        }
        if same && ours.is_some() {
            return Ok(ours);
        }
        let kept = before.iter().filter(|(name, _)| !changed.contains_key(name)).copied();
        let new = changed.iter().filter_map(|(name, entry)| entry.map(|entry| (*name, entry)));
        let mut entries: Vec<_> = kept.chain(new).collect();
        if entries.is_empty() {
            return Ok(None);
        }
        entries.sort_by(|(a, one), (b, other)| tree::compare((a, one.is_tree()), (b, other.is_tree())));
        let mut data = Vec::with_capacity(buf_size(&entries));
        for (name, entry) in entries {
            let mode = EntryMode::from(entry.kind);
            data.extend_from_slice(format!("{:o} ", mode.value()).as_bytes());
            data.extend_from_slice(name);
            data.push(0);
            data.extend_from_slice(entry.id.as_slice());
        }
        session.objects.write_buf(Kind::Tree, &data).map(Some).map_err(failed("keep a tree"))
    }
}

fn buf_size(entries: &[(&BStr, Entry)]) -> usize {
    entries.iter().map(|(name, entry)| name.len() + entry.id.as_slice().len() + 8).sum()
}
