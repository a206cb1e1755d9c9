//! Limits that are reached soon, and the policy that requires all that a lane can keep.

use crate::{Coverage, Guarantee, Limits, Network, Overflow, Policy, Sandbox, Strength};

/// MiB of memory of all processes.
const MEMORY: u64 = 256;
/// Processes at once.
const PIDS: u32 = 64;
/// MiB of `/tmp`.
const TMP: u64 = 32;
/// MiB of files in the writable mounts.
const DISK: u64 = 48;
/// MiB of output that is kept.
const OUTPUT: u64 = 2;

/// What the placeholders for these stand for.
pub(super) const WORDS: [(&str, u64); 5] =
    [("MEMORY", MEMORY), ("PIDS", PIDS as u64), ("TMP", TMP), ("OUTPUT", OUTPUT), ("DISK", DISK)];

/// Low limits, as far as this lane knows them.
pub(super) fn low(sandbox: &dyn Sandbox) -> Limits {
    Limits {
        memory: keeps(sandbox, Guarantee::Memory).then_some(MEMORY << 20),
        cpu_millis: None,
        pids: keeps(sandbox, Guarantee::Pids).then_some(PIDS),
        tmp: TMP << 20,
        disk: keeps(sandbox, Guarantee::Disk).then_some(DISK << 20),
        output: OUTPUT << 20,
        overflow: Overflow::DropMiddle,
    }
}

/// What is too much, also where nothing limits it.
pub(super) fn most() -> Limits {
    let (memory, disk) = (Some(MEMORY << 20), Some(DISK << 20));
    Limits {
        memory,
        disk,
        cpu_millis: None,
        pids: Some(PIDS),
        tmp: TMP << 20,
        output: OUTPUT << 20,
        overflow: Overflow::DropMiddle,
    }
}

/// The same with a fifth of a core.
pub(super) fn slow(sandbox: &dyn Sandbox) -> Limits {
    Limits { cpu_millis: keeps(sandbox, Guarantee::Cpu).then_some(200), ..low(sandbox) }
}

/// A policy that requires everything that the lane says it can keep, as well as it can.
pub(super) fn policy(sandbox: &dyn Sandbox, limits: Limits) -> Policy {
    let strength = |guarantee| match sandbox.coverage(guarantee) {
        Coverage::Enforced => Some((guarantee, Strength::Full)),
        Coverage::Partial(_) => Some((guarantee, Strength::AtLeastPartial)),
        Coverage::Unenforced(_) => None,
    };
    let network = if keeps(sandbox, Guarantee::NoNetwork) { Network::None } else { Network::Host };
    let required = Guarantee::ALL.into_iter().filter_map(strength).collect();
    Policy { required, limits, network, ..Policy::open() }
}

fn keeps(sandbox: &dyn Sandbox, guarantee: Guarantee) -> bool {
    !matches!(sandbox.coverage(guarantee), Coverage::Unenforced(_))
}
