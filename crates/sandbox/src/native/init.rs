//! Process 1 of a sandbox, between the host and the program: its end takes everything else inside along, and the kernel lets
//! it go only when all of that is gone. Nothing here may allocate, lock or panic.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, wait};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::enter;
use super::keep::NativeKeeper;
use super::outlet;
use crate::Network;
use crate::run::round::{self, Left};
use crate::run::{Bound, CONTROL, Fault, Keepsake, Record, START, Stage, exec, report};
use crate::sys::{self, Forked, Lean};

/// The byte on the control pipe that asks for SIGTERM to everything; the end of the pipe asks for the end.
pub(super) const TERMINATE: u8 = b't';

/// Builds the root, starts the program, collects orphans, and ends when the program has ended.
pub(super) fn first_process(keeper: &NativeKeeper, image: &Bound<'_>, forked: Forked) -> i32 {
    match prepare(keeper).and_then(|()| start(keeper, image)) {
        Ok((program, signals)) => forked.finish(move |lean| {
            stay(program, &signals, lean);
            0
        }),
        Err(fault) => {
            fault.send(sys::fixed(START));
            1
        }
    }
}

fn prepare(keeper: &NativeKeeper) -> Result<(), Fault> {
    let step = Fault::at(Stage::Prepare);
    rustix::process::setsid().map_err(&step)?;
    keeper.join()?;
    enter::settle(&keeper.maps)?;
    // Only now: a process that may not be looked into cannot write its own maps. Its memory is a copy of the host's.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(&step)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(step)
}

fn start(keeper: &NativeKeeper, image: &Bound<'_>) -> Result<(Pid, OwnedFd), Fault> {
    let step = Fault::at(Stage::Prepare);
    enter::build(&keeper.blueprint, &keeper.grants())?;
    rustix::system::sethostname(b"sandbox").map_err(&step)?;
    if *keeper.network() != Network::Host {
        sys::loopback_up().map_err(Fault::at(Stage::Loopback))?;
    }
    if let Some(door) = keeper.outlet() {
        outlet::hand_out(sys::fixed(door)).map_err(Fault::at(Stage::Outlet))?;
        sys::close(door);
    }
    let signals = sys::signals().map_err(&step)?;
    let program = sys::launch(|| {
        exec(image, || lower(keeper)).send(sys::fixed(START));
        1
    });
    let program = program.map_err(Fault::at(Stage::Fork))?;
    [0, 1, 2, START].into_iter().for_each(sys::close);
    drop_capabilities().map_err(step)?;
    Ok((program, signals))
}

/// Gives up everything that the program does not need; the filter comes last, since it forbids the rest of this.
fn lower(keeper: &NativeKeeper) -> Result<(), Fault> {
    let step = Fault::at(Stage::Lower);
    let limit = |resource, value| {
        let value = Some(value);
        rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })
    };
    if let Some(processes) = keeper.processes() {
        limit(Resource::Nproc, processes).map_err(&step)?;
    }
    if let Some(largest) = keeper.largest_file() {
        limit(Resource::Fsize, largest).map_err(&step)?;
    }
    let files = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    limit(Resource::Nofile, files.min(1 << 16)).map_err(&step)?;
    sys::drop_bounding_set();
    lock_privileges().map_err(&step)?;
    drop_capabilities().map_err(step)?;
    keeper.grants().enter().map_err(Fault::at(Stage::Wall))?;
    keeper.filters.install()
}

/// Takes from user 0 of this namespace, should anything ever become it, what it would get for being that.
fn lock_privileges() -> Result<(), Errno> {
    use rustix::thread::CapabilitiesSecureBits as Bits;
    rustix::thread::clear_ambient_capability_set()?;
    let bits = Bits::NO_ROOT | Bits::NO_SETUID_FIXUP | Bits::NO_CAP_AMBIENT_RAISE;
    let locks = Bits::NO_ROOT_LOCKED | Bits::NO_SETUID_FIXUP_LOCKED | Bits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(bits | locks | Bits::KEEP_CAPS_LOCKED)
}

/// The same for a process that may have none: of those that it has, none stays.
pub(super) fn give_up_capabilities() -> Result<(), Errno> {
    sys::drop_bounding_set();
    rustix::thread::clear_ambient_capability_set()?;
    drop_capabilities()
}

fn drop_capabilities() -> Result<(), Errno> {
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Kills what is left, as the kernel would when this process ends, and says how many that were.
fn sweep(lean: &Lean) -> u32 {
    let mut killed = 0;
    sys::signal_everybody(lean, libc::SIGKILL);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                killed += u32::from(status.terminating_signal() == Some(Signal::KILL.as_raw()));
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return killed,
        }
    }
}

/// Collects what ends, until the program has ended or the host demands the end of everything.
fn stay(program: Pid, signals: &OwnedFd, lean: &Lean) {
    let mut keepsake = Keepsake::new(lean);
    let mut left = Left::Nothing;
    loop {
        let Ok(asked) = round::wake(sys::fixed(CONTROL), signals, left.wait(keepsake.wait())) else { return };
        if asked.contains(PollFlags::IN) {
            let mut byte = [0];
            match rustix::io::read(sys::fixed(CONTROL), &mut byte) {
                Ok(1) if byte == [TERMINATE] => sys::signal_everybody(lean, libc::SIGTERM),
                _ => return,
            }
        } else if !asked.is_empty() {
            return;
        }
        left = round::signals(signals, |_| {});
        match round::program_ended(program) {
            Ok(status) => {
                report(Record::Ended(status.as_raw()));
                report(Record::Killed(sweep(lean)));
                return;
            }
            Err(more) => left = left.or(more),
        }
    }
}
