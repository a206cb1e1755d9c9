//! What the probes are run in.

use hedgerow_sandbox::{DockerOptions, DockerSandbox, HostSandbox, NativeSandbox, Sandbox, Scratch};

use super::peer::{self, Peer};
use crate::Failure;
use crate::lane::IMAGE;

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// `docker run` with its defaults.
    DockerRun,
    /// bubblewrap as tools for agents call it.
    Bubblewrap,
    /// The host lane.
    Host,
    /// The native lane.
    Native,
    /// The docker lane.
    Docker,
}

impl Column {
    pub(super) const ALL: [Self; 5] = [Self::DockerRun, Self::Bubblewrap, Self::Host, Self::Native, Self::Docker];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DockerRun => "docker run",
            Self::Bubblewrap => "bubblewrap",
            Self::Host => "host lane",
            Self::Native => "native lane",
            Self::Docker => "docker lane",
        }
    }

    /// Whether it is one of ours, which says what it keeps.
    pub(super) fn promises(self) -> bool {
        matches!(self, Self::Host | Self::Native | Self::Docker)
    }

    pub(super) async fn open(self) -> Result<Box<dyn Sandbox>, Failure> {
        Ok(match self {
            Self::DockerRun => Box::new(Peer::new("docker run", peer::docker_run)?),
            Self::Bubblewrap => Box::new(Peer::new("bubblewrap", peer::bubblewrap)?),
            Self::Host => Box::new(HostSandbox::new()?),
            Self::Native => Box::new(tokio::task::spawn_blocking(NativeSandbox::probe).await??),
            Self::Docker => {
                Box::new(DockerSandbox::connect(DockerOptions::new(IMAGE).scratch(Scratch::Programs)).await?)
            }
        })
    }
}
