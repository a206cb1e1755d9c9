//! Running the real `fleet` program.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hedgerow_orchestrator::Report;

use crate::clone::Copy;
use crate::lane::Lane;
use crate::{Failure, usage};

/// How long nothing that we start may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// The program and what it is given every time.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    binary: PathBuf,
    pub(crate) lane: Lane,
    parallel: usize,
}

/// A fleet that runs.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    at: Instant,
    out: PathBuf,
    err: PathBuf,
}

/// A fleet that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) wall: Duration,
    /// The largest resident size of the fleet itself, in KiB.
    pub(crate) own_peak: u64,
    /// The same of the largest process among it and those that it waited for.
    pub(crate) largest_peak: u64,
    /// The report, when it came to one.
    pub(crate) report: Option<Report>,
    pub(crate) stderr: String,
}

/// What came of a try to kill a fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kill {
    /// It was this old.
    At(Duration),
    /// It had ended by itself at this age.
    TooLate(Duration),
}

impl Program {
    /// Finds the program beside this one.
    pub(crate) fn find(lane: Lane, parallel: usize) -> Result<Self, Failure> {
        let binary = std::env::current_exe()?.with_file_name("fleet");
        if binary.is_file() {
            return Ok(Self { binary, lane, parallel });
        }
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        Err(format!("{} is not there; build it: cargo build{release} --bin fleet", binary.display()).into())
    }

    pub(crate) fn run(&self, copy: &Copy, plan: &Path, name: &str) -> Result<Started, Failure> {
        let parallel = self.parallel.to_string();
        let mut command = Command::new(&self.binary);
        command.arg("run").arg(plan).args(["--json", "--parallel", &parallel]);
        self.start(command, copy, name)
    }

    pub(crate) fn recover(&self, copy: &Copy, name: &str) -> Result<Started, Failure> {
        let mut command = Command::new(&self.binary);
        command.arg("recover");
        self.start(command, copy, name)
    }

    fn start(&self, mut command: Command, copy: &Copy, name: &str) -> Result<Started, Failure> {
        // Not named after the temporary directory's inside only: what it prints lies beside the repository.
        let (out, err) = (copy.place().join(format!("{name}.out")), copy.place().join(format!("{name}.err")));
        command.arg("--repo").arg(&copy.path).args(["--lane", self.lane.name()]);
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
        let child = command.spawn().map_err(|e| format!("{}: {e}", self.binary.display()))?;
        Ok(Started { child, at: Instant::now(), out, err })
    }
}

impl Started {
    /// Waits for its end; ends it after a time in which anything that is not stuck is over.
    pub(crate) fn wait(self) -> Result<Ended, Failure> {
        let status = format!("/proc/{}/status", self.child.id());
        let mut own_peak = 0;
        // A process that has ended, and is not waited for, has no memory any more.
        while let Some(peak) = high_water(&status) {
            own_peak = peak.max(own_peak);
            if self.at.elapsed() > PATIENCE {
                return Err(self.stuck());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let wall = self.at.elapsed();
        let (status, largest_peak) = usage::wait(self.child)?;
        let printed = std::fs::read_to_string(&self.out)?;
        let stderr = std::fs::read_to_string(&self.err)?;
        let report = printed.lines().rev().find_map(report);
        Ok(Ended { status, wall, own_peak, largest_peak, report, stderr })
    }

    /// Kills it without any warning once it is this old.
    pub(crate) fn kill_at(mut self, age: Duration) -> Result<Kill, Failure> {
        while self.at.elapsed() < age {
            if self.child.try_wait()?.is_some() {
                return Ok(Kill::TooLate(self.at.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let age = self.at.elapsed();
        self.child.kill()?;
        self.child.wait()?;
        Ok(Kill::At(age))
    }

    fn stuck(mut self) -> Failure {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        format!("the fleet was not done after {} s and was killed ({killed:?})", PATIENCE.as_secs()).into()
    }
}

impl Ended {
    /// Whether it could do its work: that some task did not land is no trouble of the program.
    pub(crate) fn ran(&self) -> Result<(), Failure> {
        match self.status.code() {
            Some(0 | 1) => Ok(()),
            _ => Err(format!("fleet ended with {}: {}", self.status, self.stderr.trim()).into()),
        }
    }
}

fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok())
}

fn report(line: &str) -> Option<Report> {
    let mut value: serde_json::Value = serde_json::from_str(line).ok()?;
    serde_json::from_value(value.get_mut("report")?.take()).ok()
}
