//! When renames matter, and when a directory's rename is a guess.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::diff::tree::recorder::Location;
use gix::diff::tree_with_rewrites::{ChangeRef, Options};
use gix::objs::FindExt;

use super::changes::{Changes, above};
use super::report::Who;
use super::trees::{RENAMES, Workbench};
use super::{failed, report};
use crate::conflict::Found;
use crate::{ConflictKind, Result};

/// Whether finding renames can change the result.
///
/// It can when one side deleted a file that the other touched, or emptied a directory to which the other added. For all
/// other changes a rename is a deletion and an addition, at a hundredth of the cost.
pub(super) fn can_matter(we: &Changes, they: &Changes) -> bool {
    let lost = |one: &Changes, other: &Changes| {
        one.deleted.keys().any(|path| other.touched(path)) || added_under_gone(one, other).next().is_some()
    };
    lost(we, they) || lost(they, we)
}

/// Files that `one` deleted and whose new names, should they have any, cannot change the result: nobody else touched them,
/// nor added to a directory that went with them. git does not look for their new names either.
///
/// Those that are somewhere else now as they were are not among them: as the source of that file they must keep another
/// one, which changed, from being taken for it.
fn unneeded<'c>(one: &'c Changes, other: &Changes) -> Vec<&'c BString> {
    let directories: BTreeSet<&BStr> = added_under_gone(one, other)
        .flat_map(|path| above(path.as_bstr()).filter(|directory| one.gone.contains(*directory)))
        .collect();
    let brought: HashSet<&ObjectId> = one.brought.iter().map(|(_, _, id)| id).collect();
    let needed = |path: &BString, id: &ObjectId| {
        other.touched(path)
            || brought.contains(id)
            || above(path.as_bstr()).any(|directory| directories.contains(directory))
    };
    one.deleted.iter().filter(|(path, id)| !needed(path, id)).map(|(path, _)| path).collect()
}

/// The three trees without what both sides agree on by the end and only one side deleted, so that there is less to look
/// for. Merging them gives what merging the whole ones gives.
pub(super) fn without_unneeded(
    session: &gix::Repository,
    base: ObjectId,
    (ours, we): (ObjectId, &Changes),
    (theirs, they): (ObjectId, &Changes),
) -> Result<[ObjectId; 3]> {
    let (our_deletions, their_deletions) = (unneeded(we, they), unneeded(they, we));
    let in_base: Vec<_> = our_deletions.iter().chain(&their_deletions).copied().collect();
    Ok([
        without(session, base, &in_base)?,
        without(session, ours, &their_deletions)?,
        without(session, theirs, &our_deletions)?,
    ])
}

fn without(session: &gix::Repository, tree: ObjectId, paths: &[&BString]) -> Result<ObjectId> {
    if paths.is_empty() {
        return Ok(tree);
    }
    let mut editor = session.find_tree(tree).map_err(failed("read a tree"))?.edit().map_err(failed("read a tree"))?;
    for path in paths {
        editor.remove(path.as_bstr()).map_err(failed("leave a file out of a tree"))?;
    }
    Ok(editor.write().map_err(failed("write a tree"))?.detach())
}

/// Files that `other` added in directories of which `one` has nothing left.
fn added_under_gone<'c>(one: &'c Changes, other: &'c Changes) -> impl Iterator<Item = &'c BString> {
    other.added.iter().filter(|path| above(path.as_bstr()).any(|directory| one.gone.contains(directory)))
}

/// Paths that the other side added to a directory which this side seems to have renamed or split.
///
/// git suggests the new place and calls it a conflict, because it cannot know; gix moves the file and says nothing.
pub(super) fn guessed(
    bench: &Workbench<'_>,
    base: ObjectId,
    (tree, one): (ObjectId, &Changes),
    other: &Changes,
    added_by: Who,
) -> Result<Vec<Found>> {
    let mut candidates = added_under_gone(one, other).peekable();
    if candidates.peek().is_none() {
        return Ok(Vec::new());
    }
    let renamed = renamed_directories(bench, base, tree)?;
    let moved = |path: &BStr| above(path).any(|dir| one.gone.contains(dir) && renamed.contains(dir));
    let conflicts = candidates.filter(|path| moved(path.as_bstr())).map(|path| {
        let entry = other.brought.iter().find(|(brought, ..)| brought == path);
        let side = entry.map(|(brought, mode, id)| report::side(brought.as_bstr(), *mode, *id));
        let (ours, theirs) = if added_by == Who::Ours { (side, None) } else { (None, side) };
        Found { path: path.clone(), kind: ConflictKind::DirectoryRename, base: None, ours, theirs }
    });
    Ok(conflicts.collect())
}

/// Directories out of which files were renamed, as far up as the rest of both names differs.
fn renamed_directories(bench: &Workbench<'_>, base: ObjectId, side: ObjectId) -> Result<BTreeSet<BString>> {
    let session = bench.session;
    let (mut base_buf, mut side_buf) = (Vec::new(), Vec::new());
    let base = session.find_tree_iter(&base, &mut base_buf).map_err(failed("read the base's tree"))?;
    let side = session.find_tree_iter(&side, &mut side_buf).map_err(failed("read a side's tree"))?;
    let mut found = BTreeSet::new();
    gix::diff::tree_with_rewrites(
        base,
        side,
        &mut bench.diff_platform()?,
        &mut gix::diff::tree::State::default(),
        session,
        |change| {
            if let ChangeRef::Rewrite { source_location, location, source_entry_mode, copy: false, .. } = change
                && source_entry_mode.is_no_tree()
            {
                note(source_location, location, &mut found);
            }
            Ok(ControlFlow::Continue(()))
        },
        Options { location: Some(Location::Path), rewrites: Some(RENAMES) },
    )
    .map_err(failed("find renames"))?;
    Ok(found)
}

fn note(from: &BStr, to: &BStr, found: &mut BTreeSet<BString>) {
    let name = |path: &BStr| path.rfind_byte(b'/').map_or(path.to_owned(), |slash| path[slash + 1..].into());
    for (old, new) in above(from).zip(above(to)) {
        if old.is_empty() || old == new {
            return;
        }
        found.insert(old.to_owned());
        // a/b/f to c/b/f says that a became c too; a/b/f to c/d/f says it of a/b only.
        if name(old) != name(new) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(from: &str, to: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        note(from.into(), to.into(), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rename_is_one_of_every_directory_above_until_the_names_differ() {
        assert_eq!(noted("a/b/f", "c/b/f"), ["a", "a/b"]);
        assert_eq!(noted("a/b/f", "c/d/f"), ["a/b"]);
        assert_eq!(noted("a/f", "f"), ["a"]);
        assert!(noted("f", "a/f").is_empty());
        assert!(noted("a/f", "a/g").is_empty());
    }
}
