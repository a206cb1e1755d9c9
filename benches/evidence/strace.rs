//! Kills before a system call, by having strace deliver the signal.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// What changes files, directories or locks; opening for writing shows as the write that follows.
pub(crate) const CALLS: [&str; 13] = [
    "mkdir",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "linkat",
    "ftruncate",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "flock",
    "write",
];

/// More steps than any operation has.
pub(crate) const MOST: u32 = 2000;

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    Survived,
}

/// Who may be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// The first thread alone.
    Nobody,
    /// It, and all threads and processes that come from it.
    Everybody,
}

/// The program, if this machine has it.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("strace")).find(|file| file.is_file())
}

/// Kills a process before it makes this call for the so many-th time; it survives if it never does.
///
/// It must write the line `end` when it has done what it does.
pub(crate) fn inject(strace: &Path, child: &Command, call: &str, step: u32, follow: Follow) -> Result<End, Failure> {
    let mut traced = Command::new(strace);
    if follow == Follow::Everybody {
        traced.arg("-f");
    }
    traced.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    traced.arg(format!("inject={call}:signal=KILL:when={step}")).arg(child.get_program()).args(child.get_args());
    let output = traced.output()?;
    let ended = String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "end");
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
    match (ended && output.status.success(), killed) {
        (true, _) => Ok(End::Survived),
        (_, true) => Ok(End::Killed),
        _ => Err(format!("strace {call} {step}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
