//! Reads a pack that an agent could write, from a copy that it cannot, and without its index.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use gix::ObjectId;
use gix::objs::Kind;

use super::inflate::{self, Budget};
use super::loose::Object;
use super::{delta, limits};

/// A pack whose objects were all unpacked and hashed once.
#[derive(Debug)]
pub(super) struct Pack {
    file: File,
    entries: Vec<Entry>,
    ids: HashMap<ObjectId, usize>,
}

#[derive(Debug)]
struct Entry {
    /// Where its zlib stream begins.
    start: u64,
    /// How much that stream holds.
    size: u64,
    held: Held,
    /// Where its base is, once that is known.
    base: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Whole(Kind),
    DeltaAt(usize),
    DeltaOf(ObjectId),
}

/// One object on the way down from a whole object through its deltas.
struct Frame {
    at: usize,
    data: Vec<u8>,
    waiting: Vec<usize>,
}

impl Pack {
    /// Unpacks everything in `file` once, so that each object is known by the hash of what it really holds.
    pub(super) fn index(file: File, hash: gix::hash::Kind, budget: &Budget) -> Result<Self, String> {
        let mut pack = Self { file, entries: Vec::new(), ids: HashMap::new() };
        let kinds = pack.scan(hash, budget)?;
        pack.resolve(kinds, hash, budget)?;
        Ok(pack)
    }

    /// Walks over the entries in their order; returns the whole ones.
    fn scan(&mut self, hash: gix::hash::Kind, budget: &Budget) -> Result<Vec<(usize, Kind)>, String> {
        let mut input = Counted { inner: BufReader::new(At { file: &self.file, at: 0 }), count: 0 };
        let header: [u8; 12] = array(&mut input)?;
        let version = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        if &header[..4] != b"PACK" || !matches!(version, 2 | 3) || count > limits::OBJECTS {
            return Err("it is not a pack, or has too many objects".into());
        }
        let mut offsets = HashMap::new();
        let mut whole = Vec::new();
        for at in 0..count {
            let offset = input.count;
            let (held, size) = entry_header(&mut input, offset, hash, &offsets)?;
            let start = input.count;
            let mut data = Vec::new();
            inflate::stream(&mut input, &mut data, budget, |_| Ok(size))?;
            if data.len() as u64 != size {
                return Err("an object is smaller than it says".into());
            }
            if let Held::Whole(kind) = held {
                self.ids.insert(hash_of(hash, kind, &data)?, at);
                whole.push((at, kind));
            }
            offsets.insert(offset, at);
            self.entries.push(Entry { start, size, held, base: None });
        }
        Ok(whole)
    }

    /// Applies all deltas, depth first, so that only one chain is in memory at a time.
    fn resolve(&mut self, whole: Vec<(usize, Kind)>, hash: gix::hash::Kind, budget: &Budget) -> Result<(), String> {
        let mut by_place: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut by_id: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for (at, entry) in self.entries.iter().enumerate() {
            match entry.held {
                Held::Whole(_) => {}
                Held::DeltaAt(base) => by_place.entry(base).or_default().push(at),
                Held::DeltaOf(id) => by_id.entry(id).or_default().push(at),
            }
        }
        let of_whole: HashMap<usize, ObjectId> = self.ids.iter().map(|(id, at)| (*at, *id)).collect();
        for (at, kind) in whole {
            let mut waiting = by_place.remove(&at).unwrap_or_default();
            waiting.extend(of_whole.get(&at).and_then(|id| by_id.remove(id)).unwrap_or_default());
            if waiting.is_empty() {
                continue;
            }
            let mut frames = vec![Frame { at, data: self.unpack(at, budget)?, waiting }];
            while let Some(frame) = frames.last_mut() {
                let Some(next) = frame.waiting.pop() else {
                    frames.pop();
                    continue;
                };
                let base = frame.at;
                let data = delta::apply(&frame.data, &self.unpack(next, budget)?)?;
                budget.spend(data.len() as u64)?;
                let id = hash_of(hash, kind, &data)?;
                self.entries[next].base = Some(base);
                self.ids.entry(id).or_insert(next);
                let mut waiting = by_place.remove(&next).unwrap_or_default();
                waiting.extend(by_id.remove(&id).unwrap_or_default());
                if !waiting.is_empty() {
                    frames.push(Frame { at: next, data, waiting });
                }
                let held: u64 = frames.iter().map(|f| f.data.len() as u64).sum();
                if held > limits::CHAIN_BYTES || frames.len() > limits::CHAIN_LENGTH {
                    return Err("a chain of deltas is too long".into());
                }
            }
        }
        Ok(())
    }

    /// The object of this id, if the pack has it.
    pub(super) fn find(&self, id: ObjectId, budget: &Budget) -> Result<Option<Object>, String> {
        let Some(&leaf) = self.ids.get(&id) else { return Ok(None) };
        let mut chain = vec![leaf];
        while let Some(base) = self.entries[chain[chain.len() - 1]].base {
            chain.push(base);
        }
        let root = chain.pop().unwrap_or(leaf);
        let Held::Whole(kind) = self.entries[root].held else {
            return Err(format!("object {id} has no base"));
        };
        let mut data = self.unpack(root, budget)?;
        for at in chain.into_iter().rev() {
            data = delta::apply(&data, &self.unpack(at, budget)?)?;
            budget.spend(data.len() as u64)?;
        }
        Ok(Some(Object { kind, data }))
    }

    fn unpack(&self, at: usize, budget: &Budget) -> Result<Vec<u8>, String> {
        let entry = &self.entries[at];
        let mut input = BufReader::new(At { file: &self.file, at: entry.start });
        let mut data = Vec::new();
        inflate::stream(&mut input, &mut data, budget, |_| Ok(entry.size))?;
        Ok(data)
    }
}

fn hash_of(hash: gix::hash::Kind, kind: Kind, data: &[u8]) -> Result<ObjectId, String> {
    gix::objs::compute_hash(hash, kind, data).map_err(|e| e.to_string())
}

/// Reads the type, the size and the base of the entry at `offset`.
fn entry_header(
    input: &mut impl Read,
    offset: u64,
    hash: gix::hash::Kind,
    offsets: &HashMap<u64, usize>,
) -> Result<(Held, u64), String> {
    let [mut byte] = array(input)?;
    let kind = byte >> 4 & 7;
    let mut size = u64::from(byte & 0x0f);
    let mut shift = 4;
    while byte & 0x80 != 0 {
        [byte] = array(input)?;
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if shift > 53 {
            return Err("an object has a size without end".into());
        }
    }
    if size > limits::OBJECT_BYTES {
        return Err("an object is larger than is allowed".into());
    }
    let held = match kind {
        1 => Held::Whole(Kind::Commit),
        2 => Held::Whole(Kind::Tree),
        3 => Held::Whole(Kind::Blob),
        4 => Held::Whole(Kind::Tag),
        6 => {
            let back = distance(input)?;
            let base = offset.checked_sub(back).and_then(|base| offsets.get(&base));
            Held::DeltaAt(*base.ok_or("a delta names a base that is not there")?)
        }
        7 => {
            let mut bytes = vec![0; hash.len_in_bytes()];
            input.read_exact(&mut bytes).map_err(|_| "it ends too early")?;
            Held::DeltaOf(ObjectId::from_bytes_or_panic(&bytes))
        }
        _ => return Err("an object has an unknown type".into()),
    };
    Ok((held, size))
}

/// How far before its delta a base lies.
fn distance(input: &mut impl Read) -> Result<u64, String> {
    let [mut byte] = array(input)?;
    let mut value = u64::from(byte & 0x7f);
    for _ in 0..8 {
        if byte & 0x80 == 0 {
            return Ok(value);
        }
        [byte] = array(input)?;
        value = ((value + 1) << 7) | u64::from(byte & 0x7f);
    }
    Err("a delta names a base without end".into())
}

fn array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|_| "it ends too early")?;
    Ok(bytes)
}

/// Reads a file from a place of its own.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Knows how far it was read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const SHA1: gix::hash::Kind = gix::hash::Kind::Sha1;

    fn entry(kind: u8, base: &[u8], content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 16, "one byte of header is enough");
        let mut bytes = vec![kind << 4 | content.len() as u8];
        bytes.extend_from_slice(base);
        let mut out = gix::zlib::stream::deflate::Write::new(bytes, gix::zlib::Compression::DEFAULT);
        out.write_all(content).unwrap();
        out.flush().unwrap();
        out.into_inner()
    }

    /// A blob, a delta that names it by its place, and one that names that by its id and comes before both.
    fn pack() -> Vec<u8> {
        let second = gix::objs::compute_hash(SHA1, Kind::Blob, b"abcdX").unwrap();
        let by_id = entry(7, second.as_bytes(), &[5, 6, 0x90, 5, 1, b'Y']);
        let whole = entry(3, &[], b"abcdef");
        let by_place = entry(6, &[whole.len() as u8], &[6, 5, 0x90, 4, 1, b'X']);
        [b"PACK\0\0\0\x02\0\0\0\x03".to_vec(), by_id, whole, by_place].concat()
    }

    fn index(bytes: &[u8]) -> Result<Pack, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Pack::index(file, SHA1, &Budget::new(1 << 20))
    }

    #[test]
    fn deltas_are_found_by_place_and_by_id_in_any_order() {
        let pack = index(&pack()).unwrap();
        for content in [&b"abcdef"[..], b"abcdX", b"abcdXY"] {
            let id = gix::objs::compute_hash(SHA1, Kind::Blob, content).unwrap();
            let found = pack.find(id, &Budget::new(1 << 20)).unwrap().unwrap();
            assert_eq!(found.data, content);
        }
        assert!(pack.find(ObjectId::null(SHA1), &Budget::new(0)).unwrap().is_none());
    }

    #[test]
    fn a_pack_may_not_take_more_work_than_it_is_given() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&pack()).unwrap();
        assert!(Pack::index(file, SHA1, &Budget::new(8)).is_err());
    }

    proptest! {
        #[test]
        fn no_damage_makes_a_pack_panic_or_lie(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            let mut bytes = pack();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(pack) = index(&bytes) {
                for id in pack.ids.keys() {
                    if let Ok(Some(object)) = pack.find(*id, &Budget::new(1 << 20)) {
                        prop_assert_eq!(hash_of(SHA1, object.kind, &object.data).unwrap(), *id);
                    }
                }
            }
        }
    }
}
