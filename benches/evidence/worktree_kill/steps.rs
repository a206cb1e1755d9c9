//! Kills before every system call that changes anything, by having strace deliver the signal.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::contender::{Contender, Operation};
use super::round::{self, End, Tally};
use super::scene::Scene;
use crate::random::Random;
use crate::{Failure, progress};

/// Few files: each is several steps.
pub(super) const FILES: usize = 4;

/// What changes files, directories or locks; opening for writing shows as the write that follows.
const CALLS: [&str; 13] = [
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
const MOST: u32 = 2000;

/// The program, if this machine has it.
pub(super) fn strace() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("strace")).find(|file| file.is_file())
}

/// Kills before the first, the second and so on of each call, until there is none left to kill before.
pub(super) fn all(strace: &std::path::Path, scene: &Scene, operation: Operation) -> Result<Tally, Failure> {
    let contender = Contender::Hedgerow;
    let mut tally = Tally::default();
    let mut random = Random::new(1);
    for call in CALLS {
        for step in 1..=MOST {
            let name = format!("{}-{step}", call.replace('_', "-"));
            let works = round::prepare(scene, contender, operation, &name, &mut random, Duration::from_millis(20))?;
            let child = contender.command(operation, scene, &name)?;
            let end = inject(strace, &child, call, step)?;
            round::judge(scene, contender, operation, &name, &works, end, &mut tally)?;
            if end == End::Survived {
                progress(&format!("{} {}: {} before {call}", contender.name(), operation.name(), step - 1));
                break;
            }
        }
    }
    Ok(tally)
}

fn inject(strace: &std::path::Path, child: &Command, call: &str, step: u32) -> Result<End, Failure> {
    let mut traced = Command::new(strace);
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
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
