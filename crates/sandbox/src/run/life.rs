//! Whether a process that was written down still lives.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::tree::Stat;

/// One process of this boot of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) pid: i32,
    /// When it began, in the kernel's ticks since the boot: with its number, it is like no other.
    pub(crate) began: u64,
    /// The namespace in which its number counts.
    pub(crate) namespace: u64,
    /// The namespace of the clock by which it began: in another one, the kernel tells another time of the same process.
    pub(crate) clock: u64,
    /// The boot of the machine: namespaces and numbers are the same again after it, and on other machines.
    pub(crate) boot: u64,
}

impl Life {
    /// This process; none where `/proc` does not tell, or belongs to other processes than this one is among.
    pub(crate) fn ours() -> Option<Self> {
        let pid = i32::try_from(std::process::id()).ok()?;
        let shown: i32 = fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()?;
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        // Kernels before 5.6 have one clock for all.
        let clock = fs::metadata("/proc/self/ns/time").map_or(0, |namespace| namespace.ino());
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let boot = u64::from_str_radix(boot.replace('-', "").get(..16)?, 16).ok()?;
        (shown == pid).then_some(Self { pid, began: began(pid).ok()??, namespace, clock, boot })
    }

    /// Whether that process is over for certain, as `judge` can tell.
    pub(crate) fn is_over(self, judge: Self) -> bool {
        let same = |of: fn(&Self) -> u64| of(&self) == of(&judge);
        same(|life| life.namespace)
            && same(|life| life.clock)
            && same(|life| life.boot)
            && began(self.pid).is_ok_and(|found| found.is_none_or(|began| began != self.began))
    }
}

/// When a process began, or none when there is for certain no such process, or only what its parent has not taken note of.
pub(crate) fn began(pid: i32) -> Result<Option<u64>, String> {
    let number = Pid::from_raw(pid).ok_or_else(|| format!("{pid} is no number of a process"))?;
    if test_kill_process(number) == Err(Errno::SRCH) {
        return Ok(None);
    }
    // It may be hidden from this user although it lives.
    let unreadable = |e: std::io::Error| format!("process {pid} may live, and cannot be looked at: {e}");
    let text = fs::read(format!("/proc/{pid}/stat")).map_err(unreadable)?;
    let stat = Stat::parse(&String::from_utf8_lossy(&text));
    let stat = stat.ok_or_else(|| format!("process {pid} cannot be understood"))?;
    // The first thread of a process may end before its others.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let over = matches!(stat.state, 'Z' | 'X' | 'x') && threads <= 1;
    Ok((!over).then_some(stat.began))
}
