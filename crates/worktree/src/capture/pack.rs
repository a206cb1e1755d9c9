//! Reads a pack that an agent could write, from a copy that it cannot, and without its index.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use gix::ObjectId;
use gix::objs::Kind;

use super::bases::Bases;
use super::inflate::{self, Budget};
use super::loose::Object;
use super::{delta, limits};

/// A pack whose objects were all unpacked and hashed once.
#[derive(Debug)]
pub(super) struct Pack {
    file: File,
    entries: Vec<Entry>,
    ids: HashMap<ObjectId, usize>,
    bases: RefCell<Bases>,
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
    /// How many deltas it is away from the whole object.
    depth: usize,
    data: Vec<u8>,
    waiting: Vec<usize>,
}

impl Pack {
    /// Unpacks everything in `file` once, so that each object is known by the hash of what it really holds. `room` is how
    /// many objects there may still be.
    pub(super) fn index(file: File, hash: gix::hash::Kind, budget: &Budget, room: &mut usize) -> Result<Self, String> {
        let mut pack = Self { file, entries: Vec::new(), ids: HashMap::new(), bases: RefCell::default() };
        let kinds = pack.scan(hash, budget, room)?;
        pack.resolve(kinds, hash, budget)?;
        Ok(pack)
    }

    /// Walks over the entries in their order; returns the whole ones.
    fn scan(&mut self, hash: gix::hash::Kind, budget: &Budget, room: &mut usize) -> Result<Vec<(usize, Kind)>, String> {
        let mut input = Counted { inner: BufReader::new(At { file: &self.file, at: 0 }), count: 0 };
        let header: [u8; 12] = array(&mut input)?;
        let version = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        if &header[..4] != b"PACK" || !matches!(version, 2 | 3) {
            return Err("it is not a pack".into());
        }
        let too_many = || limits::beyond("there are too many objects in packs", limits::OBJECTS);
        *room = room.checked_sub(count).ok_or_else(too_many)?;
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
            let mut frames = vec![Frame { at, depth: 0, data: self.unpack(at, budget)?, waiting }];
            let mut held = frames[0].data.len() as u64;
            while let Some(mut frame) = frames.pop() {
                let Some(next) = frame.waiting.pop() else {
                    held -= frame.data.len() as u64;
                    continue;
                };
                let (base, depth) = (frame.at, frame.depth + 1);
                let data = delta::apply(&frame.data, &self.unpack(next, budget)?)?;
                budget.spend(data.len() as u64)?;
                let id = hash_of(hash, kind, &data)?;
                self.entries[next].base = Some(base);
                self.ids.entry(id).or_insert(next);
                if frame.waiting.is_empty() {
                    // Nobody needs it any more, so that a long chain alone holds no more than its last two.
                    held -= frame.data.len() as u64;
                    drop(frame);
                } else {
                    frames.push(frame);
                }
                let mut waiting = by_place.remove(&next).unwrap_or_default();
                waiting.extend(by_id.remove(&id).unwrap_or_default());
                if waiting.is_empty() {
                    continue;
                }
                held += data.len() as u64;
                if held > limits::CHAIN_BYTES {
                    let limit = limits::mib(limits::CHAIN_BYTES);
                    return Err(limits::beyond("the deltas of one object need too much at the same time", limit));
                }
                if depth > limits::CHAIN_LENGTH {
                    return Err(limits::beyond("a chain of deltas is too long", limits::CHAIN_LENGTH));
                }
                frames.push(Frame { at: next, depth, data, waiting });
            }
        }
        Ok(())
    }

    /// The object of this id, if the pack has it.
    pub(super) fn find(&self, id: ObjectId, budget: &Budget) -> Result<Option<Object>, String> {
        let Some(&leaf) = self.ids.get(&id) else { return Ok(None) };
        let mut bases = self.bases.borrow_mut();
        let (mut chain, mut last) = (Vec::new(), leaf);
        let mut known = None;
        let kind = loop {
            if known.is_none() {
                known = bases.get(last);
                if known.is_none() {
                    chain.push(last);
                }
            }
            match (self.entries[last].held, self.entries[last].base) {
                (Held::Whole(kind), _) => break kind,
                (_, Some(base)) => last = base,
                (_, None) => return Err(format!("object {id} has no base")),
            }
        };
        // What is remembered was unpacked before; that it is copied is work all the same.
        let mut data = known.unwrap_or_default();
        budget.spend(data.len() as u64)?;
        for at in chain.into_iter().rev() {
            let unpacked = self.unpack(at, budget)?;
            data = match self.entries[at].held {
                Held::Whole(_) => unpacked,
                Held::DeltaAt(_) | Held::DeltaOf(_) => {
                    let made = delta::apply(&data, &unpacked)?;
                    budget.spend(made.len() as u64)?;
                    made
                }
            };
            bases.put(at, &data);
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
        return Err(limits::beyond("an object is larger than is allowed", limits::mib(limits::OBJECT_BYTES)));
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
        Pack::index(file, SHA1, &Budget::new(1 << 26), &mut 10_000)
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
        let all = 3 * limits::OBJECT_WORK;
        assert!(Pack::index(file.try_clone().unwrap(), SHA1, &Budget::new(all), &mut 3).is_err());
        assert!(
            Pack::index(file.try_clone().unwrap(), SHA1, &Budget::new(1 << 20), &mut 2).is_err(),
            "too many objects"
        );
        assert!(Pack::index(file, SHA1, &Budget::new(1 << 20), &mut 3).is_ok());
    }

    /// So many deltas of six bytes, each of the one before it.
    fn chain(length: usize) -> Vec<u8> {
        let count = u32::try_from(length + 1).unwrap();
        let mut bytes = [&b"PACK\0\0\0\x02"[..], &count.to_be_bytes(), &entry(3, &[], b"abcdef")].concat();
        let mut last = bytes.len() - 12;
        for n in 0..length {
            let number = u16::try_from(n).unwrap().to_be_bytes();
            let delta = entry(6, &[u8::try_from(last).unwrap()], &[6, 6, 0x90, 4, 2, number[0], number[1]]);
            last = delta.len();
            bytes.extend(delta);
        }
        bytes
    }

    #[test]
    fn the_ends_of_a_long_chain_are_not_made_from_its_beginning_again_and_again() {
        let pack = index(&chain(400)).unwrap();
        let ids: Vec<ObjectId> = pack.ids.keys().copied().collect();
        // Each from the beginning would be eighty thousand.
        let budget = Budget::new(2000 * limits::OBJECT_WORK);
        for id in ids {
            assert!(pack.find(id, &budget).unwrap().is_some());
        }
    }

    #[test]
    fn a_chain_longer_than_git_makes_is_refused() {
        assert!(index(&chain(limits::CHAIN_LENGTH + 2)).unwrap_err().contains("too long"));
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
