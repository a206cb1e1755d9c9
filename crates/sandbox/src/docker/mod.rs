//! The lane on a Docker engine.

mod adopt;
mod begin;
mod capture;
mod config;
mod disk;
mod end;
mod ended;
mod engine;
mod entry;
mod image;
mod input;
mod launch;
mod lease;
mod left_over;
mod lost;
mod marks;
mod options;
#[cfg(not(all(feature = "egress", target_os = "linux")))]
#[path = "no_outlet.rs"]
mod outlet;
#[cfg(all(feature = "egress", target_os = "linux"))]
mod outlet;
mod owner;
mod pins;
mod pool;
mod probe;
mod reap;
mod record;
mod run;
mod running;
mod seccomp;
mod tally;
mod tap;
mod time;
mod uptime;
mod workdirs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bollard::models::ContainerSummary;

use crate::{Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec, check, pinned};

pub use options::{DockerOptions, Pull, Scratch};
pub use pool::{Trees, Warm, Warmth};
pub use reap::{Doubt, Leftover, Reaped};

use adopt::Adopted;
use engine::Engine;
use lost::LostRunning;
use owner::{Near, Owner};
use pool::Pool;
use probe::Facts;
use running::DockerRunning;
use workdirs::Workdirs;

const LANE: &str = "docker";

/// Runs commands in containers of a Docker engine, each command in a container of its own.
///
/// A container has a read-only root file system from the image, no capabilities, no way to gain privileges, a system call
/// filter that allows what is known to be harmless, no network unless the policy asks for the host's, and the limits of the
/// policy. It runs as the owner of the first writable mount. When the command ends, its container is killed and removed, and
/// with it everything that the command started. `PATH` is the image's, `HOME` is `/home/agent`.
///
/// Its containers outlive the process that started them: [`adopt`](Sandbox::adopt) takes them over, with their output from
/// the beginning and what is left of their deadline. Until then nobody enforces the deadline. A command whose owner died before
/// all of its standard input was delivered may have seen a part of it as the whole, so `adopt` kills and removes it:
/// [`resume`](Running::resume) gives none. The engine keeps the mark of a whole delivery as the container's name, which ends
/// with `.input-pending` until then.
///
/// What a command is given in its environment can be read by whoever may ask the engine, and lies in the engine's own files
/// until the container is removed; standard input is kept nowhere. So a [`Secret`](crate::Secret) comes that way, before the
/// command's own input, to a `/bin/sh` of the image that makes it and then becomes the program.
///
/// Three things an engine cannot tell for certain. Whether a program ended with a status of 128 plus the number of a deadly
/// signal, or was killed by that ([`End::ExitedOrSignaled`](crate::End::ExitedOrSignaled)). A program that does not exist is noticed by the init in the container: mostly before
/// [`exec`](Running::exec) returns, but on a slow machine it is [`Process::wait`](crate::Process::wait) that returns
/// [`Error::Program`]. And what a command used is measured about once a second.
#[derive(Clone, Debug)]
pub struct DockerSandbox {
    lane: Arc<Lane>,
    egress: outlet::Setting,
    pool: Option<Arc<Pool>>,
}

/// What all sandboxes of the lane share.
#[derive(Debug)]
struct Lane {
    engine: Engine,
    facts: Facts,
    labels: Labels,
    /// The sandboxes that this process holds: between two commands, no container tells of them.
    held: Mutex<BTreeMap<SandboxId, Labels>>,
    /// This process, where the system tells who that is.
    me: Option<Owner>,
    near: Near,
    /// The names of containers that could not be removed yet, and whose they are.
    left_over: Mutex<BTreeMap<String, SandboxId>>,
    workdirs: Workdirs,
}

impl DockerSandbox {
    /// Finds the engine and the image, and asks the engine what it can enforce.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no engine answers, when it is too old, or when it does not have the image or the runtime; the
    /// text says what to do.
    pub async fn connect(options: DockerOptions) -> Result<Self> {
        reserved(&options.labels)?;
        let found = probe::probe(&options).await?;
        let near = owner::near(&found.facts).await;
        let lane = Lane {
            engine: Engine::new(found.docker, options.patience),
            facts: found.facts,
            labels: options.labels,
            held: Mutex::default(),
            me: Owner::ourselves(near),
            near,
            left_over: Mutex::default(),
            workdirs: Workdirs::default(),
        };
        Ok(Self { lane: Arc::new(lane), egress: outlet::Setting::default(), pool: None })
    }

    /// The same lane with this proxy for sandboxes whose policy has a list.
    #[cfg(all(feature = "egress", target_os = "linux"))]
    #[must_use]
    pub fn egress(mut self, egress: crate::Egress) -> Self {
        self.egress = egress;
        self
    }

    /// The same lane with containers kept ready, so that a command starts in a fraction of the time.
    ///
    /// Each is made and started beforehand, as it would be for a sandbox like the pattern but always with the file system for
    /// secrets at `/run/secrets` (writable, 8 MiB), and its only program is a `/bin/sh` of the image that waits. It is given to one command and removed with it, so nothing of one command is there
    /// for the next. What differs from command to command comes over its standard input, which nothing keeps; a sandbox's
    /// trees are mounted into it by this process. A sandbox of another kind, one more than are ready, and a command that a shell
    /// cannot be told of (a variable with a dot in its name, or more than 128 KiB of arguments) start cold, and
    /// [`Process::start`](crate::Process::start) says why. Limits, deadline, kill and output are as ever.
    ///
    /// The first of each kind is made before this returns, the others in the background, which also replaces what was claimed,
    /// what has died, and what an engine that was restarted has lost. Those that wait end when this process dies, and
    /// [`reap`](Self::reap) removes what is left of them; so does dropping the last clone of the lane and the last of its sandboxes.
    /// A command in such a container is taken over like any other when this process dies: the shell says its record, under a token
    /// that nobody inside is told, before the command begins. What a program has pushed out of its log by then cannot be believed,
    /// so [`adopt`](Sandbox::adopt) kills and removes a command whose log has lost its beginning; it is handed out as one that
    /// [is lost](crate::End::Lost), in a sandbox that runs no other.
    /// Whoever gives up waiting for this leaves no container behind.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a tree cannot be mounted into a container from here, or the image has no shell that can wait;
    /// [`Error::Refused`] and [`Error::InvalidSpec`] for a pattern that [`start`](Sandbox::start) would refuse.
    pub async fn warm(mut self, kinds: impl IntoIterator<Item = Warm> + Send) -> Result<Self> {
        let kinds: Vec<_> = kinds.into_iter().collect();
        for kind in &kinds {
            self.checked(kind.pattern().clone()).await?;
        }
        self.pool = Some(Pool::new(Arc::clone(&self.lane), kinds).await?);
        Ok(self)
    }

    /// What is kept ready, kind by kind in the order in which they were given.
    pub fn warmth(&self) -> Vec<Warmth> {
        self.pool.as_ref().map_or_else(Vec::new, |pool| pool.warmth())
    }

    /// Removes the containers that wait, and makes no more; for the end of a program that waits for nothing.
    ///
    /// # Errors
    /// When one of them could not be removed; it ends with this process at the latest, and is reaped by the next one.
    pub async fn cool(&self) -> Result<()> {
        match &self.pool {
            Some(pool) => pool.cool().await,
            None => Ok(()),
        }
    }

    /// Removes the containers whose owner is dead, made and never started ones too, with whatever they still have to tell: take
    /// over first what is worth it.
    ///
    /// A container carries who made it: which process, by number and start time, of which boot; who takes it over writes himself
    /// beside it. Dead is an owner whose number is free or belongs to a process that began at another time, if it was of this
    /// boot and counts in this process's namespace; or one of an earlier boot, if the engine is a process of this machine.
    /// Everything else is doubt: an owner in another container, on another machine, or behind a socket that is passed on.
    /// Only containers with the labels of this lane are looked at; several machines that share an engine do best with a label
    /// each.
    ///
    /// # Errors
    /// When the engine could not be asked. What could not be removed is in [`Reaped::left`].
    pub async fn reap(&self, doubt: Doubt) -> Result<Reaped> {
        reap::reap(&self.lane, doubt).await
    }

    /// Refuses what this lane cannot keep, or what cannot be meant so.
    async fn checked(&self, spec: Spec) -> Result<Spec> {
        check::policy(LANE, self, &spec.policy)?;
        reserved(&spec.labels)?;
        let socket = self.lane.facts.socket.clone();
        let checking = tokio::task::spawn_blocking(move || usable(&spec, &socket).map(|()| spec));
        checking.await.map_err(|source| Error::Lane { action: "check the mounts".into(), source: source.into() })?
    }

    /// The id of the image that every container is made of: what [`DockerOptions::image`] stood for when the lane connected.
    pub fn image(&self) -> &str {
        &self.lane.facts.image.id
    }
}

#[async_trait]
impl Sandbox for DockerSandbox {
    fn name(&self) -> &'static str {
        LANE
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        match guarantee {
            Guarantee::Disk => disk::coverage(self.lane.near),
            _ => self.lane.facts.coverage.of(guarantee),
        }
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        let spec = self.checked(spec).await?;
        self.lane.enter(&spec)?;
        let running = DockerRunning::new(Arc::clone(&self.lane), spec, 1, None);
        Ok(Box::new(running.let_out(&self.egress).warmed(self.pool.clone())))
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        Ok(match adopt::adopt(&self.lane, id).await? {
            Adopted::Nothing => None,
            Adopted::Running(running) => Some(Box::new(running.let_out(&self.egress).warmed(self.pool.clone()))),
            Adopted::Lost => Some(Box::new(LostRunning::new(id.clone()))),
        })
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        let mut found = self.lane.held(labels);
        for container in self.lane.engine.containers(None).await? {
            let carries = |k: &str, v: &String| label(&container, k) == Some(v);
            if !self.lane.labels.iter().all(|(k, v)| carries(k, v)) {
                continue;
            }
            let kept = pool::was_kept(&container);
            let tells = |k: &str, v: &String| carries(k, v) || kept && pool::tells_of(&container, k, v);
            let id = if kept {
                pool::claimed_by(&container)
            } else {
                label(&container, record::SANDBOX).and_then(|id| SandboxId::new(id).ok())
            };
            if labels.iter().all(|(k, v)| tells(k, v)) {
                found.extend(id);
            }
        }
        Ok(found.into_iter().collect())
    }
}

impl Lane {
    /// The containers of one sandbox, in any state.
    async fn containers(&self, id: &SandboxId) -> Result<Vec<ContainerSummary>> {
        let (of_it, kept) = (self.engine.containers(Some(id.as_str())), self.engine.containers(Some(pool::NOBODYS)));
        let (mut found, kept) = tokio::try_join!(of_it, kept)?;
        found.retain(|container| !pool::was_kept(container));
        found.extend(kept.into_iter().filter(|container| pool::claimed_by(container).as_ref() == Some(id)));
        found.retain(|container| self.labels.iter().all(|(k, v)| label(container, k) == Some(v)));
        Ok(found)
    }

    /// Notes that this process holds the sandbox.
    fn enter(&self, spec: &Spec) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&spec.id) {
            let problem = "this process holds a sandbox of this id already".into();
            return Err(Error::InvalidSpec { what: format!("sandbox {}", spec.id), problem });
        }
        held.insert(spec.id.clone(), spec.labels.clone());
        Ok(())
    }

    fn leave(&self, id: &SandboxId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn held(&self, labels: &Labels) -> BTreeSet<SandboxId> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let carries = |own: &Labels| labels.iter().all(|(k, v)| own.get(k).or_else(|| self.labels.get(k)) == Some(v));
        held.iter().filter(|(_, own)| carries(own)).map(|(id, _)| id.clone()).collect()
    }
}

fn label<'a>(container: &'a ContainerSummary, key: &str) -> Option<&'a String> {
    container.labels.as_ref()?.get(key)
}

/// Labels that would be taken for ours.
fn reserved(labels: &Labels) -> Result<()> {
    match [record::SANDBOX, record::RECORD, lease::LEASE, pool::LABEL].into_iter().find(|key| labels.contains_key(*key))
    {
        None => Ok(()),
        Some(key) => {
            let problem = "the docker lane uses it itself; take another name".into();
            Err(Error::InvalidSpec { what: format!("label {key}"), problem })
        }
    }
}

/// Refuses mounts that do not exist, those that would give the host away, and limits that would not limit.
fn usable(spec: &Spec, socket: &Path) -> Result<()> {
    check::mounts(spec)?;
    pinned::sources(LANE, spec, Path::new(config::HOME))?;
    pins::check(spec)?;
    let limits = &spec.policy.limits;
    if limits.memory == Some(0) || limits.cpu_millis == Some(0) || limits.pids == Some(0) {
        let problem =
            "a limit of zero would be no limit to an engine; leave it out, or give one that something can run in"
                .into();
        return Err(Error::InvalidSpec { what: "a limit".into(), problem });
    }
    let socket = socket.canonicalize().unwrap_or_else(|_| socket.to_owned());
    let sources = spec.mounts.iter().map(|mount| &mount.source).chain(&spec.home);
    for source in sources {
        if source.canonicalize().is_ok_and(|real| socket.starts_with(real)) {
            let problem = "the engine's socket is in it, and whoever reaches that socket owns the host".into();
            return Err(Error::InvalidSpec { what: format!("mount {}", source.display()), problem });
        }
    }
    Ok(())
}
