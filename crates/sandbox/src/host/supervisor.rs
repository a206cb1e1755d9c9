//! The process between the host and the program: everything that loses its parent becomes its child, so that it can
//! kill all of it. Nothing here may allocate, lock or panic.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::secrets::{Remains, SecretFiles};
use crate::run::round::{self, Left};
use crate::run::{Bound, CONTROL, Fault, Keepsake, Record, START, Stage, exec, first_signals, report};
use crate::sys::{self, Forked, Lean};

const CHILDREN: &std::ffi::CStr = c"/proc/thread-self/children";

/// How long children are killed one by one, before everything in the group is killed at once. Who forks faster than that can
/// go on for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a supervisor does beside waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duties {
    /// The secrets to remove.
    secrets: Remains,
    /// The descriptor that kills everything in the control group, this process included.
    lever: Option<i32>,
}

impl Duties {
    /// For a command in no group, or in one that others look after.
    pub(crate) fn without_group(secrets: &SecretFiles) -> Self {
        Self { secrets: secrets.remains(), lever: None }
    }

    /// For a command in a group with this lever.
    pub(crate) fn with_group(secrets: &SecretFiles, lever: i32) -> Self {
        Self { secrets: secrets.remains(), lever: Some(lever) }
    }
}

/// Starts the program, waits for its end or the host's, leaves nothing of it behind, and removes its secrets. `last` runs in
/// the program's process, just before it becomes the program; `theirs` are descriptors that only that needs. Does not return
/// where the program ran.
pub(crate) fn run(
    image: &Bound<'_>,
    forked: Forked,
    duties: Duties,
    theirs: std::ops::Range<i32>,
    last: impl FnOnce() -> Result<(), Fault>,
) -> i32 {
    match start(image, theirs, last) {
        Ok((program, signals)) => forked.finish(move |lean| keep(program, &signals, &duties, lean)),
        Err(fault) => {
            fault.send(sys::fixed(START));
            duties.secrets.remove();
            1
        }
    }
}

/// Stays until all is over, and says so.
fn keep(program: Pid, signals: &OwnedFd, duties: &Duties, lean: &Lean) -> i32 {
    let end = stay(program, signals, lean);
    // Before what may end this process, too; and again when nothing is left that could add to them.
    duties.secrets.remove();
    let killed = sweep(signals, duties.lever);
    duties.secrets.remove();
    if end == Over::Ended {
        report(Record::Killed(killed));
    }
    report(Record::Done);
    0
}

fn start(
    image: &Bound<'_>,
    theirs: std::ops::Range<i32>,
    last: impl FnOnce() -> Result<(), Fault>,
) -> Result<(Pid, OwnedFd), Fault> {
    // This signal, too, only wakes `stay`: when the host dies, its children are killed before this process ends.
    first_signals(Signal::TERM)?;
    let prepare = Fault::at(Stage::Prepare);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(&prepare)?;
    let signals = sys::signals().map_err(&prepare)?;
    let supervisor = rustix::process::getpid();
    let program = || {
        match bind_to(supervisor) {
            // Asked again at the very last: what `last` does may take back what the kernel promised.
            Ok(()) => exec(image, || last().and_then(|()| still_below(supervisor))),
            Err(fault) => fault,
        }
        .send(sys::fixed(START));
        1
    };
    let program = sys::launch(program).map_err(Fault::at(Stage::Fork))?;
    for fd in [0, 1, 2, START].into_iter().chain(theirs) {
        sys::close(fd);
    }
    Ok((program, signals))
}

/// Should the supervisor be killed, at least the program itself goes with it. The first thing that its process does: on
/// the way to the program, a file system can hold it for any time.
fn bind_to(supervisor: Pid) -> Result<(), Fault> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Fault::at(Stage::Prepare))?;
    still_below(supervisor)
}

/// No program starts that nobody would end.
fn still_below(supervisor: Pid) -> Result<(), Fault> {
    match rustix::process::getppid() {
        Some(parent) if parent == supervisor => Ok(()),
        _ => Err(Fault::at(Stage::Prepare)(Errno::SRCH)),
    }
}

/// Why a supervisor stops waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The program has ended, and that was reported.
    Ended,
    /// Everything is to end.
    Demanded,
}

/// Collects what ends, until the program has ended or the host demands the end of everything.
fn stay(program: Pid, signals: &OwnedFd, lean: &Lean) -> Over {
    let mut keepsake = Keepsake::new(lean);
    let mut left = Left::Nothing;
    loop {
        // The host never writes: any event is the end of the pipe.
        match round::wake(sys::fixed(CONTROL), signals, left.wait(keepsake.wait())) {
            Ok(demand) if demand.is_empty() => {}
            Ok(_) | Err(_) => return Over::Demanded,
        }
        let mut host_is_dead = false;
        left = round::signals(signals, |signal| host_is_dead |= signal == Signal::TERM.as_raw());
        if host_is_dead {
            return Over::Demanded;
        }
        match round::program_ended(program) {
            Ok(status) => {
                report(Record::Ended(status.as_raw()));
                return Over::Ended;
            }
            Err(more) => left = left.or(more),
        }
    }
}

/// Kills all children until there are none, and says how many that were. Those of a killed child come here, and are killed in
/// the next round. Where that takes too long, the lever ends them and this process.
fn sweep(signals: &OwnedFd, lever: Option<i32>) -> u32 {
    let mut killed = 0;
    let began = Instant::now();
    let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    loop {
        kill_children();
        let left = round::ended(|_, status| {
            killed += u32::from(status.terminating_signal() == Some(Signal::KILL.as_raw()));
        });
        if left == Left::Nobody {
            return killed;
        }
        if let Some(lever) = lever.filter(|_| began.elapsed() >= PATIENCE) {
            // Where that fails, the rounds go on.
            let _alive = rustix::io::write(sys::fixed(lever), b"1");
        }
        let left = left.or(round::signals(signals, |_| {}));
        // Woken early by the next child that ends; interrupted or not, the next round looks again.
        let _woken = poll(&mut [PollFd::new(signals, PollFlags::IN)], left.wait(Some(pause)).as_ref());
    }
}

/// Kills the children that the kernel lists. Their numbers cannot be used again before this process collects them.
fn kill_children() {
    let Ok(list) = rustix::fs::open(CHILDREN, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { return };
    let mut buffer = [0; 4096];
    let Ok(length) = rustix::io::read(&list, &mut buffer) else { return };
    let mut number: i32 = 0;
    for byte in buffer.iter().take(length) {
        if byte.is_ascii_digit() {
            number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
        } else {
            // A number that the buffer cuts off is never reached here.
            if let Some(pid) = Pid::from_raw(number).filter(|_| number > 1) {
                // One that has ended already is collected in any case.
                let _gone = rustix::process::kill_process(pid, Signal::KILL);
            }
            number = 0;
        }
    }
}

#[cfg(test)]
#[path = "supervisor_tests.rs"]
mod tests;
