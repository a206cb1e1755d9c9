//! Services of the host that a sandbox must not reach.

use std::io::{ErrorKind, Read, Result};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

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
    /// How often each service found nobody.
    idle: Vec<Arc<AtomicU64>>,
    words: Vec<(&'static str, String)>,
    /// The end of a connection that programs get without knowing it.
    leaked: UnixStream,
}

impl Listeners {
    /// Opens all of them, the one with a path at `socket`; abstract names begin with `name`.
    pub(super) fn open(socket: &Path, name: &str) -> Result<Self> {
        let tcp = TcpListener::bind("0.0.0.0:0")?;
        let tcp6 = TcpListener::bind("[::1]:0").ok();
        let udp = UdpSocket::bind("0.0.0.0:0")?;
        let (leaked, ours) = UnixStream::pair()?;
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty())?;
        let mut words = vec![
            ("TCP", tcp.local_addr()?.port().to_string()),
            ("UDP", udp.local_addr()?.port().to_string()),
            ("ABSTRACT", name.to_owned()),
            ("ADDRESS", address()),
            ("SOCKET", socket.to_string_lossy().into_owned()),
            ("SOCKETFD", leaked.as_raw_fd().to_string()),
        ];
        if let Some(tcp6) = &tcp6 {
            words.push(("TCP6", tcp6.local_addr()?.port().to_string()));
        }
        // Where an engine's bridge leads to the host, unless somebody chose another address for it.
        if UdpSocket::bind("172.17.0.1:0").is_ok() {
            words.push(("GATEWAY", "172.17.0.1".to_owned()));
        }
        let mut all =
            Self { heard: Arc::default(), over: Arc::default(), threads: Vec::new(), idle: Vec::new(), words, leaked };
        for listener in [Some(tcp), tcp6].into_iter().flatten() {
            listener.set_nonblocking(true)?;
            all.serve(move || {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                first(stream)
            });
        }
        let named = UnixListener::bind(socket)?;
        let abstr = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        for listener in [named, abstr] {
            listener.set_nonblocking(true)?;
            all.serve(move || {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                first(stream)
            });
        }
        let datagrams = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("{name}-d"))?)?;
        datagrams.set_nonblocking(true)?;
        all.serve(move || datagram(|bytes| datagrams.recv(bytes)));
        udp.set_nonblocking(true)?;
        all.serve(move || datagram(|bytes| udp.recv(bytes)));
        ours.set_nonblocking(true)?;
        let mut ours = ours;
        all.serve(move || datagram(|bytes| ours.read(bytes)));
        Ok(all)
    }

    /// What the placeholders for these services stand for.
    pub(super) fn words(&self) -> Vec<(&'static str, String)> {
        self.words.clone()
    }

    /// Knocks at a port of the host again and again, and notes what is said there.
    pub(super) fn knock(&mut self, port: u16) {
        self.serve(move || {
            let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|_| ErrorKind::WouldBlock)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            first(stream)
        });
    }

    /// How often each service found nobody so far. Once a number has grown by two, that service has heard all that had come
    /// before: it looked again after it found nobody.
    pub(super) fn idle(&self) -> Vec<u64> {
        self.idle.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Whether somebody said this.
    pub(super) fn heard(&self, text: &str) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn serve(&mut self, mut next: impl FnMut() -> Result<Vec<u8>> + Send + 'static) {
        let (heard, over) = (Arc::clone(&self.heard), Arc::clone(&self.over));
        let idle = Arc::new(AtomicU64::new(0));
        self.idle.push(Arc::clone(&idle));
        self.threads.push(std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match next() {
                    Ok(bytes) if !bytes.is_empty() => {
                        heard.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
                    }
                    Ok(_) | Err(_) => {
                        idle.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(TICK);
                    }
                }
            }
        }));
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Whoever was given it by mistake is gone by now; the reader at its other end need not wait.
        let _closed = self.leaked.shutdown(std::net::Shutdown::Both);
        for thread in self.threads.drain(..) {
            // One that panicked has nothing more to say.
            let _over = thread.join();
        }
    }
}

fn first(mut stream: impl Read) -> Result<Vec<u8>> {
    datagram(|bytes| stream.read(bytes))
}

fn datagram(receive: impl FnOnce(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 2048];
    let length = receive(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// The address that this machine would use towards others; no packet is sent. Its loopback when it has no other.
fn address() -> String {
    let towards = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    };
    towards().map_or_else(|_| "127.0.0.1".to_owned(), |address| address.ip().to_string())
}
