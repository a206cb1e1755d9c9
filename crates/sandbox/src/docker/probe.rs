//! What an engine is and what it can enforce.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{SystemInfo, SystemVersion};
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::time::timeout;

use crate::{Coverage, Error, Guarantee, Result};

use super::image::{self, Image};
use super::options::Scratch;
use super::outlet;
use super::{DockerOptions, LANE};

/// The oldest version of the API that this lane is written for.
const OLDEST: (usize, usize) = (1, 41);
/// From this version on, an engine can be made to mount read-only all the way down, or fail.
const RECURSIVE_READ_ONLY: (usize, usize) = (1, 44);
/// Until a request has been answered, at most.
const REQUEST: u64 = 120;
/// Until an engine says who it is, at most.
const PATIENCE: Duration = Duration::from_secs(20);
const SOCKET: &str = "/var/run/docker.sock";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An engine that answered, with what it said about itself and about the image.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) docker: Docker,
    pub(super) facts: Facts,
}

/// What was found out once and decides how containers are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) socket: PathBuf,
    pub(super) image: Image,
    /// The OCI runtime that was asked for.
    pub(super) runtime: Option<String>,
    pub(super) scratch: Scratch,
    pub(super) cores: u64,
    /// The name and the kernel of the machine that the engine runs on.
    pub(super) machine: (Option<String>, Option<String>),
    /// The engine runs without root: root inside is the engine's own user outside.
    pub(super) rootless: bool,
    /// The engine gives containers other user ids than the host's unless it is told not to.
    pub(super) remapped: bool,
    pub(super) recursive_read_only: bool,
    /// Why containers may not be processes of the host's kernel, if so.
    pub(super) foreign_kernel: Option<String>,
    pub(super) coverage: EngineCoverage,
}

/// What the engine said it can limit and filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EngineCoverage {
    pub(super) memory: bool,
    pub(super) swap: bool,
    pub(super) cpu: bool,
    pub(super) pids: bool,
    pub(super) seccomp: bool,
    /// Why no way out can be made into its containers, if so.
    pub(super) closed: Option<String>,
    /// Its own warnings, which say what would enable what is missing.
    pub(super) warnings: Vec<String>,
}

pub(super) async fn probe(options: &DockerOptions) -> Result<Probed> {
    let socket = options.socket.clone().unwrap_or_else(|| SOCKET.into());
    let silent = |why: String| unavailable(no_engine(&socket, &why));
    let path = socket.to_str().ok_or_else(|| silent("the path of the socket is not text".into()))?;
    let docker = Docker::connect_with_unix(path, REQUEST, API_DEFAULT_VERSION).map_err(|e| silent(reason(&e)))?;
    let docker = timeout(PATIENCE, docker.negotiate_version())
        .await
        .map_err(|_| silent(format!("no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|e| silent(reason(&e)))?;
    let version = docker.client_version();
    let version = (version.major_version, version.minor_version);
    if version < OLDEST {
        let ((major, minor), (need_major, need_minor)) = (version, OLDEST);
        let problem = format!(
            "the engine at {} speaks API {major}.{minor}; at least {need_major}.{need_minor} is needed (Docker 20.10 or newer)",
            socket.display()
        );
        return Err(unavailable(problem));
    }
    let about = timeout(PATIENCE, docker.version())
        .await
        .map_err(|_| silent(format!("no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|e| silent(reason(&e)))?;
    if let Some(podman) = podman(&about) {
        return Err(unavailable(format!(
            "the engine at {} is Podman {podman}, which does not take this lane's system call filter over its API, nor keep its \
             log; use a Docker engine, or the native lane, which needs neither an engine nor root",
            socket.display()
        )));
    }
    let info = timeout(PATIENCE, docker.info())
        .await
        .map_err(|_| silent(format!("no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|e| silent(reason(&e)))?;
    if info.os_type.as_deref().is_some_and(|os| os != "linux") {
        return Err(unavailable(format!("the engine at {} does not run Linux containers", socket.display())));
    }
    let mut facts = facts(&info, socket);
    facts.recursive_read_only = version >= RECURSIVE_READ_ONLY;
    facts.runtime = known_runtime(&info, options.runtime.as_deref())?;
    facts.scratch = options.scratch;
    facts.foreign_kernel = foreign(facts.runtime.as_deref().or(info.default_runtime.as_deref()));
    facts.coverage.closed = facts.foreign_kernel.clone().or_else(outlet::problem);
    facts.image = image::find(&docker, &options.image, options.pull).await?;
    Ok(Probed { docker, facts })
}

/// The version of Podman, if that is what answers as an engine.
fn podman(about: &SystemVersion) -> Option<&str> {
    let parts = about.components.iter().flatten();
    parts.into_iter().find(|part| part.name.starts_with("Podman")).map(|part| part.version.as_str())
}

/// Why what this process does to a namespace may not reach the containers of this runtime; none when it does.
fn foreign(runtime: Option<&str>) -> Option<String> {
    match runtime {
        None | Some("runc" | "crun" | "io.containerd.runc.v2") => None,
        Some(other) => Some(format!("containers of the runtime {other} may have a kernel of their own")),
    }
}

/// Refuses a runtime that the engine does not know, with those that it does.
fn known_runtime(info: &SystemInfo, wanted: Option<&str>) -> Result<Option<String>> {
    let Some(wanted) = wanted else { return Ok(None) };
    let mut known: Vec<_> = info.runtimes.iter().flat_map(|known| known.keys()).map(String::as_str).collect();
    if known.contains(&wanted) {
        return Ok(Some(wanted.to_owned()));
    }
    known.sort_unstable();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(unavailable(format!(
        "the engine has no runtime {wanted} (it has: {known}); install it and name it in the engine's configuration"
    )))
}

fn facts(info: &SystemInfo, socket: PathBuf) -> Facts {
    let options = info.security_options.as_deref().unwrap_or_default();
    let has =
        |name: &str| options.iter().any(|o| o.split(',').any(|part| part == format!("name={name}") || part == name));
    Facts {
        socket,
        cores: info.ncpu.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(1),
        machine: (info.name.clone(), info.kernel_version.clone()),
        rootless: has("rootless"),
        remapped: has("userns"),
        coverage: EngineCoverage {
            memory: info.memory_limit == Some(true),
            swap: info.swap_limit == Some(true),
            cpu: info.cpu_cfs_quota == Some(true) && info.cpu_cfs_period != Some(false),
            pids: info.pids_limit == Some(true),
            seccomp: has("seccomp"),
            warnings: info.warnings.clone().unwrap_or_default(),
            closed: None,
        },
        ..Facts::default()
    }
}

impl EngineCoverage {
    pub(super) fn of(&self, guarantee: Guarantee) -> Coverage {
        let or = |enforced: bool, why: &str| {
            if enforced { Coverage::Enforced } else { Coverage::Unenforced(self.because(why)) }
        };
        if let (Guarantee::Egress, Some(why)) = (guarantee, &self.closed) {
            return Coverage::Unenforced(format!("{why}; choose Network::None, with which it holds"));
        }
        match guarantee {
            Guarantee::Memory if self.memory && !self.swap => Coverage::Partial(
                self.because("the engine cannot limit swap, so what is over the limit may be swapped out"),
            ),
            Guarantee::Memory => {
                or(self.memory, "the engine cannot limit memory here (the memory control group is missing)")
            }
            Guarantee::Cpu => or(self.cpu, "the engine cannot limit CPU time here (CFS quotas are missing)"),
            Guarantee::Pids => {
                or(self.pids, "the engine cannot limit processes here (the pids control group is missing)")
            }
            Guarantee::SyscallFilter => or(self.seccomp, "the engine was built or started without seccomp"),
            Guarantee::NoNetwork | Guarantee::Egress if !self.seccomp => Coverage::Partial(
                "vsock sockets, which no network namespace contains, are open without a system call filter".into(),
            ),
            // These hold for every Linux container as this lane makes it; the deadline and the output cap are our own.
            Guarantee::KillComplete
            | Guarantee::ProcessIsolation
            | Guarantee::NoHostWrites
            | Guarantee::NoHostReads
            | Guarantee::NoNetwork
            | Guarantee::Egress
            | Guarantee::NoPrivilegeGain
            | Guarantee::PinnedMounts
            | Guarantee::NoDevices
            // How the disk is watched is known to the lane.
            | Guarantee::Disk
            | Guarantee::WallTime
            | Guarantee::OutputCap => Coverage::Enforced,
        }
    }

    fn because(&self, why: &str) -> String {
        if self.warnings.is_empty() { why.to_owned() } else { format!("{why}; it says: {}", self.warnings.join(", ")) }
    }
}

impl Facts {
    /// `PATH` inside: the image's.
    pub(super) fn path(&self) -> &str {
        self.image.variables.iter().find(|(k, _)| k == "PATH").map_or(PATH, |(_, v)| v)
    }

    /// The user and group that commands run as: the owner of what they may write, so that what they make belongs to it too.
    pub(super) fn user(&self, owner: &Path) -> std::io::Result<(u32, u32)> {
        let owner = owner.metadata()?;
        // Without root, the engine's own user is root inside and nobody else's files can be written anyway.
        Ok(if self.rootless { (0, 0) } else { (owner.uid(), owner.gid()) })
    }
}

pub(super) fn unavailable(problem: String) -> Error {
    Error::Unavailable { lane: LANE, problem }
}

fn no_engine(socket: &Path, why: &str) -> String {
    format!(
        "no engine answers at {} ({why}); start one (`scripts/docker-engine`, or `systemctl start docker`), or name the socket of \
         another",
        socket.display()
    )
}

/// An error with all its causes, since the client's outermost one says little.
pub(super) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(info: SystemInfo) -> EngineCoverage {
        facts(&info, "/s".into()).coverage
    }

    #[test]
    fn an_engine_that_says_nothing_enforces_no_limit() {
        let coverage = of(SystemInfo::default());
        for guarantee in [Guarantee::Memory, Guarantee::Cpu, Guarantee::Pids, Guarantee::SyscallFilter] {
            assert!(matches!(coverage.of(guarantee), Coverage::Unenforced(_)), "{guarantee}");
        }
        assert!(matches!(coverage.of(Guarantee::NoNetwork), Coverage::Partial(_)));
    }

    #[test]
    fn a_runtime_that_the_engine_lacks_is_refused_with_those_it_has() {
        let known = ["runc", "kata"].map(|name| (name.to_owned(), Default::default())).into();
        let info = SystemInfo { runtimes: Some(known), ..SystemInfo::default() };
        assert_eq!(known_runtime(&info, Some("kata")).expect("known").as_deref(), Some("kata"));
        let error = known_runtime(&info, Some("runsc")).expect_err("unknown").to_string();
        assert!(error.contains("no runtime runsc (it has: kata, runc)"), "{error}");
        let none = known_runtime(&SystemInfo::default(), Some("runsc")).expect_err("unknown").to_string();
        assert!(none.contains("it has: none"), "{none}");
    }

    #[test]
    fn memory_without_swap_is_limited_in_part_and_the_engines_warning_is_passed_on() {
        let warnings = Some(vec!["WARNING: No swap limit support".to_owned()]);
        let coverage =
            of(SystemInfo { memory_limit: Some(true), swap_limit: Some(false), warnings, ..SystemInfo::default() });
        let Coverage::Partial(why) = coverage.of(Guarantee::Memory) else { panic!("not partial") };
        assert!(why.contains("No swap limit support"), "{why}");
    }

    #[test]
    fn a_full_engine_enforces_everything() {
        let security_options = Some(vec!["name=seccomp,profile=default".to_owned()]);
        let coverage = of(SystemInfo {
            memory_limit: Some(true),
            swap_limit: Some(true),
            cpu_cfs_quota: Some(true),
            cpu_cfs_period: Some(true),
            pids_limit: Some(true),
            security_options,
            ..SystemInfo::default()
        });
        let not_yet = [Guarantee::Disk];
        for guarantee in Guarantee::ALL.into_iter().filter(|g| !not_yet.contains(g)) {
            assert_eq!(coverage.of(guarantee), Coverage::Enforced, "{guarantee}");
        }
    }
}
