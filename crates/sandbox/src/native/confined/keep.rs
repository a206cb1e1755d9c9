//! How a command without namespaces is kept.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::super::LANE;
use super::super::filter::Filters;
use super::super::group::Group;
use super::super::wall::Wall;
use crate::disk::Disk;
use crate::host::{DYING, Duties, Scratch, SecretFiles, supervisor};
use crate::run::{Bound, Buried, Fault, Keeper, REPORT, START, Stage, Survivors, Tree, kill_marked};
use crate::{Command, End, Error, Limits, Usage, sys};

#[derive(Debug)]
pub(super) struct ConfinedKeeper {
    pub(super) scratch: Scratch,
    pub(super) secrets: SecretFiles,
    pub(super) cookie: String,
    pub(super) filters: Filters,
    pub(super) limits: Limits,
    pub(super) group: Option<Group>,
    pub(super) wall: Wall,
    pub(super) disk: Option<Disk>,
    pub(super) peak: AtomicU64,
}

impl ConfinedKeeper {
    fn groups(&self) -> usize {
        self.group.as_ref().map_or(0, Group::count)
    }

    /// Joins the control groups. Nothing here may allocate, lock or panic.
    fn join(&self) -> Result<(), Fault> {
        for fd in (REPORT + 1..).take(self.groups()) {
            rustix::io::write(sys::fixed(fd), b"0").map_err(Fault::at(Stage::Group))?;
            sys::close(fd);
        }
        Ok(())
    }

    /// Gives up everything that the program does not need. Nothing here may allocate, lock or panic.
    fn lower(&self) -> Result<(), Fault> {
        let step = Fault::at(Stage::Lower);
        if let Some(largest) = self.limits.disk {
            let largest = Some(largest);
            rustix::process::setrlimit(Resource::Fsize, Rlimit { current: largest, maximum: largest })
                .map_err(&step)?;
        }
        super::super::init::give_up_capabilities().map_err(step)?;
        let number = REPORT + 1 + i32::try_from(self.groups()).unwrap_or(i32::MAX);
        self.wall.grants(number).enter().map_err(Fault::at(Stage::Wall))?;
        self.filters.install()
    }
}

impl Keeper for ConfinedKeeper {
    fn supervise(&self, image: &Bound<'_>, forked: sys::Forked) -> i32 {
        match self.join() {
            Ok(()) => supervisor::run(image, forked, Duties::without_group(&self.secrets), 0..0, || self.lower()),
            Err(fault) => {
                fault.send(sys::fixed(START));
                1
            }
        }
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let mut all = self.group.as_ref().map_or_else(Vec::new, Group::entrances);
        all.push(self.wall.descriptor().as_raw_fd());
        all
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        fault.error(LANE, command)
    }

    fn terminate(&self, supervisor: Pid, _: BorrowedFd<'_>) {
        Tree::below(supervisor).signal(supervisor, Signal::TERM);
    }

    fn watch(&self, supervisor: Pid) -> Option<End> {
        if self.group.as_ref().is_some_and(Group::ran_out_of_memory) {
            return Some(End::OutOfMemory);
        }
        if let Some(disk) = &self.disk {
            disk.supervisor(supervisor);
            if disk.exceeded() {
                return Some(End::OutOfDisk);
            }
        }
        let counted = self.group.as_ref().is_some_and(Group::limits_memory);
        let limit = self.limits.memory.filter(|_| !counted)?;
        let used = Tree::below(supervisor).memory(limit);
        self.peak.fetch_max(used, Ordering::Relaxed);
        (used > limit).then_some(End::OutOfMemory)
    }

    fn bury(&self, complete: bool) -> Buried {
        if let Some(group) = &self.group {
            group.kill();
        }
        let (swept, variable) = if complete { (0, None) } else { kill_marked(&self.cookie, DYING) };
        let mut exceeded = None;
        if let Some(group) = &self.group {
            self.peak.fetch_max(group.peak_memory().unwrap_or(0), Ordering::Relaxed);
            exceeded = group.ran_out_of_memory().then_some(End::OutOfMemory);
            group.remove();
        }
        self.scratch.remove();
        Buried { exceeded, swept, survivors: Survivors { variable, group: None } }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        let peak = self.peak.load(Ordering::Relaxed);
        Usage { cpu, peak_memory: (peak > 0).then_some(peak) }
    }
}
