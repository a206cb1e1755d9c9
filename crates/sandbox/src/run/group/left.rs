//! Names of groups that say whose they are, and the end of those whose owner is dead.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::NESTED;
use crate::run::life::Life;

const PREFIX: &str = "hedgerow";
/// How long what a dead owner left may take to end by itself: its supervisors remove secrets, too.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long what was killed may take; what takes longer is left to the next look.
const DYING: Duration = Duration::from_secs(1);

/// The name of a group of this process.
pub(crate) fn name(token: &str) -> String {
    // One without an owner is never taken for a dead one's.
    let Life { pid, began, namespace } = Life::ours().unwrap_or(Life { pid: 0, began: 0, namespace: 0 });
    format!("{PREFIX}-{pid}-{began}-{namespace}-{token}")
}

fn owner(name: &str) -> Option<Life> {
    let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
    let (pid, began, namespace) = (parts.next()?, parts.next()?, parts.next()?);
    let (_token, None) = (parts.next()?, parts.next()) else { return None };
    let owner = Life { pid: pid.parse().ok()?, began: began.parse().ok()?, namespace: namespace.parse().ok()? };
    (owner.pid > 0).then_some(owner)
}

/// Kills what is in the groups here whose owner is dead for certain, and removes them. On version 1, only empty ones go.
pub(crate) fn reap(place: &Path) {
    let (Some(judge), Ok(entries)) = (Life::ours(), fs::read_dir(place)) else { return };
    for entry in entries.flatten() {
        let dead = entry.file_name().to_str().and_then(owner).is_some_and(|owner| owner.is_over(judge));
        if !dead {
            continue;
        }
        let group = entry.path();
        let empty = || fs::read_to_string(group.join("cgroup.events")).map_or(true, |t| !t.contains("populated 1"));
        let wait = |time: Duration| {
            let until = Instant::now() + time;
            while !empty() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait(FAREWELL);
        if !empty() {
            // Version 1 has no such file, nor one that says whether a group is empty.
            let lever = OpenOptions::new().write(true).open(group.join("cgroup.kill"));
            let _gone = lever.and_then(|mut lever| io::Write::write_all(&mut lever, b"1"));
            wait(DYING);
        }
        remove(&group);
    }
}

/// Removes a group with all below it, as far as they are empty.
pub(super) fn remove(group: &Path) {
    for directory in with_nested(group).iter().rev() {
        // The kernel takes a moment to see that the last process is gone.
        for _ in 0..20 {
            match fs::remove_dir(directory) {
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(Duration::from_millis(1)),
                _ => break,
            }
        }
    }
}

/// A group and those below it, each before its own.
pub(super) fn with_nested(group: &Path) -> Vec<PathBuf> {
    let mut found = vec![group.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).filter(|_| found.len() < NESTED) {
        // Nobody can make a link there.
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let nested: Vec<_> =
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect();
        found.extend(nested);
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_says_whose_it_is_and_a_number_that_is_used_again_is_another_owner() {
        let ours = Life::ours().unwrap();
        let written = owner(&name("ab12")).unwrap();
        assert_eq!(written, ours);
        assert!(!written.is_over(ours));
        assert!(Life { began: ours.began + 1, ..ours }.is_over(ours));
        assert!(Life { pid: i32::MAX, ..ours }.is_over(ours));
        assert!(!Life { pid: i32::MAX, namespace: 7, ..ours }.is_over(ours), "its number counts elsewhere");
        for strange in
            ["hedgerow-1-2-3", "hedgerow-0-0-0-ab12", "hedgerow-1-2-3-4-5", "hedgerow-x-2-3-t", "other-1-2-3-t"]
        {
            assert_eq!(owner(strange), None, "{strange}");
        }
    }
}
