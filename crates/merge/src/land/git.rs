//! The one place that starts processes: git's own binary, in the user's checkout.
//!
//! Only checkouts that are brought forward ([`Checkout`](crate::Checkout)) come here. The checkout is the user's, and so are the filters
//! that its configuration names (large files, line endings): to write files without them would damage it. Hooks and
//! file system monitors are switched off. The repository is named, not searched for.

use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::checkouts::Holder;

/// Long enough for a checkout of many large files; then git is killed.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long output may still come after git ended.
const LINGER: Duration = Duration::from_secs(10);
/// A pause between two looks at a running process.
const PAUSE: Duration = Duration::from_millis(2);

/// Variables that would point git somewhere else, or make it do or write something else.
const UNSET: [&str; 23] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// What a run of git came to.
pub(super) enum Ran {
    /// It ended with 0; its output.
    Done(Vec<u8>),
    /// It ended with something else; the first line of what it said.
    Refused(String),
}

/// Runs git in a checkout. The error says why it could not be run to its end.
pub(super) fn run(holder: &Holder, arguments: &[&str]) -> Result<Ran, String> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(&holder.git_dir).arg("--work-tree").arg(&holder.work_tree);
    for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false", "submodule.recurse=false", "gc.auto=0"] {
        command.args(["-c", setting]);
    }
    command.args(arguments).current_dir(&holder.work_tree);
    for name in UNSET {
        command.env_remove(name);
    }
    command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "bringing a checkout forward needs the git program; install it".to_owned(),
        _ => format!("git could not be started: {error}"),
    })?;
    let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let succeeded = wait(&mut child)?;
    // A process that a filter left behind may hold the pipes open for ever.
    let collect =
        |pipe: Receiver<Vec<u8>>| pipe.recv_timeout(LINGER).map_err(|_| "git's output did not end".to_owned());
    let (out, err) = (collect(out)?, collect(err)?);
    if succeeded {
        return Ok(Ran::Done(out));
    }
    let said = String::from_utf8_lossy(&err).lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
    Ok(Ran::Refused(said.unwrap_or_else(|| "git gave no reason".into())))
}

fn wait(child: &mut Child) -> Result<bool, String> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if started.elapsed() < DEADLINE => thread::sleep(PAUSE),
            Ok(None) => {
                // Its output is not waited for: a filter that hangs may still hold the pipe.
                let ended = child.kill().and_then(|()| child.wait());
                return Err(format!("git did not end within {} s and was killed ({ended:?})", DEADLINE.as_secs()));
            }
            Err(error) => return Err(format!("git could not be waited for: {error}")),
        }
    }
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before a failure is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        // Nobody may be waiting any more.
        let _ = sender.send(bytes);
    });
    receiver
}
