//! What this machine can do, found by doing it.

use std::fs;
use std::time::Duration;

use super::filter::Filters;
use super::group_base::{self, Base, Controller, Swap};
use super::lane::{NativeLane, unavailable};
use super::{Demand, Mechanism, NativeFacts, NativeOptions, confined, hint, wall, wrapped};
use crate::run::try_once;
use crate::{Command, Coverage, Error, Guarantee, Limits, Network, Result};

/// The outcome of a probe.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where control groups can be made.
    pub(super) bases: Vec<Base>,
    /// The version of Landlock, or why there is none.
    pub(super) landlock: std::result::Result<u32, String>,
    /// Why namespaces are not used, if they are not.
    pub(super) denied: Option<String>,
    /// The filters of system calls, the same for every command.
    pub(super) filters: Filters,
    /// By what programs are confined.
    pub(super) mechanism: Mechanism,
    /// The program that makes the namespaces, if it is not this one.
    pub(super) wrapper: Option<wrapped::Wrapper>,
    pub(super) pids: Pids,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pids {
    Kept,
    NotKept,
}

/// How a user comes by control groups.
pub(super) const DELEGATE: &str = "for an exact limit, delegate a control group to this user: start the program with 'systemd-run --user \
                        --scope', or as a unit with Delegate=yes and DelegateSubgroup=";

/// Stands for the reason why namespaces were not tried.
const UNWANTED: &str = "the options do not want them.";

/// More processes than the probe may have.
pub(super) const MANY: u32 = 12;
pub(super) const FEW: u32 = 6;

impl Found {
    /// Finds the best mechanism, or tries the one that is asked for.
    pub(super) fn probe(options: &NativeOptions) -> Result<Self> {
        match options.mechanism {
            Some(Mechanism::Namespaces) => Self::namespaces(options),
            Some(Mechanism::Bubblewrap) => match wrapped::probe(options, UNWANTED)? {
                Ok(found) => Ok(found),
                Err(problem) => Err(unavailable(problem)),
            },
            Some(Mechanism::Landlock) => confined::probe(options, UNWANTED.into()),
            None => Self::namespaces(options).or_else(|error| match error {
                Error::Unavailable { problem, .. } => match wrapped::probe(options, &problem)? {
                    Ok(found) => Ok(found),
                    Err(neither) => confined::probe(options, format!("{problem} {neither}")),
                },
                error => Err(error),
            }),
        }
    }

    /// Landlock alone.
    pub(super) fn confined(landlock: std::result::Result<u32, String>, denied: String, filters: Filters) -> Self {
        let mechanism = Mechanism::Landlock;
        Self {
            bases: group_base::find(),
            landlock,
            denied: Some(denied),
            filters,
            mechanism,
            wrapper: None,
            pids: Pids::NotKept,
        }
    }

    /// Runs two commands in sandboxes of their own: one that proves the whole path, one that forks too much.
    fn namespaces(options: &NativeOptions) -> Result<Self> {
        let landlock = wall::version();
        if let (Err(why), Demand::Required) = (&landlock, options.landlock) {
            return Err(unavailable(format!("its options require Landlock, and {why}")));
        }
        let filters = Filters::and(None)?;
        let (bases, mechanism) = (group_base::find(), Mechanism::Namespaces);
        let mut found = Self { bases, landlock, denied: None, filters, mechanism, wrapper: None, pids: Pids::NotKept };
        let run = |found: &Self, script: String| {
            let limits = Limits { pids: Some(FEW), tmp: 1 << 20, ..Limits::default() };
            let lane = NativeLane {
                options: options.clone(),
                found: found.clone(),
                mounts: Vec::new(),
                home: None,
                limits,
                network: Network::None,
                outlets: None,
            };
            let command =
                Command::new("/bin/sh", "/").args(["-c".to_owned(), script]).deadline(Duration::from_secs(10));
            try_once(&lane, &command)
        };
        let works = match run(&found, "exit 42".into()) {
            // Groups that can be made but not used are no groups; the others may work all the same.
            Err(_) if !found.bases.is_empty() => {
                let alone = |base: &Base| Self { bases: vec![base.clone()], ..found.clone() };
                found.bases = found.bases.iter().filter(|b| run(&alone(b), "true".into()).is_ok()).cloned().collect();
                run(&found, "exit 42".into())
            }
            result => result,
        };
        match works {
            Ok(Some(status)) if status == 42 << 8 => {}
            Ok(status) => return Err(unavailable(format!("a shell in it ended with {status:?} instead of 42"))),
            Err(error) => return Err(unavailable(hint::explain(&error))),
        }
        let forks = too_many();
        // An end that was not seen proves nothing.
        if run(&found, forks)?.is_some_and(|status| status != 43 << 8) {
            found.pids = Pids::Kept;
        }
        Ok(found)
    }

    /// By what it keeps them.
    pub(super) fn facts(&self) -> NativeFacts {
        NativeFacts {
            mechanism: self.mechanism,
            denied: self.denied.clone(),
            landlock: self.landlock.clone(),
            groups: self.bases.iter().map(Base::to_string).collect(),
        }
    }

    /// How well the lane keeps a guarantee here.
    pub(super) fn coverage(&self, guarantee: Guarantee) -> Coverage {
        let group = |controller| self.bases.iter().any(|base| base.controllers.contains(&controller));
        let own = match self.mechanism {
            Mechanism::Namespaces => None,
            Mechanism::Bubblewrap => wrapped::coverage(self, guarantee),
            Mechanism::Landlock => confined::coverage(self, guarantee),
        };
        if let Some(coverage) = own {
            return coverage;
        }
        match guarantee {
            Guarantee::Memory if group(Controller::Memory) => {
                memory(&self.bases, &kernel_says("/proc/swaps").unwrap_or_default())
            }
            Guarantee::Memory => Coverage::Partial(
                "without a control group, the memory of all processes is summed up every 50 milliseconds, which does not \
                 count files in memory that no process has mapped, and a quick one can be over the limit for a moment; "
                    .to_owned()
                    + DELEGATE,
            ),
            Guarantee::Cpu if group(Controller::Cpu) => Coverage::Enforced,
            Guarantee::Cpu => {
                let why = "no control group with the cpu controller can be made here; ";
                Coverage::Unenforced(why.to_owned() + DELEGATE)
            }
            Guarantee::Pids if self.mechanism != Mechanism::Namespaces && group(Controller::Pids) => Coverage::Enforced,
            Guarantee::Pids if self.mechanism == Mechanism::Landlock => Coverage::Unenforced(
                "without namespaces, the kernel counts processes of a sandbox only in a control group with the pids \
                 controller; "
                    .to_owned()
                    + DELEGATE,
            ),
            Guarantee::Pids if self.pids == Pids::NotKept => Coverage::Unenforced(
                "a sandbox could start more processes than its limit: for root the kernel enforces it only in a control \
                 group with the pids controller; make one writable, or run as an ordinary user on Linux 5.14 or later"
                    .into(),
            ),
            Guarantee::Disk => Coverage::Partial(
                "no file may be larger, which the kernel keeps; what all together grow by is measured: at once when the \
                 file system has that much less left, else every few seconds, in at most a twentieth of a core; so a \
                 quick command can be over the limit until then, and a file without a name that only a mapping holds \
                 is not counted; put mounts on a file system with a quota for an exact limit"
                    .into(),
            ),
            Guarantee::Egress if cfg!(not(feature = "egress")) => Coverage::Unenforced(
                "this program was built without the feature 'egress' of hedgerow-sandbox; build with it, or choose \
                 Network::None, with which it holds"
                    .into(),
            ),
            _ => Coverage::Enforced,
        }
    }
}

/// A script that ends with 43 where it can start more processes than it may.
pub(super) fn too_many() -> String {
    format!("i=0; while [ $i -lt {MANY} ]; do (sleep 9) & i=$((i+1)); done; exit 43")
}

/// How well groups keep a limit of memory, on a machine with these swaps: the kernel's list with its heading.
fn memory(bases: &[Base], swaps: &str) -> Coverage {
    let mut limiting = bases.iter().filter(|base| base.controllers.contains(&Controller::Memory));
    if limiting.all(|base| base.swap == Swap::Limited) || swaps.lines().nth(1).is_none() {
        return Coverage::Enforced;
    }
    Coverage::Partial(
        "the control group limits memory, but not swap, of which this machine has some: all processes together can use \
         more than the limit, as far as the swap reaches; start the kernel with swapaccount=1, or switch swap off"
            .into(),
    )
}

/// The text of a file of the kernel's, without the line's end.
pub(super) fn kernel_says(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::group_base::Version;
    use super::*;

    #[test]
    fn a_limit_of_memory_is_no_exact_one_where_what_is_over_it_can_go_to_swap() {
        let none = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority";
        let some = format!("{none}\n/dev/vda2 partition\t8388604\t\t0\t\t-2");
        let base = |controller, swap| Base {
            directory: "/sys/fs/cgroup".into(),
            version: Version::One,
            controllers: vec![controller],
            swap,
        };
        let pids = base(Controller::Pids, Swap::Free);
        let limited = [pids.clone(), base(Controller::Memory, Swap::Limited)];
        let free = [pids, base(Controller::Memory, Swap::Free)];
        assert_eq!(memory(&limited, &some), Coverage::Enforced, "groups of other controllers have no such limit");
        assert_eq!(memory(&free, none), Coverage::Enforced);
        assert!(matches!(memory(&free, &some), Coverage::Partial(why) if why.contains("swapaccount=1")));
    }
}
