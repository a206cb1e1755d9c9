//! Output on its way to the reader: capped, counted, and watched for silence.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::process::enqueue;
use crate::{Feed, Output, Stream};

/// Takes the output of one command as it comes, and hands it to its reader, up to a limit.
///
/// What the reader has not taken waits here, which the limit bounds: a reader that is slow holds up neither the command
/// nor its end. Over the limit it marks the stream once, and goes on counting what it drops.
#[derive(Debug)]
pub(crate) struct Intake {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug)]
struct State {
    left: u64,
    written: u64,
    marked: bool,
    closed: bool,
    waiting: VecDeque<Output>,
    last: Instant,
}

impl Intake {
    /// An intake that delivers at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { state: Mutex::new(State::new(limit)), news: Notify::new() }
    }

    /// Keeps what fits of `bytes` for the reader.
    pub(crate) fn take(&self, stream: Stream, bytes: &[u8]) {
        self.state().take(stream, bytes);
        self.news.notify_one();
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.news.notify_one();
    }

    /// Hands everything to the reader, at the reader's pace, until it was closed and nothing is left.
    pub(crate) async fn deliver(&self, feed: &Feed) {
        loop {
            let (output, closed) = {
                let mut state = self.state();
                (state.waiting.pop_front(), state.closed)
            };
            match output {
                Some(output) => feed.send(output).await,
                None if closed => return,
                None => self.news.notified().await,
            }
        }
    }

    /// How many bytes came, kept or not.
    pub(crate) fn written(&self) -> u64 {
        self.state().written
    }

    /// Resolves when nothing came for `limit`; never without a limit.
    pub(crate) async fn silent(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let quiet = self.state().last.elapsed();
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(quiet)).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(limit: u64) -> Self {
        let (waiting, last) = (VecDeque::new(), Instant::now());
        Self { left: limit, written: 0, marked: false, closed: false, waiting, last }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let (keep, mark) = self.admit(bytes.len());
        enqueue(&mut self.waiting, stream, &bytes[..keep]);
        if mark {
            self.waiting.push_back(Output::Truncated);
        }
        self.last = Instant::now();
    }

    /// How many of `len` bytes to deliver, and whether to mark the stream as truncated after them.
    fn admit(&mut self, len: usize) -> (usize, bool) {
        self.written += len as u64;
        let keep = usize::try_from(self.left).unwrap_or(usize::MAX).min(len);
        self.left -= keep as u64;
        let mark = keep < len && !self.marked;
        self.marked |= mark;
        (keep, mark)
    }
}

#[cfg(test)]
mod tests {
    use crate::Process;

    use super::*;
    use crate::process::CHUNK;

    fn waiting(limit: u64, chunks: &[(Stream, &[u8])]) -> (Vec<Output>, u64) {
        let mut state = State::new(limit);
        for (stream, chunk) in chunks {
            state.take(*stream, chunk);
        }
        (state.waiting.into(), state.written)
    }

    fn out(bytes: &[u8]) -> Output {
        Output::Bytes(Stream::Stdout, bytes.to_vec())
    }

    #[test]
    fn output_that_fits_exactly_is_not_marked() {
        let seen = waiting(4, &[(Stream::Stdout, b"ab"), (Stream::Stdout, b"cd")]);
        assert_eq!(seen, (vec![out(b"abcd")], 4));
    }

    #[test]
    fn what_is_over_the_cap_is_counted_dropped_and_marked_once() {
        let seen = waiting(3, &[(Stream::Stdout, b"ab"), (Stream::Stdout, b"cd"), (Stream::Stdout, b"ef")]);
        assert_eq!(seen, (vec![out(b"abc"), Output::Truncated], 6));
    }

    #[test]
    fn a_flood_of_single_bytes_waits_in_few_chunks_and_streams_keep_their_order() {
        let (seen, _) = waiting(1 << 20, &vec![(Stream::Stdout, b"x".as_slice()); CHUNK + 1]);
        assert_eq!(seen, [out(&vec![b'x'; CHUNK]), out(b"x")]);
        let (seen, _) = waiting(9, &[(Stream::Stdout, b"a"), (Stream::Stderr, b"b"), (Stream::Stdout, b"c")]);
        assert_eq!(seen, [out(b"a"), Output::Bytes(Stream::Stderr, b"b".to_vec()), out(b"c")]);
    }

    #[tokio::test]
    async fn all_of_it_arrives_in_order_though_the_reader_comes_late() {
        let (mut process, feed) = Process::channel();
        let intake = Intake::new(u64::MAX);
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

    proptest::proptest! {
        #[test]
        fn whatever_the_chunks_the_first_bytes_up_to_the_limit_are_kept(
            limit in 0_u64..500, chunks in proptest::collection::vec(0_usize..100, 0..20),
        ) {
            let mut state = State::new(limit);
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
