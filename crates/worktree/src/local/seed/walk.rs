//! Walks the main checkout, entering as little of what is ignored as the rules allow.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gix::index::entry::Mode;
use gix::worktree::stack::state::ignore::Source;
use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use super::copy::{self, Copier};
use super::rules::{self, Rules};
use crate::Result;
use crate::capture::fault;

/// A directory to look at.
struct Step {
    path: PathBuf,
    ignored: bool,
    listed: bool,
}

/// Copies every file that is ignored, listed and not tracked.
pub(super) fn walk(
    repo: &gix::Repository,
    main: &Path,
    source: &OwnedFd,
    rules: &Rules,
    copier: &mut Copier<'_>,
) -> Result<()> {
    let mut repo = repo.clone();
    repo.set_workdir(main.to_owned()).map_err(fault::git("enter the main checkout"))?;
    let index = repo.index_or_empty().map_err(fault::git("read the index of the main checkout"))?;
    let mut ignores = repo
        .excludes(&index, None, Source::WorktreeThenIdMappingIfNotSkipped)
        .map_err(fault::git("read the ignore rules"))?;
    let mut ignored = |path: &Path, mode: Mode| -> Result<bool> {
        let at =
            ignores.at_path(path, Some(mode)).map_err(fault::git(format!("apply the ignore rules to {path:?}")))?;
        Ok(at.is_excluded())
    };
    let mut steps = vec![Step { path: PathBuf::new(), ignored: false, listed: false }];
    while let Some(step) = steps.pop() {
        for (name, kind) in entries(source, &step.path)? {
            let path = step.path.join(OsStr::from_bytes(&name));
            let text = rules::text(&path);
            if kind == FileType::Directory {
                if is_repository(source, &path) {
                    continue;
                }
                let ignored = step.ignored || ignored(&path, Mode::DIR)?;
                let listed = step.listed || rules.lists(text, true);
                if !ignored || listed || rules.reach_into(text) {
                    steps.push(Step { path, ignored, listed });
                }
            } else if kind == FileType::RegularFile
                && (step.listed || rules.lists(text, false))
                && (step.ignored || ignored(&path, Mode::FILE)?)
                && index.entry_by_path(text).is_none()
            {
                copier.file(&path)?;
            }
        }
    }
    Ok(())
}

/// What a directory holds, git's own directory aside; nothing when it cannot be entered.
fn entries(root: &OwnedFd, path: &Path) -> Result<Vec<(Vec<u8>, FileType)>> {
    let dir = match copy::open_dir(root, path) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::ACCESS) => return Ok(Vec::new()),
        opened => opened.map_err(fault::io("list", path))?,
    };
    let mut found = Vec::new();
    for entry in Dir::read_from(&dir).map_err(fault::io("list", path))? {
        let entry = entry.map_err(fault::io("list", path))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b".." | b".git") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            known => known,
        };
        found.push((name.to_bytes().to_owned(), kind));
    }
    Ok(found)
}

/// Whether a repository of its own lies there: a submodule, a nested clone or somebody's worktree.
fn is_repository(root: &OwnedFd, path: &Path) -> bool {
    copy::open_dir(root, path).is_ok_and(|dir| rustix::fs::statat(&dir, c".git", AtFlags::SYMLINK_NOFOLLOW).is_ok())
}
