//! Other sandboxes, as a program that is started in front of the command. They show that the suite takes any implementation.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hedgerow_sandbox::{
    Access, Command, Coverage, End, Error, Exit, Feed, Guarantee, Labels, Output, Process, Result, Running, Sandbox,
    SandboxId, Spec, Stopped, Stream, Usage, Witness,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::Failure;
use crate::lane::IMAGE;

/// Puts a program and its options before a command.
type Front = fn(&Spec, &Command) -> Vec<OsString>;

/// A sandbox that somebody else made.
#[derive(Debug)]
pub(super) struct Peer {
    name: &'static str,
    front: Front,
}

#[derive(Debug)]
struct Started {
    spec: Spec,
    front: Front,
}

/// `docker run` with the mounts and nothing else.
pub(super) fn docker_run(spec: &Spec, command: &Command) -> Vec<OsString> {
    let mut line: Vec<OsString> = ["docker", "run", "--rm", "--label"].map(Into::into).into();
    line.push(format!("hedgerow-evidence={}", spec.id).into());
    for mount in &spec.mounts {
        let end = if mount.access == Access::ReadOnly { ":ro" } else { "" };
        line.push("-v".into());
        line.push(format!("{}:{}{end}", mount.source.display(), mount.target.display()).into());
    }
    for (key, value) in &command.env {
        line.push("-e".into());
        line.push(format!("{}={}", key.display(), value.display()).into());
    }
    line.extend([OsString::from("-w"), command.workdir.clone().into(), IMAGE.into()]);
    line
}

/// bubblewrap with the host's files for reading, all namespaces of its own, and the mounts.
pub(super) fn bubblewrap(spec: &Spec, command: &Command) -> Vec<OsString> {
    let mut line: Vec<OsString> =
        ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"].map(Into::into).into();
    for mount in &spec.mounts {
        let option = if mount.access == Access::ReadOnly { "--ro-bind" } else { "--bind" };
        line.extend([OsString::from(option), mount.source.clone().into(), mount.target.clone().into()]);
    }
    line.extend([OsString::from("--chdir"), command.workdir.clone().into()]);
    line
}

impl Peer {
    pub(super) fn new(name: &'static str, front: Front) -> std::result::Result<Self, Failure> {
        let program = name.split(' ').next().map_or("", |word| if word == "bubblewrap" { "bwrap" } else { word });
        let found = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status();
        match found {
            Ok(status) if status.success() => Ok(Self { name, front }),
            _ => Err(format!("{program} is not installed").into()),
        }
    }
}

#[async_trait]
impl Sandbox for Peer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn coverage(&self, _: Guarantee) -> Coverage {
        Coverage::Partial("as far as its defaults go".into())
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        Ok(Box::new(Started { spec, front: self.front }))
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(None)
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Running for Started {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        let mut line = (self.front)(&self.spec, &command);
        line.push(command.program.clone());
        line.extend(command.args.iter().cloned());
        let mut starter = tokio::process::Command::new(&line[0]);
        starter.args(&line[1..]).envs(&command.env).kill_on_drop(true);
        let child = starter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.map_err(|e| failed("start a program", e))?;
        let (process, feed) = Process::channel();
        tokio::spawn(follow(child, command, feed));
        Ok(process)
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        Ok(None)
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }

    async fn stop(self: Box<Self>, _: Duration) -> Result<Stopped> {
        // What a client that was killed has left behind: nobody else cares for it.
        let label = format!("label=hedgerow-evidence={}", self.spec.id);
        let script = "c=$(docker ps -aq --filter \"$1\" 2>/dev/null) && test -n \"$c\" && docker rm -f $c";
        let mut clean = tokio::process::Command::new("sh");
        clean.args(["-c", script, "sh", &label]).stdout(Stdio::null()).stderr(Stdio::null());
        let _none = clean.status().await.map_err(|e| failed("remove containers", e))?;
        Ok(Stopped::Idle)
    }
}

/// Follows a program to its end, and says how that was.
async fn follow(mut child: tokio::process::Child, command: Command, feed: Feed) {
    let (since, written) = (Instant::now(), AtomicU64::new(0));
    let end = watch(&mut child, &command, &feed, &written).await;
    let (wall, written) = (since.elapsed(), written.load(Ordering::Relaxed));
    let exit = end.map(|end| Exit { wall, written, ..Exit::new(end, Witness::Parent) });
    feed.finish(exit.map_err(|e| failed("wait for a program", e)));
}

/// Passes the output on until the program ends, its deadline comes, or nobody reads any more.
async fn watch(
    child: &mut tokio::process::Child,
    command: &Command,
    feed: &Feed,
    written: &AtomicU64,
) -> std::io::Result<End> {
    /// How long what a program has written may take to be read: who is left behind may hold its output open for ever.
    const REST: Duration = Duration::from_millis(200);
    if let Some(mut input) = child.stdin.take() {
        // It may not want any.
        let _unread = input.write_all(&command.stdin).await;
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = async {
        tokio::join!(pass(out, Stream::Stdout, feed, written), pass(err, Stream::Stderr, feed, written));
    };
    tokio::pin!(reading);
    let mut read = false;
    let ended = tokio::select! {
        status = child.wait() => Some(status.map(end_of)),
        () = async { (&mut reading).await; read = true; std::future::pending().await } => None,
        () = tokio::time::sleep(command.deadline) => None,
        () = feed.kill_requested() => None,
    };
    match ended {
        Some(end) if read => end,
        Some(end) => {
            // What is not there by then belongs to somebody else.
            let _late = tokio::time::timeout(REST, reading).await;
            end
        }
        None => child.kill().await.map(|()| End::Deadline),
    }
}

fn end_of(status: std::process::ExitStatus) -> End {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
    status.code().map_or(End::Signaled { signal }, |code| End::Exited { code })
}

async fn pass(from: Option<impl AsyncRead + Unpin>, stream: Stream, feed: &Feed, written: &AtomicU64) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        written.fetch_add(length as u64, Ordering::Relaxed);
        feed.send(Output::Bytes(stream, buffer[..length].to_vec())).await;
    }
}

fn failed(action: &str, source: std::io::Error) -> Error {
    Error::Lane { action: action.to_owned(), source: source.into() }
}
