//! Mends a tree in which the machine crashed before everything that was written at its creation had reached the disk.
//!
//! Nothing of a new tree is flushed but what git needs to work in the whole repository, and the saved index. That index
//! tells the rest: a file that still has the times of its creation, to the nanosecond, but not the size that it had then,
//! was never flushed, and nobody has touched it since.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gix::ObjectId;
use gix::index::entry::{Flags, Mode};
use gix::index::{State, decode};
use rustix::fs::{CWD, FileType, Stat, fsync, renameat};

use super::layout::Layout;
use super::record::Record;
use super::{admin, base, fill, intact};
use crate::capture::beneath::{self, Dir};
use crate::capture::fault;
use crate::swap::{self, Value};
use crate::{Result, disk, repo};

/// The most bytes of an index that are read.
const INDEX: u64 = 1 << 30;

/// Writes again what was never flushed, from its objects. What anybody has changed since stays as it is.
pub(super) fn mend(layout: &Layout, record: &Record) -> Result<()> {
    let repo = repo::open(&layout.common)?;
    let path = layout.index(&record.parts.id);
    // Without it nothing can be told about the files, and git shows what differs.
    let Some(mut saved) = read(&path, repo.object_hash()) else { return Ok(()) };
    let tree = &record.parts.path;
    let torn = torn(&saved, tree)?;
    if !torn.is_empty() {
        fill::again(&repo, &mut saved, tree, &torn)?;
        let mut file = gix::index::File::from_state(saved, &path);
        file.remove_tree();
        let beside = path.with_extension("index.tmp");
        admin::write_index(&file, &beside)?;
        std::fs::rename(&beside, &path).map_err(fault::io("write", &path))?;
        saved = file.into_parts().0;
    }
    mend_git_file(layout, record)?;
    let index = record.admin_dir(layout).join("index");
    if !disk::read_bounded(&index, INDEX).is_ok_and(|bytes| intact::is_whole(&bytes, repo.object_hash())) {
        rebuild(&repo, record, &saved, &index)?;
    }
    Ok(())
}

/// The index in this file of ours, if it is whole.
fn read(path: &Path, hash: gix::hash::Kind) -> Option<State> {
    let bytes = disk::read_bounded(path, INDEX).ok()?;
    if !intact::is_whole(&bytes, hash) {
        return None;
    }
    let now = State::new(hash).timestamp();
    State::from_bytes(&bytes, now, hash, decode::Options::default()).ok().map(|(state, _)| state)
}

/// The entries whose files were never flushed.
fn torn(saved: &State, tree: &Path) -> Result<Vec<usize>> {
    let root = Dir::open(tree).map_err(fault::io("open", tree))?;
    let mut found = Vec::new();
    for (at, entry) in saved.entries().iter().enumerate() {
        let file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        if !file || entry.flags.contains(Flags::SKIP_WORKTREE) {
            continue;
        }
        let (dir, name) = fill::split(entry.path(saved));
        let Ok(stat) = root.dir(dir).and_then(|dir| dir.stat(name)) else { continue };
        let now = fill::kept(&stat);
        let untouched = (now.mtime, now.ctime, now.ino) == (entry.stat.mtime, entry.stat.ctime, entry.stat.ino);
        if beneath::kind(&stat) == FileType::RegularFile && untouched && now.size != entry.stat.size {
            found.push(at);
        }
    }
    Ok(found)
}

/// The file that leads git from the tree to its admin directory.
fn mend_git_file(layout: &Layout, record: &Record) -> Result<()> {
    let path = record.parts.path.join(".git");
    let tree = Dir::open(&record.parts.path).map_err(fault::io("open", &record.parts.path))?;
    let empty = |stat: &Stat| beneath::kind(stat) == FileType::RegularFile && stat.st_size == 0;
    if !tree.stat(b".git").is_ok_and(|stat| empty(&stat)) {
        return Ok(());
    }
    // Made where only we write, under a name that is deleted together with the worktree: in the tree, the agent may have
    // put a link under any name that can be foreseen, and what a crash leaves there would look like its work.
    let beside = &record.temporary;
    disk::remove_file(beside)?;
    let write = || -> std::io::Result<()> {
        let mut file = File::create_new(beside)?;
        file.write_all(format!("gitdir: {}\n", record.admin_dir(layout).display()).as_bytes())?;
        file.sync_all()?;
        renameat(CWD, beside, tree.fd(), c".git")?;
        Ok(fsync(tree.fd())?)
    };
    write().map_err(fault::io("write", &path))
}

/// Makes the index of the commit that the worktree stands on, with the stat data of the files that are as they were.
fn rebuild(repo: &gix::Repository, record: &Record, saved: &State, path: &Path) -> Result<()> {
    let mut known = HashMap::new();
    for entry in saved.entries() {
        known
            .insert((entry.path(saved), entry.id, entry.mode.bits()), (entry.stat, entry.flags & Flags::SKIP_WORKTREE));
    }
    let commit =
        head(repo, path.with_file_name("HEAD").as_path()).map_or_else(|| base::object_id(&record.parts.base), Ok)?;
    let mut index = fill::list(repo, commit)?;
    let (entries, backing) = index.entries_mut_and_pathbacking();
    for entry in entries {
        if let Some((stat, flags)) = known.get(&(entry.path_in(backing), entry.id, entry.mode.bits())) {
            entry.stat = *stat;
            entry.flags |= *flags;
        }
    }
    let beside = path.with_file_name("index.mended");
    disk::remove_file(&beside)?;
    admin::write_index(&gix::index::File::from_state(index, path), &beside)?;
    std::fs::rename(&beside, path).map_err(fault::io("write", path))
}

/// The commit that `HEAD` names, if that can be read.
fn head(repo: &gix::Repository, path: &Path) -> Option<ObjectId> {
    let text = disk::read_small(path).ok()?;
    let text = text.trim_ascii_end();
    let id = match text.strip_prefix(b"ref: ") {
        Some(name) => {
            let name = OsStr::from_bytes(name).to_str().filter(|name| name.starts_with("refs/heads/"))?;
            match swap::read(repo.common_dir(), name).ok()? {
                Value::Id(id) => id,
                Value::Missing | Value::Other => return None,
            }
        }
        None => ObjectId::from_hex(text).ok()?,
    };
    repo.find_commit(id).ok().map(|commit| commit.id)
}
