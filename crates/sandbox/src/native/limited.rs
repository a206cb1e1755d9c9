//! What keeps the limits of one command, and what that says of it: the same whatever confines it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, setrlimit};

use super::group::Group;
use crate::disk::Disk;
use crate::run::{Fault, REPORT, Stage, Tree, group};
use crate::{End, Limits, Usage, sys};

#[derive(Debug)]
pub(super) struct Limited {
    limits: Limits,
    group: Option<Group>,
    disks: Vec<Disk>,
    peak: AtomicU64,
}

impl Limited {
    pub(super) fn new(limits: Limits, group: Option<Group>, disks: Vec<Disk>) -> Self {
        Self { limits, group, disks, peak: AtomicU64::new(0) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The control groups, if there are any.
    pub(super) fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// How many control groups there are to join. Asked after the fork, so it must not allocate.
    pub(super) fn groups(&self) -> usize {
        self.group.as_ref().map_or(0, Group::count)
    }

    /// The number of the descriptor that is `index` behind those of the groups, in what was forked.
    pub(super) fn behind_groups(&self, index: usize) -> i32 {
        REPORT + 1 + i32::try_from(self.groups() + index).unwrap_or(i32::MAX)
    }

    /// Joins the control groups. Nothing here may allocate, lock or panic.
    pub(super) fn join(&self) -> Result<(), Fault> {
        for fd in (REPORT + 1..).take(self.groups()) {
            rustix::io::write(sys::fixed(fd), b"0").map_err(Fault::at(Stage::Group))?;
            sys::close(fd);
        }
        Ok(())
    }

    /// Limits what the calling process can make of one file. Nothing here may allocate, lock or panic.
    pub(super) fn limit_files(&self) -> Result<(), Fault> {
        let Some(largest) = self.limits.disk else { return Ok(()) };
        let limit = Rlimit { current: Some(largest), maximum: Some(largest) };
        setrlimit(Resource::Fsize, limit).map_err(Fault::at(Stage::Lower))
    }

    /// The end of a limit that is exceeded.
    pub(super) fn watch(&self, supervisor: Pid) -> Option<End> {
        if self.group.as_ref().is_some_and(Group::ran_out_of_memory) {
            return Some(End::OutOfMemory);
        }
        for disk in &self.disks {
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

    /// The group that ends everything, where there is one.
    pub(super) fn ending(&self) -> Option<&Arc<group::Group>> {
        self.group.as_ref().and_then(Group::ending)
    }

    /// Removes the groups, which are empty but for what would not die, and says which limit was exceeded.
    pub(super) fn bury(&self) -> Option<End> {
        let group = self.group.as_ref()?;
        self.peak.fetch_max(group.peak_memory().unwrap_or(0), Ordering::Relaxed);
        let exceeded = group.ran_out_of_memory().then_some(End::OutOfMemory);
        group.remove();
        exceeded
    }

    pub(super) fn usage(&self, cpu: Option<Duration>) -> Usage {
        let peak = self.peak.load(Ordering::Relaxed);
        Usage { cpu, peak_memory: (peak > 0).then_some(peak) }
    }
}
