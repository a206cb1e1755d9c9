//! The text of git's `packed-refs`: a line `<id> <name>` for each ref, sorted, perhaps followed by a line `^<id>`.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gix::bstr::ByteSlice;

use crate::disk;

/// A file of packed refs, which is never changed but replaced. While it is open no other one gets its number.
#[derive(Debug)]
pub(super) struct Version(File);

impl Version {
    /// Opens the one that is there now and reads it.
    pub(super) fn read(path: &Path) -> io::Result<(Self, Vec<u8>)> {
        // It may be a symlink, for git too. Nobody waits for who writes into a pipe.
        disk::read_open(path).map(|(file, text)| (Self(file), text))
    }

    /// Whether no other one has replaced it.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let which = |meta: Metadata| (meta.dev(), meta.ino());
        let now = path.symlink_metadata().map(which);
        now.is_ok_and(|now| self.0.metadata().map(which).is_ok_and(|own| own == now))
    }
}

/// The id of this ref.
pub(super) fn find<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    // Mostly it is not there, and taking all lines apart takes long where there are many.
    text.find(name)?;
    lines(text).find_map(|line| named(line, name))
}

/// The names and ids of all refs whose names begin like this.
pub(super) fn below<'a>(text: &'a [u8], prefix: &str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let split = |line: &'a [u8]| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        Some((line[space + 1..].trim_ascii_end(), &line[..space]))
    };
    let refs = lines(text).filter(|line| !line.starts_with(b"#")).filter_map(split);
    refs.filter(move |(name, _)| name.starts_with(prefix.as_bytes()))
}

/// The text without this ref.
pub(super) fn without(text: &[u8], name: &str) -> Vec<u8> {
    let mut left = Vec::with_capacity(text.len());
    let mut dropping = false;
    for line in lines(text) {
        dropping = named(line, name).is_some() || (dropping && line.starts_with(b"^"));
        if !dropping {
            left.extend_from_slice(line);
        }
    }
    left
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn named<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (id, rest) = line.split_at(space);
    let found = !id.starts_with(b"#") && rest[1..].trim_ascii_end() == name.as_bytes();
    found.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"# pack-refs with: peeled fully-peeled sorted \n11 refs/heads/a\n22 refs/tags/v1\n^33\n44 refs/tags/v10\n";

    #[test]
    fn a_ref_is_found_by_its_whole_name() {
        assert_eq!(find(TEXT, "refs/heads/a"), Some(&b"11"[..]));
        assert_eq!(find(TEXT, "refs/tags/v10"), Some(&b"44"[..]));
        assert_eq!(find(TEXT, "refs/tags/v"), None);
        assert_eq!(find(TEXT, "pack-refs with: peeled fully-peeled sorted"), None);
        assert_eq!(find(b"", "refs/heads/a"), None);
    }

    #[test]
    fn refs_are_listed_by_how_they_begin() {
        let tags: Vec<_> = below(TEXT, "refs/tags/").collect();
        assert_eq!(tags, [(&b"refs/tags/v1"[..], &b"22"[..]), (&b"refs/tags/v10"[..], &b"44"[..])]);
        assert_eq!(below(TEXT, "refs/heads/a/").count(), 0);
    }

    #[test]
    fn a_ref_goes_with_what_is_peeled_from_it_and_nothing_else() {
        let left = without(TEXT, "refs/tags/v1");
        assert_eq!(left, b"# pack-refs with: peeled fully-peeled sorted \n11 refs/heads/a\n44 refs/tags/v10\n");
        assert_eq!(without(TEXT, "refs/heads/b"), TEXT);
        assert_eq!(
            without(&left, "refs/tags/v10"),
            b"# pack-refs with: peeled fully-peeled sorted \n11 refs/heads/a\n"
        );
    }
}
