//! Indexes that describe files which were written for another tree.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::index::entry::{Flags, Mode, Stage, Stat};
use gix::index::{File, State};

use super::super::sparse;
use crate::capture::{Former, fault};
use crate::{Result, Sparse};

/// The index of a commit: an entry knows its file where the file has the entry's content.
pub(super) fn of_commit(repo: &gix::Repository, commit: ObjectId, files: &State, sparse: &Sparse) -> Result<File> {
    let tree = repo.find_commit(commit).map_err(fault::git(format!("read commit {commit}")))?;
    let tree = tree.tree_id().map_err(fault::git(format!("read commit {commit}")))?.detach();
    of_tree(repo, tree, files, sparse)
}

fn of_tree(repo: &gix::Repository, tree: ObjectId, files: &State, sparse: &Sparse) -> Result<File> {
    let mut index = repo.index_from_tree(&tree).map_err(fault::git(format!("read tree {tree}")))?;
    sparse::leave_out(repo, &mut index, sparse)?;
    let known: Vec<Option<Stat>> = index
        .entries()
        .iter()
        .map(|entry| {
            let file = files.entry_by_path(entry.path(&index))?;
            (file.id == entry.id && file.mode == entry.mode).then_some(file.stat)
        })
        .collect();
    for (entry, stat) in index.entries_mut().iter_mut().zip(known) {
        entry.stat = stat.unwrap_or_default();
    }
    Ok(index)
}

/// The index as it was: what was staged, and the sides of conflicts.
pub(super) fn staged(repo: &gix::Repository, former: &Former, files: &State, sparse: &Sparse) -> Result<File> {
    let mut index = of_tree(repo, former.index, files, sparse)?;
    let Some(conflicts) = former.conflicts else { return Ok(index) };
    let sides = repo.index_from_tree(&conflicts).map_err(fault::git(format!("read tree {conflicts}")))?;
    let mut added: Vec<(BString, Stage, ObjectId, Mode)> = Vec::new();
    for entry in sides.entries() {
        let path = entry.path(&sides);
        let stage = match path.first() {
            Some(b'1') => Stage::Base,
            Some(b'2') => Stage::Ours,
            Some(b'3') => Stage::Theirs,
            _ => continue,
        };
        if let Some(rest) = path.get(2..) {
            added.push((rest.into(), stage, entry.id, entry.mode));
        }
    }
    index.remove_entries(|_, path, _| added.iter().any(|(conflict, ..)| conflict == path));
    for (path, stage, id, mode) in added {
        index.dangerously_push_entry(Stat::default(), id, Flags::from_stage(stage), mode, path.as_bstr());
    }
    index.sort_entries();
    index.remove_tree();
    Ok(index)
}
