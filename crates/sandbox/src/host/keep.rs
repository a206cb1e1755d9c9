//! How the host lane keeps one command.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::LANE;
use super::lane::Scratch;
use super::secrets::SecretFiles;
use super::supervisor::{self, Duties};
use crate::run::group::{Emptied, Group};
use crate::run::{Bound, Buried, Fault, Keeper, Mark, REPORT, Survivors, Tree};
use crate::sys::Forked;
use crate::{Command, End, Error, Usage};

/// How long what was killed may take to be gone, before it is called a survivor. Only what the kernel holds takes long.
pub(crate) const DYING: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct HostKeeper {
    /// What the supervisor and all that it starts is in, where there is such a thing.
    group: Option<Arc<Group>>,
    scratch: Scratch,
    secrets: SecretFiles,
    /// The variable that every process of the command has inherited unless it removed it.
    mark: Mark,
    dying: Duration,
}

impl HostKeeper {
    pub(super) fn new(scratch: Scratch, secrets: SecretFiles, mark: Mark, group: Option<Group>) -> Self {
        Self { group: group.map(Arc::new), scratch, secrets, mark, dying: DYING }
    }

    /// The same with another time to die.
    #[cfg(test)]
    pub(super) fn dying(self, dying: Duration) -> Self {
        Self { dying, ..self }
    }
}

impl Keeper for HostKeeper {
    fn group(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(|group| group.entrance())
    }

    fn supervise(&self, image: &Bound<'_>, forked: Forked) -> i32 {
        let duties = match self.group {
            Some(_) => Duties::with_group(&self.secrets, REPORT + 1),
            None => Duties::without_group(&self.secrets),
        };
        supervisor::run(image, forked, duties, 0..0, || Ok(()))
    }

    fn descriptors(&self) -> Vec<RawFd> {
        self.group.iter().map(|group| group.lever().as_raw_fd()).collect()
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        fault.error(LANE, command)
    }

    fn terminate(&self, supervisor: Pid, _: BorrowedFd<'_>) {
        Tree::below(supervisor).signal(supervisor, Signal::TERM);
    }

    fn watch(&self, _: Pid) -> Option<End> {
        None
    }

    fn bury(&self, complete: bool) -> Buried {
        let mark = Some(&self.mark).filter(|_| !complete);
        let (swept, survivors) = sweep(self.group.as_ref(), mark, self.dying);
        self.scratch.remove();
        Buried { exceeded: None, swept, survivors }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        Usage { cpu, peak_memory: None }
    }
}

/// Kills what is in the group and what carries the mark, and says how many that were and what is left. To be called also when the
/// supervisor has seen the end of all that descended from it, then without the mark: what is in the group need not have.
pub(crate) fn sweep(group: Option<&Arc<Group>>, mark: Option<&Mark>, dying: Duration) -> (u32, Survivors) {
    let mut survivors = Survivors::default();
    let grouped = match group.map(|group| (group, group.end(dying))) {
        None => 0,
        Some((_, Emptied::Yes(count))) => count,
        Some((group, Emptied::No)) => {
            survivors.group = Some(Arc::clone(group));
            0
        }
    };
    let Some(mark) = mark else { return (u32::try_from(grouped).unwrap_or(u32::MAX), survivors) };
    let swept = mark.kill(dying);
    // Where everything began in a group, its end is known without a look at each process.
    if !swept.left.is_empty() || (group.is_none() && !swept.unknown.is_empty()) {
        survivors.mark = Some(mark.clone());
    }
    (u32::try_from(grouped + swept.killed).unwrap_or(u32::MAX), survivors)
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
