//! No sandbox at all: what the controls run in.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::spawn;
use crate::process::CHUNK;
use crate::{
    Command, Coverage, End, Error, Exit, Feed, Guarantee, Labels, Output, Process, Result, Running, Sandbox, SandboxId,
    Spec, Stopped, Stream, Usage, Witness,
};

/// Starts programs without any care, and promises nothing.
#[derive(Debug)]
pub(super) struct Plain;

#[derive(Debug)]
struct Nothing {
    home: Option<PathBuf>,
}

#[async_trait]
impl Sandbox for Plain {
    fn name(&self) -> &'static str {
        "none"
    }

    fn coverage(&self, _: Guarantee) -> Coverage {
        Coverage::Unenforced("there is no sandbox".into())
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        Ok(Box::new(Nothing { home: spec.home }))
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(None)
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Running for Nothing {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        let mut variables = command.env;
        for key in ["HOME", "TMPDIR"] {
            variables.extend(self.home.as_ref().map(|home| (key.into(), home.into())));
        }
        let child = spawn::plain(&command.program, &command.args, &command.workdir, &variables);
        let mut child =
            child.map_err(|source| Error::Lane { action: "start a program".into(), source: source.into() })?;
        let (process, feed) = Process::channel();
        let (out, err, input) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
        tokio::spawn(async move {
            let since = Instant::now();
            let mut input = input;
            if let Some(input) = &mut input {
                // It may not want any.
                let _unread = input.write_all(&command.stdin).await;
            }
            let (one, two) = tokio::join!(pass(out, Stream::Stdout, &feed), pass(err, Stream::Stderr, &feed));
            let status = child.wait().await;
            let (wall, written) = (since.elapsed(), one + two);
            let exit = status.map(|status| Exit { wall, written, ..Exit::new(end(status), Witness::Parent) });
            // Held open until here, as somebody does who does not think of it.
            drop(input);
            feed.finish(
                exit.map_err(|source| Error::Lane { action: "wait for a program".into(), source: source.into() }),
            );
        });
        Ok(process)
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        Ok(None)
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }

    async fn stop(self: Box<Self>, _: Duration) -> Result<Stopped> {
        Ok(Stopped::Idle)
    }
}

fn end(status: std::process::ExitStatus) -> End {
    match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => End::Exited { code },
        (None, signal) => End::Signaled { signal: signal.unwrap_or_default() },
    }
}

async fn pass(from: Option<impl AsyncRead + Unpin>, stream: Stream, feed: &Feed) -> u64 {
    let Some(mut from) = from else { return 0 };
    let (mut all, mut buffer) = (0, vec![0; CHUNK]);
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = feed.kill_requested() => return all,
        };
        match read {
            Ok(0) | Err(_) => return all,
            Ok(length) => {
                all += length as u64;
                feed.send(Output::Bytes(stream, buffer[..length].to_vec())).await;
            }
        }
    }
}
