//! The embedding program: runs one agent in one lane and ends it in one way.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hedgerow_orchestrator::sandbox::{
    Access, Command, DockerOptions, DockerSandbox, End, Mount, Policy, Process, Running, Sandbox, SandboxId, Spec,
};

use super::agents;
use crate::lane::{IMAGE, Lane};
use crate::{Failure, usage};

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    way: Way,
    #[arg(value_enum)]
    ending: Ending,
    /// The number of the agent.
    agent: usize,
    /// An empty directory of its own.
    tree: PathBuf,
    /// What all its processes are known by.
    mark: u64,
}

/// How the agent is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Way {
    /// By a shell without any sandbox, which is killed in the end.
    Plain,
    Host,
    Native,
    Docker,
}

/// How it comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Ending {
    /// Its first process ends by itself and leaves the others.
    Leaves,
    Stop,
    Deadline,
    Drop,
    /// SIGKILL for the embedding program.
    Kill,
}

impl Ending {
    pub(super) const ALL: [Self; 5] = [Self::Leaves, Self::Stop, Self::Deadline, Self::Drop, Self::Kill];
}

/// What is said on standard output.
pub(super) const ABSENT: &str = "absent";
pub(super) const READY: &str = "ready";
/// Followed by how long it took, in milliseconds.
pub(super) const OVER: &str = "over ";

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_secs(4);
/// How long an agent may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// The options of the docker lane. The label keeps it from containers of others.
pub(super) fn docker(tree: &Path) -> DockerOptions {
    DockerOptions::new(IMAGE).label("hedgerow-evidence", tree.to_string_lossy())
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    // Before there is a thread or a process that would not have it.
    usage::limit_own_pending_signals(args.mark)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let said = match args.way {
        Way::Plain => plain(args)?,
        _ => runtime.block_on(sandboxed(args))?,
    };
    say(&said)?;
    // It lives on until it was looked what is left, so that its end cannot clear anything up.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn plain(args: &Args) -> Result<String, Failure> {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script(args)?]).current_dir(&args.tree);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    while !args.tree.join("ready").exists() {
        if let Some(status) = child.try_wait()? {
            return absent(status.code(), &status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let began = Instant::now();
    child.kill()?;
    child.wait()?;
    Ok(over(began))
}

async fn sandboxed(args: &Args) -> Result<String, Failure> {
    let lane: Arc<dyn Sandbox> = match args.way {
        Way::Docker => Arc::new(DockerSandbox::connect(docker(&args.tree)).await?),
        Way::Native => Lane::Native.open().await?,
        Way::Host | Way::Plain => Lane::Host.open().await?,
    };
    let policy = if args.way == Way::Host { Policy::open() } else { Policy::standard() };
    let mount = Mount { source: args.tree.clone(), target: args.tree.clone(), access: Access::ReadWrite };
    let id = SandboxId::new(format!("kill-{}", std::process::id()))?;
    let mut running = lane.start(Spec { id, labels: [].into(), policy, mounts: vec![mount], home: None }).await?;
    let mut command = Command::new("/bin/sh", &args.tree).args(["-c".to_owned(), script(args)?]);
    command.grace = GRACE;
    match args.ending {
        Ending::Leaves => command = command.env("LEAVE", "1"),
        Ending::Deadline => command = command.deadline(DEADLINE),
        _ => {}
    }
    let began = Instant::now();
    let mut process = running.exec(command).await?;
    if matches!(args.ending, Ending::Leaves | Ending::Deadline) {
        let end = process.wait().await?.end;
        return match (args.ending, end) {
            (_, End::Exited { code: agents::ABSENT }) => Ok(ABSENT.into()),
            (Ending::Leaves, End::Exited { code: 0 }) => {
                // The file says when the first process was about to end.
                let since = std::fs::metadata(args.tree.join("ready"))?.modified()?.elapsed()?;
                Ok(format!("{OVER}{}", since.as_millis()))
            }
            (Ending::Deadline, End::Deadline) => {
                Ok(format!("{OVER}{}", began.elapsed().saturating_sub(DEADLINE).as_millis()))
            }
            (_, end) => Err(format!("the agent ended with {end:?}").into()),
        };
    }
    tokio::select! {
        ready = ready(&args.tree) => ready?,
        () = drain(&mut process) => {
            let end = process.wait().await?.end;
            let code = if let End::Exited { code } = end { Some(code) } else { None };
            return absent(code, &end);
        }
    }
    say(READY)?;
    end(args.ending, running, process).await
}

fn absent(code: Option<i32>, end: &dyn std::fmt::Debug) -> Result<String, Failure> {
    match code {
        Some(agents::ABSENT) => Ok(ABSENT.into()),
        _ => Err(format!("the agent ended with {end:?} before it was ready").into()),
    }
}

async fn drain(process: &mut Process) {
    while process.next().await.is_some() {}
}

async fn end(ending: Ending, running: Box<dyn Running>, process: Process) -> Result<String, Failure> {
    let began = Instant::now();
    match ending {
        Ending::Stop => {
            running.stop(GRACE).await?;
            drop(process);
        }
        Ending::Drop => {
            drop(process);
            drop(running);
        }
        _ => {
            // SIGKILL is on its way.
            tokio::time::sleep(PATIENCE).await;
            return Err("nobody killed this process".into());
        }
    }
    Ok(over(began))
}

fn over(began: Instant) -> String {
    format!("{OVER}{}", began.elapsed().as_millis())
}

fn script(args: &Args) -> Result<String, Failure> {
    Ok(agents::ALL.get(args.agent).ok_or("there is no such agent")?.script())
}

async fn ready(tree: &Path) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while !tree.join("ready").exists() {
        if Instant::now() > until {
            return Err("the agent was not ready after a minute".into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
