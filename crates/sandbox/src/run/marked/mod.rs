//! Killing what carries a variable of its own in its environment, wherever it went.
//!
//! One look can miss what forks while it lasts, and what has just become a program and has no environment for a moment. So only
//! two looks in a row that found nobody, and could look at everybody, are a proof.

mod look;
mod reader;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};

use self::look::{Look, look};
use self::reader::Reader;
use super::life::Life;
use super::owned;

/// How often it is looked. What was killed stays visible until the kernel has taken it apart.
const PAUSE: Duration = Duration::from_millis(5);
/// The same where nothing is left but what cannot be looked at, and how long that is tried.
const PAUSE_UNKNOWN: Duration = Duration::from_millis(100);
const UNKNOWN: Duration = Duration::from_secs(2);
/// How many looks in a row must find nobody.
const PROOF: u32 = 2;
/// How long what the dead left may take to die; what takes longer is left to the next look.
const DYING: Duration = Duration::from_secs(1);
/// The name of the variable by which processes of a command are known; its value says whose it is.
pub(crate) const COOKIE: &str = "HEDGEROW_SANDBOX";
/// The kernel's ticks in a second, as it tells them to programs.
const TICKS: i64 = 100;

/// By what the processes of one command are known wherever they are.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    variable: String,
    /// When the command began, in the kernel's ticks: what is older is not of it.
    since: u64,
    reader: Arc<Mutex<Reader>>,
}

/// What became of those that carried a mark.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// How many processes were seen, and killed.
    pub(crate) killed: usize,
    /// Those that were there when time was up: the kernel holds them, or they come faster than they are found.
    pub(crate) left: Vec<i32>,
    /// What may be of them, and why it cannot be told.
    pub(crate) unknown: Vec<String>,
}

impl Mark {
    /// That of a command of this process with this token, which is about to begin.
    pub(crate) fn new(token: &str) -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let ticks = now.tv_sec * TICKS + now.tv_nsec * TICKS / 1_000_000_000;
        let variable = format!("{COOKIE}={}", owned::name(token));
        Self { variable, since: u64::try_from(ticks).unwrap_or(0), reader: Arc::default() }
    }

    /// The value of the variable.
    pub(crate) fn value(&self) -> &str {
        self.variable.split_once('=').map_or("", |(_, value)| value)
    }

    /// Kills every process that carries it, until none is left, for so long at most.
    pub(crate) fn kill(&self, within: Duration) -> Swept {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        kill_all(within, || look(&mut reader, self.since, &|pair| pair == self.variable.as_bytes()))
    }
}

/// Kills every process that carries the variable of a command whose owner is dead for certain.
pub(super) fn kill_of_the_dead(judge: Life) {
    let mut reader = Reader::default();
    let of_the_dead = |pair: &[u8]| {
        let value = pair.strip_prefix(COOKIE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let name = value.and_then(|value| std::str::from_utf8(value).ok());
        name.is_some_and(|name| owned::is_of_the_dead(name, judge))
    };
    kill_all(DYING, || {
        let seen = look(&mut reader, 0, &of_the_dead);
        // Started by such a command itself, this process ends nothing.
        if seen.found.iter().any(|(pid, _)| *pid == judge.pid) { Look::default() } else { seen }
    });
}

fn kill_all(within: Duration, mut look: impl FnMut() -> Look) -> Swept {
    let began = Instant::now();
    let mut killed = BTreeSet::new();
    let mut proof = 0;
    let mut found_last = began;
    loop {
        let seen = look();
        for (_, pidfd) in &seen.found {
            // One that has ended meanwhile needs no signal.
            let _gone: Result<(), _> = pidfd_send_signal(pidfd, Signal::KILL);
        }
        killed.extend(seen.found.iter().map(|(pid, _)| *pid));
        proof = if seen.nobody() { proof + 1 } else { 0 };
        let now = Instant::now();
        if !seen.found.is_empty() {
            found_last = now;
        }
        let unknown_only = seen.found.is_empty() && !seen.unknown.is_empty();
        let given_up = unknown_only && now.duration_since(found_last) >= UNKNOWN;
        // A second look is due in any case, if only the first one that found nobody is there.
        let over = now.duration_since(began) >= within && proof == 0;
        if proof >= PROOF || given_up || over {
            let left = seen.found.into_iter().map(|(pid, _): (i32, OwnedFd)| pid).collect();
            return Swept { killed: killed.len(), left, unknown: seen.unknown };
        }
        std::thread::sleep(if unknown_only { PAUSE_UNKNOWN } else { PAUSE });
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
