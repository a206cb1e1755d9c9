//! The hold on a running command, from wherever it is to be ended.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use rustix::process::Pid;

use super::tree::Sighting;
use super::{Keeper, Tree};
use crate::End;

/// Ends a command and all that it started.
#[derive(Debug)]
pub(crate) struct Leash {
    keeper: Box<dyn Keeper>,
    supervisor: Pid,
    /// Closing it is what kills; the supervisor watches its other end.
    control: Mutex<Control>,
    cause: OnceLock<End>,
}

#[derive(Debug)]
enum Control {
    Held(OwnedFd),
    Released(Instant),
    /// The number of the supervisor may be a stranger's by now.
    Buried,
}

impl Leash {
    pub(crate) fn new(keeper: Box<dyn Keeper>, supervisor: Pid, control: OwnedFd) -> Self {
        Self { keeper, supervisor, control: Mutex::new(Control::Held(control)), cause: OnceLock::new() }
    }

    /// Why the command is being ended; the first cause stays.
    pub(crate) fn because(&self, cause: End) {
        // A later cause is a consequence of the first.
        let _first = self.cause.set(cause);
    }

    /// Why the command was ended, if we did it.
    pub(crate) fn cause(&self) -> Option<&End> {
        self.cause.get()
    }

    /// Asks everything to end.
    pub(crate) fn terminate(&self) {
        if let Control::Held(control) = &*self.control() {
            self.keeper.terminate(self.supervisor, control.as_fd());
        }
    }

    /// Kills everything.
    pub(crate) fn kill(&self) {
        let mut control = self.control();
        if matches!(*control, Control::Held(_)) {
            *control = Control::Released(Instant::now());
        }
    }

    /// Kills everything, and says that the supervisor is about to be collected.
    pub(crate) fn bury(&self) {
        *self.control() = Control::Buried;
    }

    /// Since when everything should be dying.
    pub(crate) fn killed(&self) -> Option<Instant> {
        match *self.control() {
            Control::Held(_) | Control::Buried => None,
            Control::Released(at) => Some(at),
        }
    }

    /// What there is of the command now, with its supervisor; nothing once that was collected.
    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        match &*self.control() {
            Control::Held(_) | Control::Released(_) => Tree::with(self.supervisor).sightings(),
            Control::Buried => Vec::new(),
        }
    }

    pub(crate) fn keeper(&self) -> &dyn Keeper {
        &*self.keeper
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
