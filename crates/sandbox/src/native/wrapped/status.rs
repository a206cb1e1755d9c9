//! What bubblewrap says of a sandbox: lines of JSON, written by its own process outside, which nobody inside can reach.
//!
//! It names the first process inside as soon as there is one, and the status of the program only if that was executed. So a
//! program that could not be executed is told from one that ended with the same status.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::End;

/// More than it ever says.
const MOST: usize = 64 << 10;

/// What arrived so far.
#[derive(Debug)]
pub(super) struct Status {
    pipe: File,
    said: Vec<u8>,
    over: bool,
}

impl Status {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self { pipe: pipe.into(), said: Vec::new(), over: false }
    }

    /// Waits for more, for so long.
    pub(super) fn listen(&mut self, within: Duration) {
        let within = Timespec::try_from(within).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
        if self.over || !poll(&mut fds, Some(&within)).is_ok_and(|ready| ready > 0) {
            return;
        }
        let mut bytes = [0; 4096];
        match self.pipe.read(&mut bytes) {
            Ok(count @ 1..) if self.said.len() < MOST => self.said.extend_from_slice(&bytes[..count]),
            _ => self.over = true,
        }
    }

    /// Listens until there is no more. Only when all who could say something are gone.
    pub(super) fn listen_to_the_end(&mut self) {
        while !self.over {
            self.listen(Duration::from_secs(1));
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The number of the first process inside, as it is seen here.
    pub(super) fn first_process(&self) -> Option<i32> {
        number(&self.said, "\"child-pid\":")
    }

    /// The status of the program, if it was executed and has ended.
    pub(super) fn status(&self) -> Option<i32> {
        number(&self.said, "\"exit-code\":")
    }

    /// The end of the program. It adds 128 to the number of a signal, as shells do.
    pub(super) fn end(&self) -> End {
        const SIGNALS: std::ops::RangeInclusive<i32> = 129..=192;
        match self.status() {
            Some(code) if SIGNALS.contains(&code) => End::ExitedOrSignaled { code },
            Some(code) => End::Exited { code },
            None => End::Lost { why: "bubblewrap ended without a word of how the program did".into() },
        }
    }
}

fn number(said: &[u8], key: &str) -> Option<i32> {
    // The last line may still be on its way.
    let whole = said.get(..=said.iter().rposition(|byte| *byte == b'\n')?)?;
    let (_, rest) = std::str::from_utf8(whole).ok()?.split_once(key)?;
    let digits = rest.trim_start();
    digits.get(..digits.find(|c: char| !c.is_ascii_digit())?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    fn heard(text: &str) -> Status {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        drop(writer);
        let mut word = Status::new(reader.into());
        word.listen_to_the_end();
        word
    }

    #[test]
    fn an_end_is_what_was_said_of_it_and_what_two_ends_share_is_neither() {
        let begin = "{ \"child-pid\": 4711, \"pid-namespace\": 4026532252 }\n";
        let end = |code: i32| heard(&format!("{begin}{{ \"exit-code\": {code} }}\n")).end();
        assert_eq!(heard(begin).first_process(), Some(4711));
        assert_eq!(end(0), End::Exited { code: 0 });
        assert_eq!(end(127), End::Exited { code: 127 });
        assert_eq!(end(137), End::ExitedOrSignaled { code: 137 });
        assert_eq!(end(255), End::Exited { code: 255 });
        for half in [begin, "", "{ \"exit-code\": 0", "{ \"exit-code\": 1 }"] {
            assert!(matches!(heard(half).end(), End::Lost { .. }), "{half}");
        }
    }
}
