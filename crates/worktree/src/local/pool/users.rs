//! Finds out whether any process is at work in a tree.
//!
//! What counts is a working directory, a root, an open file, mapped memory or a mount of its own. A process that cannot
//! be asked counts as the pool's options say.

use std::collections::HashSet;
use std::io::{ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use gix::bstr::ByteSlice;

use super::options::Unseen;

/// Files and directories by device and number.
pub(super) type Members = HashSet<(u64, u64)>;

/// Who is looked for.
#[derive(Debug)]
pub(super) struct Users<'a> {
    /// The unmistakable name of the root of the tree.
    pub(super) name: &'a str,
    /// What is in the tree: a process that has it mounted elsewhere knows it by another path.
    pub(super) members: &'a Members,
    /// What a process counts as that cannot be asked.
    pub(super) unseen: Unseen,
}

/// A child that was forked at this moment has copies of its parent's files until it executes something.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(30);

impl Users<'_> {
    /// The first one, in words.
    pub(super) fn find(&self) -> Option<String> {
        let mut found = self.look();
        for _ in 1..TRIES {
            if found.is_some() {
                std::thread::sleep(PAUSE);
                found = self.look();
            }
        }
        found
    }

    fn look(&self) -> Option<String> {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Some("it cannot be told whether a process is at work in it: /proc cannot be read".into());
        };
        let numbered = |name: &std::ffi::OsStr| name.as_bytes().iter().all(u8::is_ascii_digit);
        for process in processes.flatten().filter(|entry| numbered(&entry.file_name())) {
            let number = process.file_name().to_string_lossy().into_owned();
            match self.is_used_by(&process.path()) {
                Ok(true) => return Some(format!("process {number} is at work in it")),
                Ok(false) => {}
                Err(e) if has_ended(&e) => {}
                Err(_) if self.unseen == Unseen::Elsewhere || is_of_the_kernel(&process.path()) => {}
                Err(e) => return Some(format!("process {number} may be at work in it and cannot be asked: {e}")),
            }
        }
        None
    }

    fn is_used_by(&self, process: &Path) -> Result<bool> {
        for task in std::fs::read_dir(process.join("task"))? {
            match self.is_used_by_thread(&task?.path()) {
                Err(e) if has_ended(&e) => {}
                Ok(false) => {}
                other => return other,
            }
        }
        Ok(false)
    }

    fn is_used_by_thread(&self, task: &Path) -> Result<bool> {
        if self.leads_inside(&task.join("cwd"))? || self.leads_inside(&task.join("root"))? {
            return Ok(true);
        }
        for file in std::fs::read_dir(task.join("fd"))? {
            if self.leads_inside(&file?.path()).or_else(gone)? {
                return Ok(true);
            }
        }
        Ok(self.names_it(&task.join("mountinfo"))? || self.names_it(&task.join("maps"))?)
    }

    fn leads_inside(&self, link: &Path) -> Result<bool> {
        let target = std::fs::read_link(link)?;
        if target.components().any(|part| part.as_os_str() == self.name) {
            return Ok(true);
        }
        if self.members.is_empty() {
            return Ok(false);
        }
        let inside = std::fs::metadata(link).map(|meta| self.members.contains(&(meta.dev(), meta.ino())));
        inside.or_else(gone)
    }

    fn names_it(&self, file: &Path) -> Result<bool> {
        Ok(std::fs::read(file)?.contains_str(self.name))
    }
}

/// Whether it says that there is no such process or thread any more.
fn has_ended(e: &std::io::Error) -> bool {
    e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// A file that was closed meanwhile leads nowhere.
fn gone(e: std::io::Error) -> Result<bool> {
    if e.kind() == ErrorKind::NotFound { Ok(false) } else { Err(e) }
}

/// Whether it is a thread of the kernel, which has no files.
fn is_of_the_kernel(process: &Path) -> bool {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let text = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let flags = after_name.split_whitespace().nth(6).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users<'a>(name: &'a str, members: &'a Members) -> Users<'a> {
        Users { name, members, unseen: Unseen::Elsewhere }
    }

    #[test]
    fn an_open_file_is_found_by_the_name_of_the_tree_and_by_its_number() {
        let dir = tempfile::Builder::new().prefix("in-use-").tempdir().unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap();
        let nothing = Members::new();
        assert_eq!(users(name, &nothing).find(), None);
        let file = std::fs::File::create(dir.path().join("file")).unwrap();
        assert!(users(name, &nothing).find().is_some());
        let meta = file.metadata().unwrap();
        let members = Members::from([(meta.dev(), meta.ino())]);
        assert!(users("another name", &members).find().is_some());
        drop(file);
        assert_eq!(users("another name", &members).find(), None);
    }

    #[test]
    fn a_mapped_file_is_found_after_it_was_closed() {
        let program = std::env::current_exe().unwrap();
        let name = program.file_name().unwrap().to_str().unwrap();
        assert!(users(name, &Members::new()).find().is_some());
    }
}
