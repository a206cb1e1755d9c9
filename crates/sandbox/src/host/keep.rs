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
use crate::run::{Bound, Buried, Fault, Keeper, REPORT, Survivors, Tree, kill_marked};
use crate::sys::Forked;
use crate::{Command, End, Error, Usage};

/// The name of the variable by which processes of a command are known.
pub(crate) const COOKIE: &str = "HEDGEROW_SANDBOX";

/// How long what was killed may take to be gone, before it is called a survivor. Only what the kernel holds takes long.
pub(crate) const DYING: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct HostKeeper {
    /// What the supervisor and all that it starts is in, where there is such a thing.
    group: Option<Arc<Group>>,
    scratch: Scratch,
    secrets: SecretFiles,
    /// The variable, with its value, that every process of the command has inherited unless it removed it.
    cookie: String,
    dying: Duration,
}

impl HostKeeper {
    pub(super) fn new(scratch: Scratch, secrets: SecretFiles, id: &str, group: Option<Group>) -> Self {
        Self { group: group.map(Arc::new), scratch, secrets, cookie: format!("{COOKIE}={id}"), dying: DYING }
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
        // Also when the supervisor has seen the end of all: what is here need not have descended from it.
        let (grouped, group) = match self.group.as_ref().map(|group| (group, group.end(self.dying))) {
            None => (0, None),
            Some((_, Emptied::Yes(count))) => (u32::try_from(count).unwrap_or(u32::MAX), None),
            Some((group, Emptied::No)) => (0, Some(Arc::clone(group))),
        };
        let (marked, variable) = if complete { (0, None) } else { kill_marked(&self.cookie, self.dying) };
        self.scratch.remove();
        Buried { exceeded: None, swept: grouped.saturating_add(marked), survivors: Survivors { variable, group } }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        Usage { cpu, peak_memory: None }
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
