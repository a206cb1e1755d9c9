//! Making a container that waits for its command.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::container::LogOutput;
use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{Error, Result};

use super::super::engine::{Items, lane};
use super::super::lease::{LEASE, Lease};
use super::super::probe::unavailable;
use super::super::record::SANDBOX;
use super::super::{Lane, end};
use super::lines::{HELLO, WARM};
use super::options::Trees;
use super::shape::Shape;
use super::spoilt::discard;
use super::trees::Door;

/// The label of a container that is, or was, kept ready.
pub(in super::super) const LABEL: &str = "hedgerow.warm";
/// What its label says in place of the sandbox, which is not known when it is made.
pub(in super::super) const NOBODYS: &str = "warm";
/// How long a new shell may take to answer, and one that waits.
const HELLO_WITHIN: Duration = Duration::from_secs(60);
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How much of an answer is read at least before it is too much.
pub(super) const WORDS: usize = 4096;

/// A container whose shell waits.
pub(super) struct Ready {
    pub(super) container: String,
    /// The names that it may have.
    pub(super) names: Vec<String>,
    pub(super) output: Items<LogOutput>,
    pub(super) pipe: Pin<Box<dyn AsyncWrite + Send>>,
    /// What the engine said that it will not do.
    pub(super) warnings: Vec<String>,
    pub(super) door: Option<Door>,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("container", &self.container).finish_non_exhaustive()
    }
}

impl Ready {
    /// Makes and starts one, and waits until its shell answers.
    ///
    /// By a task of its own, so that whoever gives up in the middle leaves none behind: it is removed when it is made.
    pub(super) async fn make(shared: &Arc<Lane>, shape: &Shape, trees: Trees) -> Result<Self> {
        let (give, taken) = oneshot::channel();
        let (lane, shape) = (Arc::clone(shared), shape.clone());
        tokio::spawn(async move {
            if let Err(Ok(unwanted)) = give.send(Self::made(&lane, &shape, trees).await) {
                let _later = unwanted.discard(&lane).await;
            }
        });
        let lost = |source: oneshot::error::RecvError| Error::Lane {
            action: "make a container that is kept ready".into(),
            source: source.into(),
        };
        taken.await.map_err(lost)?
    }

    async fn made(shared: &Arc<Lane>, shape: &Shape, trees: Trees) -> Result<Self> {
        let name = format!("hedgerow.warm-{}-{}", std::process::id(), now());
        let mut body = shape.body.clone();
        let labels = body.labels.get_or_insert_default();
        labels.extend(shared.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
        labels.insert(SANDBOX.to_owned(), NOBODYS.to_owned());
        labels.insert(LABEL.to_owned(), "1".to_owned());
        labels.extend(shared.me.clone().map(|owner| (LEASE.to_owned(), Lease { epoch: 1, owner }.to_string())));
        let made = shared.engine.create(&name, body).await.map_err(|e| lane("make a container that is kept ready", e));
        let begun = match made {
            Ok((container, warnings)) => Self::begin(shared, container, &name, warnings, trees).await,
            Err(error) => Err(error),
        };
        if begun.is_err() {
            // Also what may have been made although the answer was lost. Why there is none matters more than this.
            let _later = discard(shared, &name, std::slice::from_ref(&name)).await;
        }
        begun
    }

    async fn begin(shared: &Lane, container: String, name: &str, warnings: Vec<String>, trees: Trees) -> Result<Self> {
        let engine = &shared.engine;
        let output = engine.attach(&container).await?;
        let pipe = engine.attach_input(&container).await?;
        engine.start(&container).await.map_err(|e| lane("start a container that is kept ready", e))?;
        let mut ready = Self { container, names: vec![name.to_owned()], output, pipe, warnings, door: None };
        match ready.ask(HELLO.as_bytes(), WORDS, HELLO_WITHIN).await {
            Ok(said) if said == WARM => {}
            Ok(said) | Err(said) => return Err(no_shell(shared, &said)),
        }
        if trees == Trees::Added {
            ready.door = Some(Door::of(engine, &ready.container).await?);
        }
        Ok(ready)
    }

    /// Tells the shell something and hears its answer, a line; an error is all that there was instead.
    pub(super) async fn ask(
        &mut self,
        told: &[u8],
        most: usize,
        limit: Duration,
    ) -> std::result::Result<String, String> {
        let asking = async {
            let written = async { self.pipe.write_all(told).await.and(self.pipe.flush().await) }.await;
            if let Err(error) = written {
                return Err(format!("its input is closed ({error})"));
            }
            let mut said = String::new();
            while let Some(item) = self.output.next().await {
                let item = item.map_err(|error| format!("its output broke off ({error})"))?;
                said.push_str(&String::from_utf8_lossy(item.as_ref()));
                if said.ends_with('\n') || said.len() > most {
                    return Ok(said);
                }
            }
            Err(if said.is_empty() { "it has ended".to_owned() } else { said })
        };
        timeout(limit, asking).await.unwrap_or_else(|_| Err("it does not answer".to_owned()))
    }

    /// Removes it, now or later.
    pub(super) async fn discard(self, lane: &Arc<Lane>) -> Result<()> {
        let Self { container, names, pipe, .. } = self;
        drop(pipe);
        discard(lane, &container, &names).await
    }

    /// Whether it said or did something that nobody asked for, such as ending.
    pub(super) fn is_spoilt(&mut self) -> bool {
        self.output.next().now_or_never().is_some()
    }
}

fn no_shell(shared: &Lane, said: &str) -> Error {
    let why = end::init_failed(Some(said.as_bytes())).unwrap_or_else(|| said.trim().to_owned());
    unavailable(format!(
        "no container of image {} can be kept ready: its /bin/sh does not wait as it should ({why})",
        shared.facts.image.name
    ))
}

/// Names only have to differ.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}
