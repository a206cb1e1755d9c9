//! Which processes are at work in a tree: the one reader of `/proc` that everything asks that has to know.
//!
//! What counts is a working directory, a root, an open file, mapped memory, or a mount of the tree in another mount
//! namespace. Threads are taken to share their open files and their mounts; a process that the kernel does not show at
//! all (`hidepid`) is taken to be elsewhere, as is everything behind a network file system.

mod process;
mod reach;
mod snapshot;

use std::collections::{HashMap, HashSet};
use std::io::Result;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use process::Process as One;
pub(super) use reach::Reach;
pub(super) use snapshot::Snapshot;

use crate::{Process, Unknown};

/// Files and directories by device and number.
pub(super) type Members = HashSet<(u64, u64)>;

/// The tree that they are looked for in.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// Where it is.
    pub(super) path: &'a Path,
    /// The name of its root, if no other directory has such a name: then it tells the tree in any mount namespace.
    pub(super) name: Option<&'a str>,
    /// What is in it as far as that is known: a process that has it mounted elsewhere knows it by another path.
    pub(super) members: &'a Members,
    /// Which of those may be in there that cannot be asked.
    pub(super) reach: &'a Reach,
    /// What counts of this very process.
    pub(super) own: Own,
}

/// What counts of the process that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// As much as of any other.
    Everything,
    /// Its working directory; it has files of the tree open only to look at them.
    Standing,
}

/// Who was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those at work in the tree, by their number.
    pub(super) users: Vec<Process>,
    /// Those that may be, and cannot be asked.
    pub(super) unseen: Vec<Unknown>,
}

impl Found {
    /// The first one, in words.
    pub(super) fn first(&self) -> Option<String> {
        let user = self.users.first().map(|user| format!("process {} is at work in it", user.pid));
        user.or_else(|| self.unseen.first().map(|unseen| format!("{} {}", unseen.subject, unseen.why)))
    }

    /// What tells them apart.
    fn numbers(&self) -> impl Iterator<Item = String> {
        let users = self.users.iter().map(|user| format!("process {}", user.pid));
        users.chain(self.unseen.iter().map(|unseen| unseen.subject.clone()))
    }
}

/// A child that was forked at this moment has copies of its parent's files until it executes something. Who is found so
/// many times in a row is none.
const TRIES: usize = 8;
/// Where many are forked all the time, there is another one at every look; one look that finds none is enough.
const MOST: usize = 40;
const PAUSE: Duration = Duration::from_millis(30);

/// The processes that are at work in the tree at this moment.
///
/// # Errors
/// When `/proc` cannot be read, so that nobody can tell.
pub(super) fn look(place: &Place<'_>) -> Result<Found> {
    let mut found = look_once(place)?;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for _ in 1..MOST {
        // Only who was there at every look since.
        seen = found.numbers().map(|number| (number.clone(), seen.get(&number).map_or(1, |times| times + 1))).collect();
        if seen.is_empty() || seen.values().any(|times| *times >= TRIES) {
            break;
        }
        std::thread::sleep(PAUSE);
        found = look_once(place)?;
    }
    Ok(found)
}

fn look_once(place: &Place<'_>) -> Result<Found> {
    let mut found = Found::default();
    for (pid, dir) in all()? {
        match (One { pid, dir: &dir }).uses(place) {
            Ok(Some(path)) => {
                found.users.push(Process { pid, name: process::name(&dir), path });
            }
            Ok(None) => {}
            Err(e) if process::has_ended(&e) || process::is_of_the_kernel(&dir) => {}
            Err(e) if place.reach.includes(&dir) => {
                let why = format!("may be at work in it and cannot be asked: {e}");
                found.unseen.push(Unknown { subject: format!("process {pid}"), why });
            }
            Err(_) => {}
        }
    }
    found.users.sort_by_key(|process| process.pid);
    Ok(found)
}

/// All processes that the kernel shows, by number and directory.
fn all() -> Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        found.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()).map(|pid| (pid, entry.path())));
    }
    Ok(found)
}

/// The number of a file, as [`Members`] have it.
pub(super) fn number(meta: &std::fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    fn first(path: &Path, name: Option<&str>, members: &Members) -> Option<String> {
        let place = Place { path, name, members, reach: &Reach::nobody(), own: Own::Everything };
        look(&place).unwrap().first()
    }

    #[test]
    fn an_open_file_is_found_by_the_path_and_the_name_of_the_tree_and_by_its_number() {
        let dir = tempfile::Builder::new().prefix("in-use-").tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let name = path.file_name().unwrap().to_str();
        let (nowhere, nothing) = (Path::new("/nowhere"), Members::new());
        assert_eq!(first(&path, name, &nothing), None);
        let file = std::fs::File::create(path.join("file")).unwrap();
        let members = Members::from([number(&file.metadata().unwrap())]);
        assert!(first(&path, None, &nothing).is_some());
        assert!(first(nowhere, name, &nothing).is_some());
        assert!(first(nowhere, None, &members).is_some());
        assert_eq!(first(nowhere, None, &nothing), None);
        drop(file);
        assert_eq!(first(&path, name, &members), None);
    }

    #[test]
    fn children_that_are_forked_all_the_time_are_not_at_work_in_what_their_parent_has_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let _file = std::fs::File::create(path.join("file")).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let found = std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        // What runs before it executes something makes it fork, and lasts.
                        std::process::Command::new("true").uid(rustix::process::getuid().as_raw()).status().unwrap();
                    }
                });
            }
            let members = Members::new();
            let place =
                Place { path: &path, name: None, members: &members, reach: &Reach::nobody(), own: Own::Standing };
            let found = look(&place).unwrap().first();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            found
        });
        assert_eq!(found, None);
    }

    #[test]
    fn a_mapped_file_is_found_after_it_was_closed() {
        let program = std::env::current_exe().unwrap();
        let name = program.file_name().unwrap().to_str();
        assert!(first(Path::new("/nowhere"), name, &Members::new()).is_some());
        assert!(first(program.parent().unwrap(), None, &Members::new()).is_some());
    }

    #[test]
    fn a_directory_beside_the_tree_whose_name_begins_alike_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        std::fs::create_dir(path.join("fix")).unwrap();
        let _file = std::fs::File::create(path.join("fix-2")).unwrap();
        assert_eq!(first(&path.join("fix"), None, &Members::new()), None);
    }
}
