//! How a command in bubblewrap is kept.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit, setrlimit};

use super::super::group::Group;
use super::super::limited::Limited;
use super::LANE;
use super::status::Status;
use crate::host::{Duties, Scratch, SecretFiles, supervisor, sweep};
use crate::run::{Bound, Buried, Counts, Fault, Held, Keeper, START, Stage, Tree};
use crate::{Command, End, Error, Result, Usage, sys};

/// How long setting up may take.
const SET_UP: Duration = Duration::from_secs(120);
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
    pub(super) limited: Limited,
    /// The most processes that the kernel counts in a user namespace of the sandbox's own; none where it has none.
    pub(super) processes: Option<u64>,
    pub(super) ends: Mutex<Ends>,
    /// How many descriptors bubblewrap gets.
    pub(super) handed: usize,
    /// How long what was killed may take to be gone.
    pub(super) dying: Duration,
}

/// The descriptors on this side.
#[derive(Debug)]
pub(super) struct Ends {
    /// Those of bubblewrap: options, filter, its word, and where it waits before it goes on.
    pub(super) handed: Vec<OwnedFd>,
    pub(super) word: Status,
    /// A byte here lets it go on.
    pub(super) go: OwnedFd,
    /// The first process inside. When it is gone, so is everything else there.
    pub(super) first: Option<Arc<Held>>,
}

impl WrappedKeeper {
    /// The numbers of bubblewrap's descriptors, once they are in place.
    fn theirs(&self) -> std::ops::Range<i32> {
        self.limited.behind_groups(0)..self.limited.behind_groups(self.handed)
    }

    /// The last before bubblewrap is executed. Nothing here may allocate, lock or panic.
    fn hand_over(&self) -> std::result::Result<(), Fault> {
        let step = Fault::at(Stage::Lower);
        self.limited.limit_files()?;
        let files = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).min(1 << 16);
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) }).map_err(&step)?;
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

    /// Takes hold of the first process, which waits for us. That it is still called what nothing else on the machine is shows that
    /// its number was its own when it was taken hold of.
    fn hold(&self, first: Pid) -> Result<Held> {
        let held = Held::hold(first).map_err(|errno| failed(errno.to_string()))?;
        let line = fs::read(format!("/proc/{}/cmdline", first.as_raw_nonzero())).unwrap_or_default();
        if !line.starts_with(self.token.as_bytes()) {
            return Err(failed("its first process ended before it was let on"));
        }
        Ok(held)
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
        match self.limited.join() {
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
        let mut all: Vec<_> = self.limited.group().map_or_else(Vec::new, Group::entrances);
        all.extend(self.ends().handed.iter().map(AsRawFd::as_raw_fd));
        all
    }

    fn running(&self, errors: BorrowedFd<'_>, command: &Command) -> Result<()> {
        let until = Instant::now() + SET_UP;
        // Only what bubblewrap has of them shall count.
        self.ends().handed.clear();
        let first = self.hear(until, |ends| ends.word.first_process().and_then(Pid::from_raw))?;
        let Some(first) = first else { return Err(explain(&last_words(errors), command)) };
        let held = self.hold(first)?;
        if let Some(processes) = self.processes {
            let limit = Rlimit { current: Some(processes), maximum: Some(processes) };
            prlimit(Some(first), Resource::Nproc, limit).map_err(|errno| failed(errno.to_string()))?;
        }
        let mut ends = self.ends();
        ends.first = Some(Arc::new(held));
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
            // Once it is gone, its number may be a stranger's.
            Tree::below(first.pid()).signal_if(first.pid(), Signal::TERM, || first.lives());
        }
    }

    fn watch(&self, supervisor: Pid) -> Option<End> {
        self.limited.watch(supervisor)
    }

    fn bury(&self, _: bool) -> Buried {
        let (_, mut survivors) = sweep(self.limited.ending(), None, self.dying);
        // bubblewrap's end has killed it, but a supervisor that was killed itself has not waited for that. When it is gone, so is
        // everything else inside.
        let first = self.ends().first.clone();
        survivors.process = first.filter(|first| first.kill(self.dying));
        let exceeded = self.limited.bury();
        self.scratch.remove();
        Buried { exceeded, survivors, ..Buried::default() }
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        self.limited.usage(cpu)
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

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
