//! A way to an engine that tells which requests go through it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;

/// The client's end of it is a socket of its own.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) socket: PathBuf,
    watch: Arc<Mutex<Option<Watch>>>,
}

#[derive(Debug)]
struct Watch {
    fault: Fault,
    /// Hears once of the request that is waited for, and says when it may go on.
    seen: SyncSender<SyncSender<()>>,
}

impl Door {
    pub(crate) fn open(socket: PathBuf, engine: &Path) -> std::io::Result<Self> {
        let listener = UnixListener::bind(&socket)?;
        let watch: Arc<Mutex<Option<Watch>>> = Arc::default();
        let (watching, engine) = (Arc::clone(&watch), engine.to_owned());
        std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let (watch, engine) = (Arc::clone(&watching), engine.clone());
                std::thread::spawn(move || {
                    // A caller that is gone, or an engine that is: each side sees the end of its connection.
                    let _ended = pass_on(caller, &engine, &watch);
                });
            }
        });
        Ok(Self { socket, watch })
    }

    /// Hears of the next request at which this fault happens; the request goes on when the received sender is used or dropped.
    pub(crate) fn expect(&self, fault: Fault) -> Receiver<SyncSender<()>> {
        let (seen, hears) = mpsc::sync_channel(1);
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Watch { fault, seen });
        hears
    }
}

/// The client opens a connection for each request, so the first words say what it is.
fn pass_on(mut caller: UnixStream, engine: &Path, watch: &Mutex<Option<Watch>>) -> std::io::Result<()> {
    let mut first = vec![0; 8192];
    let n = caller.read(&mut first)?;
    first.truncate(n);
    announce(&first, watch);
    let mut engine = UnixStream::connect(engine)?;
    engine.write_all(&first)?;
    let (answers, back) = (engine.try_clone()?, caller.try_clone()?);
    let there = std::thread::spawn(move || copy(caller, engine));
    copy(answers, back);
    // Ended by the same.
    let _ended = there.join();
    Ok(())
}

fn announce(first: &[u8], watch: &Mutex<Option<Watch>>) {
    let line = String::from_utf8_lossy(first.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
    let path = path.split('?').next().unwrap_or_default();
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Watch { fault, seen }) = watch.take_if(|watch| {
        let (wanted, end) = watch.fault.request();
        method == wanted && path.contains("/containers/") && path.ends_with(end)
    }) else {
        return;
    };
    let (go, may_go) = mpsc::sync_channel(1);
    // Whoever waited may have given up.
    if seen.send(go).is_ok() && fault.holds_back() {
        let _dropped = may_go.recv();
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // It may be closed already.
    let _closed = to.shutdown(Shutdown::Write);
}
