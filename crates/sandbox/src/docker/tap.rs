//! Where a container's output comes from: its connection, and its log where that has more.

use std::future::pending;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as Client;
use futures_util::{StreamExt, stream};
use tokio::time::{sleep, timeout};

use crate::Stream;

use super::capture::{Capture, Unseen};
use super::engine::{Engine, Items};

/// How long it takes until output that broke off is sought in the log. The output of a container that has just ended breaks
/// off too, and needs none of this.
const REOPEN: Duration = Duration::from_secs(1);
/// How long the rest of the output may take to arrive when the container has ended.
const DRAIN: Duration = Duration::from_secs(5);

/// The output of one container, without gaps and without repetition.
pub(super) struct Tap {
    engine: Engine,
    container: String,
    source: Source,
    /// What of the log has been taken already.
    unseen: Unseen,
    /// How much of the log's standard error is not the command's.
    said: u64,
    /// Whether nothing can have been missed so far.
    gapless: bool,
}

/// What became of the output that was left when the container had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It was taken, as far as there was any.
    Taken,
    /// It went with the container, which somebody else removes.
    Removed,
}

enum Source {
    Connection(Items<LogOutput>),
    Log(Items<LogOutput>),
    Dry,
}

impl Tap {
    /// The connection that was made before the start.
    pub(super) fn attached(engine: Engine, container: String, connection: Items<LogOutput>) -> Self {
        Self {
            engine,
            container,
            source: Source::Connection(connection),
            unseen: Unseen::default(),
            said: 0,
            gapless: true,
        }
    }

    /// The log from its beginning. An engine may close a log that it is followed in before it gave the last words.
    pub(super) fn logged(engine: Engine, container: String) -> Self {
        let log = engine.followed_log(&container);
        Self { engine, container, source: Source::Log(log), unseen: Unseen::default(), said: 0, gapless: false }
    }

    /// The same of a container whose standard error had so many bytes before its command began.
    pub(super) fn behind(mut self, said: u64) -> Self {
        self.said = said;
        if let Source::Log(_) = self.source {
            self.unseen = Unseen::behind(said);
        }
        self
    }

    /// Waits for the next piece and takes it; whether there was one. For ever once there is nothing more. Cancel safe.
    pub(super) async fn take(&mut self, capture: &mut Capture) -> bool {
        let (item, from_log) = match &mut self.source {
            Source::Connection(items) => (items.next().await, false),
            Source::Log(items) => (items.next().await, true),
            Source::Dry => pending().await,
        };
        match item {
            Some(Ok(item)) => {
                self.gapless &= !from_log;
                return self.keep(&item, capture);
            }
            None if from_log => self.source = Source::Dry,
            // The end of the output is not the end of the command: it may have closed it, or the connection broke.
            Some(Err(_)) | None => {
                self.gapless &= item.is_none();
                self.unseen = Unseen::after(capture, self.said);
                let (engine, container) = (self.engine.clone(), self.container.clone());
                let later = async move {
                    sleep(REOPEN).await;
                    engine.followed_log(&container)
                };
                self.source = Source::Log(Box::pin(stream::once(later).flatten()));
            }
        }
        false
    }

    /// Takes all that is left when the container has ended; `doubtful` when it may be more than the connection knows.
    pub(super) async fn finish(mut self, capture: &mut Capture, doubtful: bool) -> Rest {
        if let Source::Connection(mut items) = std::mem::replace(&mut self.source, Source::Dry) {
            loop {
                match timeout(DRAIN, items.next()).await {
                    Ok(Some(Ok(item))) => self.keep(&item, capture),
                    Ok(None) => break,
                    Ok(Some(Err(_))) | Err(_) => {
                        self.gapless = false;
                        break;
                    }
                };
            }
        }
        if self.gapless && !doubtful {
            return Rest::Taken;
        }
        self.unseen = Unseen::after(capture, self.said);
        let mut log = self.engine.log(&self.container);
        while let Ok(Some(item)) = timeout(DRAIN, log.next()).await {
            match item {
                Ok(item) => self.keep(&item, capture),
                Err(Client::DockerResponseServerError { status_code: 404 | 409, .. }) => return Rest::Removed,
                Err(_) => break,
            };
        }
        Rest::Taken
    }

    fn keep(&mut self, item: &LogOutput, capture: &mut Capture) -> bool {
        let stream = match item {
            LogOutput::StdErr { .. } => Stream::Stderr,
            // Input is not sent back by an engine, and only terminals have a console.
            LogOutput::StdOut { .. } | LogOutput::Console { .. } | LogOutput::StdIn { .. } => Stream::Stdout,
        };
        let new = self.unseen.part(stream, item.as_ref());
        capture.push(stream, new);
        !new.is_empty()
    }
}
