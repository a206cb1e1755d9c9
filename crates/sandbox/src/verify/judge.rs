//! What the report from inside means for each guarantee. Pure.

use std::collections::BTreeSet;
use std::path::Path;

use super::Seen;
use super::probe::Report;
use crate::pinned::{around, loose};
use crate::{Access, Guarantee, Network, Spec};

pub(super) fn judge(guarantee: Guarantee, report: &Report, spec: &Spec, sentinel: Option<&Path>) -> Seen {
    let not_checked = |why: &str| Seen::NotChecked(why.into());
    match guarantee {
        Guarantee::ProcessIsolation => processes(report),
        Guarantee::NoHostReads if sentinel.is_none() => not_checked("no file could be made in /tmp to look for"),
        Guarantee::NoHostReads | Guarantee::NoHostWrites if shown(spec, sentinel) => {
            not_checked("/tmp of the host is mounted")
        }
        Guarantee::NoHostReads if report.sentinel_seen => contradicted("a file of the host's in /tmp is seen"),
        Guarantee::NoHostReads => Seen::Confirmed,
        Guarantee::NoHostWrites => none("can be written", &report.writable),
        Guarantee::NoNetwork => network(report),
        Guarantee::Egress if spec.policy.network == Network::None => network(report),
        Guarantee::Egress => not_checked("what a proxy refuses is not tried"),
        Guarantee::PinnedMounts => pinned(report, spec),
        Guarantee::NoPrivilegeGain => field(report, "NoNewPrivs", "1"),
        Guarantee::SyscallFilter => field(report, "Seccomp", "2"),
        Guarantee::NoDevices => none("is there", &report.devices),
        Guarantee::Memory | Guarantee::Cpu | Guarantee::Pids | Guarantee::Disk | Guarantee::OutputCap => {
            not_checked("only using it up would tell")
        }
        Guarantee::KillComplete => not_checked("what a later command can see is no proof"),
        Guarantee::WallTime => not_checked("it takes a command of its own"),
    }
}

/// What a look tells of a lane that shares the host's view and confines what can be done: less, for what is seen there
/// need not be in reach.
pub(super) fn judge_shared(guarantee: Guarantee, report: &Report, spec: &Spec, sentinel: Option<&Path>) -> Seen {
    match judge(guarantee, report, spec, sentinel) {
        // Writing is tried, and the kernel tells these two.
        seen @ Seen::Contradicted(_)
            if matches!(guarantee, Guarantee::NoHostWrites | Guarantee::NoPrivilegeGain | Guarantee::SyscallFilter) =>
        {
            seen
        }
        Seen::Contradicted(what) => Seen::NotChecked(format!("the lane shares the host's view, in which {what}")),
        seen => seen,
    }
}

fn contradicted(what: &str) -> Seen {
    Seen::Contradicted(what.into())
}

fn none(what: &str, found: &[String]) -> Seen {
    if found.is_empty() { Seen::Confirmed } else { contradicted(&format!("{} {what}", found.join(", "))) }
}

/// Whether the sentinel is visible because its directory is.
fn shown(spec: &Spec, sentinel: Option<&Path>) -> bool {
    sentinel.is_some_and(|file| spec.mounts.iter().any(|mount| file.starts_with(&mount.source)))
}

fn field(report: &Report, key: &str, expected: &str) -> Seen {
    match report.status.get(key).map(String::as_str) {
        Some(value) if value == expected => Seen::Confirmed,
        Some(value) => contradicted(&format!("{key} is {value}, not {expected}")),
        None => Seen::NotChecked(format!("/proc inside does not tell {key}")),
    }
}

/// A process that has our number and began when we did is ourselves.
fn processes(report: &Report) -> Seen {
    let own = std::fs::read_to_string("/proc/self/stat").ok();
    let began = own.as_deref().and_then(|stat| stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19));
    match (began, &report.namesake) {
        (None, _) => Seen::NotChecked("/proc outside does not tell when this program began".into()),
        (Some(_), None) => Seen::Confirmed,
        (Some(own), Some(other)) if own == other => contradicted("the embedding program is seen"),
        (Some(_), Some(_)) => Seen::Confirmed,
    }
}

/// Kernels put tunnels that lead nowhere into every new network, so an interface counts when something is sent to it.
fn network(report: &Report) -> Seen {
    let out = |names: &[String]| names.iter().filter(|name| *name != "lo").cloned().collect::<BTreeSet<_>>();
    let (others, routed) = (out(&report.interfaces), out(&report.routed));
    if report.interfaces.is_empty() {
        Seen::NotChecked("/proc inside does not tell the network's interfaces".into())
    } else if !routed.is_empty() {
        none("leads out", &Vec::from_iter(routed))
    } else if !others.is_empty() {
        Seen::NotChecked(format!("nothing is sent to {}, which is there", Vec::from_iter(others).join(", ")))
    } else {
        Seen::Confirmed
    }
}

/// Everything that is mounted inside a writable place must be a mount point, and so must what is above it.
fn pinned(report: &Report, spec: &Spec) -> Seen {
    if report.mounts.is_empty() {
        return Seen::NotChecked("/proc inside does not tell the mounts".into());
    }
    for mount in &spec.mounts {
        let inside = around(&mount.target, &report.mounts).is_some_and(|place| place.access == Access::ReadWrite);
        if inside && !report.mounts.iter().any(|place| place.at == mount.target) {
            return contradicted(&format!("{} is no mount", mount.target.display()));
        }
        if let Some(above) = loose(&mount.target, &report.mounts).first() {
            return contradicted(&format!("{}, above {}, is no mount", above.display(), mount.target.display()));
        }
    }
    Seen::Confirmed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, SandboxId};

    #[test]
    fn a_tunnel_that_the_kernel_puts_into_every_network_is_no_contradiction() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let seen = |interfaces, routed| {
            network(&Report { interfaces: names(interfaces), routed: names(routed), ..Report::default() })
        };
        assert_eq!(seen(&["lo"], &["lo"]), Seen::Confirmed);
        assert!(matches!(seen(&["lo", "tunl0"], &["lo"]), Seen::NotChecked(_)));
        assert_eq!(seen(&["lo", "eth0"], &["eth0", "eth0"]), contradicted("eth0 leads out"));
        assert!(matches!(seen(&[], &[]), Seen::NotChecked(_)));
    }

    #[test]
    fn what_is_seen_in_a_shared_view_is_no_contradiction_but_what_was_written_is() {
        let id = SandboxId::new("shared").unwrap();
        let spec = Spec { id, labels: [].into(), policy: Policy::standard(), mounts: vec![], home: None };
        let report = Report { sentinel_seen: true, writable: vec!["/tmp/x".into()], ..Report::default() };
        let shared = |guarantee| judge_shared(guarantee, &report, &spec, Some(Path::new("/tmp/x")));
        assert!(matches!(shared(Guarantee::NoHostReads), Seen::NotChecked(_)));
        assert_eq!(shared(Guarantee::NoHostWrites), contradicted("/tmp/x can be written"));
    }
}
