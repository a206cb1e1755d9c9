//! The embedding program: runs one writer in one lane, reads what arrives, and says what it took.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hedgerow_orchestrator::sandbox::{Access, Command, End, Exit, Mount, Output, Policy, Process, SandboxId, Spec};
use serde_json::json;

use super::stream::{Kind, Known};
use crate::lane::Lane;
use crate::{Failure, clone};

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    lane: Where,
    #[arg(value_enum)]
    kind: Kind,
    #[arg(value_enum)]
    pace: Pace,
    bytes: u64,
}

/// The lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Where {
    Host,
    Native,
    Docker,
}

/// How it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Pace {
    Quick,
    /// A pause after each piece.
    Slow,
    /// Not at all, until the writer has written everything.
    Not,
}

const PAUSE: Duration = Duration::from_millis(10);
/// How long a writer may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What arrived.
#[derive(Debug)]
struct Arrived {
    known: Known,
    /// Where the next piece belongs.
    place: u64,
    kept: u64,
    dropped: u64,
    /// Pieces that are not what was written there.
    wrong: u64,
}

impl Arrived {
    fn take(&mut self, output: &Output) {
        match output {
            Output::Bytes(_, bytes) => {
                self.wrong += u64::from(!self.known.is(self.place, bytes));
                self.place += bytes.len() as u64;
                self.kept += bytes.len() as u64;
            }
            Output::Truncated { dropped, .. } => {
                self.place += dropped;
                self.dropped += dropped;
            }
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(report(args))?;
    println!("{report}");
    Ok(())
}

async fn report(args: &Args) -> Result<serde_json::Value, Failure> {
    let place = clone::temporary()?;
    let tree = place.path();
    // The writer is another user in some lanes.
    std::fs::set_permissions(tree, std::fs::Permissions::from_mode(0o777))?;
    let (lane, policy) = match args.lane {
        Where::Host => (Lane::Host, Policy::open()),
        Where::Native => (Lane::Native, Policy::standard()),
        Where::Docker => (Lane::Docker, Policy::standard()),
    };
    let lane = lane.open().await?;
    let mount = Mount { source: tree.into(), target: tree.into(), access: Access::ReadWrite };
    let id = SandboxId::new(format!("flood-{}", std::process::id()))?;
    let mut running = lane.start(Spec { id, labels: [].into(), policy, mounts: vec![mount], home: None }).await?;
    let done = "\"$@\" && : >done".to_owned();
    let mut words = vec!["-c".to_owned(), done, "sh".to_owned()];
    words.extend(args.kind.command(args.bytes));
    let command = Command::new("/bin/sh", tree).args(words).deadline(PATIENCE);
    let mut arrived = Arrived { known: Known::new(args.kind), place: 0, kept: 0, dropped: 0, wrong: 0 };
    let idle = kib("VmRSS:")?;
    let began = Instant::now();
    let mut process = running.exec(command).await?;
    let unread = read(args.pace, tree, &mut process, &mut arrived, began).await?;
    let Exit { end, written, dropped, .. } = process.wait().await?;
    let took = unread.unwrap_or_else(|| began.elapsed());
    running.stop(Duration::ZERO).await?;
    let total = args.kind.total(args.bytes);
    let whole = arrived.place == total && written == total && dropped == arrived.dropped && arrived.wrong == 0;
    Ok(json!({
        "ended": end == End::Exited { code: 0 },
        "exact": whole,
        "kept": arrived.kept,
        "dropped": arrived.dropped,
        "written": written,
        "wrong": arrived.wrong,
        "seconds": took.as_secs_f64(),
        "above": kib("VmHWM:")?.saturating_sub(idle),
    }))
}

/// Reads everything; says how long the writer took when nobody read.
async fn read(
    pace: Pace,
    tree: &Path,
    process: &mut Process,
    arrived: &mut Arrived,
    began: Instant,
) -> Result<Option<Duration>, Failure> {
    let mut unread = None;
    if pace == Pace::Not {
        while !tree.join("done").exists() {
            if began.elapsed() > PATIENCE {
                return Err("the writer is held up by nobody reading".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        unread = Some(began.elapsed());
    }
    while let Some(output) = process.next().await {
        arrived.take(&output);
        if pace == Pace::Slow {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(unread)
}

/// A figure of this process's own memory. What it was before it became this program does not count.
fn kib(key: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("the kernel does not tell the memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
