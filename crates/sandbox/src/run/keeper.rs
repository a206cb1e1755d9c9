//! What a lane adds to the running of a command.

use std::fmt::Debug;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::{Bound, Fault, Image, Survivors};
use crate::sys::Forked;
use crate::{Command, End, Error, Limits, Result, Usage};

/// A sandbox that can make one command ready.
pub(crate) trait Lane: Debug + Send + Sync + 'static {
    /// Its limits.
    fn limits(&self) -> &Limits;

    /// Makes what one command needs. Touches the file system.
    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)>;
}

/// What belongs to one command: how its processes are set up, watched and swept away.
pub(crate) trait Keeper: Debug + Send + Sync {
    /// The namespaces that the supervisor gets of its own. With one of processes it is process 1 there, and the kernel lets
    /// it go only when nothing else is left.
    fn namespaces(&self) -> UnshareFlags {
        UnshareFlags::empty()
    }

    /// The control group that the supervisor is forked into, if it is to be in one.
    fn group(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Runs in the forked supervisor, with its descriptors in place; starts the program and stays until all is over.
    /// Must neither allocate nor lock nor panic, and does not return where it gives memory back.
    fn supervise(&self, image: &Bound<'_>, forked: Forked) -> i32;

    /// Descriptors that the supervisor finds after those that it always has. They stay open until [`running`](Self::running).
    fn descriptors(&self) -> Vec<RawFd>;

    /// Called once when the supervisor's child has become what it is to be; returns when the program runs. `errors` is what
    /// that child has for standard error, to be read only when it is over.
    fn running(&self, _errors: BorrowedFd<'_>, _command: &Command) -> Result<()> {
        Ok(())
    }

    /// What the status means that the supervisor saw. Called once, when nothing is left.
    fn end(&self, status: i32) -> End {
        super::follow::end(status)
    }

    /// Whether the supervisor sees each process that is left when the program has ended.
    fn counts(&self) -> Counts {
        Counts::Each
    }

    /// The error for a fault before the program ran.
    fn explain(&self, fault: Fault, command: &Command) -> Error;

    /// Sends SIGTERM to everything that the command started.
    fn terminate(&self, supervisor: Pid, control: BorrowedFd<'_>);

    /// Looks after the limits, every now and then while the command runs. An end is that of the limit that was
    /// exceeded: the command is killed.
    fn watch(&self, supervisor: Pid) -> Option<End>;

    /// Called when the supervisor has ended; `complete` says that it ended as it should. Sweeps what is left.
    fn bury(&self, complete: bool) -> Buried;

    /// What was used, given the CPU time that the kernel accounted to the supervisor.
    fn usage(&self, cpu: Option<Duration>) -> Usage;
}

/// Whether processes that are left can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    Each,
    #[cfg(feature = "native")]
    None,
}

/// What was found when a command was over.
#[derive(Debug, Default)]
pub(crate) struct Buried {
    /// The end of a limit that was exceeded; it counts unless the program ended well in spite of it.
    pub(crate) exceeded: Option<End>,
    /// Processes that the supervisor had left, and that were killed now.
    pub(crate) swept: u32,
    /// What would not die.
    pub(crate) survivors: Survivors,
}
