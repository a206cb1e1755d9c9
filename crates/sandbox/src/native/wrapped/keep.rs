//! How a command in bubblewrap is kept.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal, prlimit, setrlimit};

use super::super::group::Group;
use super::LANE;
use super::status::Status;
use crate::disk::Disk;
use crate::host::{Duties, Scratch, SecretFiles, supervisor};
use crate::run::{Bound, Buried, Counts, Fault, Keeper, REPORT, START, Stage, Tree};
use crate::{Command, End, Error, Limits, Result, Usage, sys};

/// How long setting up may take.
const SET_UP: Duration = Duration::from_secs(120);
/// How long what was killed may take to be gone.
const DYING: Duration = Duration::from_secs(60);
/// How often it is looked whether the program runs: at first, and once it has taken that often.
const LOOK: Duration = Duration::from_millis(1);
const MANY: u32 = 100;
const LOOK_LATER: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct WrappedKeeper {
    pub(super) scratch: Scratch,
    pub(super) secrets: SecretFiles,
    /// What bubblewrap is called in this command, and nothing else on the machine is.
    pub(super) token: String,
    pub(super) limits: Limits,
    /// The most processes that the kernel counts in a user namespace of the sandbox's own; none where it has none.
    pub(super) processes: Option<u64>,
    pub(super) group: Option<Group>,
    pub(super) disks: Vec<Disk>,
    pub(super) ends: Mutex<Ends>,
    /// How many descriptors bubblewrap gets.
    pub(super) handed: usize,
    pub(super) peak: AtomicU64,
}

/// The descriptors on this side.
#[derive(Debug)]
pub(super) struct Ends {
    /// Those of bubblewrap: options, filter, its word, and where it waits before it goes on.
    pub(super) handed: Vec<OwnedFd>,
    pub(super) word: Status,
    /// A byte here lets it go on.
    pub(super) go: OwnedFd,
    pub(super) first: Option<First>,
}

/// The first process inside. When it is gone, so is everything else there.
#[derive(Debug)]
pub(super) struct First {
    pid: Pid,
    handle: OwnedFd,
}

impl First {
    fn hold(pid: Pid) -> Result<Self> {
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.to_string()))?;
        Ok(Self { pid, handle })
    }

    /// Kills it, and waits until all inside are gone, which only the kernel can delay.
    fn kill(&self) {
        // It may be gone already.
        let _gone = pidfd_send_signal(&self.handle, Signal::KILL);
        let until = Instant::now() + DYING;
        while Instant::now() < until {
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&second)).is_ok_and(|ready| ready > 0) {
                return;
            }
        }
    }
}

impl WrappedKeeper {
    fn groups(&self) -> usize {
        self.group.as_ref().map_or(0, Group::count)
    }

    /// The numbers of bubblewrap's descriptors, once they are in place.
    fn theirs(&self) -> std::ops::Range<i32> {
        let number = |count: usize| REPORT + 1 + i32::try_from(count).unwrap_or(i32::MAX);
        number(self.groups())..number(self.groups() + self.handed)
    }

    /// Joins the control groups. Nothing here may allocate, lock or panic.
    fn join(&self) -> std::result::Result<(), Fault> {
        for fd in (REPORT + 1..).take(self.groups()) {
            rustix::io::write(sys::fixed(fd), b"0").map_err(Fault::at(Stage::Group))?;
            sys::close(fd);
        }
        Ok(())
    }

    /// The last before bubblewrap is executed. Nothing here may allocate, lock or panic.
    fn hand_over(&self) -> std::result::Result<(), Fault> {
        let step = Fault::at(Stage::Lower);
        let limit = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
        if let Some(largest) = self.limits.disk {
            limit(Resource::Fsize, largest).map_err(&step)?;
        }
        let files = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        limit(Resource::Nofile, files.min(1 << 16)).map_err(&step)?;
        self.theirs().try_for_each(|fd| fcntl_setfd(sys::fixed(fd), FdFlags::empty()).map_err(&step))
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until `what` is known.
    fn hear<T>(&self, until: Instant, what: impl Fn(&Ends) -> Option<T>) -> Result<Option<T>> {
        for looks in 0.. {
            let mut ends = self.ends();
            if let Some(found) = what(&ends) {
                return Ok(Some(found));
            }
            if ends.word.is_over() {
                return Ok(None);
            }
            if Instant::now() > until {
                return Err(failed("it took longer than two minutes"));
            }
            ends.word.listen(if looks < MANY { LOOK } else { LOOK_LATER });
        }
        Ok(None)
    }

    /// Whether a child of the first process is no longer bubblewrap. One that has ended shows no name at all, and then the
    /// word of its end is on its way.
    fn executed(&self, first: Pid) -> bool {
        let named = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| self.is_other(&line));
        Tree::children_of(first).iter().any(named)
    }

    fn is_other(&self, line: &[u8]) -> bool {
        !line.is_empty() && !line.starts_with(self.token.as_bytes())
    }
}

impl Keeper for WrappedKeeper {
    fn supervise(&self, image: &Bound<'_>, forked: sys::Forked) -> i32 {
        match self.join() {
            Ok(()) => {
                let duties = Duties::without_group(&self.secrets);
                supervisor::run(image, forked, duties, self.theirs(), || self.hand_over())
            }
            Err(fault) => {
                fault.send(sys::fixed(START));
                1
            }
        }
    }

    fn descriptors(&self) -> Vec<RawFd> {
        let mut all: Vec<_> = self.group.as_ref().map_or_else(Vec::new, Group::entrances);
        all.extend(self.ends().handed.iter().map(AsRawFd::as_raw_fd));
        all
    }

    fn running(&self, errors: BorrowedFd<'_>, command: &Command) -> Result<()> {
        let until = Instant::now() + SET_UP;
        // Only what bubblewrap has of them shall count.
        self.ends().handed.clear();
        let first = self.hear(until, |ends| ends.word.first_process().and_then(Pid::from_raw))?;
        let Some(first) = first else { return Err(explain(&last_words(errors), command)) };
        let held = First::hold(first)?;
        if let Some(processes) = self.processes {
            let limit = Rlimit { current: Some(processes), maximum: Some(processes) };
            prlimit(Some(first), Resource::Nproc, limit).map_err(|errno| failed(errno.to_string()))?;
        }
        let mut ends = self.ends();
        ends.first = Some(held);
        rustix::io::write(&ends.go, b"g").map_err(|errno| failed(errno.to_string()))?;
        drop(ends);
        let ran = |ends: &Ends| (ends.word.status().is_some() || self.executed(first)).then_some(());
        self.hear(until, ran)?.ok_or_else(|| explain(&last_words(errors), command))
    }

    fn end(&self, _: i32) -> End {
        let mut ends = self.ends();
        ends.word.listen_to_the_end();
        ends.word.end()
    }

    fn counts(&self) -> Counts {
        Counts::None
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        match fault.stage {
            // It is not the command's program that could not be executed.
            Stage::Exec | Stage::Interpreter | Stage::Workdir => failed(io::Error::from(fault.errno)),
            _ => fault.error(LANE, command),
        }
    }

    fn terminate(&self, _: Pid, _: BorrowedFd<'_>) {
        // Not bubblewrap itself, whose end would leave them no time.
        if let Some(first) = &self.ends().first {
            Tree::below(first.pid).signal(first.pid, Signal::TERM);
        }
    }

    fn watch(&self, supervisor: Pid) -> Option<End> {
        if self.group.as_ref().is_some_and(Group::ran_out_of_memory) {
            return Some(End::OutOfMemory);
        }
        for disk in &self.disks {
            disk.supervisor(supervisor);
            if disk.exceeded() {
                return Some(End::OutOfDisk);
            }
        }
        let counted = self.group.as_ref().is_some_and(Group::limits_memory);
        let limit = self.limits.memory.filter(|_| !counted)?;
        let used = Tree::below(supervisor).memory(limit);
        self.peak.fetch_max(used, Ordering::Relaxed);
        (used > limit).then_some(End::OutOfMemory)
    }

    fn bury(&self, _: bool) -> Buried {
        if let Some(group) = &self.group {
            group.kill();
        }
        // bubblewrap's end has killed it, but a supervisor that was killed itself has not waited for that.
        if let Some(first) = &self.ends().first {
            first.kill();
        }
        let mut exceeded = None;
        if let Some(group) = &self.group {
            self.peak.fetch_max(group.peak_memory().unwrap_or(0), Ordering::Relaxed);
            exceeded = group.ran_out_of_memory().then_some(End::OutOfMemory);
            group.remove();
        }
        self.scratch.remove();
        Buried { exceeded, ..Buried::default() }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        let peak = self.peak.load(Ordering::Relaxed);
        Usage { cpu, peak_memory: (peak > 0).then_some(peak) }
    }
}

/// What bubblewrap wrote to standard error before it ended. Nobody else has written there: its program did not run.
fn last_words(errors: BorrowedFd<'_>) -> String {
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
    while said.len() < bytes.len() {
        let mut fds = [PollFd::from_borrowed_fd(errors, PollFlags::IN)];
        match poll(&mut fds, Some(&second))
            .and_then(|_| if fds[0].revents().is_empty() { Ok(0) } else { rustix::io::read(errors, &mut bytes) })
        {
            Ok(count @ 1..) => said.extend_from_slice(&bytes[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

fn explain(said: &str, command: &Command) -> Error {
    let reason = |stage: Stage, text: &str| {
        let known = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::NOTDIR];
        let words = |errno: &Errno| text.ends_with(io_words(*errno));
        known.into_iter().find(words).map(|errno| Fault::at(stage)(errno).error(LANE, command))
    };
    let program = said.lines().rev().find(|line| line.contains("execvp "));
    let workdir = said.lines().rev().find(|line| line.contains("Can't chdir to "));
    let known = program.and_then(|line| reason(Stage::Exec, line));
    known.or_else(|| workdir.and_then(|line| reason(Stage::Workdir, line))).unwrap_or_else(|| {
        let said = said.chars().take(500).collect::<String>();
        failed(if said.is_empty() { "bubblewrap ended before the program ran".to_owned() } else { said })
    })
}

/// What the C library calls it in its own language, which is that of a program without variables.
fn io_words(errno: Errno) -> &'static str {
    match errno {
        Errno::NOENT => "No such file or directory",
        Errno::ACCESS => "Permission denied",
        Errno::NOEXEC => "Exec format error",
        _ => "Not a directory",
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Lane { action: "set the sandbox up with bubblewrap".into(), source: source.into() }
}
