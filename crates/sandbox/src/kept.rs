//! What is kept of a command's output: its beginning, and the end of each stream. Pure, and in memory that only the limit
//! decides.

use std::collections::VecDeque;

use crate::process::{CHUNK, enqueue};
use crate::redact::{Pending, Redactor};
use crate::{Output, Stream};

/// The most that is kept of the ends of both streams together.
const TAIL: u64 = 256 << 10;

/// Takes all output as it comes. The beginning is handed out at once; what is over waits for the end, as far as there is
/// room, and the oldest of it is dropped for the newest.
#[derive(Debug)]
pub(crate) struct Kept {
    head: u64,
    room: usize,
    /// Of standard output, then of standard error.
    tails: [Tail; 2],
    written: u64,
    waiting: VecDeque<Output>,
    redactor: Redactor,
    /// Of standard output, then of standard error.
    pending: [Pending; 2],
}

/// The last bytes of one stream.
#[derive(Debug, Default)]
struct Tail {
    ring: VecDeque<u8>,
    dropped: u64,
}

impl Kept {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let tail = (limit / 4).min(TAIL);
        let room = usize::try_from(tail).unwrap_or(usize::MAX);
        Self {
            head: limit - tail,
            room,
            tails: Default::default(),
            written: 0,
            waiting: VecDeque::new(),
            redactor: Redactor::default(),
            pending: Default::default(),
        }
    }

    /// The same, without these values.
    pub(crate) fn without(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    pub(crate) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let [stdout, stderr] = &mut self.pending;
        let pending = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        let clean = self.redactor.pass(pending, bytes);
        self.keep(stream, &clean);
    }

    fn keep(&mut self, stream: Stream, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        let count = usize::try_from(self.head).unwrap_or(usize::MAX).min(bytes.len());
        let (head, rest) = bytes.split_at(count);
        self.head -= count as u64;
        enqueue(&mut self.waiting, stream, head);
        if !rest.is_empty() {
            self.keep_last(stream, rest);
        }
    }

    fn keep_last(&mut self, stream: Stream, bytes: &[u8]) {
        let [stdout, stderr] = &mut self.tails;
        let (own, other) = match stream {
            Stream::Stdout => (stdout, stderr),
            Stream::Stderr => (stderr, stdout),
        };
        let fits = bytes.len().min(self.room);
        let over = (own.ring.len() + other.ring.len() + fits).saturating_sub(self.room);
        // The other stream gives up only what is more than its half: nobody drives out another one's last words.
        let given = other.drop_oldest(over.min(other.ring.len().saturating_sub(self.room / 2)));
        let freed = given + own.drop_oldest(over - given);
        let kept = fits - (over - freed);
        own.dropped += (bytes.len() - kept) as u64;
        own.ring.extend(&bytes[bytes.len() - kept..]);
    }

    /// Takes what was held back because it might have become a value to take out.
    pub(crate) fn flush(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        for (stream, pending) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut pending) {
            let rest = self.redactor.finish(pending);
            self.keep(stream, &rest);
        }
    }

    /// Says that nothing more will come: behind the beginning comes the end of each stream, and before it how much is
    /// missing.
    pub(crate) fn close(&mut self) {
        self.flush();
        for (stream, tail) in [Stream::Stdout, Stream::Stderr].into_iter().zip(std::mem::take(&mut self.tails)) {
            if tail.dropped > 0 {
                self.waiting.push_back(Output::Truncated { stream, dropped: tail.dropped });
            }
            let (first, second) = tail.ring.as_slices();
            for chunk in first.chunks(CHUNK).chain(second.chunks(CHUNK)) {
                enqueue(&mut self.waiting, stream, chunk);
            }
        }
        self.head = 0;
        self.room = 0;
    }

    /// What is to be handed out next.
    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.waiting.pop_front()
    }

    /// How many bytes came, kept or not.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes were dropped so far; to be asked before the end.
    pub(crate) fn dropped(&self) -> u64 {
        self.tails.iter().map(|tail| tail.dropped).sum()
    }
}

impl Tail {
    /// Drops so many bytes, or as many as there are, and says how many.
    fn drop_oldest(&mut self, count: usize) -> usize {
        let count = count.min(self.ring.len());
        self.ring.drain(..count);
        self.dropped += count as u64;
        count
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
