//! How the native lane keeps one command.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::blueprint::Blueprint;
use super::enter::{self, Maps};
use super::filter::Filters;
use super::group::Group;
use super::limited::Limited;
use super::outlet::Outlet;
use super::wall::{Grants, Wall};
use super::{LANE, init};
use crate::run::{Bound, Buried, Fault, Keeper, Stage};
use crate::sys::Forked;
use crate::{Command, End, Error, Network, Result, Usage};

/// Process 1 counts as a process of the user namespace, too.
pub(super) const OURS: u64 = 1;

#[derive(Debug)]
pub(super) struct NativeKeeper {
    pub(super) blueprint: Blueprint,
    pub(super) maps: Maps,
    pub(super) filters: Filters,
    pub(super) limited: Limited,
    pub(super) network: Network,
    pub(super) wall: Option<Wall>,
    pub(super) outlet: Option<Outlet>,
}

impl NativeKeeper {
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// Joins the control groups. Nothing here may allocate, lock or panic.
    pub(super) fn join(&self) -> std::result::Result<(), Fault> {
        self.limited.join()
    }

    /// The second wall. Only for what was forked from the supervisor, in which its descriptor has its number.
    pub(super) fn grants(&self) -> Grants<'static> {
        self.wall.as_ref().map_or_else(Grants::none, |wall| wall.grants(self.limited.behind_groups(0)))
    }

    /// The most that one file may grow to.
    pub(super) fn largest_file(&self) -> Option<u64> {
        self.limited.limits().disk
    }

    /// The number of the descriptor over which the way out is handed out, if there is one. Only for what was forked from the
    /// supervisor.
    pub(super) fn outlet(&self) -> Option<i32> {
        self.outlet.as_ref().map(|_| self.limited.behind_groups(usize::from(self.wall.is_some())))
    }

    /// The limit of processes, with ours.
    pub(super) fn processes(&self) -> Option<u64> {
        self.limited.limits().pids.map(|pids| u64::from(pids) + OURS)
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
        let mut all = self.limited.group().map_or_else(Vec::new, Group::entrances);
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
        self.limited.watch(supervisor)
    }

    fn bury(&self, _: bool) -> Buried {
        if let Some(outlet) = &self.outlet {
            outlet.close();
        }
        // The kernel let process 1 go only when nothing else was left.
        Buried { exceeded: self.limited.bury(), ..Buried::default() }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        self.limited.usage(cpu)
    }
}
