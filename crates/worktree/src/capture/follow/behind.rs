//! The note that an index is behind its branch: the commits that the branch was at since it was left there.
//!
//! It lies among git's own files of the worktree and goes with them. Who works in the tree can write it, which can do no
//! more than what they can do to their index as well.

use std::fs::File;
use std::io::{Result, Write};

use gix::ObjectId;
use gix::bstr::ByteSlice;
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use super::super::beneath::Dir;
use super::super::limits;

const NAME: &str = "hedgerow-behind";
const DRAFT: &str = "hedgerow-behind.new";
/// More captures than this one after the other, none of which can change the index, are not told apart.
const MOST: usize = 32;

/// The commits; none when the index is not known to be behind.
pub(super) fn read(own: &Dir, hash: gix::hash::Kind) -> Vec<ObjectId> {
    let Ok(text) = own.read(NAME.as_bytes(), limits::REF_BYTES) else { return Vec::new() };
    let ids = text.lines().take(MOST).filter_map(|line| ObjectId::from_hex(line).ok());
    ids.filter(|id| id.kind() == hash).collect()
}

/// Notes these commits, unless just these are noted.
pub(super) fn write(own: &Dir, noted: &[ObjectId], from: &[ObjectId]) -> Result<()> {
    if noted == from {
        return Ok(());
    }
    // The first one is what the index was made for.
    let newest = from.len().saturating_sub(MOST - 1).max(1);
    let kept = from.iter().take(1).chain(from.iter().skip(newest));
    let text: String = kept.map(|id| format!("{id}\n")).collect();
    let _ = unlinkat(own.fd(), DRAFT, AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(own.fd(), DRAFT, flags, Mode::from_bits_truncate(0o666))?);
    file.write_all(text.as_bytes())?;
    Ok(renameat(own.fd(), DRAFT, own.fd(), NAME)?)
}

/// Takes it away.
pub(super) fn clear(own: &Dir) {
    // What stays makes the next capture look at the index once more.
    let _ = unlinkat(own.fd(), NAME, AtFlags::empty());
}
