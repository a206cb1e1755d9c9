//! Whether a tree that is not in its place may lie somewhere else: moved, or on a volume that is not mounted.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::doctor::Backlinks;
use super::layout::Layout;
use super::record::Record;
use super::scan;
use crate::Result;
use crate::capture::fault;
use crate::disk;

/// Whether nothing at all is in the place of the tree.
pub(super) fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

/// Why a tree that is not in its place must not be taken for deleted, if so.
pub(super) fn elsewhere(layout: &Layout, record: &Record) -> Result<Option<String>> {
    let path = &record.parts.path;
    if !is_gone(path) {
        // What cannot be looked at now may be the tree.
        let replaced = path.symlink_metadata().is_ok() && !record.has_tree();
        return Ok(replaced.then(|| replaced_by_another(layout, record)));
    }
    let Some(parent) = path.parent().and_then(disk::identity) else {
        return Ok(Some("its tree is missing with the directory that it was in, which may not be mounted".into()));
    };
    // A tree is renamed into its place, so it is on the same file system as the directory that it is in.
    let home = record.home.as_ref();
    let beside = record.root.as_ref().map(|root| root.may_be_beside(parent, home, layout)).transpose()?;
    if beside == Some(false) {
        let why = "its tree is missing, and the directory that it was in is on another file system than the tree; its \
                   own may not be mounted";
        return Ok(Some(why.into()));
    }
    // git writes down where it moves a tree, or finds it.
    let named = named(layout, record)?;
    let moved = match named.as_deref().filter(|named| !is_gone(named)) {
        Some(named) => Ok(Some(named.to_owned())),
        None => near(layout, record),
    };
    let moved = match moved {
        Ok(moved) => moved,
        Err(e) => {
            let why = fault::with_causes(&e);
            return Ok(Some(format!("its tree is missing, and it could not be told whether it was moved: {why}")));
        }
    };
    if let Some(moved) = moved {
        return Ok(Some(format!("its tree was moved to {moved:?}; move it back, and release it then")));
    }
    match named.filter(|named| named.parent().is_none_or(is_gone)) {
        Some(named) => Ok(Some(format!("its tree was moved to {named:?}, which may not be mounted"))),
        None => Ok(None),
    }
}

/// Whether the directory may be the tree of this record, as far as that can be told from outside.
pub(super) fn may_be(record: &Record, found: &Path) -> bool {
    record.root.as_ref().is_none_or(|root| root.is_at(found))
}

/// As [`near_in`], looking through all places anew.
pub(super) fn near(layout: &Layout, record: &Record) -> Result<Option<PathBuf>> {
    near_in(&Backlinks::new(layout), layout, record)
}

/// Where a tree lies that somebody moved without telling git, if that is not far from where it was.
pub(super) fn near_in(places: &Backlinks<'_>, layout: &Layout, record: &Record) -> Result<Option<PathBuf>> {
    let path = &record.parts.path;
    let found = places.trees_of(&record.admin_dir(layout), Some(path), |found| may_be(record, found))?;
    // What is in its place and names its entry is a copy of it.
    Ok(found.into_iter().find(|tree| tree != path))
}

/// What to do where another directory, a file or a symlink is in the place of the tree.
fn replaced_by_another(layout: &Layout, record: &Record) -> String {
    let back = match near(layout, record) {
        Ok(Some(moved)) => format!("move that away and the tree back, which is at {moved:?}"),
        // One that lies farther away names its entry as well, and nobody can tell a copy from it.
        _ => "move that away and the tree back; a copy is not the tree, so take what is needed out of it".to_owned(),
    };
    format!("something else is in the place of its tree; {back}, then adopt and release it")
}

/// As [`problem_in`], looking through all places anew.
pub(super) fn problem(layout: &Layout, record: &Record) -> String {
    problem_in(&Backlinks::new(layout), layout, record)
}

/// What is wrong with a tree that is not in its place, in words.
pub(super) fn problem_in(places: &Backlinks<'_>, layout: &Layout, record: &Record) -> String {
    match near_in(places, layout, record) {
        Ok(Some(moved)) => format!("its tree was moved to {moved:?}; move it back"),
        Ok(None) => "its tree is missing, moved or replaced; put it back, or adopt and release it to save its commits"
            .to_owned(),
        Err(e) => {
            let why = fault::with_causes(&e);
            format!("its tree is missing or replaced, and it could not be told whether it was moved: {why}")
        }
    }
}

/// Where git believes the tree to be.
fn named(layout: &Layout, record: &Record) -> Result<Option<PathBuf>> {
    let admins = scan::all(&layout.admins()).map_err(fault::io("list", layout.admins()))?;
    Ok(admins.into_iter().find(|admin| admin.name == record.admin).and_then(|admin| admin.tree))
}
