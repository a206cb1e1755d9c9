//! The lanes that a table is made for.

use std::sync::Arc;

use clap::ValueEnum;
use hedgerow_orchestrator::sandbox::{DockerOptions, DockerSandbox, HostSandbox, NativeSandbox, Sandbox};

use crate::Failure;

/// The image of the docker lane; `scripts/docker-image` makes it.
pub(crate) const IMAGE: &str = "hedgerow-agent:local";

/// Which isolated lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lanes {
    Native,
    Docker,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Host,
    Native,
    Docker,
}

impl Lanes {
    pub(crate) fn each(self) -> Vec<Lane> {
        match self {
            Self::Native => vec![Lane::Native],
            Self::Docker => vec![Lane::Docker],
            Self::Both => vec![Lane::Native, Lane::Docker],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Docker => "docker",
            Self::Both => "both",
        }
    }
}

impl Lane {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Native => "native",
            Self::Docker => "docker",
        }
    }

    /// The lane, or why this machine does not have it.
    pub(crate) async fn open(self) -> Result<Arc<dyn Sandbox>, Failure> {
        Ok(match self {
            Self::Host => Arc::new(HostSandbox::new()?),
            Self::Native => Arc::new(tokio::task::spawn_blocking(NativeSandbox::probe).await??),
            Self::Docker => Arc::new(DockerSandbox::connect(DockerOptions::new(IMAGE)).await?),
        })
    }
}
