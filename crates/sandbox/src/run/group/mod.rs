//! Control groups of version 2, for the end of a command: what is in one is killed at once, whoever its parents are and
//! whatever it took out of its environment.

mod hierarchy;
mod left;
mod place;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Tree;

#[cfg(feature = "native")]
pub(crate) use self::hierarchy::{Hierarchy, Version, hierarchies};
pub(in crate::run) use self::left::remove;
pub(crate) use self::place::find;
pub(crate) use super::owned::name;

/// How many groups below one are looked for. Programs seldom make any.
const NESTED: usize = 1024;

/// The control group of one command.
#[derive(Debug)]
pub(crate) struct Group {
    directory: PathBuf,
    itself: File,
    lever: File,
    events: File,
}

/// What became of what was in a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Emptied {
    /// Nothing is in it any more; this many processes were there.
    Yes(usize),
    /// Time was up.
    No,
}

impl Group {
    /// Makes it below this directory. Nobody else can have made one of this name, for the token is fresh.
    pub(crate) fn make(place: &Path, token: &str) -> io::Result<Self> {
        let directory = place.join(name(token));
        fs::create_dir(&directory)?;
        Self::open(directory.clone()).inspect_err(|_| drop(fs::remove_dir(&directory)))
    }

    /// One that was made for a command, to end what is in it.
    ///
    /// # Errors
    /// Also where the kernel cannot kill a group as a whole, which it can from 5.14 on.
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        let file = |name: &str, options: &mut OpenOptions| {
            let path = directory.join(name);
            let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
            options.custom_flags(libc::O_NOFOLLOW).open(&path).map_err(named)
        };
        let itself = file("", OpenOptions::new().read(true))?;
        // Kernels before 5.14 have no such file.
        let lever = file("cgroup.kill", OpenOptions::new().write(true))?;
        let events = file("cgroup.events", OpenOptions::new().read(true))?;
        Ok(Self { directory, itself, lever, events })
    }

    /// What a process is forked into.
    pub(crate) fn entrance(&self) -> BorrowedFd<'_> {
        self.itself.as_fd()
    }

    /// Where `1` is written to kill everything in it.
    pub(crate) fn lever(&self) -> BorrowedFd<'_> {
        self.lever.as_fd()
    }

    /// Whether a process is in it, or in one below.
    pub(crate) fn is_populated(&self) -> bool {
        let mut text = [0; 256];
        let length = match self.events.read_at(&mut text, 0) {
            Ok(length) => length,
            // It was removed, which only an empty one can be. Of any other error nobody knows.
            Err(e) => return e.raw_os_error() != Some(libc::ENODEV),
        };
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default());
        text.lines().any(|line| line == "populated 1")
    }

    /// Kills everything in it until that is gone, for so long at most, and removes it then.
    pub(crate) fn end(&self, within: Duration) -> Emptied {
        let count = self.members().pids().len();
        let began = Instant::now();
        let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        while self.is_populated() {
            if began.elapsed() >= within {
                return Emptied::No;
            }
            // Again each time: whoever may move processes can move one in at any time.
            let _gone = rustix::io::write(&self.lever, b"1");
            // Woken when it becomes empty; interrupted or not, it is looked again.
            let _woken = poll(&mut [PollFd::new(&self.events, PollFlags::PRI)], Some(&pause));
        }
        remove(&self.directory);
        Emptied::Yes(count)
    }

    /// The processes in it, and in those below, that this process can see.
    pub(crate) fn members(&self) -> Tree {
        let groups = left::with_nested(&self.directory);
        let lists = groups.iter().filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok());
        // Those that this process cannot see are listed as 0.
        let pids = lists.flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>());
        Tree::of(pids.filter(|pid| *pid > 0).collect())
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It is mostly gone. One that is not empty stays, and is found when its owner is dead.
        remove(&self.directory);
    }
}
