//! One running command, from its start to its exit.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Survivors;
use super::discipline;
use super::leash::Leash;
use super::warden::{Ended, Started};
use crate::intake::Intake;
use crate::{Command, End, Error, Exit, Feed, Result, Stream, Usage, Witness};

/// How long a pipe may stay silent and open after everything in the sandbox is dead, before it is given up. Only
/// something outside that was handed a descriptor can hold it.
const LINGER: Duration = Duration::from_secs(1);
/// The same for one that does not stay silent.
const CHATTER: Duration = Duration::from_secs(10);

/// Kills when it is dropped: the task that follows a command may be dropped with its runtime.
struct Guard(Arc<Leash>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Takes the output of a command, keeps it in its bounds, and tells how it ended.
///
/// `dead` is called with what it used and what would not die, as soon as all else of it is gone, however much of its output
/// is still to be read.
pub(crate) async fn follow(
    command: Command,
    started: Started,
    intake: &Intake,
    feed: &Feed,
    dead: impl FnOnce(Option<Usage>, Survivors),
) -> Result<Exit> {
    let began = Instant::now();
    let Started { stdin, stdout, stderr, leash, mut ended } = started;
    let guard = Guard(leash);
    let (over, closing) = watch::channel(());
    let stdout = ChildStdout::from_std(stdout.into()).map_err(pipe)?;
    let stderr = ChildStderr::from_std(stderr.into()).map_err(pipe)?;
    // Without input, closing the pipe is all there is to do.
    let input = (!command.stdin.is_empty()).then(|| command.stdin.clone());
    let writer = input.map(|input| tokio::spawn(write(stdin, input)));

    let outputs = async {
        tokio::join!(
            drain(stdout, Stream::Stdout, intake, closing.clone()),
            drain(stderr, Stream::Stderr, intake, closing.clone()),
        )
    };
    let mut outputs = pin!(outputs);
    let mut drained = false;
    let mut discipline = pin!(discipline::enforce(&command, feed, intake, &guard.0));
    let ended = loop {
        tokio::select! {
            ended = &mut ended => break ended,
            _ = &mut outputs, if !drained => drained = true,
            () = &mut discipline => {}
        }
    };
    let survivors = ended.as_ref().map_or_else(|_| Survivors::default(), |ended| ended.survivors.clone());
    dead(ended.as_ref().ok().map(|ended| ended.usage), survivors);
    if let Some(writer) = writer {
        writer.abort();
    }
    let wall = began.elapsed();
    drop(over);
    if !drained {
        // What it said last is in the pipes; whatever else comes is not of this command.
        let _chatter = tokio::time::timeout(CHATTER, outputs).await;
    }
    let Ended { records, end, exceeded, leftovers, survivors, usage } = ended.map_err(|_| Error::Lane {
        action: "follow a command to its end".into(),
        source: "the thread that watched it is gone".into(),
    })?;
    // No end, however it was seen, is the end of a command of which something still runs.
    if let Some(left) = survivors.now().await {
        return Err(Error::Lane { action: "end a command".into(), source: left.into() });
    }
    let seen = records.status.is_some() || records.done;
    let witness = if seen { Witness::Parent } else { Witness::Nobody };
    let end = match (exceeded, guard.0.cause(), end) {
        (Some(limit), _, _) => limit,
        (None, Some(cause), _) => cause.clone(),
        (None, None, Some(end)) => end,
        (None, None, None) => return Ok(lost("its supervisor died before it could report the end", wall, usage)),
    };
    Ok(Exit { wall, usage, leftovers, ..Exit::new(end, witness) })
}

fn lost(why: &str, wall: Duration, usage: Usage) -> Exit {
    Exit { wall, usage, ..Exit::new(End::Lost { why: why.into() }, Witness::Nobody) }
}

/// Takes what `pipe` has to say, until it closes, or until it lingers after the end.
async fn drain(mut pipe: impl AsyncRead + Unpin, stream: Stream, intake: &Intake, mut closing: watch::Receiver<()>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let lingers = async {
            // The sender is dropped when all is over, which is what this waits for.
            let _dropped = closing.changed().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! {
            biased;
            read = pipe.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => intake.take(stream, &buffer[..count]),
            },
            () = lingers => return,
        }
    }
}

/// Writes standard input and closes it. A program that does not want it all is no failure.
async fn write(stdin: OwnedFd, bytes: Vec<u8>) {
    if let Ok(mut stdin) = ChildStdin::from_std(stdin.into()) {
        let _unwanted = stdin.write_all(&bytes).await;
    }
}

/// What the kernel says of how a program ended.
pub(super) fn end(status: i32) -> End {
    let status = ExitStatus::from_raw(status);
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited { code },
        (None, Some(signal)) => End::Signaled { signal },
        (None, None) => End::Lost { why: format!("its status {status:?} has no meaning") },
    }
}

fn pipe(error: std::io::Error) -> Error {
    Error::Lane { action: "read from a pipe of the command".into(), source: error.into() }
}
