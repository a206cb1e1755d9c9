//! The lane without isolation: it ends all that it started, and promises nothing more.

#[cfg(target_os = "linux")]
mod keep;
#[cfg(target_os = "linux")]
mod lane;
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(target_os = "linux")]
pub(crate) mod supervisor;

#[cfg(all(target_os = "linux", feature = "native"))]
pub(crate) use self::{keep::COOKIE, lane::Scratch, secrets::SecretFiles};

use async_trait::async_trait;

use crate::{Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec, check};

const LANE: &str = "host";

/// Runs commands as the embedding program's user, with all that this user can see and do.
///
/// It claims no isolation. It does enforce deadlines and the output cap, and it kills every process that a command
/// started, also those that left its group and session, and also when the embedding program itself is killed. To make
/// that hold, programs cannot gain privileges: `sudo` and its like fail.
///
/// For programs that are trusted like the user. It needs Linux, and a Tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct HostSandbox(());

impl HostSandbox {
    /// The lane of this machine.
    ///
    /// # Errors
    /// [`Error::Unavailable`] on another system than Linux, or when `/proc` does not show what is needed.
    #[cfg(target_os = "linux")]
    pub fn new() -> Result<Self> {
        let list = std::fs::read("/proc/thread-self/children");
        let problem = |e| format!("/proc/thread-self/children cannot be read ({e}); mount a complete /proc");
        list.map(|_| Self(())).map_err(|e| Error::Unavailable { lane: LANE, problem: problem(e) })
    }

    /// The lane of this machine.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: this lane needs Linux.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> Result<Self> {
        Err(Error::Unavailable { lane: LANE, problem: "it is made for Linux only; use a container lane".into() })
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
                let exception =
                    "a program that kills its supervisor and clears its children's environment can leave them";
                return Coverage::Partial(exception.into());
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
        start(spec).await
    }

    async fn adopt(&self, _: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(None)
    }

    async fn list(&self, _: &Labels) -> Result<Vec<SandboxId>> {
        Ok(Vec::new())
    }
}

#[cfg(target_os = "linux")]
async fn start(spec: Spec) -> Result<Box<dyn Running>> {
    let ready = tokio::task::spawn_blocking(move || lane::HostLane::new(spec));
    let lane =
        ready.await.map_err(|e| Error::Lane { action: "check the sandbox's mounts".into(), source: e.into() })??;
    Ok(Box::new(crate::run::Session::new(std::sync::Arc::new(lane))))
}

#[cfg(not(target_os = "linux"))]
async fn start(_: Spec) -> Result<Box<dyn Running>> {
    Err(Error::Unavailable { lane: LANE, problem: "it is made for Linux only; use a container lane".into() })
}
