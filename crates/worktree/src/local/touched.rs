//! Whether anybody has touched a submodule since it was filled.
//!
//! Its files and its history belong to another repository and are not captured, so a tree may only be removed while both
//! are as they were made. That is told by what the file system says about every file, including the time of its last
//! change, which nobody can set.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use gix::index::entry::Mode;

use super::layout::Layout;
use super::record::Record;
use crate::Result;
use crate::capture::fault;

/// More files than this are not looked at; the submodule then counts as touched.
const MOST: usize = 1 << 20;

/// What every filled submodule is like now, by its path.
pub(super) fn fingerprint(
    layout: &Layout,
    record: &Record,
    index: &gix::index::File,
) -> Result<BTreeMap<String, String>> {
    let links = index.entries().iter().filter(|entry| entry.mode == Mode::COMMIT);
    let paths = links.filter_map(|entry| std::str::from_utf8(entry.path(index)).ok());
    let mut found = BTreeMap::new();
    for path in paths {
        let now = state(layout, record, path).map_err(fault::io("look at", record.parts.path.join(path)))?;
        found.extend(now.map(|now| (path.to_owned(), now)));
    }
    Ok(found)
}

/// Whether the submodule at this path is certainly as it was filled.
pub(super) fn is_untouched(layout: &Layout, record: &Record, path: &Path) -> bool {
    let before = path.to_str().and_then(|path| Some((path, record.modules.get(path)?)));
    before.is_some_and(|(path, before)| state(layout, record, path).is_ok_and(|now| now.as_ref() == Some(before)))
}

/// A hash over the files of one submodule and over the history of all of them; none when there are too many.
fn state(layout: &Layout, record: &Record, path: &str) -> std::io::Result<Option<String>> {
    let mut lines = Vec::new();
    let whole = walk(&record.parts.path.join(path), Part::Files, &mut lines)?
        && walk(&record.admin_dir(layout).join("modules"), Part::History, &mut lines)?;
    lines.sort();
    let hash = gix::objs::compute_hash(gix::hash::Kind::Sha256, gix::objs::Kind::Blob, &lines.concat());
    Ok(hash.ok().filter(|_| whole).map(|hash| hash.to_string()))
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The files of a submodule.
    Files,
    /// Its git directory.
    History,
}

fn walk(root: &Path, part: Part, lines: &mut Vec<Vec<u8>>) -> std::io::Result<bool> {
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let (path, meta) = (entry.path(), entry.metadata()?);
            // Every `git status` writes it anew, and it holds no work that is not a file or an object too.
            if part == Part::History && entry.file_name() == "index" {
                continue;
            }
            if meta.is_dir() {
                waiting.push(path.clone());
            }
            let kind = meta.mode();
            let mut line = path.as_os_str().as_bytes().to_vec();
            // An object may be the same file in the repository that it was cloned from, which others touch; its name says
            // what it holds.
            let object = part == Part::History && path.iter().any(|name| name == "objects");
            if !meta.is_dir() && !object {
                line.extend(format!(" {} {}.{}", meta.size(), meta.ctime(), meta.ctime_nsec()).bytes());
            }
            line.extend(format!(" {kind:o} {}\n", meta.ino()).bytes());
            lines.push(line);
            if lines.len() > MOST {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
