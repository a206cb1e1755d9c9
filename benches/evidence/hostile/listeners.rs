//! Services of the host that a sandbox must not reach.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Failure;

/// How often a service looks for somebody.
const TICK: Duration = Duration::from_millis(5);
/// How long somebody who has connected may take to say something.
const PATIENCE: Duration = Duration::from_millis(500);

/// Services that note all that they hear.
#[derive(Debug)]
pub(super) struct Listeners {
    heard: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    words: Vec<(&'static str, String)>,
}

impl Listeners {
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let tcp = TcpListener::bind("0.0.0.0:0")?;
        let udp = UdpSocket::bind("0.0.0.0:0")?;
        let path = UnixListener::bind(root.join("socket"))?;
        let words = vec![("TCP", tcp.local_addr()?.port().to_string()), ("UDP", udp.local_addr()?.port().to_string())];
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        path.set_nonblocking(true)?;
        let mut all = Self { heard: Arc::default(), over: Arc::default(), threads: Vec::new(), words };
        all.serve(move || {
            let (mut stream, _) = tcp.accept()?;
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            first(&mut stream)
        });
        all.serve(move || {
            let (mut stream, _) = path.accept()?;
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            first(&mut stream)
        });
        all.serve(move || {
            let mut bytes = vec![0; 2048];
            let (length, _) = udp.recv_from(&mut bytes)?;
            bytes.truncate(length);
            Ok(bytes)
        });
        Ok(all)
    }

    /// What the placeholders for these services stand for.
    pub(super) fn words(&self) -> Vec<(&'static str, String)> {
        self.words.clone()
    }

    /// Whether somebody said this.
    pub(super) fn heard(&self, text: &str) -> bool {
        // What was sent just now is on its way.
        std::thread::sleep(TICK * 10);
        let heard = self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        heard.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn serve(&mut self, mut next: impl FnMut() -> std::io::Result<Vec<u8>> + Send + 'static) {
        let (heard, over) = (Arc::clone(&self.heard), Arc::clone(&self.over));
        self.threads.push(std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match next() {
                    Ok(bytes) => heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(bytes),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
                    Err(_) => {}
                }
            }
        }));
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has nothing more to say.
            let _over = thread.join();
        }
    }
}

fn first(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 256];
    let length = stream.read(&mut bytes)?;
    bytes.truncate(length);
    bytes.push(b'\n');
    Ok(bytes)
}
