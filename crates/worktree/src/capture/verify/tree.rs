//! What a tree may hold.

use std::collections::HashSet;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

use super::super::limits;
use super::{Settings, name};

/// How much of a name is shown, so that there is room for the reason.
const SHOWN: usize = 200;

/// One entry of a tree that keeps the rules.
#[derive(Debug)]
pub(in super::super) struct TreeEntry<'a> {
    pub(in super::super) kind: EntryKind,
    pub(in super::super) name: &'a [u8],
    pub(in super::super) id: ObjectId,
    /// Which of the files it is that git itself reads; what it holds has to be checked as well.
    pub(in super::super) settings: Option<Settings>,
}

/// Decodes a tree and checks every entry.
pub(in super::super) fn tree(id: ObjectId, data: &[u8]) -> Result<Vec<TreeEntry<'_>>, String> {
    let flaw = |why: &str| format!("tree {id}: {why}");
    let mut rest = data;
    let mut entries: Vec<TreeEntry<'_>> = Vec::new();
    let mut names = HashSet::new();
    while !rest.is_empty() {
        let entry = next_entry(&mut rest, id.kind()).map_err(flaw)?;
        let problem = name::problem(entry.name, entry.kind == EntryKind::Link)
            .or_else(|| entry.settings.and_then(|settings| settings.kind_problem(entry.kind)));
        if let Some(why) = problem {
            let shown = String::from_utf8_lossy(&entry.name[..entry.name.len().min(SHOWN)]);
            return Err(flaw(&format!("entry {shown:?}: {why}")));
        }
        if entry.id.is_null() {
            return Err(flaw("an entry has no object"));
        }
        if entries.len() >= limits::PATHS {
            return Err(limits::beyond(flaw("it has too many entries"), limits::PATHS));
        }
        if !names.insert(entry.name) {
            return Err(flaw("two entries have the same name"));
        }
        if !entries.last().is_none_or(|last| key(last).lt(key(&entry))) {
            return Err(flaw("its entries are not sorted"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn key<'a>(entry: &TreeEntry<'a>) -> impl Iterator<Item = u8> + use<'a> {
    let end = (entry.kind == EntryKind::Tree).then_some(b'/');
    entry.name.iter().copied().chain(end)
}

fn next_entry<'a>(rest: &mut &'a [u8], hash: gix::hash::Kind) -> Result<TreeEntry<'a>, &'static str> {
    let space = rest.iter().take(8).position(|b| *b == b' ').ok_or("an entry has no mode")?;
    let kind = match &rest[..space] {
        b"40000" => EntryKind::Tree,
        // The first versions of git wrote the latter, and old histories have it.
        b"100644" | b"100664" => EntryKind::Blob,
        b"100755" => EntryKind::BlobExecutable,
        b"120000" => EntryKind::Link,
        b"160000" => EntryKind::Commit,
        _ => return Err("an entry has a mode that git does not write"),
    };
    let after = &rest[space + 1..];
    let end = after.iter().position(|b| *b == 0).ok_or("an entry has no name")?;
    let bytes = after.get(end + 1..end + 1 + hash.len_in_bytes()).ok_or("its last entry is cut off")?;
    *rest = &after[end + 1 + hash.len_in_bytes()..];
    let id = ObjectId::try_from(bytes).map_err(|_| "an entry has no object")?;
    Ok(TreeEntry { kind, name: &after[..end], id, settings: name::settings(&after[..end]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId::from_hex(&[b'1'; 40]).unwrap()
    }

    fn entry(mode: &str, name: &[u8]) -> Vec<u8> {
        [mode.as_bytes(), b" ", name, b"\0", &[7; 20]].concat()
    }

    #[test]
    fn a_tree_that_git_would_not_write_is_refused() {
        let two = |a: Vec<u8>, b: Vec<u8>| [a, b].concat();
        for bad in [
            entry("100666", b"a"),
            entry("040000", b"a"),
            entry("0100664", b"a"),
            entry("0", b"a"),
            entry("100644", b".git"),
            entry("40000", b".gitmodules"),
            entry("120000", b".gitmodules"),
            entry("160000", b".gitattributes"),
            two(entry("100644", b"b"), entry("100644", b"a")),
            two(entry("100644", b"a"), entry("100644", b"a")),
            two(entry("40000", b"a"), entry("100644", b"a.b")),
            [entry("100644", b"a"), entry("100644", b"a.b"), entry("40000", b"a")].concat(),
            entry("100644", b"a")[..20].to_vec(),
            [b"100644 a\0".to_vec(), vec![0; 20]].concat(),
        ] {
            assert!(tree(id(), &bad).is_err(), "{:?}", String::from_utf8_lossy(&bad));
        }
        assert_eq!(tree(id(), &two(entry("100644", b"a.b"), entry("40000", b"a"))).unwrap().len(), 2);
        assert_eq!(tree(id(), &two(entry("120000", b".gitattributes"), entry("100664", b"a"))).unwrap().len(), 2);
    }
}
