//! How egress works, beside where it may go.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Decision;
use crate::audit::{Audit, Event};

/// How the proxy of a sandbox works: its limits, who resolves names, and who hears its decisions.
#[derive(Clone)]
pub struct Egress {
    pub(super) limits: EgressLimits,
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) observer: Option<Arc<Observer>>,
}

type Observer = dyn Fn(&Decision) + Send + Sync;

/// How much one sandbox may do by way of its proxy: [`EgressLimits::new`], and whatever of it is to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EgressLimits {
    /// Connections at a time. More wait until one of them has ended.
    pub connections: u32,
    /// Bytes in both directions and all connections together; all connections end when they are used up.
    pub bytes: u64,
    /// How long a client may take to say what it wants, all of it together.
    pub request: Duration,
    /// How long a connection may be silent in both directions.
    pub idle: Duration,
    /// How long a connection may last.
    pub lifetime: Duration,
    /// How many refusals and failures are told in a minute. What is more is counted, and the number is told with the next
    /// decision ([`Decision::unheard`]) or at the end.
    pub refusals: u32,
    /// How many connections that were made are told in a minute. What is more is counted likewise
    /// ([`Decision::unheard_allowed`]), but for the first one to each further target, so that a flood to one hides no other.
    pub told: u32,
}

impl EgressLimits {
    /// 64 connections, 16 GiB, fifteen seconds for a request, ten minutes of silence, six hours, 100 refusals and 1000
    /// connections told in a minute.
    pub fn new() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            connections: 64,
            bytes: 16 << 30,
            request: Duration::from_secs(15),
            idle: minutes(10),
            lifetime: minutes(360),
            refusals: 100,
            told: 1000,
        }
    }
}

impl Default for EgressLimits {
    /// [`EgressLimits::new`].
    fn default() -> Self {
        Self::new()
    }
}

/// Who finds the addresses of a listed name. Asked once for each connection.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of `name`, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name has none, or nobody could be asked.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolves names as all programs of the host do.
#[derive(Debug)]
struct System;

#[async_trait]
impl Resolver for System {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // The port is no part of the question.
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

impl Default for Egress {
    fn default() -> Self {
        Self { limits: EgressLimits::default(), resolver: Arc::new(System), observer: None }
    }
}

impl Egress {
    /// The default limits, the host's own way to resolve names, and nobody who hears of decisions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with these limits.
    #[must_use]
    pub fn limits(mut self, limits: EgressLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with this resolver.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// The same with a log of each decision, as [`Event::Connection`].
    #[must_use]
    pub fn audit(self, audit: Arc<dyn Audit>) -> Self {
        self.observer(move |decision| audit.record(&Event::from(decision)))
    }

    /// The same with somebody who hears each decision, before the client does. It must not block. When it panics,
    /// nothing is sent through the connection: nothing leaves of which nobody hears.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Decision) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Egress");
        shown.field("limits", &self.limits).field("resolver", &self.resolver);
        shown.field("observed", &self.observer.is_some()).finish()
    }
}
