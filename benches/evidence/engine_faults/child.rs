//! The owner of a command, as a process that can be killed.

use std::path::PathBuf;

use hedgerow_orchestrator::sandbox::{DockerOptions, DockerSandbox, Sandbox, SandboxId};

use crate::Failure;
use crate::lane::IMAGE;

use super::round;

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    socket: PathBuf,
    #[arg(long)]
    tree: PathBuf,
    #[arg(long)]
    id: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let lane = DockerSandbox::connect(DockerOptions::new(IMAGE).socket(&args.socket)).await?;
        let mut running = lane.start(round::spec(SandboxId::new(&args.id)?, &args.tree)).await?;
        let process = running.exec(round::command(&args.tree)).await?;
        process.wait().await?;
        Ok(())
    })
}
