//! What of a command would not die in the time that it was given.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::group::{Emptied, Group};
use super::marked::{Mark, Swept};
use super::tree;

/// How many processes an error names.
const NAMED: usize = 5;
/// How long what is found again may take to die of another signal.
const AGAIN: Duration = Duration::from_millis(100);

/// By what processes are found again that were killed and may still be there; mostly nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survivors {
    /// What they carry.
    pub(crate) mark: Option<Mark>,
    /// The group that they are in.
    pub(crate) group: Option<Arc<Group>>,
    /// One on whose end that of the others depends.
    pub(crate) process: Option<Arc<Held>>,
}

/// A process that no other can be taken for.
#[derive(Debug)]
pub(crate) struct Held {
    pid: Pid,
    handle: OwnedFd,
}

impl Held {
    /// The process with this number. The caller looks afterwards whether it is the one that was meant.
    #[cfg(feature = "native")]
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

impl Survivors {
    /// What there still is of them, in words, after they were killed again; nothing when all are gone for certain.
    pub(crate) async fn now(&self) -> Option<String> {
        if self.mark.is_none() && self.group.is_none() && self.process.is_none() {
            return None;
        }
        let survivors = self.clone();
        // It may have to wait for what does not answer.
        let looked = tokio::task::spawn_blocking(move || survivors.look()).await;
        looked.unwrap_or_else(|_| Some("it could not be looked what is left".into()))
    }

    fn look(&self) -> Option<String> {
        let group = self.group.as_ref().filter(|group| group.end(AGAIN) == Emptied::No);
        let mut pids = group.map_or_else(Vec::new, |group| group.members().pids().to_vec());
        pids.extend(self.process.iter().filter(|process| process.kill(AGAIN)).map(|p| p.pid().as_raw_nonzero().get()));
        let Swept { left, unknown, .. } = self.mark.as_ref().map_or_else(Swept::default, |mark| mark.kill(AGAIN));
        pids.extend(left);
        pids.sort_unstable();
        pids.dedup();
        let mut said = Vec::new();
        if !pids.is_empty() {
            let all: Vec<_> = pids.iter().map(|pid| tree::named(*pid)).collect();
            said.push(format!("after SIGKILL the kernel still holds {} of its processes: {}", all.len(), named(&all)));
        } else if let Some(group) = group {
            let place = group.directory().display();
            said.push(format!(
                "after SIGKILL the kernel still holds processes that cannot be seen, in the control group {place}"
            ));
        }
        if !unknown.is_empty() {
            said.push(format!("it cannot be told whether something of it is left: {}", named(&unknown)));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// The first of them.
pub(super) fn named(left: &[String]) -> String {
    left.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}
