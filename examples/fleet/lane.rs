//! Which lane agents and gates run in.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hedgerow_orchestrator::sandbox::{
    DockerOptions, DockerSandbox, Guarantee, HostSandbox, NativeOptions, NativeSandbox, Network, Policy, Sandbox,
};

use crate::{Failure, tell};

/// How agents and gates are isolated.
#[derive(Clone, Debug, Args)]
pub(crate) struct LaneArgs {
    /// Where agents and gates run. There is no fallback: a lane that cannot enforce its policy refuses.
    #[arg(long, value_enum, default_value_t = LaneName::Native)]
    lane: LaneName,
    /// The image of the docker lane; it is never pulled.
    #[arg(long, value_name = "NAME", default_value = "hedgerow-agent:local")]
    image: String,
    /// A directory of the host that agents may read in the native lane, for example a toolchain. Can be repeated.
    #[arg(long = "system", value_name = "PATH")]
    system: Vec<PathBuf>,
    /// Which network agents see in the native and docker lanes; gates never see one.
    #[arg(long, value_enum, default_value_t = NetworkName::None)]
    network: NetworkName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkName {
    /// None.
    None,
    /// The whole network of this machine: gives up that nothing leaves.
    Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LaneName {
    /// Linux namespaces; needs neither a daemon nor root.
    Native,
    /// A container per command.
    Docker,
    /// No isolation at all: agents can do what you can do.
    Host,
}

/// A lane and what it is held to.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    pub(crate) policy: Policy,
    pub(crate) gate_policy: Policy,
}

impl LaneArgs {
    pub(crate) async fn open(&self) -> Result<Lane, Failure> {
        open(self.lane, self).await
    }

    /// A lane with its defaults.
    pub(crate) fn named(lane: LaneName, image: &str) -> Self {
        Self { lane, image: image.to_owned(), system: Vec::new(), network: NetworkName::None }
    }

    /// The first lane that isolates and works here, said aloud; the host lane is never chosen.
    pub(crate) async fn best(image: &str) -> Result<Lane, Failure> {
        let args = Self::named(LaneName::Native, image);
        let native = match open(LaneName::Native, &args).await {
            Ok(lane) => return Ok(lane),
            Err(native) => native,
        };
        match open(LaneName::Docker, &args).await {
            Ok(lane) => {
                tell(&format!("The native lane cannot be used here ({native}); using docker."));
                Ok(lane)
            }
            Err(docker) => Err(format!(
                "no lane of this machine isolates agents.\n  native: {native}\n  docker: {docker}\n\
                 Mend one of them, or accept no isolation at all with --lane host"
            )
            .into()),
        }
    }
}

async fn open(name: LaneName, args: &LaneArgs) -> Result<Lane, Failure> {
    let (name, sandbox, gate_policy): (_, Arc<dyn Sandbox>, _) = match name {
        LaneName::Native => {
            let mut options = NativeOptions::default();
            options.system.extend(args.system.iter().cloned());
            let native = tokio::task::spawn_blocking(move || NativeSandbox::probe_with(options)).await??;
            ("native", Arc::new(native), Policy::standard())
        }
        LaneName::Docker => {
            let docker = DockerSandbox::connect(DockerOptions::new(&args.image)).await?;
            ("docker", Arc::new(docker), Policy::standard())
        }
        LaneName::Host => ("host", Arc::new(HostSandbox::new()?), Policy::open()),
    };
    let mut policy = gate_policy.clone();
    if args.network == NetworkName::Host {
        policy = policy.without(Guarantee::NoNetwork);
        policy.network = Network::Host;
    }
    let shortfalls = gate_policy.shortfalls(&*sandbox);
    if shortfalls.is_empty() {
        return Ok(Lane { name, sandbox, policy, gate_policy });
    }
    let missing: Vec<_> = shortfalls.iter().map(ToString::to_string).collect();
    Err(format!("the {name} lane cannot enforce here: {}", missing.join("; ")).into())
}
