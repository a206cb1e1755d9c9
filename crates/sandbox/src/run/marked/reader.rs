//! Files of processes that may never answer.
//!
//! What a process has in its memory is read with its memory's lock, and from wherever that memory comes. A process that the
//! kernel holds may keep that lock, and one that means harm can put in the place of its environment what never arrives.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

/// How long an answer may take. It takes microseconds.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many threads may wait for what does not answer, until nothing more is asked.
const HELD: usize = 8;
/// The most that is read: more than any program can be started with by default.
const MOST: u64 = 8 << 20;

/// Reads files on a thread that is left behind when it does not come back.
#[derive(Debug, Default)]
pub(super) struct Reader {
    hand: Option<Hand>,
    /// What does not answer, with the thread that waits for it.
    held: Vec<(PathBuf, Hand)>,
}

#[derive(Debug)]
struct Hand {
    ask: Sender<PathBuf>,
    answer: Receiver<io::Result<Vec<u8>>>,
}

impl Reader {
    /// What is in the file.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] where it does not answer, and [`io::ErrorKind::FileTooLarge`] where there is too much.
    pub(super) fn read(&mut self, path: PathBuf) -> io::Result<Vec<u8>> {
        // Those that have come back end when they are dropped.
        self.held.retain(|(_, hand)| matches!(hand.answer.try_recv(), Err(TryRecvError::Empty)));
        if self.held.len() >= HELD || self.held.iter().any(|(held, _)| *held == path) {
            return Err(silent());
        }
        let hand = match self.hand.take() {
            Some(hand) => hand,
            None => Hand::new()?,
        };
        hand.ask.send(path.clone()).map_err(|_| gone())?;
        match hand.answer.recv_timeout(PATIENCE) {
            Ok(read) => {
                self.hand = Some(hand);
                read
            }
            Err(RecvTimeoutError::Timeout) => {
                self.held.push((path, hand));
                Err(silent())
            }
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

fn gone() -> io::Error {
    io::Error::other("the thread that reads is gone")
}

impl Hand {
    fn new() -> io::Result<Self> {
        let (ask, asked) = channel::<PathBuf>();
        let (give, answer) = channel();
        let body = move || {
            for path in asked {
                if give.send(read(&path)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("hedgerow-reader".into()).spawn(body)?;
        Ok(Self { ask, answer })
    }
}

fn read(path: &std::path::Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than any that a program is started with",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    #[test]
    fn what_never_answers_holds_up_nothing_else_and_is_not_asked_again() {
        let place = tempfile::tempdir().unwrap();
        let (pipe, file) = (place.path().join("pipe"), place.path().join("file"));
        // Nobody writes there, so opening it never ends.
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(&file, "said").unwrap();
        let mut reader = Reader::default();
        let kind = |read: io::Result<Vec<u8>>| read.unwrap_err().kind();
        assert_eq!(kind(reader.read(pipe.clone())), io::ErrorKind::TimedOut);
        assert_eq!(reader.read(file.clone()).unwrap(), b"said");
        assert_eq!(kind(reader.read(pipe.clone())), io::ErrorKind::TimedOut);
        assert_eq!(reader.held.len(), 1, "one thread waits for it, not two");
        drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
        while !reader.held.is_empty() {
            assert_eq!(reader.read(file.clone()).unwrap(), b"said");
        }
    }

    #[test]
    fn what_has_no_end_is_not_read_to_it() {
        let error = Reader::default().read("/dev/zero".into()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
