//! One look at all processes, for those that carry something in their environment.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

use super::reader::Reader;
use crate::run::tree::{self, Stat};

/// How many threads of a process are asked whose first one has ended.
const THREADS: usize = 64;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Those that carry it.
    pub(super) found: Vec<(i32, OwnedFd)>,
    /// Those that may, and why that cannot be told.
    pub(super) unknown: Vec<String>,
}

impl Look {
    /// Whether it proves that there was nobody.
    pub(super) fn nobody(&self) -> bool {
        self.found.is_empty() && self.unknown.is_empty()
    }
}

/// Looks at every process that began at `since` or later, in the kernel's ticks, and that this one may signal: no other can be of
/// a command of this user's, for none gains privileges.
pub(super) fn look(reader: &mut Reader, since: u64, carries: &dyn Fn(&[u8]) -> bool) -> Look {
    let mut look = Look::default();
    let pids = match tree::pids() {
        Ok(pids) => pids,
        Err(e) => {
            look.unknown.push(format!("the list of processes cannot be read: {e}"));
            return look;
        }
    };
    for pid in pids {
        match one(pid, reader, since, carries) {
            Ok(None) => {}
            Ok(Some(pidfd)) => look.found.push((pid, pidfd)),
            // It ended meanwhile.
            Err(e) if is_gone(&e) => {}
            Err(e) => look.unknown.push(format!("{}: {e}", tree::named(pid))),
        }
    }
    look
}

/// A descriptor for the process if it carries it; taken first, so that it is of the process that was read.
fn one(pid: i32, reader: &mut Reader, since: u64, carries: &dyn Fn(&[u8]) -> bool) -> io::Result<Option<OwnedFd>> {
    let Some(number) = Pid::from_raw(pid) else { return Ok(None) };
    let stat = match fs::read(format!("/proc/{pid}/stat")) {
        Ok(text) => Stat::parse(&String::from_utf8_lossy(&text)),
        // Where processes are hidden from other users, those are no others' that may be signalled.
        Err(e) if e.raw_os_error() == Some(Errno::PERM.raw_os_error()) => None,
        Err(e) => return Err(e),
    };
    if stat.as_ref().is_some_and(|stat| stat.began < since) {
        return Ok(None);
    }
    match test_kill_process(number) {
        Err(Errno::PERM) => return Ok(None),
        asked => asked?,
    }
    let pidfd = pidfd_open(number, PidfdFlags::empty())?;
    let dead = stat.is_some_and(|stat| stat.is_over());
    let environment =
        if dead { of_a_thread(pid, reader)? } else { reader.read(format!("/proc/{pid}/environ").into())? };
    Ok(environment.split(|byte| *byte == 0).any(carries).then_some(pidfd))
}

/// The environment of a process whose first thread has ended before its others.
fn of_a_thread(pid: i32, reader: &mut Reader) -> io::Result<Vec<u8>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?.take(THREADS).collect::<io::Result<Vec<_>>>()?;
    for thread in threads.iter().filter(|thread| thread.file_name().to_str() != Some(&pid.to_string())) {
        let place: PathBuf = thread.path().join("environ");
        match reader.read(place) {
            Ok(read) if read.is_empty() => {}
            Err(e) if is_gone(&e) => {}
            read => return read,
        }
    }
    Ok(Vec::new())
}

fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    errno == Some(Errno::SRCH.raw_os_error()) || errno == Some(Errno::NOENT.raw_os_error())
}
