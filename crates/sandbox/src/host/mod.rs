//! The lane without isolation: it ends all that it started, and promises nothing more.

#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod lane;
mod options;
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(target_os = "linux")]
pub(crate) mod supervisor;

pub use self::options::{Grouping, HostFacts, HostOptions};
#[cfg(all(target_os = "linux", feature = "native"))]
pub(crate) use self::{
    keep::{DYING, sweep},
    lane::Scratch,
    secrets::SecretFiles,
    supervisor::Duties,
};

use async_trait::async_trait;

use crate::{Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec, check};

const LANE: &str = "host";

/// Runs commands as the embedding program's user, with all that this user can see and do.
///
/// It claims no isolation. It does enforce deadlines and the output cap, and it kills every process that a command
/// started, also those that left its group and session, and also when the embedding program itself is killed. To make
/// that hold, programs cannot gain privileges: `sudo` and its like fail.
///
/// Where the embedding program may make control groups of version 2, every command runs in one of its own, which is killed as a
/// whole and removed. Everywhere, a supervisor inherits what loses its parent, and a variable in the environment tells what a
/// command started. [`facts`](Self::facts) and the coverage of [`Guarantee::KillComplete`] say which of these there are.
///
/// For programs that are trusted like the user. It needs Linux, and a Tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct HostSandbox {
    facts: HostFacts,
    #[cfg(target_os = "linux")]
    reaping: crate::run::Reaping,
}

impl HostSandbox {
    /// The lane of this machine. Makes a control group, where it may, and removes it, which mostly takes some milliseconds.
    ///
    /// What programs that died with their supervisors left, is then ended on a thread: their processes, known by their control
    /// groups or by their variable, and their secrets and scratch directories. The first command starts when that is done.
    ///
    /// # Errors
    /// [`Error::Unavailable`] on another system than Linux, or when `/proc` does not show what is needed.
    pub fn new() -> Result<Self> {
        Self::with(&HostOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// [`Error::Unavailable`] as for [`new`](Self::new), and where control groups are required and cannot be used.
    #[cfg(target_os = "linux")]
    pub fn with(options: &HostOptions) -> Result<Self> {
        use crate::run::reap::Groups;

        let unavailable = |problem| Error::Unavailable { lane: LANE, problem };
        let unread = |e| format!("/proc/thread-self/children cannot be read ({e}); mount a complete /proc");
        std::fs::read("/proc/thread-self/children").map_err(|e| unavailable(unread(e)))?;
        let groups = match options.groups {
            Grouping::Unused => Err("its options want no control groups".to_owned()),
            Grouping::WherePossible => crate::run::group::find(),
            Grouping::Required => {
                let why = |why| format!("its options require control groups, and {why}");
                Ok(crate::run::group::find().map_err(|problem| unavailable(why(problem)))?)
            }
        };
        let looked = if options.groups == Grouping::Unused { Groups::LeftAlone } else { Groups::LookedThrough };
        Ok(Self { facts: HostFacts { groups }, reaping: crate::run::Reaping::begin(looked) })
    }

    /// The same with options.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: this lane needs Linux.
    #[cfg(not(target_os = "linux"))]
    pub fn with(_: &HostOptions) -> Result<Self> {
        Err(Error::Unavailable { lane: LANE, problem: "it is made for Linux only; use a container lane".into() })
    }

    /// How this lane ends what it started here.
    pub fn facts(&self) -> HostFacts {
        self.facts.clone()
    }
}

#[async_trait]
impl Sandbox for HostSandbox {
    fn name(&self) -> &'static str {
        LANE
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        let why = match guarantee {
            Guarantee::WallTime | Guarantee::OutputCap => return Coverage::Enforced,
            Guarantee::KillComplete => {
                return Coverage::Partial(match &self.facts.groups {
                    Ok(place) => format!(
                        "a program that moves its children out of its control group (in {}), kills its supervisor and clears \
                         their environment can leave them; and where supervisor and embedding program are both killed, what \
                         they started lives until the next program makes this lane",
                        place.display()
                    ),
                    Err(why) => format!(
                        "a program that kills its supervisor and clears its children's environment can leave them; and where \
                         supervisor and embedding program are both killed, what they started lives until the next program \
                         makes this lane, and what cleared its environment lives on; no control group holds them together: {why}"
                    ),
                });
            }
            Guarantee::NoPrivilegeGain => {
                "setuid programs gain nothing, but what the user may ask of privileged services stays possible"
            }
            Guarantee::Memory | Guarantee::Cpu | Guarantee::Pids | Guarantee::Disk => {
                "commands run without limits of their own"
            }
            _ => "commands run as the user, without isolation",
        };
        Coverage::Unenforced(format!("{why}; use the native or the docker lane"))
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        check::policy(LANE, self, &spec.policy)?;
        #[cfg(target_os = "linux")]
        self.reaping.done().await;
        start(spec, &self.facts).await
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(None)
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        Ok(Vec::new())
    }
}

#[cfg(target_os = "linux")]
async fn start(spec: Spec, facts: &HostFacts) -> Result<Box<dyn Running>> {
    let groups = facts.groups.clone().ok();
    let ready = tokio::task::spawn_blocking(move || lane::HostLane::new(spec, groups));
    let lane =
        ready.await.map_err(|e| Error::Lane { action: "check the sandbox's mounts".into(), source: e.into() })??;
    Ok(Box::new(crate::run::Session::new(std::sync::Arc::new(lane))))
}

#[cfg(not(target_os = "linux"))]
async fn start(_: Spec, _: &HostFacts) -> Result<Box<dyn Running>> {
    Err(Error::Unavailable { lane: LANE, problem: "it is made for Linux only; use a container lane".into() })
}
