//! What one process uses.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::{Own, Place, number};

/// One process, by its number and its directory in `/proc`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process<'a> {
    pub(super) pid: u32,
    pub(super) dir: &'a Path,
}

/// How many directories above its own a process is looked for in a tree that it knows by another path.
const ABOVE: usize = 64;

impl Process<'_> {
    /// What it uses of the tree, if anything. An error means that it has ended, or cannot be asked.
    pub(super) fn uses(&self, place: &Place<'_>) -> Result<Option<PathBuf>> {
        let own = self.pid == std::process::id();
        let mut shared = None;
        for task in std::fs::read_dir(self.dir.join("task"))? {
            let task = task?.path();
            let standing = match own && place.own == Own::Standing {
                true => inside(&task.join("cwd"), place),
                false => stands(&task, place),
            };
            match standing {
                Ok(None) if shared.is_none() => shared = Some(task),
                Ok(None) => {}
                // A thread that has ended, the first one too, says nothing about the others.
                Err(e) if has_ended(&e) => {}
                found => return found,
            }
        }
        match shared {
            Some(task) if !own || place.own == Own::Everything => has_open(&task, place),
            _ => Ok(None),
        }
    }
}

/// Where a thread stands in the tree.
fn stands(task: &Path, place: &Place<'_>) -> Result<Option<PathBuf>> {
    match inside(&task.join("cwd"), place)? {
        None => inside(&task.join("root"), place),
        found => Ok(found),
    }
}

/// What is open or mapped of the tree, or where it is mounted.
fn has_open(task: &Path, place: &Place<'_>) -> Result<Option<PathBuf>> {
    for file in std::fs::read_dir(task.join("fd"))? {
        if let Some(path) = leads_inside(&file?.path(), place).or_else(gone)? {
            return Ok(Some(path));
        }
    }
    if names_it(&task.join("maps"), place)? {
        return Ok(Some(place.path.to_owned()));
    }
    // In the mount namespace of this process the mounts are not the other's.
    let mounts = |of: &Path| std::fs::read_link(of.join("ns/mnt"));
    let elsewhere = mounts(task)? != mounts(Path::new("/proc/self"))?;
    Ok((elsewhere && names_it(&task.join("mountinfo"), place)?).then(|| place.path.to_owned()))
}

/// As [`leads_inside`], for a link to a directory: those above it count, which tell the tree by whatever path.
fn inside(link: &Path, place: &Place<'_>) -> Result<Option<PathBuf>> {
    if let Some(path) = leads_inside(link, place)? {
        return Ok(Some(path));
    }
    let mut above = link.join("..");
    let mut last = None;
    for _ in 0..ABOVE {
        let Ok(meta) = above.metadata() else { break };
        let number = number(&meta);
        if last == Some(number) || !place.members.iter().any(|(device, _)| *device == number.0) {
            break;
        }
        if place.members.contains(&number) {
            return std::fs::read_link(link).map(Some);
        }
        last = Some(number);
        above.push("..");
    }
    Ok(None)
}

/// Where a link leads, if that is in the tree.
fn leads_inside(link: &Path, place: &Place<'_>) -> Result<Option<PathBuf>> {
    let target = without_mark(std::fs::read_link(link)?);
    let named = place.name.is_some_and(|name| target.components().any(|part| part.as_os_str() == name));
    if named || target.starts_with(place.path) {
        return Ok(Some(target));
    }
    if place.members.is_empty() {
        return Ok(None);
    }
    let member = std::fs::metadata(link).map(|meta| place.members.contains(&number(&meta)).then_some(target));
    member.or_else(gone)
}

/// Whether a file of the kernel's names something in the tree.
fn names_it(file: &Path, place: &Place<'_>) -> Result<bool> {
    let text = std::fs::read(file)?;
    let path = place.path.as_os_str().as_encoded_bytes();
    let ends = |at: usize| text.get(at + path.len()).is_none_or(|next| matches!(next, b'/' | b' ' | b'\n'));
    let named = place.name.is_some_and(|name| text.contains_str(name));
    Ok(named || text.find_iter(path).any(ends))
}

/// What it calls itself.
pub(super) fn name(process: &Path) -> String {
    let name = std::fs::read(process.join("comm")).unwrap_or_default();
    String::from_utf8_lossy(name.trim_ascii()).into_owned()
}

/// The kernel marks what was deleted since.
pub(super) fn without_mark(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => PathBuf::from(OsStr::new(text)),
        None => path,
    }
}

/// Whether it says that there is no such process or thread any more. (`ESRCH` has no kind of its own.)
pub(super) fn has_ended(e: &Error) -> bool {
    e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// A file that was closed meanwhile leads nowhere.
fn gone(e: Error) -> Result<Option<PathBuf>> {
    if e.kind() == ErrorKind::NotFound { Ok(None) } else { Err(e) }
}

/// Whether it is a thread of the kernel, which has no files.
pub(super) fn is_of_the_kernel(process: &Path) -> bool {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let text = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let flags = after_name.split_whitespace().nth(6).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}
