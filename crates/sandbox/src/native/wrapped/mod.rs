//! The native lane where namespaces are denied to this program, and the system's bubblewrap may make them.
//!
//! bubblewrap shows the same view, without privileges and behind the same system call filter. It stays outside, and our
//! supervisor above it: the end of either is the end of all inside, because bubblewrap is bound to its parent's life, and
//! what it starts to its own.

mod keep;
mod lane;
mod options;
mod status;
mod tool;
mod view;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::lane::WrappedLane;
use super::filter::Filters;
use super::found::{DELEGATE, FEW, Found, Pids, too_many};
use super::group_base::{self, Controller};
use super::{Demand, Mechanism, NativeOptions};
use crate::run::try_once;
use crate::{Command, Coverage, Guarantee, Limits, Result};

/// The lane's name, so that records and messages tell it from the one that makes its namespaces itself.
pub(super) const LANE: &str = "bubblewrap";

/// What bubblewrap was found to do.
#[derive(Clone, Debug)]
pub(super) struct Wrapper {
    program: PathBuf,
    users: Users,
    memory: Memory,
}

/// Whether file systems in memory can have a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    Sized,
    /// A setuid bubblewrap gives them none.
    Unlimited,
}

/// Whether a sandbox gets a user namespace of its own. A setuid bubblewrap needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    Own,
    Shared,
}

impl Found {
    pub(super) fn wrapper(&self) -> &Path {
        self.wrapper.as_ref().map_or(Path::new(""), |wrapper| &wrapper.program)
    }

    pub(super) fn wrapper_memory(&self) -> Memory {
        self.wrapper.as_ref().map_or(Memory::Unlimited, |wrapper| wrapper.memory)
    }

    pub(super) fn mechanism_users(&self) -> Users {
        self.wrapper.as_ref().map_or(Users::Shared, |wrapper| wrapper.users)
    }
}

const CURE: &str = "Where namespaces are denied to this program, the system's bubblewrap can make them: install it as \
                    /usr/bin/bwrap (package 'bubblewrap'), and make it setuid ('chmod u+s /usr/bin/bwrap') or, where \
                    AppArmor restricts namespaces, load a profile that allows it 'userns'.";

/// Finds out, by running small commands in it, whether bubblewrap can be used; else says why not, with the cure.
pub(super) fn probe(options: &NativeOptions, denied: &str) -> Result<std::result::Result<Found, String>> {
    let no = |why: String| Ok(Err(format!("bubblewrap could not be used either: {why}. {CURE}")));
    if rustix::process::geteuid().is_root() {
        return no("it is for an ordinary user, because root can make namespaces wherever it can".into());
    }
    if options.landlock == Demand::Required {
        return no("the options require Landlock, which it cannot have behind it".into());
    }
    let program = match tool::find() {
        Ok(program) => program,
        Err(why) => return no(why),
    };
    const SETUID: u32 = 0o4000;
    let setuid = std::fs::metadata(&program).is_ok_and(|meta| meta.mode() & SETUID != 0);
    let memory = if setuid { Memory::Unlimited } else { Memory::Sized };
    let filters = Filters::and(None)?;
    let mut problems = Vec::new();
    for users in [Users::Own, Users::Shared] {
        let mut found = Found {
            bases: group_base::find(),
            landlock: Err("a setuid bubblewrap cannot be started behind it".into()),
            denied: Some(denied.to_owned()),
            filters: filters.clone(),
            mechanism: Mechanism::Bubblewrap,
            wrapper: Some(Wrapper { program: program.clone(), users, memory }),
            pids: Pids::NotKept,
        };
        let mut works = run(options, &found, CHECKS.into());
        if works.is_err() && !found.bases.is_empty() {
            // Groups that can be made but not used are no groups.
            found.bases.clear();
            works = run(options, &found, CHECKS.into());
        }
        match works {
            Ok(Some(status)) if status == 42 << 8 => {
                if run(options, &found, too_many())?.is_some_and(|status| status != 43 << 8) {
                    found.pids = Pids::Kept;
                }
                return Ok(Ok(found));
            }
            Ok(status) => problems.push(format!("a shell in it ended with {status:?} instead of 42")),
            Err(error) => problems.push(std::error::Error::source(&error).map_or(error.to_string(), |e| e.to_string())),
        }
    }
    if rustix::thread::no_new_privs().unwrap_or(false) {
        problems.push("this program may not gain privileges (no_new_privs), so a setuid one does not help".into());
    }
    problems.dedup();
    no(problems.join("; "))
}

/// What is looked at from inside: no capability, no way to one, a filter, processes and a network of its own, and a root
/// that cannot be written. The program says 42 only where all of that is so.
const CHECKS: &str = "while read -r key value _; do case $key in
      CapInh:|CapPrm:|CapEff:|CapAmb:) [ $value = 0000000000000000 ] || exit 2;;
      NoNewPrivs:) [ $value = 1 ] || exit 3;;
      Seccomp:) [ $value = 2 ] || exit 4;;
    esac; done < /proc/self/status
    while read -r name _; do case $name in lo:*) ;; *:*) exit 5;; esac; done < /proc/net/dev
    [ $$ -lt 10 ] || exit 6
    (: > /written) 2> /dev/null && exit 7
    exit 42";

fn run(options: &NativeOptions, found: &Found, script: String) -> Result<Option<i32>> {
    let limits = Limits { pids: Some(FEW), tmp: 1 << 20, ..Limits::default() };
    let lane = WrappedLane::trial(options.clone(), found.clone(), limits);
    let command = Command::new("/bin/sh", "/").args(["-c".to_owned(), script]).deadline(Duration::from_secs(10));
    try_once(&lane, &command)
}

/// How well a guarantee is kept so; nothing where it is as with namespaces of our own.
pub(super) fn coverage(found: &Found, guarantee: Guarantee) -> Option<Coverage> {
    let counted = found.bases.iter().any(|base| base.controllers.contains(&Controller::Pids));
    match guarantee {
        Guarantee::Egress => Some(Coverage::Unenforced(
            "bubblewrap makes the network of the sandbox, and no socket can be handed out of there; choose \
             Network::None, with which it holds, or allow this program namespaces of its own"
                .into(),
        )),
        Guarantee::Pids if found.pids == Pids::NotKept && !counted => Some(Coverage::Unenforced(
            "a setuid bubblewrap makes no user namespace here, so the kernel counts processes of a sandbox only in a \
             control group with the pids controller; "
                .to_owned()
                + DELEGATE,
        )),
        _ => None,
    }
}
