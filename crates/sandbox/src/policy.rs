//! What a caller demands of a sandbox.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{AllowList, Coverage, Guarantee, Sandbox, Shortfall};

/// What must hold, how much may be used, and which network is visible.
///
/// A lane that cannot keep a required guarantee refuses before anything starts; there is no fallback to less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The guarantees that are required, each with how strictly.
    pub required: BTreeMap<Guarantee, Strength>,
    /// How much may be used.
    pub limits: Limits,
    /// Which network is visible inside.
    pub network: Network,
    /// The guarantees that [`without`](Self::without) gave up, for the record.
    #[serde(default)]
    pub waived: BTreeSet<Guarantee>,
}

/// How strictly a guarantee is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strength {
    /// [`Coverage::Partial`] is accepted, by this explicit choice.
    AtLeastPartial,
    /// Only [`Coverage::Enforced`] is accepted.
    Full,
}

/// How much a sandbox may use. `None` means that no limit is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all processes together, in bytes.
    pub memory: Option<u64>,
    /// CPU time per second of all processes together, in thousandths of a core.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// How much the writable mounts and the home together may grow by, in bytes, while a command runs.
    pub disk: Option<u64>,
    /// Size of the private `/tmp`, in bytes. In the native lane it holds at most one file for each kilobyte, too.
    pub tmp: u64,
    /// Captured output of one command, standard output and error together, in bytes. As much of it is held in memory while
    /// its reader is behind.
    ///
    /// The last part of it, a quarter but at most 256 KiB, is for the ends of the two streams: once the rest is used up,
    /// what comes is kept until the command has ended, and the oldest of it is dropped for the newest.
    pub output: u64,
    /// What happens to a command that writes more than [`output`](Self::output).
    #[serde(default)]
    pub overflow: Overflow,
}

/// What happens to a command that writes more output than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Overflow {
    /// It runs on, and the middle of its output is dropped.
    #[default]
    DropMiddle,
    /// It is ended, with [`End::OutputLimit`](crate::End::OutputLimit).
    End,
}

/// Which network is visible inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// None but an own loopback.
    None,
    /// An own loopback, and connections to these endpoints; an empty list is the same as [`None`](Self::None).
    Only(AllowList),
    /// The host's. An explicit choice; it contradicts [`Guarantee::NoNetwork`] and [`Guarantee::Egress`].
    Host,
}

impl Default for Limits {
    /// 2 GiB of memory, 2 cores, 512 processes, 8 GiB of growth on disk, 512 MiB of `/tmp`, 8 MiB of output.
    fn default() -> Self {
        Self {
            memory: Some(2 << 30),
            cpu_millis: Some(2000),
            pids: Some(512),
            disk: Some(8 << 30),
            tmp: 512 << 20,
            output: 8 << 20,
            overflow: Overflow::DropMiddle,
        }
    }
}

const ISOLATION: [Guarantee; 8] = [
    Guarantee::KillComplete,
    Guarantee::ProcessIsolation,
    Guarantee::NoHostWrites,
    Guarantee::NoHostReads,
    Guarantee::NoNetwork,
    Guarantee::NoPrivilegeGain,
    Guarantee::NoDevices,
    Guarantee::SyscallFilter,
];

impl Policy {
    /// No isolation: deadlines, output caps and a complete kill only. For programs that are trusted like the user.
    pub fn open() -> Self {
        let required = [Guarantee::KillComplete, Guarantee::WallTime, Guarantee::OutputCap]
            .map(|g| (g, Strength::AtLeastPartial))
            .into();
        let limits = Limits { memory: None, cpu_millis: None, pids: None, disk: None, ..Limits::default() };
        Self { required, limits, network: Network::Host, waived: BTreeSet::new() }
    }

    /// Full isolation without network; process count, deadlines and output capped for certain, memory as well as the
    /// lane can, and mounts pinned. The default for agents and gates.
    pub fn standard() -> Self {
        let mut required: BTreeMap<_, _> = ISOLATION.map(|g| (g, Strength::Full)).into();
        required.extend(
            [Guarantee::PinnedMounts, Guarantee::Pids, Guarantee::WallTime, Guarantee::OutputCap]
                .map(|g| (g, Strength::Full)),
        );
        required.insert(Guarantee::Memory, Strength::AtLeastPartial);
        let limits = Limits { cpu_millis: None, disk: None, ..Limits::default() };
        Self { required, limits, network: Network::None, waived: BTreeSet::new() }
    }

    /// Everything, without exception.
    pub fn strict() -> Self {
        let required = Guarantee::ALL.map(|g| (g, Strength::Full)).into();
        Self { required, limits: Limits::default(), network: Network::None, waived: BTreeSet::new() }
    }

    /// The same policy with connections to the endpoints of a list and nowhere else: [`Guarantee::Egress`] takes the place of
    /// [`Guarantee::NoNetwork`], as strictly as that was required.
    #[must_use]
    pub fn only(mut self, list: AllowList) -> Self {
        let strength = self.required.remove(&Guarantee::NoNetwork).unwrap_or(Strength::Full);
        self.required.insert(Guarantee::Egress, strength);
        self.network = Network::Only(list);
        self
    }

    /// The same policy without one of its requirements: an explicit opt-out that stands in the caller's code.
    #[must_use]
    pub fn without(mut self, guarantee: Guarantee) -> Self {
        self.required.remove(&guarantee);
        self.waived.insert(guarantee);
        self
    }

    /// What `sandbox` cannot keep of this policy on this machine; empty when it can keep all.
    pub fn shortfalls(&self, sandbox: &dyn Sandbox) -> Vec<Shortfall> {
        let missing = |(&guarantee, &strength): (&Guarantee, &Strength)| {
            // Whoever reaches nobody reaches nobody that is not listed.
            let asked = match (guarantee, &self.network) {
                (Guarantee::Egress, Network::None) => Guarantee::NoNetwork,
                (Guarantee::Egress, Network::Only(list)) if list.is_empty() => Guarantee::NoNetwork,
                _ => guarantee,
            };
            let why = match (sandbox.coverage(asked), strength) {
                (Coverage::Enforced, _) | (Coverage::Partial(_), Strength::AtLeastPartial) => return None,
                (Coverage::Partial(why), Strength::Full) => format!("only in part: {why}"),
                (Coverage::Unenforced(why), _) => why,
            };
            Some(Shortfall { guarantee, why })
        };
        self.required.iter().filter_map(missing).collect()
    }
}
