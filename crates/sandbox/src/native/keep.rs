//! How the native lane keeps one command.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::blueprint::Blueprint;
use super::enter::{self, Maps};
use super::filter::Filters;
use super::group::Group;
use super::outlet::Outlet;
use super::wall::{Grants, Wall};
use super::{LANE, init};
use crate::disk::Disk;
use crate::run::{Bound, Buried, Fault, Keeper, REPORT, Stage, Tree};
use crate::sys::Forked;
use crate::{Command, End, Error, Limits, Network, Result, Usage};

/// Process 1 counts as a process of the user namespace, too.
pub(super) const OURS: u64 = 1;

#[derive(Debug)]
pub(super) struct NativeKeeper {
    pub(super) blueprint: Blueprint,
    pub(super) maps: Maps,
    pub(super) filters: Filters,
    pub(super) limits: Limits,
    pub(super) network: Network,
    pub(super) group: Option<Group>,
    pub(super) wall: Option<Wall>,
    pub(super) disk: Option<Disk>,
    pub(super) outlet: Option<Outlet>,
    pub(super) peak: AtomicU64,
}

impl NativeKeeper {
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// How many control groups there are to join. Asked after the fork, so it must not allocate.
    pub(super) fn groups(&self) -> usize {
        self.group.as_ref().map_or(0, Group::count)
    }

    /// The second wall. Only for what was forked from the supervisor, in which its descriptor has its number.
    pub(super) fn grants(&self) -> Grants<'static> {
        let number = REPORT + 1 + i32::try_from(self.groups()).unwrap_or(i32::MAX);
        self.wall.as_ref().map_or_else(Grants::none, |wall| wall.grants(number))
    }

    /// The most that one file may grow to.
    pub(super) fn largest_file(&self) -> Option<u64> {
        self.limits.disk
    }

    /// The number of the descriptor over which the way out is handed out, if there is one. Only for what was forked from the
    /// supervisor.
    pub(super) fn outlet(&self) -> Option<i32> {
        let before = i32::try_from(self.groups() + usize::from(self.wall.is_some())).unwrap_or(i32::MAX);
        self.outlet.as_ref().map(|_| REPORT + 1 + before)
    }

    /// The limit of processes, with ours.
    pub(super) fn processes(&self) -> Option<u64> {
        self.limits.pids.map(|pids| u64::from(pids) + OURS)
    }

    fn watched_limit(&self) -> Option<u64> {
        let counted = self.group.as_ref().is_some_and(Group::limits_memory);
        self.limits.memory.filter(|_| !counted)
    }
}

impl Keeper for NativeKeeper {
    fn namespaces(&self) -> UnshareFlags {
        enter::namespaces(&self.network)
    }

    fn supervise(&self, image: &Bound<'_>, forked: Forked) -> i32 {
        init::first_process(self, image, forked)
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let mut all = self.group.as_ref().map_or_else(Vec::new, Group::entrances);
        all.extend(self.wall.as_ref().map(|wall| wall.descriptor().as_raw_fd()));
        all.extend(self.outlet.as_ref().map(|outlet| outlet.descriptor().as_raw_fd()));
        all
    }

    fn running(&self, _: BorrowedFd<'_>, _: &Command) -> Result<()> {
        self.outlet.as_ref().map_or(Ok(()), Outlet::open)
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        let index = usize::try_from(fault.index).unwrap_or(usize::MAX);
        let path = match fault.stage {
            Stage::Open => {
                self.blueprint.sources.get(index).map(|s| Path::new(OsStr::from_bytes(s.path.as_bytes())).to_owned())
            }
            Stage::Build => self.blueprint.steps.get(index).map(super::blueprint::Step::path),
            _ => None,
        };
        match path {
            Some(path) => Error::Lane {
                action: format!("{} ({})", fault.stage.action(), path.display()),
                source: std::io::Error::from(fault.errno).into(),
            },
            None => fault.error(LANE, command),
        }
    }

    fn terminate(&self, _: Pid, control: BorrowedFd<'_>) {
        // When process 1 is gone, so is everything else.
        let _gone = rustix::io::write(control, &[init::TERMINATE]);
    }

    fn watch(&self, supervisor: Pid) -> Option<End> {
        if let Some(disk) = &self.disk {
            disk.supervisor(supervisor);
            if disk.exceeded() {
                return Some(End::OutOfDisk);
            }
        }
        if let Some(group) = &self.group
            && group.ran_out_of_memory()
        {
            return Some(End::OutOfMemory);
        }
        let limit = self.watched_limit()?;
        let used = Tree::below(supervisor).memory(limit);
        self.peak.fetch_max(used, Ordering::Relaxed);
        (used > limit).then_some(End::OutOfMemory)
    }

    fn bury(&self, _: bool) -> Buried {
        if let Some(outlet) = &self.outlet {
            outlet.close();
        }
        let Some(group) = self.group.as_ref() else { return Buried::default() };
        if let Some(peak) = group.peak_memory() {
            self.peak.fetch_max(peak, Ordering::Relaxed);
        }
        let exceeded = group.ran_out_of_memory().then_some(End::OutOfMemory);
        group.remove();
        Buried { exceeded, ..Buried::default() }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        let peak = self.peak.load(Ordering::Relaxed);
        Usage { cpu, peak_memory: (peak > 0).then_some(peak) }
    }
}
