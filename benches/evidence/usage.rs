//! How much memory and time a child used, and one limit. The one place that asks the kernel directly: nothing in `std` tells a child's usage.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// What a child used, together with the processes that it waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) status: ExitStatus,
    /// The largest resident size that any of them ever had, in KiB.
    pub(crate) peak: u64,
    /// The time that they all kept a processor busy.
    pub(crate) busy: Duration,
}

/// Waits for a child and says, in KiB, the largest resident size that it or any process it waited for ever had.
///
/// The child must not have been waited for before.
pub(crate) fn wait(child: Child) -> io::Result<(ExitStatus, u64)> {
    measure(child).map(|used| (used.status, used.peak))
}

/// Waits for a child and says what it used.
///
/// The child must not have been waited for before.
pub(crate) fn measure(child: Child) -> io::Result<Used> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: all zeroes is a valid `rusage`, which holds only numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live values of the right types, and the pid is of our own child, which is not reaped.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            let peak = u64::try_from(usage.ru_maxrss).unwrap_or(0);
            let busy = time(usage.ru_utime) + time(usage.ru_stime);
            return Ok(Used { status: ExitStatus::from_raw(status), peak, busy });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn time(of: libc::timeval) -> Duration {
    let part = |n: i64| u64::try_from(n).unwrap_or(0);
    Duration::from_secs(part(of.tv_sec)) + Duration::from_micros(part(of.tv_usec))
}

/// How long this process kept a processor busy so far, and its largest resident size, in KiB.
pub(crate) fn own() -> (Duration, u64) {
    // SAFETY: all zeroes is a valid `rusage`, which holds only numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value of the right type. It fails for bad arguments only, and then it is all zeroes.
    let _asked = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    (time(usage.ru_utime) + time(usage.ru_stime), u64::try_from(usage.ru_maxrss).unwrap_or(0))
}

/// How long the calling thread has kept a processor busy.
pub(crate) fn thread_busy() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value of the right type. It fails for bad arguments only, and then it is zero.
    let _asked = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Limits how many signals may be pending for this process and for what it starts.
pub(crate) fn limit_own_pending_signals(most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the limit is a live value of the right type.
    match unsafe { libc::setrlimit(libc::RLIMIT_SIGPENDING, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
