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
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sandbox {}: ", self.sandbox)?;
        match &self.target {
            Some((host, port)) => write!(f, "{host}:{port} ")?,
            None => f.write_str("a request ")?,
        }
        match &self.verdict {
            Verdict::Allowed { address } => write!(f, "allowed, at {address}"),
            Verdict::Denied { why } => write!(f, "denied: {why}"),
            Verdict::Failed { why } => write!(f, "failed: {why}"),
        }?;
        if self.unheard > 0 {
            write!(f, " (and {} more were refused before)", self.unheard)?;
        }
        Ok(())
    }
}
