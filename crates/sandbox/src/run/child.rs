//! What the processes between the host and the program have in common. Nothing here may allocate, lock or panic.

use std::os::fd::RawFd;

use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use super::image::Privileges;
use super::records::Record;
use super::{Bound, Fault, Stage};
use crate::sys;

/// Where a fault before the program runs is written; it closes when the program runs.
pub(crate) const START: RawFd = 3;
/// Where the host's demands arrive; its end means: kill everything.
pub(crate) const CONTROL: RawFd = 4;
/// Where the end of the program is reported.
pub(crate) const REPORT: RawFd = 5;

/// Makes the calling process, fresh from a fork, one that no terminal, no debugger and no signal of the host's reaches.
pub(crate) fn first_signals(death: rustix::process::Signal) -> Result<(), Fault> {
    let prepare = Fault::at(Stage::Prepare);
    // Fails only for a leader of a process group, which a fresh child is not.
    rustix::process::setsid().map_err(&prepare)?;
    // Its memory is a copy of the host's.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(&prepare)?;
    rustix::process::set_parent_process_death_signal(Some(death)).map_err(&prepare)
}

/// Reports something about the end.
pub(crate) fn report(record: Record) {
    // When nobody reads it any more, nobody is interested.
    let _gone = rustix::io::write(sys::fixed(REPORT), &record.bytes());
}

/// Becomes the program; `last` runs just before, when all else is in place. Returns only when something failed.
pub(crate) fn exec(image: &Bound<'_>, last: impl FnOnce() -> Result<(), Fault>) -> Fault {
    match settle(image).and_then(|()| last()) {
        Ok(()) => become_program(image),
        Err(fault) => fault,
    }
}

fn settle(image: &Bound<'_>) -> Result<(), Fault> {
    let prepare = Fault::at(Stage::Prepare);
    rustix::process::setsid().map_err(&prepare)?;
    sys::restore_signals();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // A core file of the program would hold its secrets, on the host's disk. One byte, not none: only then does the
    // kernel also keep it from a program of the host that collects core files.
    let none = Rlimit { current: Some(1), maximum: Some(1) };
    rustix::process::setrlimit(Resource::Core, none).map_err(&prepare)?;
    if image.privileges == Privileges::Locked {
        rustix::thread::set_no_new_privs(true).map_err(&prepare)?;
    }
    sys::seal_descriptors().map_err(&prepare)?;
    rustix::process::chdir(image.workdir).map_err(Fault::at(Stage::Workdir))
}

fn become_program(image: &Bound<'_>) -> Fault {
    let mut worst = Errno::NOENT;
    for candidate in image.candidates {
        match sys::execve(candidate, &image.argv, &image.env) {
            Errno::NOENT if rustix::fs::access(candidate.as_c_str(), Access::EXISTS).is_ok() => {
                return Fault::at(Stage::Interpreter)(Errno::NOENT);
            }
            Errno::NOENT | Errno::NOTDIR => {}
            // One that may not be run hides none that may, further down the path.
            Errno::ACCESS => worst = Errno::ACCESS,
            errno => return Fault::at(Stage::Exec)(errno),
        }
    }
    Fault::at(Stage::Exec)(worst)
}
