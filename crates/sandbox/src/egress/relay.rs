//! Passing bytes on in both directions, within limits.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::EgressLimits;
use super::body::Body;

/// What may still be passed on, for all connections of a sandbox together.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Takes from it; fails when there is not enough left.
    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes as u64));
        left.map(drop).map_err(|_| io::Error::other("the sandbox has used up its bytes"))
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Nothing is left for anyone.
    fn close(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// When something was last passed on.
struct Pulse(Mutex<Instant>);

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Resolves when nothing was passed on for so long.
    async fn stops(&self, limit: Duration) {
        loop {
            let quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(quiet)).await;
        }
    }
}

/// What goes to the server.
pub(super) enum Upload {
    /// All that the client sends.
    All,
    /// The body of one request, and nothing behind it.
    Body(Body),
}

/// Joins a client and a server until both are done, one fails, or a limit is reached. `early` is what the client has sent already.
pub(super) async fn join(
    client: TcpStream,
    server: TcpStream,
    early: &[u8],
    upload: Upload,
    limits: &EgressLimits,
    budget: &Budget,
) {
    let pulse = Pulse(Mutex::new(Instant::now()));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let meter = Meter { pulse: &pulse, budget };
    let both = async {
        match upload {
            Upload::All => {
                let up = meter.all(early, from_client, to_server);
                let down = meter.all(&[], from_server, to_client);
                tokio::try_join!(up, down).map(drop)
            }
            // The server's end is the answer's end, whatever the client still has to say.
            Upload::Body(body) => {
                let up = meter.body(early, from_client, to_server, body);
                let down = meter.all(&[], from_server, to_client);
                tokio::select! {
                    done = down => done,
                    Err(error) = up => Err(error),
                }
            }
        }
    };
    // However it ends, both sides are closed by it; the decision was made and told before.
    tokio::select! {
        _ended = both => {}
        () = pulse.stops(limits.idle) => {}
        () = tokio::time::sleep(limits.lifetime) => {}
    }
}

/// Counts what is passed on.
#[derive(Clone, Copy)]
struct Meter<'m> {
    pulse: &'m Pulse,
    budget: &'m Budget,
}

impl Meter<'_> {
    /// Passes on everything, and then the end.
    async fn all(
        self,
        early: &[u8],
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        self.pass(&mut to, early).await?;
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return to.shutdown().await;
            }
            self.pass(&mut to, &buffer[..count]).await?;
        }
    }

    /// Passes on a body to its end, and then waits for ever: the server may still want to answer.
    async fn body(
        self,
        early: &[u8],
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut body: Body,
    ) -> io::Result<()> {
        let malformed = || io::Error::other("the body is not what was announced");
        let mut buffer = vec![0; 16 << 10];
        let mut bytes = early;
        loop {
            let own = body.take(bytes).ok_or_else(malformed)?;
            self.pass(&mut to, &bytes[..own]).await?;
            if body.is_done() {
                // Dropping its half would tell the server that nobody waits for the answer.
                return std::future::pending().await;
            }
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes = &buffer[..count];
        }
    }

    async fn pass(self, to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        if let Err(spent) = self.budget.spend(bytes.len()) {
            self.budget.close();
            return Err(spent);
        }
        to.write_all(bytes).await?;
        self.pulse.beat();
        Ok(())
    }
}
