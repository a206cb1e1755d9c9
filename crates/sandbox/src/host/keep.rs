//! How the host lane keeps one command.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::lane::Scratch;
use super::secrets::SecretFiles;
use super::{LANE, supervisor};
use crate::run::{Bound, Buried, Fault, Keeper, Tree, kill_marked};
use crate::sys::Forked;
use crate::{Command, End, Error, Usage};

/// The name of the variable by which processes of a command are known.
pub(crate) const COOKIE: &str = "HEDGEROW_SANDBOX";

#[derive(Debug)]
pub(super) struct HostKeeper {
    scratch: Scratch,
    secrets: SecretFiles,
    /// The variable, with its value, that every process of the command has inherited unless it removed it.
    cookie: String,
}

impl HostKeeper {
    pub(super) fn new(scratch: Scratch, secrets: SecretFiles, id: &str) -> Self {
        Self { scratch, secrets, cookie: format!("{COOKIE}={id}") }
    }
}

impl Keeper for HostKeeper {
    fn supervise(&self, image: &Bound<'_>, forked: Forked) -> i32 {
        supervisor::run(image, forked, self.secrets.remains(), 0..0, || Ok(()))
    }

    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
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
        let swept = if complete { 0 } else { kill_marked(&self.cookie) };
        self.scratch.remove();
        Buried { exceeded: None, swept: u32::try_from(swept).unwrap_or(u32::MAX) }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        Usage { cpu, peak_memory: None }
    }
}
