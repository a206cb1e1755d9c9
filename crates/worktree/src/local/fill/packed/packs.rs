//! The packs of a repository, held open.

use gix::ObjectId;
use gix::odb::pack::data::Entry;
use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};
use gix::zlib::Inflate;

/// Where in which pack an object begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::local::fill) struct Spot {
    pub(super) pack: u32,
    pub(super) offset: u64,
}

/// What lies in one spot.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) entry: Entry,
    /// The object that it is a delta of.
    pub(super) base: Option<Spot>,
}

/// All packs, mapped. What is deleted by a repack stays readable.
pub(in crate::local::fill) struct Packs {
    packs: Vec<(index::File, data::File)>,
    /// The pack in which an object was found last; the next one is mostly there too.
    last: usize,
}

/// With more packs than this, looking for an object in one after the other takes longer than what it brings.
const MOST: usize = 64;

impl Packs {
    /// Opens them. What cannot be opened is left out, for whoever reads its objects in another way to complain about.
    pub(in crate::local::fill) fn open(repo: &gix::Repository) -> Option<Self> {
        let store = repo.objects.store_ref();
        // An object that stands for another one is not found by looking for that.
        if store.replacements().next().is_some() && !repo.objects.ignore_replacements {
            return None;
        }
        let alternates = store.alternate_db_paths().ok()?;
        let mut files = Vec::new();
        for objects in std::iter::once(store.path().to_owned()).chain(alternates) {
            let listed = std::fs::read_dir(objects.join("pack")).into_iter().flatten().flatten();
            files.extend(listed.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "idx")));
        }
        if files.len() > MOST {
            return None;
        }
        let hash = repo.object_hash();
        let open = |idx: &std::path::PathBuf| -> gix::Result<_> {
            Ok((index::File::at(idx, hash)?, data::File::at(idx.with_extension("pack"), hash)?))
        };
        let packs: Vec<_> = files.iter().filter_map(|idx| open(idx).ok()).collect();
        (!packs.is_empty()).then_some(Self { packs, last: 0 })
    }

    /// Where this object is.
    pub(in crate::local::fill) fn find(&mut self, id: &ObjectId) -> Option<Spot> {
        let at = |pack: usize| {
            let index = &self.packs[pack].0;
            index.lookup(id).map(|found| Spot { pack: pack as u32, offset: index.pack_offset_at_index(found) })
        };
        let found = at(self.last).or_else(|| (0..self.packs.len()).filter(|pack| *pack != self.last).find_map(at))?;
        self.last = found.pack as usize;
        Some(found)
    }

    /// What is there; none when it cannot be told.
    pub(super) fn look(&self, spot: Spot) -> Option<Stored> {
        let (index, data) = &self.packs[spot.pack as usize];
        let entry = data.entry(spot.offset).ok()?;
        let offset = match entry.header {
            Header::OfsDelta { base_distance } => Some(entry.checked_base_pack_offset(base_distance)?),
            Header::RefDelta { base_id } => Some(index.pack_offset_at_index(index.lookup(base_id)?)),
            _ => None,
        };
        Some(Stored { base: offset.map(|offset| Spot { offset, ..spot }), entry })
    }

    /// Unpacks what is stored there, which may be a delta, in the place of what the buffer holds.
    pub(super) fn unpack(&self, pack: u32, entry: &Entry, inflate: &mut Inflate, into: &mut Vec<u8>) -> Option<()> {
        let size = usize::try_from(entry.decompressed_size).ok()?;
        into.clear();
        into.try_reserve_exact(size).ok()?;
        into.resize(size, 0);
        self.packs[pack as usize].1.decompress_entry(entry, inflate, into).ok().map(drop)
    }
}
