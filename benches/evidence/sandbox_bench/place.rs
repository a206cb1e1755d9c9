//! Everything that is measured, made ready once.

use std::collections::BTreeMap;
use std::process::{Command as Plain, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hedgerow_orchestrator::sandbox::{Command, End, Limits, Policy, Running, Sandbox, SandboxId, Spec};
use tempfile::TempDir;

use super::arm::Arm;
use super::floor::Floor;
use super::warm::Warmed;
use super::{bubblewrap, engine, warm};
use crate::lane::{IMAGE, Lane, Lanes};
use crate::{Failure, clone};

/// The program, which does nothing.
const PROGRAM: &str = "/usr/bin/true";

pub(super) struct Place {
    lanes: BTreeMap<Lane, Arc<dyn Sandbox>>,
    /// Sandboxes that run one command after the other.
    kept: BTreeMap<Lane, Box<dyn Running>>,
    pub(super) same: Vec<String>,
    floor: Floor,
    warm: Option<Warmed>,
    run: Vec<String>,
    count: u32,
    _files: TempDir,
}

impl Place {
    pub(super) async fn open(which: Lanes) -> Result<Self, Failure> {
        let files = clone::temporary()?;
        let made_up = files.path().join("made-up");
        std::fs::write(&made_up, "root:x:0:0:root:/root:/sbin/nologin\n")?;
        let mut lanes = BTreeMap::new();
        for lane in which.each().into_iter().chain([Lane::Host]) {
            lanes.insert(lane, lane.open().await?);
        }
        let mut kept = BTreeMap::new();
        for (lane, sandbox) in &lanes {
            kept.insert(*lane, sandbox.start(spec(*lane, "kept", Load::Free)?).await?);
        }
        let run = match lanes.get(&Lane::Docker) {
            Some(docker) => same_flags(docker, files.path()).await?,
            None => Vec::new(),
        };
        let same = bubblewrap::same(&made_up)?;
        let place = Self { lanes, kept, same, floor: Floor::new(PROGRAM)?, warm: None, run, count: 0, _files: files };
        if place.has(Arm::Bubblewrap) {
            // What cannot run costs nothing and proves nothing.
            plain(bubblewrap::command(&place.same, &[PROGRAM]))?;
        }
        Ok(place)
    }

    pub(super) fn has(&self, arm: Arm) -> bool {
        match arm {
            Arm::Plain | Arm::Host | Arm::HostMore => true,
            Arm::Floor | Arm::Native | Arm::NativeMore | Arm::NativeLimited | Arm::Bubblewrap => {
                self.lanes.contains_key(&Lane::Native)
            }
            Arm::DockerCold | Arm::DockerMore | Arm::DockerRun | Arm::DockerFirst | Arm::DockerWarm => {
                self.lanes.contains_key(&Lane::Docker)
            }
        }
    }

    /// Has containers made that are ready before they are asked for, and takes them away again.
    pub(super) async fn warm_up(&mut self) -> Result<(), Failure> {
        if self.lanes.contains_key(&Lane::Docker) {
            self.warm = Some(Warmed::open().await?);
        }
        Ok(())
    }

    pub(super) async fn cool_down(&mut self) -> Result<(), Failure> {
        match self.warm.take() {
            Some(warm) => warm.close().await,
            None => Ok(()),
        }
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (Lane, &Arc<dyn Sandbox>)> {
        self.lanes.iter().map(|(lane, sandbox)| (*lane, sandbox))
    }

    /// Runs the program once and says how long it took, in seconds.
    pub(super) async fn once(&mut self, arm: Arm) -> Result<f64, Failure> {
        self.count += 1;
        let name = format!("c{}", self.count);
        match arm {
            Arm::Plain => plain(Plain::new(PROGRAM)),
            Arm::Floor => self.floor.once(),
            Arm::Bubblewrap => plain(bubblewrap::command(&self.same, &[PROGRAM])),
            Arm::DockerRun => plain(self.container()),
            Arm::Host => whole(self.lane(Lane::Host)?, spec(Lane::Host, &name, Load::Free)?).await,
            Arm::Native => whole(self.lane(Lane::Native)?, spec(Lane::Native, &name, Load::Free)?).await,
            Arm::NativeLimited => whole(self.lane(Lane::Native)?, spec(Lane::Native, &name, Load::Limited)?).await,
            Arm::DockerCold => whole(self.lane(Lane::Docker)?, spec(Lane::Docker, &name, Load::Limited)?).await,
            Arm::HostMore => self.more(Lane::Host).await,
            Arm::NativeMore => self.more(Lane::Native).await,
            Arm::DockerMore => self.more(Lane::Docker).await,
            Arm::DockerFirst => {
                let docker = self.lanes.get(&Lane::Docker).ok_or("the lane is not measured")?;
                warm::cold(docker, spec(Lane::Docker, &name, Load::Limited)?).await
            }
            Arm::DockerWarm => {
                let warm = self.warm.as_ref().ok_or("no containers are kept ready")?;
                warm.first(spec(Lane::Docker, &name, Load::Limited)?).await
            }
        }
    }

    async fn more(&mut self, lane: Lane) -> Result<f64, Failure> {
        let running = self.kept.get_mut(&lane).ok_or("the lane is not measured")?;
        let began = Instant::now();
        exec(running.as_mut()).await?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn lane(&self, lane: Lane) -> Result<&dyn Sandbox, Failure> {
        self.lanes.get(&lane).map(|sandbox| &**sandbox).ok_or_else(|| "the lane is not measured".into())
    }
}

/// Whether the kernel keeps account of what a sandbox uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// No limits of memory, processor and processes, which bubblewrap has not.
    Free,
    Limited,
}

pub(super) fn spec(lane: Lane, name: &str, load: Load) -> Result<Spec, Failure> {
    let mut policy = if lane == Lane::Host { Policy::open() } else { Policy::standard() };
    if load == Load::Free && lane == Lane::Native {
        policy.limits = Limits { memory: None, pids: None, ..policy.limits };
    }
    let id = SandboxId::new(format!("bench-{}-{}-{name}", std::process::id(), lane.name()))?;
    Ok(Spec { id, labels: [].into(), policy, mounts: Vec::new(), home: None })
}

/// One sandbox for one command, from the start to the stop.
pub(super) async fn whole(lane: &dyn Sandbox, spec: Spec) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut running = lane.start(spec).await?;
    exec(running.as_mut()).await?;
    running.stop(Duration::ZERO).await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn exec(running: &mut dyn Running) -> Result<(), Failure> {
    let exit = running.exec(Command::new(PROGRAM, "/")).await?.wait().await?;
    if exit.end == (End::Exited { code: 0 }) { Ok(()) } else { Err(format!("`true` ended with {:?}", exit.end).into()) }
}

fn plain(mut command: Plain) -> Result<f64, Failure> {
    let began = Instant::now();
    let status = quiet(&mut command).status()?;
    let seconds = began.elapsed().as_secs_f64();
    if status.success() { Ok(seconds) } else { Err(format!("{command:?} ended with {status}").into()) }
}

fn quiet(command: &mut Plain) -> &mut Plain {
    command.stdin(Stdio::null()).stdout(Stdio::null())
}

/// So many of them at once, and how many failed.
pub(super) fn plain_crowd(count: usize, command: impl Fn() -> Plain) -> Result<(f64, usize), Failure> {
    let began = Instant::now();
    let children = (0..count).map(|_| quiet(&mut command()).spawn()).collect::<Result<Vec<_>, _>>()?;
    let ends = children.into_iter().map(|mut child| child.wait()).collect::<Result<Vec<_>, _>>()?;
    Ok((began.elapsed().as_secs_f64(), ends.iter().filter(|status| !status.success()).count()))
}

pub(super) fn program() -> Plain {
    Plain::new(PROGRAM)
}

impl Place {
    pub(super) fn wrapped(&self, program: &[&str]) -> Plain {
        bubblewrap::command(&self.same, program)
    }

    /// `docker run` of the program.
    pub(super) fn container(&self) -> Plain {
        let mut command = Plain::new("docker");
        command.arg("run").args(&self.run).args([IMAGE, PROGRAM]);
        command
    }

    pub(super) fn wrapped_program(&self) -> Plain {
        self.wrapped(&[PROGRAM])
    }
}

async fn same_flags(docker: &Arc<dyn Sandbox>, files: &std::path::Path) -> Result<Vec<String>, Failure> {
    let spec = spec(Lane::Docker, "model", Load::Limited)?;
    let name = spec.id.to_string();
    let mut running = docker.start(spec).await?;
    let process = running.exec(Command::new("sleep", "/").args(["60"])).await?;
    let flags = engine::flags(&name, &files.join("seccomp.json"));
    drop(process);
    running.stop(Duration::ZERO).await?;
    flags
}
