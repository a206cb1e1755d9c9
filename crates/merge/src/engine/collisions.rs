//! Names that only some file systems tell apart, where a merge brings them together.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use unicode_normalization::UnicodeNormalization;

use super::report::public;
use super::tree::{self, Entry};
use crate::conflict::Found;
use crate::{ConflictKind, Result};

/// Each file that the result has and the target has not, with each one of the target's whose name is like its own, unless
/// the change alone has both. All three are trees.
pub(super) fn find(
    session: &gix::Repository,
    ours: ObjectId,
    theirs: ObjectId,
    result: ObjectId,
) -> Result<Vec<Found>> {
    let mut added = Vec::new();
    if theirs != result {
        tree::brought(session, Some(ours), result, Default::default(), &mut |path, before, now| {
            if before.is_none() && !now.is_tree() {
                added.push((path.to_owned(), now));
            }
            Ok(())
        })?;
    }
    let mut alike = Alike { session, known: HashMap::new() };
    let mut found = Vec::new();
    for (path, entry) in added {
        let names: Vec<_> = path.split(|byte| *byte == b'/').map(|name| folded(name.as_bstr())).collect();
        let mut others = Vec::new();
        alike.find(result, b"".as_bstr(), &names, &mut others)?;
        for (other, other_entry) in others.into_iter().filter(|(other, _)| *other != path) {
            if tree::has(session, theirs, path.as_bstr())? && tree::has(session, theirs, other.as_bstr())? {
                continue;
            }
            let kind = if composed(path.as_bstr()) == composed(other.as_bstr()) {
                ConflictKind::UnicodeCollision
            } else {
                ConflictKind::CaseCollision
            };
            let ours = Some(public(other.as_bstr(), &other_entry));
            let theirs = Some(public(path.as_bstr(), &entry));
            found.push(Found { path: path.clone(), kind, base: None, ours, theirs });
        }
    }
    Ok(found)
}

/// The entries of a directory, each with what its name is like.
type Names = Vec<(BString, BString, Entry)>;

struct Alike<'s> {
    session: &'s gix::Repository,
    known: HashMap<ObjectId, Names>,
}

impl Alike<'_> {
    /// What of a tree is, on a file system that does not tell such names apart, at a path or in its way.
    fn find(
        &mut self,
        tree: ObjectId,
        above: &BStr,
        names: &[BString],
        found: &mut Vec<(BString, Entry)>,
    ) -> Result<()> {
        let [first, rest @ ..] = names else { return Ok(()) };
        let here: Vec<_> = self.entries(tree)?.iter().filter(|(like, _, _)| like == first).cloned().collect();
        for (_, name, entry) in here {
            let path = tree::join(above, name.as_bstr());
            if entry.is_tree() && !rest.is_empty() {
                self.find(entry.id, path.as_bstr(), rest, found)?;
            } else {
                found.push((path, entry));
            }
        }
        Ok(())
    }

    fn entries(&mut self, tree: ObjectId) -> Result<&Names> {
        if !self.known.contains_key(&tree) {
            let mut buf = Vec::new();
            let entries = tree::read(self.session, tree, &mut buf)?;
            let names = entries.into_iter().map(|(name, entry)| (folded(name), name.to_owned(), entry)).collect();
            self.known.insert(tree, names);
        }
        Ok(&self.known[&tree])
    }
}

/// The same for names that some file systems take for one.
fn folded(name: &BStr) -> BString {
    match name.to_str() {
        Ok(text) => text.nfd().flat_map(char::to_lowercase).nfc().collect::<String>().into(),
        Err(_) => name.to_ascii_lowercase().into(),
    }
}

/// The same for names that differ in nothing but how Unicode spells them.
fn composed(path: &BStr) -> BString {
    match path.to_str() {
        Ok(text) => text.nfc().collect::<String>().into(),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_as_on_macos_and_windows() {
        let like = |one: &str, other: &str| folded(one.into()) == folded(other.into());
        assert!(like("README", "readme") && like("caf\u{e9}", "cafe\u{301}") && like("\u{c9}", "e\u{301}"));
        assert!(like("\u{212a}", "k"), "the sign for kelvin");
        assert!(!like("a", "b") && !like("cafe", "caf\u{e9}"));
        let bytes = |one: &[u8], other: &[u8]| folded(one.as_bstr()) == folded(other.as_bstr());
        assert!(bytes(b"A\xff", b"a\xff") && !bytes(b"a\xff", b"a\xfe"));
    }
}
