//! What is kept of a command's output while its reader is behind.

use crate::kept::Kept;
use crate::redact::Redactor;
use crate::{Output, Stream};

/// How much of the start of standard error is kept to recognise a program that never started.
const HEAD: usize = 512;

/// Takes output as fast as the engine delivers it, and holds no more of it than the limit.
///
/// The engine buffers without bound what its client does not read. So it is always read, and the bound is here.
#[derive(Debug)]
pub(super) struct Capture {
    kept: Kept,
    dropped: u64,
    stderr_head: Vec<u8>,
    stdout: u64,
    stderr: u64,
}

impl Capture {
    pub(super) fn new(limit: u64) -> Self {
        Self { kept: Kept::new(limit), dropped: 0, stderr_head: Vec::new(), stdout: 0, stderr: 0 }
    }

    /// The same, without these values in what it delivers.
    pub(super) fn without(mut self, redactor: Redactor) -> Self {
        self.kept = self.kept.without(redactor);
        self
    }

    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match stream {
            Stream::Stdout => self.stdout += bytes.len() as u64,
            Stream::Stderr => {
                self.stderr += bytes.len() as u64;
                let room = HEAD - self.stderr_head.len();
                self.stderr_head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        self.kept.take(stream, bytes);
    }

    /// Says that nothing more will come.
    pub(super) fn close(&mut self) {
        self.kept.flush();
        self.dropped = self.kept.dropped();
        self.kept.close();
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.kept.pop()
    }

    pub(super) fn written(&self) -> u64 {
        self.kept.written()
    }

    /// How many bytes were dropped; known when it was closed.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The bytes that came on standard output and on standard error.
    pub(super) fn seen(&self) -> (u64, u64) {
        (self.stdout, self.stderr)
    }

    /// All that came, if it was little and on standard error.
    pub(super) fn only_stderr(&self) -> Option<&[u8]> {
        let all = self.stderr_head.len() as u64;
        (all > 0 && all == self.stderr && self.stdout == 0).then_some(&self.stderr_head)
    }
}

/// The part of a log that has not been seen, when the log is read again from its beginning.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    stdout: u64,
    stderr: u64,
}

impl Unseen {
    /// `said` is how much of standard error came before the command's own.
    pub(super) fn after(capture: &Capture, said: u64) -> Self {
        let (stdout, stderr) = capture.seen();
        Self { stdout, stderr: said + stderr }
    }

    /// Of a log of which nothing has been taken yet.
    pub(super) fn behind(said: u64) -> Self {
        Self { stdout: 0, stderr: said }
    }

    /// What is new of the next piece of the log.
    pub(super) fn part<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> &'a [u8] {
        let known = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let skip = usize::try_from(*known).unwrap_or(usize::MAX).min(bytes.len());
        *known -= skip as u64;
        &bytes[skip..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_read_again_adds_only_what_was_missed() {
        let mut capture = Capture::new(100);
        capture.push(Stream::Stdout, b"one\ntw");
        capture.push(Stream::Stderr, b"e");
        let mut unseen = Unseen::after(&capture, 0);
        assert_eq!(unseen.part(Stream::Stdout, b"one\n"), b"");
        assert_eq!(unseen.part(Stream::Stderr, b"err\n"), b"rr\n");
        assert_eq!(unseen.part(Stream::Stdout, b"two\n"), b"o\n");
        assert_eq!(unseen.part(Stream::Stdout, b"three\n"), b"three\n");
    }

    #[test]
    fn what_was_said_before_the_command_began_is_never_its_output() {
        let mut capture = Capture::new(100);
        capture.push(Stream::Stderr, b"e");
        let mut unseen = Unseen::after(&capture, 5);
        assert_eq!(unseen.part(Stream::Stderr, b"warm\nerr"), b"rr");
    }
}
