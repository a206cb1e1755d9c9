//! Output on its way to the reader: capped, counted, and watched for silence.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Feed, Output, Stream};

/// Takes the output of one command and hands it to its reader, up to a limit.
///
/// Over the limit it marks the stream once, and goes on counting what it drops, so that the command never blocks.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    feed: &'a Feed,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u64,
    written: u64,
    marked: bool,
    /// How many deliveries wait for the reader; while they do, silence is not the command's.
    held: u32,
    last: Instant,
}

impl<'a> Intake<'a> {
    /// An intake that delivers at most `limit` bytes to `feed`.
    pub(crate) fn new(feed: &'a Feed, limit: u64) -> Self {
        let state = State { left: limit, written: 0, marked: false, held: 0, last: Instant::now() };
        Self { feed, state: Mutex::new(state) }
    }

    /// Delivers what fits of `bytes`; waits while the reader is behind.
    pub(crate) async fn take(&self, stream: Stream, bytes: &[u8]) {
        let (keep, mark) = self.state().admit(bytes.len());
        if keep > 0 {
            self.feed.send(Output::Bytes(stream, bytes[..keep].to_vec())).await;
        }
        if mark {
            self.feed.send(Output::Truncated).await;
        }
        let mut state = self.state();
        state.held -= 1;
        state.last = Instant::now();
    }

    /// How many bytes came, kept or not.
    pub(crate) fn written(&self) -> u64 {
        self.state().written
    }

    /// Resolves when nothing came for `limit`; never without a limit.
    pub(crate) async fn silent(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let quiet = self.state().quiet();
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit - quiet).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many of `len` bytes to deliver, and whether to mark the stream as truncated after them.
    fn admit(&mut self, len: usize) -> (usize, bool) {
        self.held += 1;
        self.written += len as u64;
        let keep = usize::try_from(self.left).unwrap_or(usize::MAX).min(len);
        self.left -= keep as u64;
        let mark = keep < len && !self.marked;
        self.marked |= mark;
        (keep, mark)
    }

    fn quiet(&self) -> Duration {
        if self.held > 0 { Duration::ZERO } else { self.last.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use crate::Process;

    use super::*;

    async fn through(limit: u64, chunks: &[&[u8]]) -> (Vec<Output>, u64) {
        let (mut process, feed) = Process::channel();
        let intake = Intake::new(&feed, limit);
        for chunk in chunks {
            intake.take(Stream::Stdout, chunk).await;
        }
        let written = intake.written();
        drop(feed);
        let mut seen = Vec::new();
        while let Some(output) = process.next().await {
            seen.push(output);
        }
        (seen, written)
    }

    #[tokio::test]
    async fn output_that_fits_exactly_is_not_marked() {
        let (seen, written) = through(4, &[b"ab", b"cd"]).await;
        let chunk = |b: &[u8]| Output::Bytes(Stream::Stdout, b.to_vec());
        assert_eq!((seen, written), (vec![chunk(b"ab"), chunk(b"cd")], 4));
    }

    #[tokio::test]
    async fn what_is_over_the_cap_is_counted_dropped_and_marked_once() {
        let (seen, written) = through(3, &[b"ab", b"cd", b"ef"]).await;
        let chunk = |b: &[u8]| Output::Bytes(Stream::Stdout, b.to_vec());
        assert_eq!((seen, written), (vec![chunk(b"ab"), chunk(b"c"), Output::Truncated], 6));
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_chunks_the_first_bytes_up_to_the_limit_are_kept(
            limit in 0_u64..500, chunks in proptest::collection::vec(0_usize..100, 0..20),
        ) {
            let mut state = State { left: limit, written: 0, marked: false, held: 0, last: Instant::now() };
            let admitted: Vec<_> = chunks.iter().map(|len| state.admit(*len)).collect();
            let total = chunks.iter().sum::<usize>() as u64;
            let kept = admitted.iter().map(|(keep, _)| *keep as u64).sum::<u64>();
            let marks = admitted.iter().filter(|(_, mark)| *mark).count();
            proptest::prop_assert_eq!((kept, state.written), (total.min(limit), total));
            proptest::prop_assert_eq!(marks, usize::from(total > limit));
            let after_mark = admitted.iter().skip_while(|(_, mark)| !mark).skip(1);
            proptest::prop_assert!(after_mark.clone().all(|(keep, _)| *keep == 0));
        }
    }
}
