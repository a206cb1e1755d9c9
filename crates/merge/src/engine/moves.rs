//! What renames make of the paths, before any path is merged.

use std::collections::{BTreeMap, HashSet};

use gix::bstr::{BStr, BString, ByteSlice};

use super::content::{Contents, Versions};
use super::halt::Halt;
use super::node::{BASE, Node, OURS, Paths, THEIRS, bit};
use super::renames::Renames;
use super::renames::directories::{above, moved};
use super::report::Report;
use super::tree::Entry;
use crate::{ConflictKind, Result as Read};

/// Old and new name, and the side that gave it.
struct Rename<'r> {
    old: &'r BString,
    new: &'r BString,
    side: usize,
}

/// Brings the versions of renamed files together at their new names.
pub(super) fn apply(
    paths: &mut Paths,
    renames: &[Renames; 2],
    contents: &mut Contents<'_>,
    report: &mut Report,
) -> Result<(), Halt> {
    let mut all: Vec<_> = [OURS, THEIRS]
        .into_iter()
        .flat_map(|side| renames[side - 1].files.iter().map(move |(old, new)| Rename { old, new, side }))
        .collect();
    all.sort_by(|one, other| one.old.cmp(other.old));
    let arrivals: HashSet<(&BString, usize)> = all.iter().map(|rename| (rename.new, rename.side)).collect();
    let mut rest = all.as_slice();
    while let [rename, others @ ..] = rest {
        rest = others;
        let Some(old) = paths.get(rename.old).filter(|old| old.settled.is_none()).cloned() else { continue };
        match others {
            [other, after @ ..] if other.old == rename.old => {
                rest = after;
                twice(paths, &old, rename, other, contents, report)?;
            }
            _ => {
                let met = arrivals.contains(&(rename.new, OURS + THEIRS - rename.side));
                let collision = if met { ConflictKind::RenameRename2To1 } else { ConflictKind::RenameAdd };
                once(paths, old, (rename, collision), contents, report)?;
            }
        }
    }
    Ok(())
}

/// Both sides renamed a file.
fn twice(
    paths: &mut Paths,
    old: &Node,
    ours: &Rename<'_>,
    theirs: &Rename<'_>,
    contents: &mut Contents<'_>,
    report: &mut Report,
) -> Result<(), Halt> {
    let base = old.stages[BASE];
    if ours.new == theirs.new {
        if let Some(node) = paths.get_mut(ours.new) {
            node.stages[BASE] = base;
            node.names[BASE] = Some(ours.old.clone());
        }
        settle(paths, ours.old);
        return Ok(());
    }
    let entry = |name, side| paths.get(name).and_then(|node: &Node| node.stages[side]);
    let (Some(one), Some(other)) = (entry(ours.new, OURS), entry(theirs.new, THEIRS)) else { return Ok(()) };
    let names = [ours.old.as_bstr(), ours.new.as_bstr(), theirs.new.as_bstr()];
    report.add(ours.old, ConflictKind::RenameRename1To2, [base, Some(one), Some(other)], names);
    report.cover(ours.new);
    report.cover(theirs.new);
    let (mut first, mut second) = (Some(one), Some(other));
    if contents.depth > 0 && one.is_like(&other) {
        let longer = 1 + 2 * contents.depth;
        let versions = Versions { path: ours.old.as_bstr(), base, ours: one, theirs: other, names, longer };
        let merged = contents.merge(&versions)?;
        first = merged.entry;
        let unmerged = !merged.clean && merged.entry == Some(one);
        second = if unmerged { Some(other) } else { merged.entry };
    }
    for (name, side, entry) in [(ours.new, OURS, first), (theirs.new, THEIRS, second)] {
        if let Some(node) = paths.get_mut(name) {
            node.stages[side] = entry;
            node.disputed = true;
        }
    }
    if let Some(node) = paths.get_mut(ours.old) {
        node.disputed = true;
    }
    Ok(())
}

/// One side renamed a file; the kind is that of a collision, should there be one.
fn once(
    paths: &mut Paths,
    old: Node,
    (rename, collision): (&Rename<'_>, ConflictKind),
    contents: &mut Contents<'_>,
    report: &mut Report,
) -> Result<(), Halt> {
    let (side, other) = (rename.side, OURS + THEIRS - rename.side);
    let Some(target) = paths.get(rename.new).cloned() else { return Ok(()) };
    let deleted = old.files() == bit(BASE);
    let is_file = |entry: Option<Entry>| entry.is_some_and(|entry| entry.is_file());
    let retyped = !deleted && is_file(old.stages[other]) != is_file(target.stages[side]);
    let collides = target.files() & bit(other) != 0 && !retyped;
    let mut node = target;
    match (collides, deleted) {
        (true, false) => {
            if let (Some(renamed), Some(kept)) = (node.stages[side], old.stages[other]) {
                let mut versions = Versions {
                    path: rename.old.as_bstr(),
                    base: old.stages[BASE],
                    ours: renamed,
                    theirs: kept,
                    names: [rename.old.as_bstr(), rename.new.as_bstr(), rename.old.as_bstr()],
                    longer: 1 + 2 * contents.depth,
                };
                if side == THEIRS {
                    (versions.ours, versions.theirs) = (kept, renamed);
                    versions.names = [rename.old.as_bstr(), rename.old.as_bstr(), rename.new.as_bstr()];
                }
                let merged = contents.merge(&versions)?;
                node.stages[side] = merged.entry;
                node.unmerged[side] = Some(renamed);
                if !merged.clean || Some(kept.id) != old.stages[BASE].map(|base| base.id) {
                    // Whoever decides about the two files has to know of the third version.
                    let sides = [old.stages[BASE], Some(versions.ours), Some(versions.theirs)];
                    report.add(rename.new, collision, sides, versions.names);
                }
            }
            node.collision = Some(collision);
        }
        (true, true) => {
            node.disputed = true;
            node.collision = Some(collision);
            deletion(report, rename, old.stages[BASE], node.stages[side]);
        }
        (false, _) => {
            node.stages[BASE] = old.stages[BASE];
            node.names[BASE] = Some(rename.old.clone());
            if retyped {
                // What is at the old name now is another file.
                if let Some(left) = paths.get_mut(rename.old) {
                    left.stages[BASE] = None;
                    left.matching = 0;
                }
            } else if deleted {
                node.disputed = true;
                deletion(report, rename, old.stages[BASE], node.stages[side]);
            } else {
                node.stages[other] = old.stages[other];
                node.names[other] = Some(rename.old.clone());
            }
        }
    }
    paths.insert(rename.new.clone(), node);
    if !retyped {
        settle(paths, rename.old);
    }
    Ok(())
}

/// Reports that a side renamed what the other deleted.
fn deletion(report: &mut Report, rename: &Rename<'_>, base: Option<Entry>, renamed: Option<Entry>) {
    let mut versions = [base, None, None];
    versions[rename.side] = renamed;
    let names = [rename.old.as_bstr(), rename.new.as_bstr(), rename.new.as_bstr()];
    report.add(rename.new, ConflictKind::RenameDelete, versions, names);
}

/// Nothing is left at the old name.
fn settle(paths: &mut Paths, old: &BString) {
    if let Some(node) = paths.get_mut(old) {
        node.settled = Some(None);
    }
}

/// Reports what was added to directories that the other side renamed: git suggests the new place and calls it a
/// conflict, because it cannot know. `has` tells whether a side has anything at a path.
pub(super) fn suggest(
    paths: &Paths,
    renames: &[Renames; 2],
    added: &[Vec<BString>; 2],
    has: impl Fn(usize, &BString) -> Read<bool>,
    report: &mut Report,
) -> Read<()> {
    let renamed = renames.each_ref().map(|renames| renames.directories.renamed());
    for (renamed, brought) in renamed.iter().zip([&added[THEIRS - 1], &added[OURS - 1]]) {
        for split in &renamed.split {
            let below =
                |path: &&BString| path.strip_prefix(split.as_slice()).is_some_and(|rest| rest.starts_with(b"/"));
            for path in brought.iter().filter(below) {
                place(paths, path, ConflictKind::DirectoryRenameSplit, report);
            }
        }
    }
    // What both sides renamed is not a question of directories.
    let only = |one: usize, other: usize| -> BTreeMap<BString, BString> {
        let both = |directory: &BString| renamed[other].to.contains_key(directory);
        renamed[one].to.iter().filter(|(old, _)| !both(old)).map(|(old, new)| (old.clone(), new.clone())).collect()
    };
    let directories = [only(0, 1), only(1, 0)];
    let brought = |side: usize| added[side - 1].iter();
    let targets = [OURS, THEIRS].map(|side| {
        let by_other = &directories[2 - side];
        let target = |path: &BString| above(by_other, path.as_bstr()).map(|found| moved(path.as_bstr(), found));
        let mut places = BTreeMap::<BString, usize>::new();
        if !by_other.is_empty() {
            brought(side).filter_map(target).for_each(|place| *places.entry(place).or_default() += 1);
        }
        places
    });
    for side in [OURS, THEIRS] {
        let (by_other, own) = (&directories[2 - side], &directories[side - 1]);
        if by_other.is_empty() {
            continue;
        }
        for path in brought(side) {
            let Some(renamed) = above(by_other, path.as_bstr()) else { continue };
            if own.contains_key(renamed.1) || targets[2 - side].contains_key(path) {
                continue;
            }
            let to = moved(path.as_bstr(), renamed);
            let kind = if has(side, &to)? {
                ConflictKind::DirectoryRenameInTheWay
            } else if targets[side - 1].get(&to).is_some_and(|arrivals| *arrivals > 1) {
                ConflictKind::DirectoryRenameCollision
            } else {
                ConflictKind::DirectoryRename
            };
            place(paths, path, kind, report);
        }
    }
    Ok(())
}

/// Reports an added file whose place is in doubt.
fn place(paths: &Paths, path: &BString, kind: ConflictKind, report: &mut Report) {
    match paths.get(path) {
        Some(node) => report.at(path, kind, node),
        None => report.add(path, kind, [None; 3], [path.as_bstr(); 3]),
    }
}

/// A path that nothing is at: the path with the name of a side.
pub(super) fn beside(paths: &Paths, path: &BStr, side: usize) -> BString {
    let mut place = path.to_owned();
    place.extend_from_slice(if side == OURS { b"~Temporary merge branch 1" } else { b"~Temporary merge branch 2" });
    let mut free = place.clone();
    for n in 0_u32.. {
        if !paths.contains_key(&free) {
            break;
        }
        free = place.clone();
        free.extend_from_slice(format!("_{n}").as_bytes());
    }
    free
}
