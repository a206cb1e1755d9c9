//! Reads the index file of a git directory that an agent could write, with a parser that trusts nothing.
//!
//! Versions 2 to 4. Of the extensions only those that change the meaning of the entries are looked at: an index that is
//! split over two files cannot be read from one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::index::State;
use gix::index::entry::Mode;
use gix::objs::tree::EntryKind;

use super::base::Item;
use super::beneath::Dir;
use super::{limits, verify};

/// Every path of an index.
pub(super) type Listing = BTreeMap<BString, Item>;

/// What is staged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Staged {
    /// The ordinary entries.
    pub(super) entries: Listing,
    /// The sides of conflicts: base, ours and theirs are 1, 2 and 3.
    pub(super) sides: Vec<(BString, u8, Item)>,
    /// Paths whose changes git does not look for: assumed unchanged, or left out of the tree.
    pub(super) unwatched: Vec<BString>,
    /// Paths that shall be added, without content yet.
    pub(super) intended: Vec<BString>,
}

/// Reads the index below `git`; none when there is none, and in words why it cannot be believed.
pub(super) fn read(git: &Dir, hash: gix::hash::Kind) -> Result<Option<Staged>, String> {
    match git.read(b"index", limits::INDEX_BYTES) {
        Ok(bytes) => parse(&bytes, hash).map(Some).map_err(|why| format!("the index {why}")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("the index {e}")),
    }
}

/// Whether the index of this git directory provably says what `expected` says, and nothing else.
pub(crate) fn says(git: &Path, expected: &State) -> bool {
    let found = Dir::open(git).map_err(|e| e.to_string()).and_then(|git| read(&git, expected.object_hash()));
    let Ok(Some(found)) = found else { return false };
    let kind = |mode| match mode {
        Mode::FILE => Some(EntryKind::Blob),
        Mode::FILE_EXECUTABLE => Some(EntryKind::BlobExecutable),
        Mode::SYMLINK => Some(EntryKind::Link),
        Mode::COMMIT => Some(EntryKind::Commit),
        _ => None,
    };
    let same = |entry: &gix::index::Entry| {
        let item = found.entries.get(entry.path(expected));
        item.is_some_and(|item| item.id == entry.id && Some(item.kind) == kind(entry.mode))
    };
    let plain = found.sides.is_empty() && found.intended.is_empty();
    plain && found.entries.len() == expected.entries().len() && expected.entries().iter().all(same)
}

const ASSUMED: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const SKIPPED: u16 = 0x4000;
const INTENDED: u16 = 0x2000;
const DIRECTORY: u32 = 0o040_000;
/// Bytes of the times, numbers, owner and size of an entry.
pub(super) const STAT: usize = 40;

/// What becomes of the sum at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    /// It must be right.
    Checked,
    /// It is not computed, which takes longer than all the rest.
    Ignored,
}

fn parse(bytes: &[u8], hash: gix::hash::Kind) -> Result<Staged, String> {
    let mut staged = Staged::default();
    entries(bytes, hash, Sum::Checked, &mut |entry| staged.add(entry))?;
    staged.is_a_tree()?;
    Ok(staged)
}

/// Shows every entry in order; an error comes as late as what it is about.
pub(super) fn entries(
    bytes: &[u8],
    hash: gix::hash::Kind,
    sum: Sum,
    show: &mut dyn FnMut(&Entry) -> Result<(), String>,
) -> Result<(), String> {
    let body = bytes.len().checked_sub(hash.len_in_bytes()).ok_or("is too short")?;
    let (body, found) = bytes.split_at(body);
    if sum == Sum::Checked {
        check(body, found, hash)?;
    }
    let mut input = Input { all: body, at: 0 };
    if input.take(4)? != b"DIRC" {
        return Err("is not an index".into());
    }
    let version = input.number()?;
    if !(2..=4).contains(&version) {
        return Err(format!("has the unknown version {version}"));
    }
    let count = input.number()? as usize;
    if count > limits::PATHS {
        return Err("has too many entries".into());
    }
    let mut last: Option<Entry> = None;
    // The paths of two entries in turn.
    let mut room = BString::default();
    let mut path_bytes = 0;
    for _ in 0..count {
        let entry = input.entry(version, hash, last.as_ref().map(|last| &last.path), room)?;
        if last.as_ref().is_some_and(|last| (&last.path, last.stage) >= (&entry.path, entry.stage)) {
            return Err("has entries that are not sorted".into());
        }
        path_bytes += entry.path.len();
        if path_bytes > limits::ALL_PATH_BYTES {
            return Err("has paths that are too long".into());
        }
        show(&entry)?;
        room = last.replace(entry).map(|last| last.path).unwrap_or_default();
    }
    extensions(&mut input)
}

/// The sum at the end; all zeroes where git was told not to compute it.
fn check(body: &[u8], sum: &[u8], hash: gix::hash::Kind) -> Result<(), String> {
    if sum.iter().all(|b| *b == 0) {
        return Ok(());
    }
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(body);
    let found = hasher.try_finalize().map_err(|e| e.to_string())?;
    if found.as_bytes() == sum { Ok(()) } else { Err("is damaged: its sum is wrong".into()) }
}

fn extensions(input: &mut Input<'_>) -> Result<(), String> {
    while input.at < input.all.len() {
        let name = input.take(4)?;
        let size = input.number()? as usize;
        input.take(size)?;
        // Those in small letters must be understood. The one of a sparse index only allows what is refused by its mode.
        if !name[0].is_ascii_uppercase() && name != b"sdir" {
            let name = name.as_bstr();
            return Err(format!("needs the extension {name:?}: it is split, or newer than what is known here"));
        }
    }
    Ok(())
}

/// One entry, of which only the path was looked at.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: BString,
    /// Where it is in the file.
    pub(super) bytes: Range<usize>,
    stage: u8,
    mode: u32,
    id: ObjectId,
    flags: u16,
    more: u16,
}

impl Entry {
    /// Whether it is a directory, of which nothing is in the tree.
    pub(super) fn is_dir(&self) -> bool {
        self.mode == DIRECTORY
    }

    /// Zero, or the side of a conflict that it is.
    pub(super) fn stage(&self) -> u8 {
        self.stage
    }

    /// Whether its changes are not looked for.
    pub(super) fn is_assumed(&self) -> bool {
        self.flags & ASSUMED != 0
    }

    /// Whether it shall be added, without content yet.
    pub(super) fn is_intended(&self) -> bool {
        self.more & INTENDED != 0
    }

    /// Whether it was left out of the tree on purpose.
    pub(super) fn is_left_out(&self) -> bool {
        self.more & SKIPPED != 0
    }

    /// What it holds; in words why that cannot be.
    pub(super) fn item(&self) -> Result<Item, String> {
        let kind = match self.mode {
            0o100_644 => EntryKind::Blob,
            0o100_755 => EntryKind::BlobExecutable,
            0o120_000 => EntryKind::Link,
            0o160_000 => EntryKind::Commit,
            DIRECTORY => return Err("is sparse: it has directories instead of files".into()),
            mode => return Err(format!("has the mode {mode:o}")),
        };
        if self.id.is_null() {
            return Err(format!("has no object for {:?}", self.path));
        }
        Ok(Item { kind, id: self.id })
    }
}

impl Staged {
    fn add(&mut self, entry: &Entry) -> Result<(), String> {
        let (path, item) = (entry.path.clone(), entry.item()?);
        let link = item.kind == EntryKind::Link;
        let parts: Vec<&[u8]> = path.split_str("/").collect();
        let problem =
            parts.iter().enumerate().find_map(|(n, part)| verify::name_problem(part, link && n + 1 == parts.len()));
        if let Some(why) = problem {
            return Err(format!("has the path {path:?}: {why}"));
        }
        if parts.len() > limits::TREE_DEPTH {
            return Err("has a path that is too deep".into());
        }
        if entry.is_assumed() || entry.is_left_out() {
            self.unwatched.push(path.clone());
        }
        match entry.stage {
            0 if entry.is_intended() => self.intended.push(path),
            0 => drop(self.entries.insert(path, item)),
            stage => self.sides.push((path, stage, item)),
        }
        Ok(())
    }

    /// A file cannot lie in a file.
    fn is_a_tree(&self) -> Result<(), String> {
        let mut last: Option<&BString> = None;
        for path in self.entries.keys() {
            for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
                // Both share their beginning with the entry before, for which this was asked already.
                if last.is_some_and(|last| last.len() > at && last[..=at] == path[..=at]) {
                    continue;
                }
                if self.entries.contains_key(path[..at].as_bstr()) {
                    return Err(format!("has {path:?} in a path that is a file"));
                }
            }
            last = Some(path);
        }
        Ok(())
    }
}

struct Input<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).ok_or("is cut off")?;
        let part = self.all.get(self.at..end).ok_or("is cut off")?;
        self.at = end;
        Ok(part)
    }

    fn number(&mut self) -> Result<u32, String> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn short(&mut self) -> Result<u16, String> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn entry(
        &mut self,
        version: u32,
        hash: gix::hash::Kind,
        last: Option<&BString>,
        room: BString,
    ) -> Result<Entry, String> {
        let start = self.at;
        let stat = self.take(STAT)?;
        let mode = u32::from_be_bytes([stat[24], stat[25], stat[26], stat[27]]);
        let id = ObjectId::try_from(self.take(hash.len_in_bytes())?).map_err(|e| e.to_string())?;
        let flags = self.short()?;
        let more = match flags & EXTENDED {
            0 => 0,
            _ if version == 2 => return Err("has flags that its version does not know".into()),
            _ => self.short()?,
        };
        let path = self.path(version, last, room)?;
        if path.is_empty() || path.len() > limits::PATH_BYTES {
            return Err("has a path of no use".into());
        }
        if version < 4 {
            // The name is followed by one to eight NULs, so that the next entry begins at a multiple of eight.
            let used = self.at - start;
            self.take((8 - used % 8) % 8)?;
        }
        let stage = (flags >> 12 & 3).to_le_bytes()[0];
        Ok(Entry { path, bytes: start..self.at, stage, mode, id, flags, more })
    }

    /// Reads a path and the NUL after it, into this room.
    fn path(&mut self, version: u32, last: Option<&BString>, mut path: BString) -> Result<BString, String> {
        path.clear();
        if version == 4 {
            let strip = self.varint()?;
            let last: &[u8] = last.map_or(&[], |last| last);
            let kept = last.len().checked_sub(strip).ok_or("has a path that takes away too much of the one before")?;
            path.extend_from_slice(&last[..kept]);
        }
        let rest = &self.all[self.at..];
        let longest = &rest[..rest.len().min(limits::PATH_BYTES + 1)];
        let end = longest.find_byte(0).ok_or("has a path without end")?;
        path.extend_from_slice(&rest[..end]);
        self.at += end + 1;
        Ok(path)
    }

    /// A number of git's kind, in which each step adds one to what was read so far.
    fn varint(&mut self) -> Result<usize, String> {
        let mut byte = self.take(1)?[0];
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            value = value.checked_add(1).and_then(|v| v.checked_mul(128)).ok_or("has a number that is too large")?;
            value |= usize::from(byte & 0x7f);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;

    fn entry(mode: u32, path: &[u8], flags: u16) -> Vec<u8> {
        let mut bytes = vec![0; STAT];
        bytes[24..28].copy_from_slice(&mode.to_be_bytes());
        bytes.extend([7; 20]);
        bytes.extend(flags.to_be_bytes());
        bytes.extend(path);
        bytes.resize(bytes.len() + 8 - bytes.len() % 8, 0);
        bytes
    }

    fn index(version: u32, entries: &[Vec<u8>], rest: &[u8]) -> Vec<u8> {
        let count = u32::try_from(entries.len()).unwrap();
        let mut bytes = [b"DIRC", &version.to_be_bytes()[..], &count.to_be_bytes()].concat();
        bytes.extend(entries.concat());
        bytes.extend(rest);
        bytes.extend([0; 20]);
        bytes
    }

    #[test]
    fn what_git_writes_is_read() {
        let bytes = index(2, &[entry(0o100_644, b"a", ASSUMED), entry(0o120_000, b"b", 0x2000)], b"");
        let staged = parse(&bytes, HASH).unwrap();
        assert_eq!(staged.entries.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(staged.unwatched, ["a"]);
        assert_eq!((staged.sides[0].1, staged.sides[0].2.kind), (2, EntryKind::Link));
        let mut torn = bytes;
        *torn.last_mut().unwrap() = 1;
        assert!(parse(&torn, HASH).unwrap_err().contains("sum"));
    }

    #[test]
    fn an_index_that_lies_is_refused() {
        let one = |mode, path: &[u8]| index(2, &[entry(mode, path, 0)], b"");
        for (bad, why) in [
            (one(0o100_644, b".git/config"), ".git"),
            (one(0o100_644, b"../x"), ".."),
            (one(0o100_644, b"a//b"), "empty"),
            (one(0o040_000, b"dir/"), "sparse"),
            (one(0o100_600, b"a"), "mode"),
            (index(2, &[entry(0o100_644, b"b", 0), entry(0o100_644, b"a", 0)], b""), "sorted"),
            (index(2, &[entry(0o100_644, b"a", 0), entry(0o100_644, b"a/b", 0)], b""), "is a file"),
            (index(2, &[entry(0o100_644, b"a", EXTENDED)], b""), "flags"),
            (index(2, &[], b"link\0\0\0\0"), "split"),
            (index(2, &[], b"TREE\0\0\xff\xff"), "cut off"),
            (index(5, &[], b""), "version"),
        ] {
            let found = parse(&bad, HASH).unwrap_err();
            assert!(found.contains(why), "{found:?} does not say {why:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), version in 2..5_u32) {
            let _ = parse(&bytes, HASH);
            let mut begun = index(version, &[], b"");
            begun.truncate(8);
            begun.extend([0, 0, 0, 3]);
            begun.append(&mut bytes);
            begun.extend([0; 20]);
            let _ = parse(&begun, HASH);
        }
    }
}
