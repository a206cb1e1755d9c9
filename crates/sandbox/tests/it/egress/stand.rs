//! A server, a resolver and a client, all on this machine.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hedgerow_sandbox::{AllowList, Decision, Egress, EgressLimits, Proxy, Resolver, SandboxId, Serving};

use crate::world::PATIENCE;

/// A server that answers each connection with a handler of the test's, and remembers what was sent to it.
pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Reads what comes until the client is done or a blank line was read, then answers `hello` and closes.
    pub(crate) fn hello() -> Self {
        Self::new(Ipv4Addr::LOCALHOST, |stream, seen| {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        })
    }

    /// Reads everything until the client has nothing more to say, and only then says it back.
    pub(crate) fn echo() -> Self {
        Self::new(Ipv4Addr::LOCALHOST, |stream, seen| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes)?;
            seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
            stream.write_all(&bytes)
        })
    }

    pub(crate) fn new(
        address: Ipv4Addr,
        handler: impl Fn(&mut TcpStream, &Mutex<Vec<String>>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        Self::on(listener, handler)
    }

    pub(crate) fn on(
        listener: TcpListener,
        handler: impl Fn(&mut TcpStream, &Mutex<Vec<String>>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, handler) = (Arc::clone(&seen), Arc::new(handler));
        // The thread ends with the test program.
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let _client_left = handler(&mut stream, &log);
                });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers from what a test says, and remembers the questions. The last answer stays.
#[derive(Debug, Default)]
pub(crate) struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|all| all.iter().map(|a| a.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A proxy at work on a socket of this machine.
pub(crate) struct Stand {
    pub(crate) address: SocketAddr,
    pub(crate) names: Arc<Names>,
    decisions: Arc<Mutex<Vec<Decision>>>,
    pub(crate) serving: Option<Serving>,
}

/// Limits under which a test that waits for one does not wait long.
pub(crate) fn with(change: impl FnOnce(&mut EgressLimits)) -> EgressLimits {
    let mut limits = roomy();
    change(&mut limits);
    limits
}

pub(crate) fn roomy() -> EgressLimits {
    let mut limits = EgressLimits::new();
    (limits.request, limits.idle) = (PATIENCE, PATIENCE);
    limits
}

impl Stand {
    pub(crate) fn new(list: &[String], names: Arc<Names>) -> Self {
        Self::with(list, names, roomy())
    }

    pub(crate) fn with(list: &[String], names: Arc<Names>, limits: EgressLimits) -> Self {
        let (egress, decisions) = observed(Arc::clone(&names), limits);
        let proxy = Proxy::new(SandboxId::new("s1").unwrap(), AllowList::new(list).unwrap(), egress);
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let serving = Some(proxy.serve(socket).unwrap());
        Self { address, names, decisions, serving }
    }

    pub(crate) fn decisions(&self) -> Vec<String> {
        self.decisions.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends this, says that it is all, and returns all that comes back.
    pub(crate) async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        let bytes = bytes.as_ref().to_vec();
        blocking(move || {
            // It may be refused before all was sent.
            let _refused = stream.write_all(&bytes);
            let _gone = stream.shutdown(Shutdown::Write);
            read(stream)
        })
        .await
    }
}

/// Everything until the other side closes, or breaks off.
pub(crate) fn read(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        all.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

pub(crate) async fn blocking<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::time::timeout(2 * PATIENCE, tokio::task::spawn_blocking(body)).await.expect("in time").unwrap()
}

type Decisions = Arc<Mutex<Vec<Decision>>>;

/// Settings whose decisions are remembered.
pub(crate) fn observed(names: Arc<Names>, limits: EgressLimits) -> (Egress, Decisions) {
    let decisions = Decisions::default();
    let log = Arc::clone(&decisions);
    let observer = move |decision: &Decision| log.lock().unwrap().push(decision.clone());
    (Egress::new().limits(limits).resolver(names).observer(observer), decisions)
}

/// The status line of an answer.
pub(crate) fn status(answer: &str) -> &str {
    answer.lines().next().unwrap_or("nothing")
}

pub(crate) const SHORT: Duration = Duration::from_millis(300);
