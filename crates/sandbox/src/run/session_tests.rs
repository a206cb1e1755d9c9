//! A session whose command does not die, as one that the kernel holds.

use std::os::fd::{BorrowedFd, RawFd};

use rustix::process::{Pid, Signal};

use super::*;
use crate::run::{Bound, Buried, Fault, Image, Keeper, START, first_signals};
use crate::{End, Limits, sys};

/// How long it holds out: the warden kills it after two seconds.
const HALF: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Stuck(Limits);

impl Lane for Stuck {
    fn limits(&self) -> &Limits {
        &self.0
    }

    fn prepare(&self, command: &Command) -> Result<(Box<dyn Keeper>, Image)> {
        Ok((Box::new(Self::default()), Image::new(command, &[])?))
    }
}

impl Keeper for Stuck {
    fn supervise(&self, _: &Bound<'_>, _: sys::Forked) -> i32 {
        if first_signals(Signal::KILL).is_err() {
            return 1;
        }
        sys::close(START);
        // Deaf to the end of the control pipe, which asks for the end of everything.
        loop {
            let _again = rustix::event::poll(&mut [], None);
        }
    }

    fn descriptors(&self) -> Vec<RawFd> {
        Vec::new()
    }

    fn explain(&self, fault: Fault, command: &Command) -> Error {
        fault.error("stuck", command)
    }

    fn terminate(&self, _: Pid, _: BorrowedFd<'_>) {}

    fn watch(&self, _: Pid) -> Option<End> {
        None
    }

    fn bury(&self, _: bool) -> Buried {
        Buried::default()
    }

    fn usage(&self, cpu: Option<Duration>) -> Usage {
        Usage { cpu, peak_memory: None }
    }
}

fn session(dying: Duration) -> Session {
    let mut session = Session::new(Arc::new(Stuck::default()));
    session.dying = dying;
    session
}

fn named(error: &Error) -> bool {
    let Error::Lane { source, .. } = error else { return false };
    let text = source.to_string();
    text.contains("holds 1 of its processes: process ") && text.contains("state S")
}

#[tokio::test]
async fn stop_names_what_the_kernel_does_not_let_die_and_returns() {
    let mut session = session(HALF);
    let process = session.exec(Command::new("any", "/")).await.unwrap();
    let error = Box::new(session).stop(Duration::ZERO).await.unwrap_err();
    assert!(named(&error), "{error:?}");
    assert_eq!(process.wait().await.unwrap().end, End::Stopped);
}

#[tokio::test]
async fn the_next_command_does_not_wait_for_ever_for_a_dropped_one_and_starts_when_it_is_gone() {
    let mut session = session(HALF);
    drop(session.exec(Command::new("any", "/")).await.unwrap());
    let error = session.exec(Command::new("any", "/")).await.unwrap_err();
    assert!(named(&error), "{error:?}");
    session.dying = DYING;
    let process = session.exec(Command::new("any", "/")).await.unwrap();
    process.stopper().kill();
    assert_eq!(process.wait().await.unwrap().end, End::Stopped);
}
