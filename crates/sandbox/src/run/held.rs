//! A process that cannot be taken for another one.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that no other can be taken for.
#[derive(Debug)]
pub(crate) struct Held {
    pid: Pid,
    handle: OwnedFd,
}

impl Held {
    /// The process with this number. The caller looks afterwards whether it is the one that was meant.
    pub(crate) fn hold(pid: Pid) -> rustix::io::Result<Self> {
        Ok(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// Its number, which is its own while it [lives](Self::lives).
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&self) -> bool {
        self.lives_after(Duration::ZERO)
    }

    /// Kills it, and says whether it lives when this time is up, which only the kernel can bring about.
    pub(crate) fn kill(&self, within: Duration) -> bool {
        // It may be gone already.
        let _gone = pidfd_send_signal(&self.handle, Signal::KILL);
        self.lives_after(within)
    }

    fn lives_after(&self, time: Duration) -> bool {
        let until = std::time::Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            let ended = poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&left));
            match ended {
                Ok(1..) => return false,
                _ if std::time::Instant::now() >= until => return true,
                _ => {}
            }
        }
    }
}
