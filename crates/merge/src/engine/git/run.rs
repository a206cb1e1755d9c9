//! The one place of the engine that starts a process.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use gix::ObjectId;

use super::failed;
use crate::Result;
use crate::fallback::Fallback;

/// More than this is no list of conflicts.
const LARGEST: u64 = 256 << 20;
/// A pause between two looks at a running process.
const PAUSE: Duration = Duration::from_millis(1);

/// What git said and how it ended.
pub(super) struct Said {
    pub(super) status: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Asks git to merge two commits in a repository that is its own.
pub(super) fn merge_tree(fallback: &Fallback, git_dir: &Path, ours: ObjectId, theirs: ObjectId) -> Result<Said> {
    let program = fallback.program();
    if !program.is_absolute() {
        return Err(failed(format!("{program:?} is looked for nowhere; give the absolute path of the program")));
    }
    let mut command = Command::new(program);
    command.env_clear();
    for (name, value) in [
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ] {
        command.env(name, value);
    }
    command.arg("--git-dir").arg(git_dir).arg(format!("--attr-source={ours}"));
    for setting in ["safe.directory=*", "core.attributesFile=/dev/null", "gc.auto=0", "maintenance.auto=false"] {
        command.args(["-c", setting]);
    }
    command.args(["merge-tree", "--write-tree", "-z", "--no-messages"]).arg(ours.to_string()).arg(theirs.to_string());
    command.current_dir(git_dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed(format!("there is no program {program:?}")),
        _ => failed(format!("{program:?} could not be started: {error}")),
    })?;
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = wait(&mut child, fallback.limit())?;
    let collect = |pipe: Receiver<Vec<u8>>| pipe.recv_timeout(fallback.limit()).unwrap_or_default();
    Ok(Said { status, out: collect(out), err: collect(err) })
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<i32>> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if started.elapsed() < limit => thread::sleep(PAUSE),
            Ok(None) => {
                let ended = child.kill().and_then(|()| child.wait());
                return Err(failed(format!("git did not end within {limit:?} and was killed ({ended:?})")));
            }
            Err(error) => return Err(failed(format!("git could not be waited for: {error}"))),
        }
    }
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before a failure is still worth showing.
            let _ = pipe.take(LARGEST).read_to_end(&mut bytes);
        }
        // Nobody may be waiting any more.
        let _ = sender.send(bytes);
    });
    receiver
}
