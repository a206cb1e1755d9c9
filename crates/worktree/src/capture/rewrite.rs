//! Gives files that were written as their own attributes say the line ends that a capture took from them.
//!
//! A capture converts as the attributes of the base say. Where the work brought attributes of its own, a checkout of it
//! would convert otherwise, and the files would not be what they were.

use std::path::Path;

use gix::bstr::{BStr, BString};
use gix::glob::pattern::Case;
use gix::index::State;
use gix::index::entry::{Flags, Mode, Stat};

use super::base::{self, Base};
use super::beneath::Dir;
use super::convert::Converter;
use super::fault;
use super::notices::path_of;
use crate::Result;

/// Rewrites the files of a tree that nobody else can see yet, and enters what they are now into their index.
pub(crate) fn rewrite(
    repo: &gix::Repository,
    common: &Path,
    base: gix::ObjectId,
    tree: &Path,
    files: &mut State,
) -> Result<()> {
    let root = base::root(repo, base).map_err(|why| fault::strange(common, &why))?;
    let of_base = repo.index_from_tree(&root).map_err(fault::git(format!("read tree {root}")))?;
    if attributes(&of_base) == attributes(files) {
        return Ok(());
    }
    let git = Dir::open(common).map_err(fault::io("open", common))?;
    // There is no index of that name, so that the trees are read.
    let base = Base::open(repo, base, &tree.join(".git/index")).map_err(|why| fault::strange(common, &why))?;
    let fold = repo.config_snapshot().boolean("core.ignoreCase").unwrap_or(false);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let mut converter = Converter::new(repo, &git, &base, case)?;
    let (entries, paths) = files.entries_mut_and_pathbacking();
    for entry in entries {
        let is_file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        if !is_file || entry.flags.contains(Flags::SKIP_WORKTREE) {
            continue;
        }
        let path = entry.path_in(paths);
        let blob = repo.find_object(entry.id).map_err(fault::git(format!("read {path}")))?;
        let wanted = match &mut converter {
            Some(converter) => converter.write_form(path, &blob.data),
            None => blob.data.clone(),
        };
        let file = tree.join(path_of(path));
        if std::fs::read(&file).map_err(fault::io("read", &file))? == wanted {
            continue;
        }
        std::fs::write(&file, &wanted).map_err(fault::io("write", &file))?;
        let meta = gix::index::fs::Metadata::from_path_no_follow(&file).map_err(fault::io("look at", &file))?;
        entry.stat = Stat::from_fs(&meta).map_err(|e| fault::strange(&file, &e.to_string()))?;
    }
    Ok(())
}

/// The files of attributes, and what they hold.
fn attributes(index: &State) -> Vec<(BString, gix::ObjectId)> {
    let named = |path: &BStr| path == ".gitattributes" || path.ends_with(b"/.gitattributes");
    let entries = index.entries().iter().map(|entry| (entry.path(index), entry.id));
    entries.filter(|(path, _)| named(path)).map(|(path, id)| (path.to_owned(), id)).collect()
}
