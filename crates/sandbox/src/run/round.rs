//! One round of a supervisor, of which nothing that happens inside can make a long one. Nothing here may allocate, lock or
//! panic.
//!
//! Between two rounds it looks whether the host demands the end. So a round takes no more than so many signals and so many
//! processes that have ended, however many more there are: else programs that make them faster than they are taken would
//! keep it from ever looking.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait, waitpid};

use crate::sys;

/// How many signals, and how many processes, one round takes at most.
const MOST: usize = 128;

/// What may be left of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// Not even a child that could end.
    Nobody,
    /// The next round must not wait.
    More,
}

impl Left {
    /// How long to wait for the next round, where one that waits could do so for this long.
    pub(crate) fn wait(self, longest: Option<Timespec>) -> Option<Timespec> {
        match self {
            Self::Nothing | Self::Nobody => longest,
            Self::More => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
        }
    }

    /// More, if one of them left more.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::More { self } else { other }
    }
}

/// Waits for a signal, or for something to happen to `control`, which is told.
pub(crate) fn wake(control: BorrowedFd<'_>, signals: &OwnedFd, longest: Option<Timespec>) -> Result<PollFlags, Errno> {
    let mut fds = [PollFd::new(&control, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
    match poll(&mut fds, longest.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(fds[0].revents()),
        Err(errno) => Err(errno),
    }
}

/// Takes signals that have arrived, and says which to `each`.
pub(crate) fn signals(from: &OwnedFd, mut each: impl FnMut(i32)) -> Left {
    for _ in 0..MOST {
        match sys::next_signal(from) {
            Some(signal) => each(signal),
            None => return Left::Nothing,
        }
    }
    Left::More
}

/// Collects children that have ended, and tells `each` of them how.
pub(crate) fn ended(mut each: impl FnMut(Pid, WaitStatus)) -> Left {
    for _ in 0..MOST {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => each(pid, status),
            Err(Errno::CHILD) => return Left::Nobody,
            Ok(None) | Err(_) => return Left::Nothing,
        }
    }
    Left::More
}

/// The status of the program if it has ended; asked for first, however many others have. Then collects some of those.
pub(crate) fn program_ended(program: Pid) -> Result<WaitStatus, Left> {
    match waitpid(Some(program), WaitOptions::NOHANG) {
        Ok(Some((_, status))) => Ok(status),
        Ok(None) | Err(_) => {
            let mut seen = None;
            // It can end between the two.
            let left = ended(|pid, status| seen = if pid == program { Some(status) } else { seen });
            seen.ok_or(left)
        }
    }
}
