//! The proxy: outside of the sandbox, on a socket that only the sandbox reaches.

use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::body::Body;
use super::dial::dial;
use super::head::{self, Head, Wish};
use super::relay::{Budget, Upload, join};
use super::trouble::{Next, Trouble};
use super::volume::{Unheard, Volume};
use super::{AllowList, Decision, Egress, Verdict};
use crate::{Error, Result, SandboxId};

/// How long the refusal may take to be read.
const REFUSAL: Duration = Duration::from_secs(5);

/// What the proxy of one sandbox knows; its budget is shared by all commands of the sandbox.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    sandbox: SandboxId,
    list: AllowList,
    egress: Egress,
    budget: Budget,
    places: Arc<Semaphore>,
    volume: Mutex<Volume>,
    /// Whether the last decision could not be told.
    unheard: AtomicBool,
}

/// A proxy at work on one socket; dropping it ends all of its connections.
#[derive(Debug)]
#[must_use = "dropping it ends the proxy"]
pub struct Serving(JoinHandle<String>);

impl Serving {
    /// Resolves when the proxy has ended by itself, with the reason: nothing reaches it any more. Never otherwise. Cancel safe.
    pub async fn broken(&mut self) -> Error {
        let source = match (&mut self.0).await {
            Ok(why) => why.into(),
            Err(lost) => lost.into(),
        };
        Error::Lane { action: "serve the sandbox's proxy".into(), source }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Proxy {
    /// A proxy that lets `sandbox` connect to what is on the list.
    pub fn new(sandbox: SandboxId, list: AllowList, egress: Egress) -> Self {
        let budget = Budget::new(egress.limits.bytes);
        let places = usize::try_from(egress.limits.connections.max(1)).unwrap_or(1);
        let volume = Mutex::new(Volume::new(egress.limits.refusals, egress.limits.told));
        let places = Arc::new(Semaphore::new(places));
        Self(Arc::new(Inner { sandbox, list, egress, budget, places, volume, unheard: AtomicBool::new(false) }))
    }

    /// Serves the clients of a socket: HTTP `CONNECT`, and plain HTTP with absolute targets. To be called within a Tokio
    /// runtime, which then serves them.
    ///
    /// Whoever reaches the socket may use the list, so it should be one that only the sandbox reaches.
    ///
    /// # Errors
    /// [`Error::Lane`] when the socket cannot be used.
    pub fn serve(&self, socket: TcpListener) -> Result<Serving> {
        let failed = |e: std::io::Error| Error::Lane { action: "serve the sandbox's proxy".into(), source: e.into() };
        socket.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(socket).map_err(failed)?;
        let trouble = Trouble::new().map_err(failed)?;
        let task = tokio::spawn(accept(Arc::clone(&self.0), listener, trouble));
        Ok(Serving(task))
    }
}

/// Serves until the socket is of no use any more, and says why.
async fn accept(proxy: Arc<Inner>, listener: tokio::net::TcpListener, mut trouble: Trouble) -> String {
    let mut clients = JoinSet::new();
    loop {
        // A client without a place waits in the kernel, where it costs this process nothing.
        let Ok(place) = Arc::clone(&proxy.places).acquire_owned().await else { return "it was closed".into() };
        while let Some(ended) = clients.try_join_next() {
            if ended.is_err_and(|lost| lost.is_panic()) {
                // Whoever it was has seen the end of the connection.
                proxy.broken("serving a connection panicked".into());
            }
        }
        let client = match listener.accept().await {
            Ok((client, _)) => {
                trouble.overcame();
                client
            }
            Err(error) => match trouble.overcome(&error, &listener, &proxy).await {
                Next::Serve(client) => client,
                Next::Again => continue,
                Next::Useless(why) => {
                    proxy.broken(why.clone());
                    return why;
                }
            },
        };
        let proxy = Arc::clone(&proxy);
        clients.spawn(async move {
            proxy.client(client).await;
            drop(place);
        });
    }
}

impl Inner {
    async fn client(&self, mut client: TcpStream) {
        let mut bytes = Vec::new();
        let head = match timeout(self.egress.limits.request, read(&mut client, &mut bytes)).await {
            // One that says nothing at all wanted nothing.
            Ok(Ok(None)) => return,
            Ok(Ok(Some(head))) => head,
            Ok(Err(nonsense)) => {
                let why = nonsense.to_string();
                let _told = self.tell(None, Verdict::Denied { why: why.clone() });
                return refuse(client, "400 Bad Request", &why).await;
            }
            Err(_) => {
                let why = format!("the request was not complete within {:?}", self.egress.limits.request);
                let _told = self.tell(None, Verdict::Denied { why: why.clone() });
                return refuse(client, "408 Request Timeout", &why).await;
            }
        };
        let target = format!("{}:{}", head.host, head.port);
        let server = match self.connect(&head).await {
            Ok(server) => server,
            Err(Verdict::Denied { why }) => {
                return refuse(client, "403 Forbidden", &format!("this sandbox may not connect to {target}: {why}"))
                    .await;
            }
            Err(_) => return refuse(client, "502 Bad Gateway", &format!("{target} could not be reached")).await,
        };
        self.relay(client, server, head, bytes).await;
    }

    async fn connect(&self, head: &Head) -> std::result::Result<TcpStream, Verdict> {
        let dialled = if self.budget.is_spent() {
            Err(Verdict::Denied { why: "the sandbox has used up its bytes".into() })
        } else {
            dial(&self.list, &*self.egress.resolver, &head.host, head.port).await
        };
        let target = Some((head.host.to_string(), head.port));
        match dialled {
            Ok((server, address)) => {
                if self.tell(target, Verdict::Allowed { address }).is_err() {
                    return Err(Verdict::Broken { why: "the decision could not be told".into() });
                }
                Ok(server)
            }
            Err(verdict) => {
                let _told = self.tell(target, verdict.clone());
                Err(verdict)
            }
        }
    }

    async fn relay(&self, mut client: TcpStream, mut server: TcpStream, head: Head, bytes: Vec<u8>) {
        let early = &bytes[head.length..];
        let upload = match head.wish {
            Wish::Tunnel => {
                if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() {
                    return;
                }
                Upload::All
            }
            Wish::Forward { head, body } => {
                if server.write_all(&head).await.is_err() {
                    return;
                }
                Upload::Body(Body::new(body))
            }
        };
        // Small writes are somebody's turn in a conversation. Without it all works the same, only slower.
        let _wish = (client.set_nodelay(true), server.set_nodelay(true));
        join(client, server, early, upload, &self.egress.limits, &self.budget).await;
    }

    /// Tells that the proxy itself does not work.
    pub(super) fn broken(&self, why: String) {
        let _told = self.tell(None, Verdict::Broken { why });
    }

    /// An error is an observer that panicked.
    fn tell(&self, target: Option<(String, u16)>, verdict: Verdict) -> std::result::Result<(), Unobserved> {
        let Some(observer) = &self.egress.observer else { return Ok(()) };
        let mut volume = self.volume.lock().unwrap_or_else(PoisonError::into_inner);
        let unheard = match (&verdict, &target) {
            // However many there were: nobody may pass before somebody hears again.
            (Verdict::Allowed { .. }, _) if self.unheard.load(Ordering::Relaxed) => Some(volume.untold()),
            (Verdict::Allowed { .. }, Some(target)) => volume.allowed(Instant::now(), target),
            _ => volume.refusal(Instant::now()),
        };
        drop(volume);
        let Some(unheard) = unheard else { return Ok(()) };
        let told = hear(&**observer, &self.decision(target, verdict, unheard));
        self.unheard.store(told.is_err(), Ordering::Relaxed);
        if told.is_err() {
            self.volume.lock().unwrap_or_else(PoisonError::into_inner).give_back(unheard);
        }
        told
    }

    fn decision(&self, target: Option<(String, u16)>, verdict: Verdict, unheard: Unheard) -> Decision {
        let Unheard { refused, allowed } = unheard;
        Decision { sandbox: self.sandbox.clone(), target, verdict, unheard: refused, unheard_allowed: allowed }
    }
}

/// What the observer was at is its own; here it is only called.
fn hear(observer: &dyn Fn(&Decision), decision: &Decision) -> std::result::Result<(), Unobserved> {
    std::panic::catch_unwind(AssertUnwindSafe(|| observer(decision))).map_err(|_| Unobserved)
}

/// Nobody heard of a decision, because the observer panicked.
#[derive(Debug)]
struct Unobserved;

impl Drop for Inner {
    fn drop(&mut self) {
        let unheard = self.volume.get_mut().unwrap_or_else(PoisonError::into_inner).untold();
        if let (Some(observer), 1..) = (&self.egress.observer, unheard.refused.saturating_add(unheard.allowed)) {
            let verdict = Verdict::Denied { why: "the last of them were too many to be told".into() };
            // There is nobody left who could be refused.
            let _told = hear(&**observer, &self.decision(None, verdict, unheard));
        }
    }
}

/// Reads until the head is complete; none when the client left before.
async fn read(client: &mut TcpStream, bytes: &mut Vec<u8>) -> std::result::Result<Option<Head>, head::Nonsense> {
    let mut buffer = [0; 4096];
    loop {
        match client.read(&mut buffer).await {
            Ok(0) | Err(_) if bytes.is_empty() => return Ok(None),
            Ok(0) | Err(_) => return Err(head::Nonsense::Syntax),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
        if let Some(head) = head::read(bytes)? {
            return Ok(Some(head));
        }
    }
}

/// Says why not, and closes. The text is ours alone.
pub(super) async fn refuse(mut client: TcpStream, status: &str, why: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    let say = async {
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await?;
        // Closing while something is unread would take the answer back. What is read here is dropped.
        let mut rest = [0; 4096];
        while client.read(&mut rest).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Whether the client wants to know is up to the client.
    let _unheard = timeout(REFUSAL, say).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_who_comes_when_there_are_descriptors_again_is_served() {
        let proxy = Proxy::new(SandboxId::new("s").unwrap(), AllowList::new(["a.example:443"]).unwrap(), Egress::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let want = std::io::Error::from(rustix::io::Errno::MFILE);
        let Next::Serve(served) = Trouble::new().unwrap().overcome(&want, &listener, &proxy.0).await else {
            panic!("the client was sent away");
        };
        assert_eq!(served.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}
