//! The native lane where namespaces are denied: Landlock and a longer system call filter, without a view of its own.
//!
//! Contents of files, signals, traces and connections are confined as well as with namespaces. Names, sizes, modes and
//! times of files are not, nor is the list of processes; so most policies refuse it, with the cure for the namespaces.

mod calls;
mod keep;
mod lane;
mod view;

use super::group_base::Version;
use super::lane::unavailable;
use super::{Demand, filter::Filters, found::Found};
use crate::run::try_once;
use crate::{Command, Coverage, Error, Guarantee, Limits, Result, Spec};

pub(super) use self::lane::ConfinedLane;

/// Before it, signals were not confined.
const OLDEST: u32 = 6;

/// Finds out, by running a small command, whether programs can be confined so. `denied` says why namespaces were not used.
pub(super) fn probe(options: &super::NativeOptions, denied: String) -> Result<Found> {
    let landlock = super::wall::version();
    let problem = match &landlock {
        _ if rustix::process::geteuid().is_root() => {
            "instead of namespaces, Landlock would do for an ordinary user only: root's files all over the host could be \
             given other modes and owners"
                .into()
        }
        Err(why) => format!("instead of namespaces, Landlock would do for some policies, but {why}"),
        Ok(version) if *version < OLDEST => format!(
            "instead of namespaces, Landlock would do for some policies, but this kernel's version {version} does not \
             confine signals; use Linux 6.12 or later"
        ),
        Ok(_) => {
            let filters = Filters::and(Some(calls::program()))?;
            let found = Found::confined(landlock, denied.clone(), filters);
            let command = Command::new("/bin/sh", "/").args(["-c", "exit 42"]);
            let works = || try_once(&ConfinedLane::trial(options.clone(), found.clone()), &command);
            match works() {
                Ok(Some(status)) if status == 42 << 8 => return Ok(found),
                Ok(status) => format!("instead of namespaces, a shell under Landlock ended with {status:?}"),
                Err(error) => format!("instead of namespaces, Landlock could not be used: {error}"),
            }
        }
    };
    let demand = if options.landlock == Demand::Required { ". The options require Landlock in any case" } else { "" };
    Err(unavailable(format!("{denied} Nor could anything else be used: {problem}{demand}")))
}

/// How well a guarantee is kept so; nothing where it is as with namespaces.
pub(super) fn coverage(found: &Found, guarantee: Guarantee) -> Option<Coverage> {
    let killing = found.bases.iter().any(|base| base.version == Version::Two);
    let exception = match guarantee {
        Guarantee::KillComplete if !killing => "a program that forks faster than it is killed can outrun its end",
        Guarantee::ProcessIsolation => "other processes can be seen, though neither signalled nor traced",
        Guarantee::NoHostWrites => {
            "files outside cannot be written, made or removed, but those of the same user can get another mode and time"
        }
        Guarantee::NoHostReads => {
            "files outside cannot be read, but that they exist can be seen, and how large they are"
        }
        _ => return None,
    };
    let denied = found.denied.as_deref().unwrap_or_default();
    Some(Coverage::Partial(format!("{exception}; namespaces would keep it, but: {denied}")))
}

/// Refuses what cannot be confined so.
fn check(spec: &Spec) -> Result<()> {
    let refused = |what: String, problem: &str| Err(Error::InvalidSpec { what, problem: problem.into() });
    if spec.policy.network != crate::Network::None {
        let problem =
            "without namespaces, only Network::None can be kept: a connection to a service of the host leads out";
        return refused("the policy's network".into(), problem);
    }
    for mount in &spec.mounts {
        if mount.source != mount.target {
            let problem = "without namespaces, every path is shown where it is";
            return refused(format!("mount target {}", mount.target.display()), problem);
        }
        let writable = spec.mounts.iter().filter(|other| other.access == crate::Access::ReadWrite);
        let outer = writable.map(|other| &other.source).chain(&spec.home);
        if outer.into_iter().any(|outer| mount.source != *outer && mount.source.starts_with(outer)) {
            let problem =
                "it lies in a writable place, where Landlock cannot hold it fast or keep it from being written";
            return refused(format!("mount {}", mount.source.display()), problem);
        }
    }
    Ok(())
}

/// Limits of the trial: none that need a group.
fn trial() -> Limits {
    Limits { memory: None, cpu_millis: None, pids: None, disk: None, ..Limits::default() }
}
