//! What the proxy decided, for whoever keeps a log of it.

use std::fmt;
use std::net::IpAddr;

use crate::SandboxId;

/// One decision about one connection.
///
/// It never holds headers, paths or content, and its host is one that was read strictly, so that nothing of what a client
/// sent gets into a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The sandbox that asked.
    pub sandbox: SandboxId,
    /// The host and port that it asked for; none when the request could not be understood.
    pub target: Option<(String, u16)>,
    /// What was decided.
    pub verdict: Verdict,
    /// How many refusals and failures of this sandbox were not told since the decision before, because there were too many.
    pub unheard: u64,
    /// How many connections of this sandbox were made and not told since the decision before, because there were too many.
    pub unheard_allowed: u64,
}

/// What became of a request to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It was connected to this address.
    Allowed {
        /// The address that was checked and dialled.
        address: IpAddr,
    },
    /// It was refused.
    Denied {
        /// Why.
        why: String,
    },
    /// It was allowed, and could not be connected.
    Failed {
        /// Why.
        why: String,
    },
    /// The proxy itself could not work: clients were sent away or had to wait, whatever they wanted.
    Broken {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sandbox {}: ", self.sandbox)?;
        match &self.target {
            Some((host, port)) => write!(f, "{host}:{port} ")?,
            None if matches!(self.verdict, Verdict::Broken { .. }) => {}
            None => f.write_str("a request ")?,
        }
        match &self.verdict {
            Verdict::Allowed { address } => write!(f, "allowed, at {address}"),
            Verdict::Denied { why } => write!(f, "denied: {why}"),
            Verdict::Failed { why } => write!(f, "failed: {why}"),
            Verdict::Broken { why } => write!(f, "the proxy is broken: {why}"),
        }?;
        if self.unheard > 0 {
            write!(f, " (and {} more were refused before)", self.unheard)?;
        }
        if self.unheard_allowed > 0 {
            write!(f, " (and {} more were allowed before)", self.unheard_allowed)?;
        }
        Ok(())
    }
}
