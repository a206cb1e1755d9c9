//! Where control groups can be made, and which settings keep which limit.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Limits;
use crate::run::group::{self, Hierarchy, hierarchies};
use crate::run::token;

pub(super) use crate::run::group::Version;

/// What keeps a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
    Cpu,
}

/// What limits swap: on version 1 together with memory.
fn swap_limit(version: Version) -> &'static str {
    match version {
        Version::One => "memory.memsw.limit_in_bytes",
        Version::Two => "memory.swap.max",
    }
}

/// Whether a group's limit of memory is one of swap, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swap {
    Limited,
    /// The kernel was built or started without it.
    Free,
}

/// A directory below which groups with these controllers can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) directory: PathBuf,
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    pub(super) swap: Swap,
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.controllers.iter().map(|c| c.name()).collect();
        let version = match self.version {
            Version::One => 1,
            Version::Two => 2,
        };
        write!(f, "{} (version {version}) in {}", names.join(", "), self.directory.display())
    }
}

/// The length in microseconds of the time in which a share of CPU time is counted.
const PERIOD: u64 = 100_000;

type Setting = (&'static str, String);

impl Controller {
    const ALL: [Self; 3] = [Self::Memory, Self::Pids, Self::Cpu];

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }

    /// Whether there is a limit for it to keep.
    pub(super) fn wanted(self, limits: &Limits) -> bool {
        match self {
            Self::Memory => limits.memory.is_some(),
            Self::Pids => limits.pids.is_some(),
            Self::Cpu => limits.cpu_millis.is_some(),
        }
    }

    /// What must be set; `ours` processes come on top of the limit.
    pub(super) fn settings(self, version: Version, limits: &Limits, ours: u64) -> Vec<Setting> {
        let memory = limits.memory.unwrap_or(0).to_string();
        let quota = u64::from(limits.cpu_millis.unwrap_or(0)) * PERIOD / 1000;
        match (self, version) {
            (Self::Memory, Version::One) => vec![("memory.limit_in_bytes", memory)],
            (Self::Memory, Version::Two) => vec![("memory.max", memory)],
            (Self::Pids, _) => vec![("pids.max", (u64::from(limits.pids.unwrap_or(0)) + ours).to_string())],
            (Self::Cpu, Version::One) => {
                vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", quota.to_string())]
            }
            (Self::Cpu, Version::Two) => vec![("cpu.max", format!("{quota} {PERIOD}"))],
        }
    }

    /// What is set where the kernel has it.
    pub(super) fn wishes(self, version: Version, limits: &Limits) -> Vec<Setting> {
        match (self, version) {
            (Self::Memory, Version::One) => vec![(swap_limit(version), limits.memory.unwrap_or(0).to_string())],
            (Self::Memory, Version::Two) => vec![(swap_limit(version), "0".into()), ("memory.oom.group", "1".into())],
            (Self::Pids | Self::Cpu, _) => Vec::new(),
        }
    }
}

/// The places where this process may make groups: below the group that it is in, or next to it.
pub(super) fn find() -> Vec<Base> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let (mounts, groups) = (text("/proc/self/mountinfo"), text("/proc/self/cgroup"));
    let mut bases = Vec::new();
    for (directory, version, controllers) in candidates(&mounts, &groups) {
        let free: Vec<_> =
            controllers.into_iter().filter(|c| !bases.iter().any(|b: &Base| b.controllers.contains(c))).collect();
        if let Some(base) = usable(&directory, version, &free) {
            bases.push(base);
        }
    }
    bases
}

/// The groups that this process is in, as directories.
fn candidates(mounts: &str, groups: &str) -> Vec<(PathBuf, Version, Vec<Controller>)> {
    let with_controllers = |Hierarchy { directory, version, options }| {
        let controllers = Controller::ALL.into_iter();
        let controllers = match version {
            Version::One => controllers.filter(|c| options.iter().any(|option| option == c.name())).collect(),
            Version::Two => controllers.collect(),
        };
        (directory, version, controllers)
    };
    hierarchies(mounts, groups).into_iter().map(with_controllers).collect()
}

/// Tries it: makes a group here or next to this one, and looks which controllers it got.
fn usable(directory: &Path, version: Version, controllers: &[Controller]) -> Option<Base> {
    let beside = directory.parent().filter(|_| version == Version::Two);
    [Some(directory), beside].into_iter().flatten().find_map(|directory| {
        // Several probes may run at once.
        let probe = directory.join(group::name(&token().ok()?));
        if version == Version::Two {
            // The kernel refuses it where processes are; then they may be on already, or the directory beside is better.
            let _refused = fs::write(directory.join("cgroup.subtree_control"), "+memory +pids +cpu");
        }
        fs::create_dir(&probe).ok()?;
        let limits = Limits::default();
        let there = |c: &&Controller| c.settings(version, &limits, 0).iter().all(|(f, _)| probe.join(f).exists());
        let controllers: Vec<_> = controllers.iter().filter(there).copied().collect();
        let swap = if probe.join(swap_limit(version)).exists() { Swap::Limited } else { Swap::Free };
        fs::remove_dir(&probe).ok()?;
        (!controllers.is_empty()).then(|| Base { directory: directory.into(), version, controllers, swap })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_on_both_versions_and_behind_a_mount_of_a_part() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             31 25 0:27 /docker/x /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             32 25 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let groups = "4:memory:/a/b\n2:cpu,cpuacct:/docker/x/y\n0::/user.slice\n";
        let found = candidates(mounts, groups);
        assert_eq!(
            found,
            [
                ("/sys/fs/cgroup/memory/a/b".into(), Version::One, vec![Controller::Memory]),
                ("/sys/fs/cgroup/cpu,cpuacct/y".into(), Version::One, vec![Controller::Cpu]),
                ("/sys/fs/cgroup/unified/user.slice".into(), Version::Two, Controller::ALL.into()),
            ]
        );
    }
}
