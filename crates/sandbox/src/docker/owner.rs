//! Who holds a container, and whether that process is dead for certain.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::probe::Facts;

/// One process of one boot of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pid: i32,
    /// When it began, in the kernel's ticks since the boot.
    began: u64,
    /// The namespace in which its number counts.
    namespace: u64,
    /// The namespace of the clock by which it began.
    clock: u64,
    boot: String,
    near: Near,
}

/// How far a process is from its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// The engine at the other end of the socket is a process of the same kernel.
    Same,
    /// It may be anywhere.
    Unknown,
}

/// What is known of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Ourselves,
    Alive,
    /// For certain, and how that is known.
    Dead(String),
    /// Why it cannot be told.
    Unknown(String),
}

impl Owner {
    /// This process, where the system tells who that is.
    pub(super) fn ourselves(near: Near) -> Option<Self> {
        system::ourselves(near)
    }

    /// The number of the process, for messages.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// What has become of this owner, as `judge` can tell.
    pub(super) fn fate(&self, judge: Option<&Self>) -> Fate {
        let Some(judge) = judge else { return Fate::Unknown("this system does not tell who its processes are".into()) };
        // The same process may reach its engine in more than one way.
        if *self == (Self { near: self.near, ..judge.clone() }) {
            return Fate::Ourselves;
        }
        if self.boot != judge.boot {
            // Both were on the engine's machine, so they were on the same one.
            return if (self.near, judge.near) == (Near::Same, Near::Same) {
                Fate::Dead(format!("process {} ended with an earlier boot of this machine", self.pid))
            } else {
                Fate::Unknown(format!("process {} ran in another boot, or on another machine", self.pid))
            };
        }
        if self.namespace != judge.namespace {
            return Fate::Unknown(format!("process {} is in another namespace of processes", self.pid));
        }
        if self.clock != judge.clock {
            return Fate::Unknown(format!("process {} began by the clock of another namespace", self.pid));
        }
        match system::began(self.pid) {
            Ok(Some(began)) if began == self.began => Fate::Alive,
            Ok(Some(_)) => Fate::Dead(format!("the number of process {} belongs to another one now", self.pid)),
            Ok(None) => Fate::Dead(format!("process {} is gone", self.pid)),
            Err(why) => Fate::Unknown(why),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let owner = Self {
            pid: parts.next()?.parse().ok()?,
            began: parts.next()?.parse().ok()?,
            namespace: parts.next()?.parse().ok()?,
            clock: parts.next()?.parse().ok()?,
            boot: parts.next().filter(|boot| !boot.is_empty())?.to_owned(),
            near: match parts.next()? {
                "same" => Near::Same,
                "unknown" => Near::Unknown,
                _ => return None,
            },
        };
        parts.next().is_none().then_some(owner)
    }
}

/// Of the characters that the name of a container may have.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near = match self.near {
            Near::Same => "same",
            Near::Unknown => "unknown",
        };
        write!(f, "{}-{}-{}-{}-{}-{near}", self.pid, self.began, self.namespace, self.clock, self.boot)
    }
}

/// Whether the engine behind a socket is a process that this one can see. What forwards a socket from another machine is no engine;
/// a service manager that listens for its engine counts when that runs on a machine of the same name and kernel.
#[cfg(target_os = "linux")]
pub(super) async fn near(facts: &Facts) -> Near {
    let Some((_, name)) = system::peer(&facts.socket).await else { return Near::Unknown };
    let here = || {
        let uname = rustix::system::uname();
        let (name, kernel) = (uname.nodename().to_str().ok(), uname.release().to_str().ok());
        name.is_some() && kernel.is_some() && (facts.machine.0.as_deref(), facts.machine.1.as_deref()) == (name, kernel)
    };
    let same = matches!(name.as_str(), "dockerd" | "podman") || (name == "systemd" && here());
    if same { Near::Same } else { Near::Unknown }
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn near(_facts: &Facts) -> Near {
    Near::Unknown
}

/// When the engine behind a socket began, since the beginning of 1970; none where that cannot be told.
#[cfg(target_os = "linux")]
pub(super) async fn engine_began(socket: &Path) -> Option<Duration> {
    let (pid, name) = system::peer(socket).await?;
    if name == "dockerd" { system::began_at(pid) } else { None }
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn engine_began(_socket: &Path) -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::{Near, Owner};
    use crate::run::life::Life;

    pub(super) use crate::run::life::began;

    /// The kernel's ticks, as it tells them to programs.
    const TICKS: u64 = 100;

    /// Who listens at a socket: its number and its name.
    pub(super) async fn peer(socket: &Path) -> Option<(i32, String)> {
        let connection = tokio::net::UnixStream::connect(socket).await.ok()?;
        let pid = connection.peer_cred().ok()?.pid().filter(|pid| *pid > 0)?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some((pid, name.trim().to_owned()))
    }

    /// When a process began, since the beginning of 1970.
    pub(super) fn began_at(pid: i32) -> Option<Duration> {
        let ticks = began(pid).ok()??;
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Duration::from_secs(boot) + Duration::from_millis(ticks * 1000 / TICKS))
    }

    pub(super) fn ourselves(near: Near) -> Option<Owner> {
        let Life { pid, began, namespace, clock, .. } = Life::ours()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().replace('-', "");
        Some(Owner { pid, began, namespace, clock, boot, near })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Near, Owner};

    pub(super) fn ourselves(_near: Near) -> Option<Owner> {
        None
    }

    pub(super) fn began(_pid: i32) -> Result<Option<u64>, String> {
        Err("this system does not tell who its processes are".into())
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "owner_tests.rs"]
mod tests;
