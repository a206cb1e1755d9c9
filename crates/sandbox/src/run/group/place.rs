//! Where control groups can be made, found by making one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::hierarchy::{Version, hierarchies};
use super::{Emptied, Group};
use crate::sys;
use crate::token::token;

/// How a user comes by them.
const DELEGATE: &str = "to have one, delegate a control group of version 2 to this user: start the program with 'systemd-run \
                        --user --scope', or as a unit with Delegate=yes";
/// The file system of groups of version 2.
const CGROUP2: u64 = 0x6367_7270;
/// How long a process in a trial may take to die.
const TRIAL: Duration = Duration::from_secs(10);

/// A directory in which this process can make groups, fork into them, kill what is there, and remove them: below the group
/// that it is in, or next to it.
///
/// # Errors
/// Why there is none, and the cure.
pub(crate) fn find() -> Result<PathBuf, String> {
    // On a thread of its own: it holds its signals back for good, so that none of the host's handlers runs in what it forks.
    let found = std::thread::spawn(|| {
        sys::block_signals();
        search()
    });
    found.join().unwrap_or_else(|_| Err("the search for a control group panicked".into()))
}

fn search() -> Result<PathBuf, String> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let ours = hierarchies(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup"));
    let mut problems = Vec::new();
    for here in ours.iter().filter(|hierarchy| hierarchy.version == Version::Two).map(|h| h.directory.as_path()) {
        let beside = here.parent().filter(|beside| is_group(beside));
        for place in [Some(here), beside].into_iter().flatten() {
            match try_out(place) {
                Ok(()) => return Ok(place.to_owned()),
                Err(why) => problems.push(format!("no control group can be used in {}: {why}", place.display())),
            }
        }
    }
    if problems.is_empty() {
        problems.push("no control groups of version 2 are mounted here".to_owned());
    }
    Err(format!("{}; {DELEGATE}", problems.join("; ")))
}

fn is_group(directory: &Path) -> bool {
    rustix::fs::statfs(directory).is_ok_and(|found| u64::try_from(found.f_type) == Ok(CGROUP2))
}

/// The whole way of a command, with a process that only waits.
fn try_out(place: &Path) -> Result<(), String> {
    let token = token().map_err(|e| format!("random bytes cannot be read ({e})"))?;
    let group = Group::make(place, &token).map_err(|e| e.to_string())?;
    let parent = rustix::process::getpid();
    let wait = |forked| {
        // Nothing of the host's may stay open for its sake.
        let _closed = sys::place(&forked, [], 0);
        // Asked before it waits: the parent may be dead already.
        match set_parent_process_death_signal(Some(Signal::KILL)) {
            Ok(()) if getppid() == Some(parent) => loop {
                let _again = rustix::event::poll(&mut [], None);
            },
            _ => 1,
        }
    };
    let child =
        sys::fork(UnshareFlags::empty(), Some(group.entrance()), wait).map_err(|e| format!("fork into it: {e}"))?;
    let emptied = group.end(TRIAL);
    // Whatever the group did.
    let _gone = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
    let (status, _) = sys::reap(child.pid);
    match emptied {
        Emptied::Yes(_) if status != Some(Signal::KILL.as_raw()) => Err("a process could not wait in it".into()),
        Emptied::Yes(1) if !group.directory().exists() => Ok(()),
        Emptied::Yes(1) => Err("it cannot be removed again".into()),
        Emptied::Yes(_) | Emptied::No => Err("what is in it is not killed with it".into()),
    }
}
