//! What a lane can promise, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a policy may require and a lane may enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Guarantee {
    /// Whatever was started is dead when the sandbox has ended: children that left their group or session included.
    KillComplete,
    /// Processes outside can be neither seen nor signalled nor traced.
    ProcessIsolation,
    /// Nothing outside the writable mounts can be changed.
    NoHostWrites,
    /// Nothing but the system's read-only directories and the mounts can be read.
    NoHostReads,
    /// No connection leaves the sandbox, not even to the host it runs on.
    NoNetwork,
    /// Connections reach only the destinations that the policy's network lists. A network of none lists none, so there it
    /// holds as well as [`NoNetwork`](Self::NoNetwork) does.
    Egress,
    /// What the spec mounts inside a writable place can be neither changed, replaced, moved away nor covered from inside,
    /// be it by way of the directories above it. A private git directory relies on it.
    PinnedMounts,
    /// No process can gain privileges (setuid programs, file capabilities).
    NoPrivilegeGain,
    /// System calls that a build or an agent does not need are refused.
    SyscallFilter,
    /// No device but the harmless ones (`null`, `zero`, `random`, `tty`, …).
    NoDevices,
    /// Memory of all processes together stays under [`Limits::memory`](crate::Limits::memory).
    Memory,
    /// CPU time per second of all processes together stays under [`Limits::cpu_millis`](crate::Limits::cpu_millis).
    Cpu,
    /// The number of processes and threads stays under [`Limits::pids`](crate::Limits::pids).
    Pids,
    /// What is written to the writable mounts and the home stays under [`Limits::disk`](crate::Limits::disk).
    Disk,
    /// Every command ends by its deadline.
    WallTime,
    /// Captured output stays under [`Limits::output`](crate::Limits::output) and never blocks or fills memory.
    OutputCap,
}

impl Guarantee {
    /// Every guarantee, in the order in which tables show them.
    pub const ALL: [Self; 16] = [
        Self::KillComplete,
        Self::ProcessIsolation,
        Self::NoHostWrites,
        Self::NoHostReads,
        Self::NoNetwork,
        Self::Egress,
        Self::PinnedMounts,
        Self::NoPrivilegeGain,
        Self::SyscallFilter,
        Self::NoDevices,
        Self::Memory,
        Self::Cpu,
        Self::Pids,
        Self::Disk,
        Self::WallTime,
        Self::OutputCap,
    ];
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillComplete => "kill-complete",
            Self::ProcessIsolation => "process-isolation",
            Self::NoHostWrites => "no-host-writes",
            Self::NoHostReads => "no-host-reads",
            Self::NoNetwork => "no-network",
            Self::Egress => "egress",
            Self::PinnedMounts => "pinned-mounts",
            Self::NoPrivilegeGain => "no-privilege-gain",
            Self::SyscallFilter => "syscall-filter",
            Self::NoDevices => "no-devices",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
            Self::Disk => "disk",
            Self::WallTime => "wall-time",
            Self::OutputCap => "output-cap",
        })
    }
}

/// How well a lane keeps a guarantee on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// It holds.
    Enforced,
    /// It holds with an exception, which the text names.
    Partial(String),
    /// It does not hold; the text says why and what would enable it.
    Unenforced(String),
}
