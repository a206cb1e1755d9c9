//! Control groups of the dead, wherever they were made: a program need not be in the group in which the one before it was, as in a
//! new scope of the service manager each time.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::run::group::remove;
use crate::run::life::Life;
use crate::run::owned;

/// How many groups are looked through, the upper ones first. Machines have hundreds.
const MOST: usize = 1 << 14;
/// How long what a dead owner left may take to end by itself: its supervisors remove secrets, too.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long what was killed may take; what takes longer is left to the next look.
const DYING: Duration = Duration::from_secs(1);

/// Kills what is in the groups whose owner is dead for certain, and removes them. On version 1, only empty ones go.
pub(super) fn reap(judge: Life) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut left: Vec<_> = roots(&mounts).iter().flat_map(|root| of_the_dead(root, judge)).collect();
    wait(&left, FAREWELL);
    for group in left.iter().filter(|group| !is_empty(group)) {
        // Version 1 has no such file, nor one that says whether a group is empty.
        let lever = OpenOptions::new().write(true).open(group.join("cgroup.kill"));
        let _gone = lever.and_then(|mut lever| io::Write::write_all(&mut lever, b"1"));
    }
    wait(&left, DYING);
    left.drain(..).for_each(|group| remove(&group));
}

/// Where hierarchies are mounted in which commands get groups.
fn roots(mounts: &str) -> Vec<PathBuf> {
    let ours = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let kind = after.next()?;
        let mut options = after.nth(1)?.split(',');
        let ours = kind == "cgroup2" || (kind == "cgroup" && options.any(|o| matches!(o, "memory" | "pids" | "cpu")));
        before.split(' ').nth(4).filter(|_| ours).map(PathBuf::from)
    };
    mounts.lines().filter_map(ours).collect()
}

/// The groups below this one of owners that are dead for certain.
fn of_the_dead(root: &Path, judge: Life) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = VecDeque::from([root.to_owned()]);
    let mut seen = 0;
    while let Some(directory) = next.pop_front().filter(|_| seen < MOST) {
        seen += 1;
        // Nobody can make a link there.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            match entry.file_name().to_str() {
                Some(name) if owned::is_of_the_dead(name, judge) => found.push(entry.path()),
                // What a living owner's command made in its own is its own.
                Some(name) if owned::owner(name).is_some() => {}
                _ if next.len() < MOST => next.push_back(entry.path()),
                _ => {}
            }
        }
    }
    found
}

fn is_empty(group: &Path) -> bool {
    fs::read_to_string(group.join("cgroup.events")).map_or(true, |text| !text.contains("populated 1"))
}

fn wait(groups: &[PathBuf], time: Duration) {
    let until = Instant::now() + time;
    while !groups.iter().all(|group| is_empty(group)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_in_which_no_command_gets_a_group_are_left_alone() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             31 25 0:27 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
             32 25 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n\
             33 25 0:29 / /tmp rw - tmpfs tmpfs rw,memory\n";
        assert_eq!(roots(mounts), ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(PathBuf::from));
    }
}
