//! Objects as files: loose, and in packs with deltas; and what can be wrong with either.

use std::io::Write;

use gix::hash::Kind as Hash;
use gix::objs::Kind;
use gix::zlib::stream::deflate;

use super::dice::Dice;
use super::history::Made;

pub(super) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = deflate::Write::new(Vec::new(), gix::zlib::Compression::DEFAULT);
    // Writing to memory cannot fail.
    let _infallible = out.write_all(bytes).and_then(|()| out.flush());
    out.into_inner()
}

/// The file of a loose object.
pub(super) fn loose(made: &Made) -> Vec<u8> {
    deflated(&[format!("{} {}\0", made.kind, made.bytes.len()).as_bytes(), &made.bytes].concat())
}

/// The file of a loose object with something wrong about it.
pub(super) fn bad_loose(dice: &mut Dice, made: &Made) -> Vec<u8> {
    let (kind, size) = (made.kind.to_string(), made.bytes.len());
    let header = match dice.below(12) {
        0 => format!("{kind} {}\0", size + 1),
        1 => format!("{kind} {}\0", size.saturating_sub(1)),
        2 => format!("{kind} 0{size}\0"),
        3 => format!("{kind}  {size}\0"),
        4 => format!("{kind} {size}"),
        5 => format!("{kind} 18446744073709551615\0"),
        6 => format!("{kind} 268435456\0"),
        7 => format!("{} {size}\0", dice.pick(&["blob", "tree", "commit", "tag", "blobs", "", "BLOB", "ofs-delta"])),
        8 => format!("{kind} {size} \0"),
        9 => "x".repeat(100),
        _ => format!("{kind} {size}\0"),
    };
    let mut bytes = deflated(&[header.as_bytes(), &made.bytes].concat());
    match dice.below(8) {
        0 => bytes.extend_from_slice(b"rest"),
        1 => bytes.truncate(dice.below(bytes.len())),
        2 => bytes = deflated(&bytes),
        3 => bytes = [header.as_bytes(), &made.bytes].concat(),
        4 => {
            let again = bytes.clone();
            bytes.extend(again);
        }
        5 => bytes = bomb(dice, header.as_bytes()),
        _ => dice.damage(&mut bytes),
    }
    bytes
}

fn bomb(dice: &mut Dice, header: &[u8]) -> Vec<u8> {
    deflated(&[header, &vec![b'0'; 1 << (10 + dice.below(12))]].concat())
}

/// One entry of a pack.
#[derive(Clone, Debug)]
struct Packed {
    kind: u8,
    size: u64,
    base: Base,
    data: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Base {
    None,
    /// An earlier entry, by its place.
    Entry(usize),
    /// So many bytes before.
    Back(u64),
    Id(Vec<u8>),
}

const fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    }
}

/// The objects in any order, some of them as deltas.
fn entries(dice: &mut Dice, objects: &[Made]) -> Vec<Packed> {
    let mut order: Vec<usize> = (0..objects.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, dice.below(at + 1));
    }
    let mut found: Vec<Packed> = Vec::new();
    for (place, &at) in order.iter().enumerate() {
        let made = &objects[at];
        let earlier: Vec<usize> = (0..place).filter(|p| objects[order[*p]].kind == made.kind).collect();
        let packed = if earlier.is_empty() || dice.once_in(2) {
            Packed {
                kind: number(made.kind),
                size: made.bytes.len() as u64,
                base: Base::None,
                data: made.bytes.clone(),
            }
        } else {
            let base = earlier[dice.below(earlier.len())];
            let data = delta(&objects[order[base]].bytes, &made.bytes);
            let of = &objects[order[base]];
            let (kind, base) =
                if dice.once_in(2) { (6, Base::Entry(base)) } else { (7, Base::Id(of.id.as_bytes().to_vec())) };
            Packed { kind, size: data.len() as u64, base, data }
        };
        found.push(packed);
    }
    found
}

/// A delta that copies what both begin and end with.
fn delta(base: &[u8], target: &[u8]) -> Vec<u8> {
    let most = base.len().min(target.len());
    let head = (0..most).take_while(|n| base[*n] == target[*n]).count();
    let tail = (0..most - head).take_while(|n| base[base.len() - 1 - n] == target[target.len() - 1 - n]).count();
    let mut out = Vec::new();
    varint(base.len() as u64, &mut out);
    varint(target.len() as u64, &mut out);
    copy(0, head, &mut out);
    for chunk in target[head..target.len() - tail].chunks(127) {
        out.push(u8::try_from(chunk.len()).unwrap_or(127));
        out.extend_from_slice(chunk);
    }
    copy(base.len() - tail, tail, &mut out);
    out
}

fn copy(mut start: usize, mut length: usize, out: &mut Vec<u8>) {
    while length > 0 {
        let now = length.min(0xffff);
        out.push(0xbf);
        out.extend_from_slice(&u32::try_from(start).unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&u16::try_from(now).unwrap_or(0).to_le_bytes());
        (start, length) = (start + now, length - now);
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn file(entries: &[Packed], count: u32, version: u32, streams: &mut dyn FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = [&b"PACK"[..], &version.to_be_bytes(), &count.to_be_bytes()].concat();
    let mut places = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let place = bytes.len() as u64;
        places.push(place);
        let mut size = entry.size;
        let mut byte = entry.kind << 4 | (size & 0x0f) as u8;
        size >>= 4;
        while size > 0 {
            bytes.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        bytes.push(byte);
        match &entry.base {
            Base::None => {}
            Base::Id(id) => bytes.extend_from_slice(id),
            Base::Entry(base) => distance(place - places.get(*base).copied().unwrap_or(place), &mut bytes),
            Base::Back(back) => distance(*back, &mut bytes),
        }
        let mut stream = deflated(&entry.data);
        streams(at, &mut stream);
        bytes.extend_from_slice(&stream);
    }
    let sum = sum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

pub(super) fn sum(bytes: &[u8]) -> Vec<u8> {
    let mut hasher = gix::hash::hasher(Hash::Sha1);
    hasher.update(bytes);
    hasher.try_finalize().map(|id| id.as_bytes().to_vec()).unwrap_or_default()
}

fn distance(mut back: u64, out: &mut Vec<u8>) {
    let mut bytes = vec![(back & 0x7f) as u8];
    back >>= 7;
    while back > 0 {
        back -= 1;
        bytes.push((back & 0x7f) as u8 | 0x80);
        back >>= 7;
    }
    out.extend(bytes.iter().rev());
}

/// A sound pack of these objects.
pub(super) fn pack(dice: &mut Dice, objects: &[Made]) -> Vec<u8> {
    let entries = entries(dice, objects);
    file(&entries, u32::try_from(entries.len()).unwrap_or(0), 2, &mut |_, _| {})
}

/// A pack whose deltas were tampered with; all sums are right.
pub(super) fn bad_deltas(dice: &mut Dice, objects: &[Made], known: &[u8]) -> Vec<u8> {
    let mut entries = entries(dice, objects);
    let count = entries.len();
    for _ in 0..=dice.below(2) {
        let at = dice.below(count);
        let entry = &mut entries[at];
        match dice.below(12) {
            0 => entry.base = Base::Back([0, 1, 5, 1 << 20, u64::MAX >> 1][dice.below(5)]),
            1 => entry.base = Base::Id(known.to_vec()),
            2 => entry.base = Base::Id(vec![0x42; 20]),
            // A cycle: both are made of what only the other one makes.
            3 => {
                let (one, two) = (objects[dice.below(objects.len())].id, objects[dice.below(objects.len())].id);
                for entry in &mut entries {
                    entry.kind = 7;
                    entry.base = Base::Id(if dice.once_in(2) { one } else { two }.as_bytes().to_vec());
                }
            }
            4 => (entry.kind, entry.base) = (7, Base::Id(objects[dice.below(objects.len())].id.as_bytes().to_vec())),
            5 => (entry.kind, entry.base) = (6, Base::Entry(dice.below(at.max(1)))),
            6 => {
                let (from, to) = (entry.data.len() as u64, [0, 100, 1 << 28, 1 << 40, u64::MAX][dice.below(5)]);
                entry.data.clear();
                varint(from, &mut entry.data);
                varint(to, &mut entry.data);
                for _ in 0..dice.below(40) {
                    entry.data.extend_from_slice(&[0x80, 0x90, 0xff, 0x00, 0x01][..=dice.below(4)]);
                }
            }
            7 => entry.data.clear(),
            8 => dice.garble(&mut entry.data),
            _ => dice.damage(&mut entry.data),
        }
        if !dice.once_in(4) {
            entries[at].size = entries[at].data.len() as u64;
        }
    }
    file(&entries, u32::try_from(count).unwrap_or(0), 2, &mut |_, _| {})
}

/// A pack that is wrong as a file.
pub(super) fn bad_pack(dice: &mut Dice, objects: &[Made]) -> Vec<u8> {
    let mut entries = entries(dice, objects);
    let mut count = u32::try_from(entries.len()).unwrap_or(0);
    let (mut version, at) = (2, dice.below(entries.len()));
    let mut tamper: Option<usize> = None;
    match dice.below(12) {
        0 => count += 1,
        1 => count -= 1,
        2 => count = [0, 1 << 20, 1_999_999, u32::MAX][dice.below(4)],
        3 => version = [0, 1, 3, 4][dice.below(4)],
        4 => entries[at].kind = [0, 1, 2, 3, 4, 5, 6, 7][dice.below(8)],
        5 => entries[at].size = [0, 1, entries[at].size + 1, 1 << 28, 1 << 52, u64::MAX][dice.below(6)],
        6 => {
            let again = entries[at].clone();
            entries.push(again);
            count += 1;
        }
        7 | 8 => tamper = Some(at),
        _ => {}
    }
    let mut bytes = file(&entries, count, version, &mut |n, stream| {
        if tamper == Some(n) {
            dice.damage(stream);
        }
    });
    match dice.below(6) {
        0 => dice.damage(&mut bytes),
        1 => bytes.truncate(dice.below(bytes.len())),
        2 => bytes.extend_from_slice(b"more"),
        3 => {
            let end = bytes.len();
            bytes[end - 1] ^= 1;
        }
        _ => {}
    }
    bytes
}
