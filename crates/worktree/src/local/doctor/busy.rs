//! Whether somebody may still be at work on something: git writes nowhere down who makes an entry or holds a lock.

use std::path::Path;
use std::time::{Duration, SystemTime};

pub(super) use super::super::processes::Snapshot as Processes;

/// How long something must not have changed before it counts as left behind.
const QUIET: Duration = Duration::from_secs(10);
/// How many files are looked at to find out when a tree was changed; of a larger one nobody can tell.
const MOST: usize = 500_000;

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
        let none = Processes::default();
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
