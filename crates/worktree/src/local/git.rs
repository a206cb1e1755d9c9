//! The one place that starts processes: git's own binary, for what only it can do, and only when a request asks for it.
//!
//! It is the program that the caller named. It gets no environment but this one: no configuration of the machine or of a
//! user, no hooks, no file system monitor, no template, no prompt, and only the transports that the request allows. When
//! it takes too long, it and everything that it started are killed.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::{Error, FileUrls, Result};

/// Long enough to clone what is large; then git is killed.
const DEADLINE: Duration = Duration::from_secs(1800);
/// How long output may still come after git ended.
const LINGER: Duration = Duration::from_secs(5);
/// A pause between two looks at a running process.
const PAUSE: Duration = Duration::from_millis(2);
/// How much output is kept.
const OUTPUT: u64 = 1 << 20;

/// Where git's own helpers, `ssh` and a shell are looked for, after the directory of git itself.
const PATHS: &str = "/usr/local/bin:/usr/bin:/bin";
/// What repositories may say and git must not do here.
const SETTINGS: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "core.askPass=/bin/false",
];

/// git, as a request may use it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Git<'a> {
    /// Its binary.
    pub(super) program: &'a Path,
    /// Whether it may fetch from paths.
    pub(super) files: FileUrls,
}

/// How a run of git ended.
pub(super) struct Ran {
    /// Whether it succeeded.
    pub(super) success: bool,
    /// What it said about it.
    pub(super) said: String,
}

impl Git<'_> {
    /// Runs git in `dir` with these settings and arguments.
    ///
    /// # Errors
    /// When it cannot be started or does not end; its failure is a value.
    pub(super) fn run(&self, dir: &Path, settings: &[String], arguments: &[&str]) -> Result<Ran> {
        let mut command = Command::new(self.program);
        for setting in SETTINGS.into_iter().chain(settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.args(arguments).current_dir(dir).env_clear().process_group(0);
        let home = self.program.parent().map_or(String::new(), |dir| format!("{}:", dir.display()));
        command.env("PATH", format!("{home}{PATHS}")).env("LC_ALL", "C").env("GIT_TEMPLATE_DIR", "");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes").env("GIT_NO_REPLACE_OBJECTS", "1");
        let transports = match self.files {
            FileUrls::Refuse => "http:https:ssh:git",
            FileUrls::Allow => "http:https:ssh:git:file",
        };
        command.env("GIT_ALLOW_PROTOCOL", transports);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| self.unusable(format!("it could not be started ({e})")))?;
        let pipe = drain(child.stderr.take());
        let ended = wait(&mut child);
        // What it left running may hold the pipe and write into the tree for ever.
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It fails where nothing is left of the group, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let status = ended.map_err(|problem| self.unusable(problem))?;
        let said = pipe.recv_timeout(LINGER).unwrap_or_default();
        Ok(Ran { success: status.success(), said: String::from_utf8_lossy(&said).trim().to_owned() })
    }

    /// As [`run`](Self::run); that it fails is an error too.
    pub(super) fn must(&self, dir: &Path, settings: &[String], arguments: &[&str]) -> Result<()> {
        let ran = self.run(dir, settings, arguments)?;
        if ran.success { Ok(()) } else { Err(self.unusable(ran.said)) }
    }

    fn unusable(&self, problem: String) -> Error {
        Error::Program { program: self.program.to_owned(), problem }
    }
}

fn wait(child: &mut Child) -> std::result::Result<ExitStatus, String> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if started.elapsed() < DEADLINE => thread::sleep(PAUSE),
            Ok(None) => {
                let ended = child.kill().and_then(|()| child.wait());
                return Err(format!("it did not end within {} s and was killed ({ended:?})", DEADLINE.as_secs()));
            }
            Err(e) => return Err(format!("it could not be waited for: {e}")),
        }
    }
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before a failure is still worth showing; the rest is read so that git never waits for us.
            let _ = (&mut pipe).take(OUTPUT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        // Nobody may be waiting any more.
        let _ = sender.send(bytes);
    });
    receiver
}
