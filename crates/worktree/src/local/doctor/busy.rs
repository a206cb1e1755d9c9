//! Whether somebody may still be at work on something: git writes nowhere down who makes an entry or holds a lock.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long something must not have changed before it counts as left behind.
const QUIET: Duration = Duration::from_secs(10);
/// How many files are looked at to find out when a tree was changed; of a larger one nobody can tell.
const MOST: usize = 500_000;

/// Where the processes of this machine stand, and what they have open.
#[derive(Debug)]
pub(super) struct Processes {
    places: Vec<(String, PathBuf)>,
    /// Where those stand that are called git.
    gits: Vec<PathBuf>,
}

impl Processes {
    /// Looks at all processes that may be looked at.
    pub(super) fn look() -> Self {
        let (mut places, mut gits) = (Vec::new(), Vec::new());
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_string_lossy().into_owned();
            if !pid.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            if std::fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name.starts_with("git")) {
                gits.extend(std::fs::read_link(process.path().join("cwd")));
            }
            let fds = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
            let links = std::iter::once(process.path().join("cwd")).chain(fds.map(|fd| fd.path()));
            places.extend(links.filter_map(|link| std::fs::read_link(link).ok()).map(|place| (pid.clone(), place)));
        }
        Self { places, gits }
    }

    /// Whether a git is at work in one of these places: while it runs a hook, it has nothing open of what it has locked.
    pub(super) fn has_git_in(&self, places: &[&Path]) -> bool {
        self.gits.iter().any(|at| places.iter().any(|place| at.starts_with(place)))
    }

    /// Who stands in this place, or has something of it open, in words.
    pub(super) fn user_of(&self, place: &Path) -> Option<String> {
        let (pid, at) = self.places.iter().find(|(_, at)| at.starts_with(place))?;
        Some(format!("process {pid} uses {at:?}"))
    }
}

/// Why somebody may be at work on this, in words. What lies below `tree` counts too, where one is given.
pub(super) fn busy(processes: &Processes, entry: &Path, tree: Option<&Path>) -> Option<String> {
    let places = [Some(entry), tree];
    if let Some(user) = places.into_iter().flatten().find_map(|place| processes.user_of(place)) {
        return Some(user);
    }
    let mut budget = MOST;
    places.into_iter().flatten().find_map(|place| young(place, SystemTime::now(), &mut budget))
}

/// Why this changed too recently, or nobody can tell when.
fn young(path: &Path, now: SystemTime, budget: &mut usize) -> Option<String> {
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        if *budget == 0 {
            return Some("it is too large to tell when it was changed last".into());
        }
        *budget -= 1;
        let Ok(meta) = path.symlink_metadata() else { continue };
        let age = meta.modified().ok().and_then(|at| now.duration_since(at).ok());
        if age.is_none_or(|age| age < QUIET) {
            return Some(format!("{path:?} was changed less than {} s ago", QUIET.as_secs()));
        }
        if meta.is_dir() {
            pending.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};

    fn age(path: &Path, seconds: u64) {
        let at = SystemTime::now() - Duration::from_secs(seconds);
        File::open(path).unwrap().set_times(FileTimes::new().set_modified(at)).unwrap();
    }

    #[test]
    fn what_is_old_is_left_behind_unless_something_in_it_is_young() {
        let dir = tempfile::tempdir().unwrap();
        let none = Processes { places: Vec::new(), gits: Vec::new() };
        assert!(busy(&none, dir.path(), None).unwrap().contains("changed less than"));
        std::fs::write(dir.path().join("file"), "x").unwrap();
        age(dir.path(), 60);
        assert!(busy(&none, dir.path(), None).unwrap().contains("file"));
        age(&dir.path().join("file"), 60);
        assert_eq!(busy(&none, dir.path(), None), None);
        assert!(young(dir.path(), SystemTime::now(), &mut 1).unwrap().contains("too large"));
    }

    #[test]
    fn who_stands_in_it_or_has_something_of_it_open_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let file = File::create(path.join("index.lock")).unwrap();
        age(&path, 60);
        age(&path.join("index.lock"), 60);
        assert!(busy(&Processes::look(), &path, None).unwrap().contains("index.lock"));
        drop(file);
        assert_eq!(busy(&Processes::look(), &path, None), None);
    }
}
