//! The thread that starts one command, watches it and collects it.
//!
//! A thread of its own, because the kernel ties the supervisor's life to the thread that started it, and because this
//! one holds back all signals, so that none of the host's handlers ever runs in a forked child.

use std::io::{Read, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::UnshareFlags;
use tokio::sync::oneshot;

use super::keeper::Counts;
use super::leash::Leash;
use super::records::Records;
use super::{Buried, Fault, Lane, Stage, Survivors, Tree};
use crate::{Command, End, Error, Result, Usage, sys};

/// How often the limits are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long setting up may take. It takes milliseconds, unless a file system hangs or the kernel is busy with many
/// namespaces at once.
const SET_UP: Duration = Duration::from_secs(120);
/// How long a supervisor that was told to kill everything may take before it is killed itself.
const OBEY: Duration = Duration::from_secs(2);

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) leash: Arc<Leash>,
    pub(crate) ended: oneshot::Receiver<Ended>,
}

/// A command that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What the supervisor said of the end.
    pub(crate) records: Records,
    /// What that says of the program, when its end was seen.
    pub(crate) end: Option<End>,
    /// Processes that were left when the program had ended by itself, and were killed.
    pub(crate) leftovers: Option<u32>,
    /// What of it would not die.
    pub(crate) survivors: Survivors,
    /// The end of a limit that was exceeded.
    pub(crate) exceeded: Option<End>,
    pub(crate) usage: Usage,
}

/// Starts the thread, which answers `started` when the program runs or cannot.
pub(crate) fn spawn(lane: Arc<dyn Lane>, command: Command, started: oneshot::Sender<Result<Started>>) -> Result<()> {
    let body = move || {
        sys::block_signals();
        match start(&*lane, &command) {
            Ok((child, reports, leash, ends)) => {
                let (over, ended) = oneshot::channel();
                let [stdin, stdout, stderr] = ends;
                let message = Started { stdin, stdout, stderr, leash: Arc::clone(&leash), ended };
                if started.send(Ok(message)).is_err() {
                    leash.kill();
                }
                // Nobody may be waiting any more; then this was only the clearing up.
                let _gone = over.send(watch(&child, &leash, reports));
            }
            Err(error) => drop(started.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name("hedgerow-warden".into()).spawn(body);
    thread.map(drop).map_err(|e| failed("start a thread for the command", e))
}

/// Runs a command to its end on the calling thread, drops its output, and returns its status if that was seen.
#[cfg(feature = "native")]
pub(crate) fn try_once(lane: &dyn Lane, command: &Command) -> Result<Option<i32>> {
    sys::block_signals();
    let began = Instant::now();
    let (child, reports, leash, ends) = start(lane, command)?;
    drop(ends);
    while began.elapsed() < command.deadline && !over(&child, TICK) {}
    leash.kill();
    Ok(watch(&child, &leash, reports).records.status)
}

#[cfg(feature = "native")]
fn over(child: &sys::Child, within: Duration) -> bool {
    poll(&mut [PollFd::new(&child.pidfd, PollFlags::IN)], Some(&timespec(within))).is_ok_and(|ready| ready > 0)
}

type Running = (sys::Child, OwnedFd, Arc<Leash>, [OwnedFd; 3]);

fn start(lane: &dyn Lane, command: &Command) -> Result<Running> {
    let (keeper, image) = lane.prepare(command)?;
    let pipes = || pipe().map(|(r, w)| (OwnedFd::from(r), OwnedFd::from(w))).map_err(|e| failed("make a pipe", e));
    let (stdin, to_stdin) = pipes()?;
    let (from_stdout, stdout) = pipes()?;
    let (from_stderr, stderr) = pipes()?;
    let (faults, start) = pipes()?;
    let (control, demands) = pipes()?;
    let (reports, report) = pipes()?;
    let child = {
        let own = [&stdin, &stdout, &stderr, &start, &control, &report].map(|fd| fd.as_raw_fd());
        let more = keeper.descriptors();
        let (fds, count) = numbers(own, more.into_iter());
        let bound = image.bind();
        let supervisor = |forked| match sys::place(&forked, fds, count) {
            Ok(()) => keeper.supervise(&bound, forked),
            Err(_) => 1,
        };
        let namespaces = keeper.namespaces();
        sys::fork(namespaces, keeper.group(), supervisor).map_err(|errno| match namespaces.is_empty() {
            true => failed("start a supervisor", errno),
            false => keeper.explain(Fault::at(Stage::Unshare)(errno), command),
        })?
    };
    drop((stdin, stdout, stderr, start, control, report));
    let leash = Arc::new(Leash::new(keeper, child.pid, demands));
    let problem = match first_words(faults) {
        FirstWords::Running => match leash.keeper().running(from_stderr.as_fd(), command) {
            Ok(()) => return Ok((child, reports, leash, [to_stdin, from_stdout, from_stderr])),
            Err(error) => error,
        },
        FirstWords::Fault(fault) => leash.keeper().explain(fault, command),
        FirstWords::Late => {
            let places = Tree::with(child.pid).waits().join(", ");
            failed("set up the sandbox", format!("it took longer than two minutes; the kernel holds it in {places}"))
        }
        FirstWords::Dead => failed("set up the sandbox", "its supervisor died".to_owned()),
    };
    leash.kill();
    watch(&child, &leash, reports);
    Err(problem)
}

/// More than any lane uses.
const DESCRIPTORS: usize = 16;

fn numbers(own: [RawFd; 6], more: impl Iterator<Item = RawFd>) -> ([RawFd; DESCRIPTORS], usize) {
    let mut fds = [-1; DESCRIPTORS];
    let mut count = 0;
    for (slot, fd) in fds.iter_mut().zip(own.into_iter().chain(more)) {
        *slot = fd;
        count += 1;
    }
    (fds, count)
}

enum FirstWords {
    Running,
    Fault(Fault),
    Late,
    Dead,
}

/// Waits until the program runs, which closes the pipe, or a fault arrives on it.
fn first_words(faults: OwnedFd) -> FirstWords {
    let until = Instant::now() + SET_UP;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return FirstWords::Late;
        }
        let mut fds = [PollFd::new(&faults, PollFlags::IN)];
        if poll(&mut fds, Some(&timespec(left))).is_ok_and(|ready| ready > 0) {
            break;
        }
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::from(faults).read_to_end(&mut bytes);
    match (read, Fault::read(&bytes)) {
        (Ok(_), Some(fault)) => FirstWords::Fault(fault),
        // The pipe closes too when a supervisor dies; then the report of the end will be missing.
        (Ok(0), None) => FirstWords::Running,
        _ => FirstWords::Dead,
    }
}

/// Stays with the supervisor until it has ended, and clears up after it.
fn watch(child: &sys::Child, leash: &Leash, reports: OwnedFd) -> Ended {
    let keeper = leash.keeper();
    let mut exceeded = None;
    loop {
        let mut fds = [PollFd::new(&child.pidfd, PollFlags::IN)];
        if poll(&mut fds, Some(&timespec(TICK))).is_ok_and(|ready| ready > 0) {
            break;
        }
        match leash.killed() {
            // It was stopped or is stuck. Its own death takes the rest along, or `bury` finds it.
            Some(since) if since.elapsed() > OBEY => {
                // It can only fail when the supervisor is gone, which the next round sees.
                let _gone = rustix::process::pidfd_send_signal(&child.pidfd, rustix::process::Signal::KILL);
            }
            Some(_) => {}
            None => {
                exceeded = keeper.watch(child.pid);
                if exceeded.is_some() {
                    leash.kill();
                }
            }
        }
    }
    // Before the process id can be used again, nobody may signal it any more.
    leash.bury();
    let (_, cpu) = sys::reap(child.pid);
    let mut records = read_records(reports);
    records.done |= keeper.namespaces().contains(UnshareFlags::NEWPID);
    let Buried { exceeded: late, swept, survivors } = keeper.bury(records.done);
    let late = late.filter(|_| records.status.is_none_or(|s| s != 0));
    let counted = records.status.filter(|_| keeper.counts() == Counts::Each);
    // A supervisor that was killed with the group has counted nothing; what was still there then is known at least.
    let swept = Some(swept).filter(|swept| *swept > 0 || records.killed.is_some());
    let leftovers = counted.and(swept).map(|swept| records.killed.unwrap_or(0).saturating_add(swept));
    let end = records.status.map(|status| keeper.end(status));
    Ended { records, end, exceeded: exceeded.or(late), leftovers, survivors, usage: keeper.usage(cpu) }
}

fn read_records(reports: OwnedFd) -> Records {
    let mut bytes = Vec::new();
    // All writers are dead, so this ends; what cannot be read is a record that is missing.
    let _missing = std::fs::File::from(reports).take(64).read_to_end(&mut bytes);
    Records::read(&bytes)
}

fn timespec(time: Duration) -> Timespec {
    Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 })
}

fn failed(action: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Lane { action: action.into(), source: source.into() }
}
