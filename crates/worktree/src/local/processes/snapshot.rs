//! What all processes use at one moment, for those who ask about many places: where they stand and what they have open.
//! Mapped memory is left out, as nobody keeps a lock or an entry of git's by it.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use super::process::{has_ended, is_of_the_kernel, name, without_mark};
use super::{Reach, all};

/// Where the processes of this machine stand, and what they have open.
#[derive(Debug, Default)]
pub(in crate::local) struct Snapshot {
    places: Vec<(u32, PathBuf)>,
    /// Where those stand that are called git.
    gits: Vec<PathBuf>,
    /// Those that cannot be asked.
    unseen: Vec<(u32, PathBuf)>,
    /// Why nobody can tell anything.
    failed: Option<String>,
}

impl Snapshot {
    /// Looks at all processes.
    pub(in crate::local) fn look() -> Self {
        let mut snapshot = Self::default();
        match all() {
            Ok(processes) => processes.into_iter().for_each(|(pid, dir)| snapshot.add(pid, dir)),
            Err(e) => snapshot.failed = Some(format!("it cannot be told who uses it: {e}")),
        }
        snapshot
    }

    fn add(&mut self, pid: u32, dir: PathBuf) {
        match used(&dir) {
            Ok(Used { standing, open }) => {
                if name(&dir).starts_with("git") {
                    self.gits.extend(standing.iter().cloned());
                }
                self.places.extend(standing.into_iter().chain(open).map(|place| (pid, place)));
            }
            Err(e) if has_ended(&e) || is_of_the_kernel(&dir) => {}
            Err(_) => self.unseen.push((pid, dir)),
        }
    }

    /// Whether a git is at work in one of these places: while it runs a hook, it has nothing open of what it has locked.
    pub(in crate::local) fn has_git_in(&self, places: &[&Path]) -> bool {
        self.gits.iter().any(|at| places.iter().any(|place| at.starts_with(place)))
    }

    /// Who stands in this place, has something of it open or may have, in words.
    pub(in crate::local) fn user_of(&self, place: &Path) -> Option<String> {
        if let Some((pid, at)) = self.places.iter().find(|(_, at)| at.starts_with(place)) {
            return Some(format!("process {pid} uses {at:?}"));
        }
        // Nobody uses what is not there.
        let reach = Reach::of(place).ok()?;
        let unseen = self.unseen.iter().find(|(_, dir)| reach.includes(dir));
        let unseen = unseen.map(|(pid, _)| format!("process {pid} may use it and cannot be asked"));
        unseen.or_else(|| self.failed.clone())
    }
}

/// What one process uses.
struct Used {
    standing: Vec<PathBuf>,
    open: Vec<PathBuf>,
}

fn used(process: &Path) -> Result<Used> {
    let mut used = Used { standing: Vec::new(), open: Vec::new() };
    let link = |path: PathBuf| std::fs::read_link(path).map(without_mark);
    let mut last = Error::from(std::io::ErrorKind::NotFound);
    let mut asked = None;
    for task in std::fs::read_dir(process.join("task"))? {
        let task = task?.path();
        match link(task.join("cwd")).and_then(|cwd| Ok([cwd, link(task.join("root"))?])) {
            Ok(standing) => {
                used.standing.extend(standing);
                asked = Some(task);
            }
            Err(e) if has_ended(&e) => last = e,
            Err(e) => return Err(e),
        }
    }
    // Threads share what they have open.
    let Some(task) = asked else { return Err(last) };
    for file in std::fs::read_dir(task.join("fd"))? {
        match link(file?.path()) {
            Ok(place) => used.open.push(place),
            Err(e) if has_ended(&e) => {}
            Err(e) => return Err(e),
        }
    }
    used.standing.dedup();
    Ok(used)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn who_cannot_be_asked_may_use_what_it_may_write_into() {
        let dir = tempfile::tempdir().unwrap();
        // A directory in the place of a process's, which tells whose it is.
        let process = dir.path().join("7");
        std::fs::create_dir(&process).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&process, Some(1), Some(1)).unwrap();
        }
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let snapshot = Snapshot { unseen: vec![(7, process)], ..Snapshot::default() };
        assert!(snapshot.user_of(dir.path()).unwrap().contains("process 7"));
        assert_eq!(snapshot.user_of(&dir.path().join("missing")), None);
    }

    #[test]
    fn where_nobody_can_tell_everything_counts_as_used() {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = Snapshot { failed: Some("EMFILE".into()), ..Snapshot::default() };
        assert_eq!(snapshot.user_of(dir.path()).as_deref(), Some("EMFILE"));
    }
}
