//! How a command without namespaces is kept.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::super::LANE;
use super::super::filter::Filters;
use super::super::group::Group;
use super::super::limited::Limited;
use super::super::wall::Wall;
use crate::host::{DYING, Duties, Scratch, SecretFiles, supervisor, sweep};
use crate::run::{Bound, Buried, Fault, Keeper, Mark, START, Stage, Tree};
use crate::{Command, End, Error, Usage, sys};

#[derive(Debug)]
pub(super) struct ConfinedKeeper {
    pub(super) scratch: Scratch,
    pub(super) secrets: SecretFiles,
    pub(super) mark: Mark,
    pub(super) filters: Filters,
    pub(super) limited: Limited,
    pub(super) wall: Wall,
}

impl ConfinedKeeper {
    /// Gives up everything that the program does not need. Nothing here may allocate, lock or panic.
    fn lower(&self) -> Result<(), Fault> {
        self.limited.limit_files()?;
        super::super::init::give_up_capabilities().map_err(Fault::at(Stage::Lower))?;
        self.wall.grants(self.limited.behind_groups(0)).enter().map_err(Fault::at(Stage::Wall))?;
        self.filters.install()
    }

    /// What the supervisor does. Asked after the fork, so it must not allocate.
    fn duties(&self) -> Duties {
        match self.limited.ending() {
            // Behind the wall's.
            Some(_) => Duties::with_group(&self.secrets, self.limited.behind_groups(1)),
            None => Duties::without_group(&self.secrets),
        }
    }
}

impl Keeper for ConfinedKeeper {
    fn supervise(&self, image: &Bound<'_>, forked: sys::Forked) -> i32 {
        match self.limited.join() {
            Ok(()) => supervisor::run(image, forked, self.duties(), 0..0, || self.lower()),
            Err(fault) => {
                fault.send(sys::fixed(START));
                1
            }
        }
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let mut all = self.limited.group().map_or_else(Vec::new, Group::entrances);
        all.push(self.wall.descriptor().as_raw_fd());
        all.extend(self.limited.ending().map(|group| group.lever().as_raw_fd()));
        all
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        fault.error(LANE, command)
    }

    fn terminate(&self, supervisor: Pid, _: BorrowedFd<'_>) {
        Tree::below(supervisor).signal(supervisor, Signal::TERM);
    }

    fn watch(&self, supervisor: Pid) -> Option<End> {
        self.limited.watch(supervisor)
    }

    fn bury(&self, complete: bool) -> Buried {
        let mark = Some(&self.mark).filter(|_| !complete);
        let (swept, survivors) = sweep(self.limited.ending(), mark, DYING);
        let exceeded = self.limited.bury();
        self.scratch.remove();
        Buried { exceeded, swept, survivors }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        self.limited.usage(cpu)
    }
}
