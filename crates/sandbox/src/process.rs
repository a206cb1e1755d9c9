//! A running command: its output as it comes, then its end.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot, watch};

use crate::{Error, Exit, Result};

/// How many chunks of output wait for the reader before the writer is held back.
const BACKLOG: usize = 64;

/// A command that runs in a sandbox.
///
/// Read it to its end with [`next`](Self::next) and [`wait`](Self::wait). Dropping it kills the command and all that it
/// started.
#[derive(Debug)]
#[must_use = "dropping a process kills it"]
pub struct Process {
    output: mpsc::Receiver<Output>,
    exit: oneshot::Receiver<Result<Exit>>,
    stopper: Stopper,
    start: Start,
}

/// What a command found when it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// Everything that it runs in was made for it when it was asked for.
    #[default]
    Fresh,
    /// It was given something that had been made beforehand and that nothing had run in.
    Warm,
    /// Such things are kept, and there was none for it, so everything was made for it. It says why.
    Cold(String),
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes as they came; not necessarily whole lines, not necessarily text.
    Bytes(Stream, Vec<u8>),
    /// Bytes of this stream are missing here: there was more than the output limit. What follows is the end of the stream.
    /// It comes when the command has ended, at most once for each stream.
    Truncated {
        /// Which stream.
        stream: Stream,
        /// How many bytes are missing.
        dropped: u64,
    },
}

/// Chunks that wait are joined up to this size, so that single bytes cost no chunk each.
pub(crate) const CHUNK: usize = 64 << 10;
/// When so many chunks wait, each stream fills its own last one. How two streams meet is chance anyway, and a program
/// that writes single bytes to both in turns must not cost a chunk for each.
const MANY: usize = 1024;

/// Puts output behind what waits for the reader already.
pub(crate) fn enqueue(waiting: &mut VecDeque<Output>, stream: Stream, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let last = if waiting.len() < MANY { 1 } else { 2 };
    let open = waiting.iter_mut().rev().take(last).find_map(|output| match output {
        Output::Bytes(from, kept) if *from == stream && kept.len() + bytes.len() <= CHUNK => Some(kept),
        _ => None,
    });
    match open {
        Some(kept) => kept.extend_from_slice(bytes),
        None => waiting.push_back(Output::Bytes(stream, bytes.to_vec())),
    }
}

/// Where output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Ends a process from elsewhere; clones end the same process.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<Demand>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Demand {
    Run,
    Stop,
    Kill,
}

/// The lane's end of a [`Process`]; for implementors of [`Sandbox`](crate::Sandbox).
#[derive(Debug)]
pub struct Feed {
    output: mpsc::Sender<Output>,
    exit: oneshot::Sender<Result<Exit>>,
    demand: watch::Receiver<Demand>,
}

impl Process {
    /// Makes a process and the end that its lane feeds.
    pub fn channel() -> (Self, Feed) {
        let (output, received) = mpsc::channel(BACKLOG);
        let (exit, ended) = oneshot::channel();
        let (stopper, demand) = watch::channel(Demand::Run);
        let process = Self { output: received, exit: ended, stopper: Stopper(stopper), start: Start::Fresh };
        (process, Feed { output, exit, demand })
    }

    /// The next piece of output, or none when there will be no more. Cancel safe.
    pub async fn next(&mut self) -> Option<Output> {
        self.output.recv().await
    }

    /// Drops what output is left and waits for the end.
    ///
    /// # Errors
    /// When the lane failed; that the command failed is an [`Exit`], not an error.
    pub async fn wait(mut self) -> Result<Exit> {
        while self.output.recv().await.is_some() {}
        match (&mut self.exit).await {
            Ok(exit) => exit,
            Err(_) => Err(Error::Lane {
                action: "follow a command to its end".into(),
                source: "the task that ran it is gone".into(),
            }),
        }
    }

    /// What it found when it was started; [`Start::Fresh`] in a lane that keeps nothing ready.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The same process, started so.
    #[cfg(feature = "docker")]
    pub(crate) fn started(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// A handle that ends this process.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stopper.kill();
    }
}

impl Stopper {
    /// Asks the command to end: SIGTERM, and SIGKILL to everything after its grace. Doing it again changes nothing.
    pub fn stop(&self) {
        self.demand(Demand::Stop);
    }

    /// Kills everything at once.
    pub fn kill(&self) {
        self.demand(Demand::Kill);
    }

    /// Whether a kill was asked for, if only by dropping the process.
    pub(crate) fn killed(&self) -> bool {
        *self.0.borrow() >= Demand::Kill
    }

    fn demand(&self, wanted: Demand) {
        self.0.send_if_modified(|now| {
            let stronger = wanted > *now;
            if stronger {
                *now = wanted;
            }
            stronger
        });
    }
}

impl Feed {
    /// Delivers output; waits while the reader is behind. Does nothing when the reader is gone.
    pub async fn send(&self, output: Output) {
        // The reader may lose interest at any time; the process is then drained and killed, not failed.
        let _gone = self.output.send(output).await;
    }

    /// Resolves when the reader asked to stop or kill the command. Cancel safe.
    pub async fn stop_requested(&self) {
        // An error means that every stopper is gone, and with them the process: that is a kill.
        let mut demand = self.demand.clone();
        let _gone = demand.wait_for(|demand| *demand >= Demand::Stop).await;
    }

    /// Resolves when the reader asked for a kill without grace, or is gone. Cancel safe.
    pub async fn kill_requested(&self) {
        let mut demand = self.demand.clone();
        let _gone = demand.wait_for(|demand| *demand >= Demand::Kill).await;
    }

    /// Delivers the end.
    pub fn finish(self, exit: Result<Exit>) {
        // Nobody may be waiting any more.
        let _gone = self.exit.send(exit);
    }
}
