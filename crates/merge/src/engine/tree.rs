//! Trees, read and compared three at a time.

use std::cmp::Ordering;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{Find, Kind, TreeRefIter};

use super::failed;
use crate::{Result, graph};

/// One entry of a tree. Modes are those that git writes today, whatever an old tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

impl Entry {
    pub(super) fn is_tree(&self) -> bool {
        self.kind == EntryKind::Tree
    }

    /// Whether it is a file, executable or not.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::Blob | EntryKind::BlobExecutable)
    }

    /// Whether both are files, both links or both submodules.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind || (self.is_file() && other.is_file())
    }
}

/// A name for which not all three trees have the same, with what base, ours and theirs have.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: BString,
    pub(super) entries: [Option<Entry>; 3],
}

/// The entries of a tree, in its order.
pub(super) fn read<'b>(
    session: &gix::Repository,
    id: ObjectId,
    buf: &'b mut Vec<u8>,
) -> Result<Vec<(&'b BStr, Entry)>> {
    let object = session.objects.try_find(&id, buf).map_err(failed("read a tree"))?;
    let object = object.ok_or_else(|| graph::missing(session, id, "the tree"))?;
    if object.kind != Kind::Tree {
        return Err(graph::unusable(id, "it is not a tree"));
    }
    let mut entries = Vec::with_capacity(object.data.len() / 32);
    for entry in TreeRefIter::from_bytes(object.data, id.kind()) {
        let entry = entry.map_err(|_| graph::unusable(id, "it is a damaged tree"))?;
        entries.push((entry.filename, Entry { kind: entry.mode.kind(), id: entry.oid.to_owned() }));
    }
    Ok(entries)
}

/// Whether a tree has anything at a path.
pub(super) fn has(session: &gix::Repository, tree: ObjectId, path: &BStr) -> Result<bool> {
    let (mut at, mut buf) = (Some(tree), Vec::new());
    for name in path.split(|byte| *byte == b'/') {
        let Some(tree) = at else { return Ok(false) };
        let entries = read(session, tree, &mut buf)?;
        let Some((_, entry)) = entries.into_iter().find(|(found, _)| *found == name) else { return Ok(false) };
        at = entry.is_tree().then_some(entry.id);
    }
    Ok(true)
}

/// What differs between three trees, in git's order.
pub(super) fn differing(session: &gix::Repository, trees: [Option<ObjectId>; 3]) -> Result<Vec<Group>> {
    let mut buffers = [Vec::new(), Vec::new(), Vec::new()];
    let [base, ours, theirs] = &mut buffers;
    let same = [trees[1].is_some() && trees[1] == trees[0], trees[2].is_some() && trees[2] == trees[0]];
    let read = |id: Option<ObjectId>, buf| id.map_or_else(|| Ok(Vec::new()), |id| read(session, id, buf));
    let base = read(trees[0], base)?;
    let ours = if same[0] { base.clone() } else { read(trees[1], ours)? };
    let theirs = if same[1] { base.clone() } else { read(trees[2], theirs)? };
    let mut lists = [base.as_slice(), ours.as_slice(), theirs.as_slice()];
    let mut groups: Vec<Group> = Vec::new();
    loop {
        if let [[(a, base), ..], [(b, ours), ..], [(c, theirs), ..]] = lists
            && base == ours
            && ours == theirs
            && a == b
            && b == c
        {
            lists = lists.map(|list| &list[1..]);
            continue;
        }
        let heads = lists.iter().filter_map(|list| list.first());
        let Some(&(name, least)) = heads.min_by(|a, b| order(a, b)) else { break };
        let mut entries = [None; 3];
        for (list, place) in lists.iter_mut().zip(&mut entries) {
            if let [(first, entry), rest @ ..] = list
                && *first == name
                && entry.is_tree() == least.is_tree()
            {
                *place = Some(*entry);
                *list = rest;
            }
        }
        groups.push(Group { name: name.to_owned(), entries });
    }
    Ok(joined(groups))
}

/// Puts a directory and a file of one name together.
fn joined(groups: Vec<Group>) -> Vec<Group> {
    let mut all: Vec<Group> = Vec::with_capacity(groups.len());
    for group in groups {
        let is_tree = group.entries.iter().flatten().any(Entry::is_tree);
        let earlier = is_tree.then(|| {
            // A file sorts before its directory, with only names in between that start with it.
            let near = all.iter().rposition(|other| other.name == group.name);
            near.filter(|_| !group.name.is_empty())
        });
        match earlier.flatten() {
            Some(at) => {
                let file = all.remove(at);
                let mut entries = group.entries;
                for (place, entry) in entries.iter_mut().zip(file.entries) {
                    *place = place.or(entry);
                }
                all.push(Group { name: group.name, entries });
            }
            None => all.push(group),
        }
    }
    all
}

/// The order of entries in a tree: a directory sorts as if its name ended with a slash.
fn order(one: &(&BStr, Entry), other: &(&BStr, Entry)) -> Ordering {
    compare((one.0, one.1.is_tree()), (other.0, other.1.is_tree()))
}

/// As [`order`], for names and whether they are directories.
pub(super) fn compare(one: (&BStr, bool), other: (&BStr, bool)) -> Ordering {
    let common = one.0.len().min(other.0.len());
    let end = |(name, tree): (&BStr, bool)| name.get(common).copied().or_else(|| tree.then_some(b'/'));
    one.0[..common]
        .cmp(&other.0[..common])
        .then_with(|| end(one).cmp(&end(other)))
        .then(one.0.len().cmp(&other.0.len()))
}

/// Directories are followed no deeper than this: git's limit is 2048 (`core.maxTreeDepth`), and no path of a file system is so deep.
const DEEPEST: usize = 512;

/// Refuses a directory that is deeper than anybody works in.
pub(crate) fn depth(path: &BStr) -> Result<()> {
    if path.iter().filter(|byte| **byte == b'/').count() < DEEPEST {
        return Ok(());
    }
    let top = path[..path.len().min(40)].to_str_lossy();
    Err(graph::unusable(format!("{top}…"), format!("it is more than {DEEPEST} directories deep; make it flatter")))
}

/// What [`brought`] shows entries to.
pub(super) type Show<'s> = dyn FnMut(&BStr, Option<Entry>, Entry) -> Result<()> + 's;

/// Shows every entry below `path` that a tree has and its base has not: the path, the base's entry of the same type, and
/// the entry. Directories come before what is in them. A tree that git would refuse is an error.
pub(super) fn brought(
    session: &gix::Repository,
    base: Option<ObjectId>,
    tree: ObjectId,
    path: &BStr,
    show: &mut Show<'_>,
) -> Result<()> {
    if base == Some(tree) {
        return Ok(());
    }
    let (mut base_buf, mut buf) = (Vec::new(), Vec::new());
    let base = base.map_or_else(|| Ok(Vec::new()), |base| read(session, base, &mut base_buf))?;
    let mut base = base.as_slice();
    depth(path)?;
    let mut last: Option<(&BStr, Entry)> = None;
    for (name, entry) in read(session, tree, &mut buf)? {
        if last.replace((name, entry)).is_some_and(|last| order(&last, &(name, entry)) != Ordering::Less) {
            return Err(graph::unusable(
                tree,
                format!("it has {name:?} twice or in the wrong place; 'git fsck' refuses it"),
            ));
        }
        while let [first, rest @ ..] = base
            && order(first, &(name, entry)) == Ordering::Less
        {
            base = rest;
        }
        let before = base.first().filter(|(first, before)| *first == name && before.is_tree() == entry.is_tree());
        let before = before.map(|(_, before)| *before);
        if before == Some(entry) {
            continue;
        }
        let path = join(path, name);
        show(path.as_bstr(), before, entry)?;
        if entry.is_tree() {
            brought(session, before.map(|before| before.id), entry.id, path.as_bstr(), show)?;
        }
    }
    Ok(())
}

/// The path of a name in a directory; the root is the empty path.
pub(crate) fn join(directory: &BStr, name: &BStr) -> BString {
    let mut path = BString::from(Vec::with_capacity(directory.len() + name.len() + 1));
    if !directory.is_empty() {
        path.extend_from_slice(directory);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The directory of a path, which is empty for the root, and its last name.
pub(super) fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(slash) => (path[..slash].as_bstr(), path[slash + 1..].as_bstr()),
        None => (b"".as_bstr(), path),
    }
}
