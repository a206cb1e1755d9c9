//! Output on its way to the reader: capped, counted, and watched for silence.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::kept::Kept;
use crate::redact::Redactor;
use crate::{Feed, Limits, Overflow, Stream};

/// Takes the output of one command as it comes, and hands it to its reader, up to a limit.
///
/// What the reader has not taken waits here, which the limit bounds: a reader that is slow holds up neither the command
/// nor its end.
#[derive(Debug)]
pub(crate) struct Intake {
    limits: Limits,
    state: Mutex<State>,
    news: Notify,
    overflow: Notify,
}

#[derive(Debug)]
struct State {
    kept: Kept,
    dropped: u64,
    closed: bool,
    last: Instant,
}

impl Intake {
    /// An intake that delivers as much as `limits` say.
    pub(crate) fn new(limits: &Limits, redactor: Redactor) -> Self {
        let kept = Kept::new(limits.output).without(redactor);
        let state = State { kept, dropped: 0, closed: false, last: Instant::now() };
        Self { limits: *limits, state: Mutex::new(state), news: Notify::new(), overflow: Notify::new() }
    }

    /// Keeps what fits of `bytes` for the reader.
    pub(crate) fn take(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state();
        state.kept.take(stream, bytes);
        state.last = Instant::now();
        let over = state.kept.written() > self.limits.output;
        drop(state);
        self.news.notify_one();
        if over {
            self.overflow.notify_one();
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.kept.flush();
        state.dropped = state.kept.dropped();
        state.kept.close();
        state.closed = true;
        drop(state);
        self.news.notify_one();
    }

    /// Hands everything to the reader, at the reader's pace, until it was closed and nothing is left.
    pub(crate) async fn deliver(&self, feed: &Feed) {
        loop {
            let (output, closed) = {
                let mut state = self.state();
                (state.kept.pop(), state.closed)
            };
            match output {
                Some(output) => feed.send(output).await,
                None if closed => return,
                None => self.news.notified().await,
            }
        }
    }

    /// How many bytes came, and how many of them were dropped; known when it was closed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.kept.written(), state.dropped)
    }

    /// Resolves when nothing came for `limit`; never without a limit.
    pub(crate) async fn silent(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return pending().await };
        loop {
            let quiet = self.state().last.elapsed();
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(quiet)).await;
        }
    }

    /// Resolves when more came than is kept, if that is the end of a command.
    pub(crate) async fn too_much(&self) {
        match self.limits.overflow {
            Overflow::DropMiddle => pending().await,
            Overflow::End => self.overflow.notified().await,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::CHUNK;
    use crate::{Output, Process};

    #[tokio::test]
    async fn all_of_it_arrives_in_order_though_the_reader_comes_late() {
        let (mut process, feed) = Process::channel();
        let intake = Intake::new(&Limits { output: 1 << 40, ..Limits::default() }, Redactor::default());
        for n in 0..200_u8 {
            intake.take(Stream::Stdout, &[n; CHUNK]);
        }
        intake.close();
        let read = async {
            let mut seen = Vec::new();
            while let Some(Output::Bytes(_, bytes)) = process.next().await {
                seen.push((bytes.len(), bytes.first().copied()));
            }
            seen
        };
        let deliver = async move {
            intake.deliver(&feed).await;
            drop(feed);
        };
        let (seen, ()) = tokio::join!(read, deliver);
        assert_eq!(seen, (0..200).map(|n| (CHUNK, Some(n))).collect::<Vec<_>>());
    }
}
