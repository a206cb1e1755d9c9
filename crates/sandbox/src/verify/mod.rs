//! A look from inside: whether a sandbox is what its lane says.
//!
//! A lane finds out what it can enforce when it is made. This asks the sandbox itself, by running two short commands in it,
//! so that an engine that ignores a setting, or a kernel that changed under a lane, shows before an agent runs.

mod judge;
mod probe;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Command, Coverage, End, Error, Guarantee, Process, Result, Running, Sandbox, Spec};

/// How long the look may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A report is a few kilobytes; of more there is no end.
const REPORT: usize = 1 << 20;
/// The deadline that the second command must run into.
const SHORT: Duration = Duration::from_millis(200);

/// What was found about every guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a verification that nobody looks at finds nothing"]
#[non_exhaustive]
pub struct Verification {
    /// In the order of [`Guarantee::ALL`].
    pub findings: Vec<Finding>,
}

/// What was found about one guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which one.
    pub guarantee: Guarantee,
    /// What the lane says of it.
    pub claimed: Coverage,
    /// What was seen inside.
    pub seen: Seen,
}

/// What was seen inside of one guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// What it takes is in place.
    Confirmed,
    /// It does not hold; the text says what was seen.
    Contradicted(String),
    /// It was not checked; the text says why.
    NotChecked(String),
}

impl Verification {
    /// What the lane claims and is not so. A guarantee that it does not claim cannot be contradicted.
    pub fn contradictions(&self) -> impl Iterator<Item = &Finding> {
        let claimed = |finding: &&Finding| !matches!(finding.claimed, Coverage::Unenforced(_));
        self.findings.iter().filter(claimed).filter(|finding| matches!(finding.seen, Seen::Contradicted(_)))
    }

    /// What was seen of one guarantee.
    pub fn of(&self, guarantee: Guarantee) -> Option<&Seen> {
        self.findings.iter().find(|finding| finding.guarantee == guarantee).map(|finding| &finding.seen)
    }
}

/// Looks at a sandbox from inside, which must be idle: it was started by `sandbox` as `spec`.
///
/// It believes the shell inside, so look before an agent ran. It takes a shell at `/bin/sh` and a complete `/proc` inside; what it cannot see it reports as not checked. It changes
/// nothing inside, and outside it only makes an empty file in `/tmp` that must not be seen, and takes it away.
///
/// # Errors
/// When a command could not be run for another reason than that there is no shell. Dropped midway, it leaves nothing running.
pub async fn verify(sandbox: &dyn Sandbox, spec: &Spec, running: &mut dyn Running) -> Result<Verification> {
    let sentinel = Sentinel::make();
    let script = probe::script(sentinel.as_ref().map(|sentinel| sentinel.0.as_path()));
    let look = Command::new("/bin/sh", "/").args(["-c", &script]).deadline(PATIENCE);
    let report = match running.exec(look).await {
        Ok(process) => probe::Report::read(&said(process).await?),
        Err(Error::Program { .. }) => None,
        Err(error) => return Err(error),
    };
    let timed = match &report {
        Some(_) => ended_in_time(running).await?,
        None => Seen::NotChecked("there is no shell inside to look with".into()),
    };
    // A lane that keeps processes apart in part only has no view of its own.
    let shared = matches!(sandbox.coverage(Guarantee::ProcessIsolation), Coverage::Partial(_));
    let judged = if shared { judge::judge_shared } else { judge::judge };
    let at = sentinel.as_ref().map(|sentinel| sentinel.0.as_path());
    let findings = Guarantee::ALL.map(|guarantee| {
        let seen = match (&report, guarantee) {
            (_, Guarantee::WallTime) => timed.clone(),
            (Some(report), _) => judged(guarantee, report, spec, at),
            (None, _) => {
                Seen::NotChecked("there is no shell inside to look with, or it did not come to its end".into())
            }
        };
        Finding { guarantee, claimed: sandbox.coverage(guarantee), seen }
    });
    Ok(Verification { findings: findings.into() })
}

async fn said(mut process: Process) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(output) = process.next().await {
        if let crate::Output::Bytes(crate::Stream::Stdout, piece) = output {
            bytes.extend(&piece[..piece.len().min(REPORT - bytes.len())]);
        }
    }
    // How it ended does not matter: a report counts when it is whole.
    process.wait().await?;
    Ok(bytes)
}

async fn ended_in_time(running: &mut dyn Running) -> Result<Seen> {
    let mut command = Command::new("/bin/sh", "/").args(["-c", "while :; do :; done"]).deadline(SHORT);
    command.grace = Duration::ZERO;
    let exit = running.exec(command).await?.wait().await?;
    Ok(match exit.end {
        End::Deadline => Seen::Confirmed,
        end => Seen::Contradicted(format!("a command past its deadline ended so: {end:?}")),
    })
}

/// A file of the host that must not be seen inside.
struct Sentinel(PathBuf);

impl Sentinel {
    fn make() -> Option<Self> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        let name = format!("hedgerow-verify-{}-{}", std::process::id(), since.as_nanos());
        let path = Path::new("/tmp").join(name);
        // It must be new: what somebody else put there is not ours to take away.
        OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
        Some(Self(path))
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // An empty file that stays behind harms nobody.
        let _left = std::fs::remove_file(&self.0);
    }
}
