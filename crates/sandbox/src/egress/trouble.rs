//! When no connection can be accepted.
//!
//! A process that has no descriptors left cannot even take a client to send it away, which would hang then. So one descriptor
//! is kept for that.

use std::fs::File;
use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::proxy::{Inner, refuse};

/// How long to wait until it is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a client that waits is waited for: it is there, or has left.
const AT_ONCE: Duration = Duration::from_millis(10);
/// After so many failures on end that are not the want of something, the socket is of no use any more.
const USELESS: u32 = 20;

/// What went wrong lately.
#[derive(Debug)]
pub(super) struct Trouble {
    /// Given up when there is no descriptor for a client.
    spare: Option<File>,
    strange: u32,
}

/// How it goes on after a failure.
pub(super) enum Next {
    Again,
    /// There are descriptors again, and this client came just then.
    Serve(TcpStream),
    /// The socket is of no use any more, for this reason.
    Useless(String),
}

impl Trouble {
    /// To be called before anything is served: without a spare descriptor from the beginning there may never be one.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { spare: Some(spare()?), strange: 0 })
    }

    /// A connection was accepted, so what failed before is over.
    pub(super) fn overcame(&mut self) {
        self.strange = 0;
    }

    /// Does what can be done so that the next connection may be accepted.
    pub(super) async fn overcome(&mut self, error: &io::Error, listener: &TcpListener, proxy: &Inner) -> Next {
        let why = format!("no connection can be accepted: {error}");
        if is_about_the_client(error) {
            return Next::Again;
        }
        if !is_want(error) {
            self.strange += 1;
            if self.strange >= USELESS {
                return Next::Useless(why);
            }
            sleep(PAUSE).await;
            return Next::Again;
        }
        self.strange = 0;
        proxy.broken(why);
        if self.spare.take().is_some()
            && let Ok(Ok((client, _))) = timeout(AT_ONCE, listener.accept()).await
        {
            // What was lacking may be there again by now, and then nobody need be sent away.
            self.spare = spare().ok();
            if self.spare.is_some() {
                return Next::Serve(client);
            }
            refuse(client, "503 Service Unavailable", "the sandbox's proxy has no file descriptors left").await;
        }
        self.spare = spare().ok();
        sleep(PAUSE).await;
        Next::Again
    }
}

fn spare() -> io::Result<File> {
    File::open("/dev/null")
}

/// Whether something is lacking that may be there again later.
fn is_want(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let want = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| want.contains(&errno))
}

/// Whether it was a client who left before it was accepted, or a signal.
fn is_about_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
