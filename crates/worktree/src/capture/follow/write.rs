//! Pure: writes an index of git's anew, some entries of it replaced.

use std::collections::BTreeMap;

use gix::bstr::BString;
use gix::hash::Kind;
use gix::index::entry::Stat;
use gix::objs::tree::EntryKind;

use super::super::base::Item;
use super::super::index::{self, Sum};
use super::cached;

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub(super) item: Item,
    pub(super) stat: Stat,
    /// Whether git shall take its file for unchanged without looking.
    pub(super) assumed: bool,
    /// Whether it is left out of the tree.
    pub(super) left_out: bool,
}

/// What comes in the place of the entries of some paths; none takes them out.
pub(super) type Edits = BTreeMap<BString, Option<Put>>;

/// Where the number of entries is.
const COUNT: std::ops::Range<usize> = 8..12;
const ASSUMED: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const LEFT_OUT: u16 = 0x4000;
/// The longest path whose length is in its entry.
const LENGTH: usize = 0xfff;

/// The index with these edits; in words why it cannot be dealt with.
pub(super) fn apply(bytes: &[u8], hash: Kind, edits: &Edits) -> Result<Vec<u8>, String> {
    let header = bytes.get(..COUNT.end).ok_or("is too short")?;
    let mut writer = Writer {
        out: Vec::with_capacity(bytes.len() + edits.keys().map(|path| path.len() + 128).sum::<usize>()),
        version: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        last: BString::default(),
        count: 0,
    };
    writer.out.extend_from_slice(header);
    let mut waiting = edits.iter().peekable();
    let mut end = COUNT.end;
    index::entries(bytes, hash, Sum::Ignored, &mut |entry| {
        while let Some((path, put)) = waiting.next_if(|(path, _)| **path < entry.path) {
            writer.put(path, put.as_ref())?;
        }
        end = entry.bytes.end;
        match waiting.next_if(|(path, _)| **path == entry.path) {
            Some((path, put)) => writer.put(path, put.as_ref()),
            None => writer.copy(entry, &bytes[entry.bytes.clone()], hash),
        }
    })?;
    for (path, put) in waiting {
        writer.put(path, put.as_ref())?;
    }
    let Writer { mut out, count, .. } = writer;
    out[COUNT].copy_from_slice(&count.to_be_bytes());
    let (body, sum) = bytes.split_at(bytes.len() - hash.len_in_bytes());
    extensions(&body[end..], hash, edits, &mut out)?;
    // Whoever does not want the sum has a git that writes zeroes.
    if sum.iter().all(|byte| *byte == 0) {
        out.extend_from_slice(sum);
        return Ok(out);
    }
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(&out);
    out.extend_from_slice(hasher.try_finalize().map_err(|e| e.to_string())?.as_slice());
    Ok(out)
}

/// What git keeps beside the entries, as far as it still holds: what knows entries by their number does not, nor what is
/// remembered of untracked files.
fn extensions(mut rest: &[u8], hash: Kind, edits: &Edits, out: &mut Vec<u8>) -> Result<(), String> {
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let size = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (content, left) = tail.split_at_checked(size).ok_or("is cut off")?;
        let kept = match &head[..4] {
            b"TREE" => cached::without(content, hash.len_in_bytes(), edits.keys()),
            b"REUC" | b"sdir" => Some(content.to_owned()),
            _ => None,
        };
        if let Some(kept) = kept {
            out.extend_from_slice(&head[..4]);
            out.extend_from_slice(&u32::try_from(kept.len()).map_err(|e| e.to_string())?.to_be_bytes());
            out.extend_from_slice(&kept);
        }
        rest = left;
    }
    Ok(())
}

struct Writer {
    out: Vec<u8>,
    version: u32,
    /// The path that was written last, from which one of version 4 goes on.
    last: BString,
    count: u32,
}

impl Writer {
    fn copy(&mut self, entry: &index::Entry, bytes: &[u8], hash: Kind) -> Result<(), String> {
        if self.version < 4 {
            self.out.extend_from_slice(bytes);
            self.count += 1;
            return Ok(());
        }
        let extended = bytes[index::STAT + hash.len_in_bytes()] & 0x40 != 0;
        let fixed = index::STAT + hash.len_in_bytes() + if extended { 4 } else { 2 };
        self.out.extend_from_slice(&bytes[..fixed]);
        self.path(&entry.path, fixed);
        Ok(())
    }

    fn put(&mut self, path: &BString, put: Option<&Put>) -> Result<(), String> {
        let Some(put) = put else { return Ok(()) };
        let start = self.out.len();
        let Stat { mtime, ctime, dev, ino, uid, gid, size } = put.stat;
        let mode: u32 = match put.item.kind {
            EntryKind::Blob => 0o100_644,
            EntryKind::BlobExecutable => 0o100_755,
            EntryKind::Link => 0o120_000,
            EntryKind::Commit => 0o160_000,
            EntryKind::Tree => return Err("would have a directory in it".into()),
        };
        for number in [ctime.secs, ctime.nsecs, mtime.secs, mtime.nsecs, dev, ino, mode, uid, gid, size] {
            self.out.extend_from_slice(&number.to_be_bytes());
        }
        self.out.extend_from_slice(put.item.id.as_slice());
        let length = u16::try_from(path.len().min(LENGTH)).unwrap_or_default();
        let flags = if put.assumed { ASSUMED } else { 0 } | if put.left_out { EXTENDED } else { 0 } | length;
        self.out.extend_from_slice(&flags.to_be_bytes());
        if put.left_out {
            self.out.extend_from_slice(&LEFT_OUT.to_be_bytes());
        }
        self.path(path, self.out.len() - start);
        Ok(())
    }

    /// Ends an entry that has so many bytes so far.
    fn path(&mut self, path: &BString, fixed: usize) {
        self.count += 1;
        if self.version < 4 {
            self.out.extend_from_slice(path);
            let used = fixed + path.len();
            self.out.extend_from_slice(&[0; 8][..8 - used % 8]);
            return;
        }
        let common = self.last.iter().zip(path.iter()).take_while(|(one, other)| one == other).count();
        number(self.last.len() - common, &mut self.out);
        self.out.extend_from_slice(&path[common..]);
        self.out.push(0);
        self.last.clone_from(path);
    }
}

/// A number of git's kind, the highest part first, in which each further byte counts from one.
fn number(mut value: usize, out: &mut Vec<u8>) {
    let mut bytes = vec![(value & 0x7f).to_le_bytes()[0]];
    value >>= 7;
    while value > 0 {
        value -= 1;
        bytes.push(0x80 | (value & 0x7f).to_le_bytes()[0]);
        value >>= 7;
    }
    bytes.reverse();
    out.extend_from_slice(&bytes);
}
