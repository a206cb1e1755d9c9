//! What the probes are run in.

use hedgerow_sandbox::{
    DockerOptions, DockerSandbox, HostSandbox, Mechanism, NativeOptions, NativeSandbox, Sandbox, Scratch,
};

use super::peer::{self, Peer};
use super::user::User;
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
    /// The native lane where only the system's bubblewrap can make namespaces.
    Wrapped,
    /// The docker lane.
    Docker,
}

impl Column {
    pub(super) const ALL: [Self; 6] =
        [Self::DockerRun, Self::Bubblewrap, Self::Host, Self::Native, Self::Wrapped, Self::Docker];

    /// Whether this user tries it. Root can make namespaces wherever it can, so the lane takes no bubblewrap then; and where
    /// they are denied, only what makes them in another way is another thing than elsewhere.
    pub(super) fn is_for(self, user: User) -> bool {
        match user {
            User::Root => self != Self::Wrapped,
            User::Ordinary => true,
            User::Denied => matches!(self, Self::Bubblewrap | Self::Wrapped),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DockerRun => "docker run",
            Self::Bubblewrap => "bubblewrap",
            Self::Host => "host lane",
            Self::Native => "native lane",
            Self::Wrapped => "native lane by bubblewrap",
            Self::Docker => "docker lane",
        }
    }

    /// Whether it is one of ours, which says what it keeps.
    pub(super) fn promises(self) -> bool {
        matches!(self, Self::Host | Self::Native | Self::Wrapped | Self::Docker)
    }

    pub(super) async fn open(self, user: User) -> Result<Box<dyn Sandbox>, Failure> {
        Ok(match self {
            Self::DockerRun => Box::new(Peer::new("docker run", peer::docker_run)?),
            Self::Bubblewrap => Box::new(Peer::new("bubblewrap", peer::bubblewrap)?),
            Self::Host => Box::new(HostSandbox::new()?),
            Self::Native => Box::new(tokio::task::spawn_blocking(NativeSandbox::probe).await??),
            Self::Wrapped => {
                let options = NativeOptions::default();
                // Where namespaces are denied, the lane has to find that out by itself.
                let options = if user == User::Denied { options } else { options.mechanism(Mechanism::Bubblewrap) };
                let lane = tokio::task::spawn_blocking(|| NativeSandbox::probe_with(options)).await??;
                if lane.facts().mechanism != Mechanism::Bubblewrap {
                    return Err(format!("the lane took {:?} instead", lane.facts().mechanism).into());
                }
                Box::new(lane)
            }
            Self::Docker => {
                Box::new(DockerSandbox::connect(DockerOptions::new(IMAGE).scratch(Scratch::Programs)).await?)
            }
        })
    }
}
