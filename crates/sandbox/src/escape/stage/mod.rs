//! Everything on the host that a hostile program could want, and a look at it afterwards.

mod listeners;
mod look;
mod plant;
mod program;
mod watch;
pub(super) mod words;

use std::collections::BTreeMap;
use std::io::Result;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::fs::{Mode, OFlags};

use super::probe::{How, Probe, Proof};
use crate::run::token;
use crate::{Access, Labels, Mount, Spec};
use crate::{Policy, SandboxId};

use listeners::Listeners;
use look::Before;
use words::Words;

pub(super) use look::While;
pub(super) use watch::{Peak, Watch, end, processes};

/// The host of one lane.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    nonce: String,
    words: Words,
    /// What words stand for in one probe only.
    own: BTreeMap<(&'static str, &'static str), String>,
    listeners: Listeners,
    /// Processes that may be killed, one for each probe that wants one.
    bystanders: BTreeMap<&'static str, Child>,
    /// Descriptors that programs get without knowing it.
    leaked: Vec<OwnedFd>,
    /// The script that takes away what has no file.
    broom: String,
    before: BTreeMap<&'static str, Before>,
    /// What lies in the directories of the stage before anything was run.
    furniture: Vec<PathBuf>,
}

impl Stage {
    /// Makes a directory in `place` with everything that these probes are after. Blocks.
    pub(super) fn new(place: &Path, probes: &[Probe]) -> Result<Self> {
        let nonce = token()?[..12].to_owned();
        let root = place.join(format!("hedgerow-escape-{nonce}"));
        std::fs::create_dir(&root)?;
        let listeners = Listeners::open(&root.join("socket"), &format!("hedgerow-{nonce}"))?;
        let mut stage = Self {
            words: words::machine(),
            own: BTreeMap::new(),
            listeners,
            bystanders: BTreeMap::new(),
            leaked: Vec::new(),
            broom: String::new(),
            before: BTreeMap::new(),
            furniture: Vec::new(),
            root,
            nonce,
        };
        stage.furnish(probes)?;
        stage.furniture = stage.listed();
        for probe in probes {
            let before = stage.look_before(probe);
            stage.before.insert(probe.id, before);
        }
        Ok(stage)
    }

    pub(super) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(super) fn set(&mut self, word: &'static str, value: String) {
        self.words.insert(word, value);
    }

    /// The tree that a sandbox may write.
    pub(super) fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// The trees of the two workers: [`tree`](Self::tree), and another one with nothing in it.
    pub(super) fn trees(&self) -> [PathBuf; 2] {
        [self.tree(), self.root.join("second")]
    }

    /// Removes what a probe that had a command of its own wrote, so that it does not count against the next one.
    pub(super) fn remove(tree: &Path, probe: &Probe) {
        let path = tree.join(probe.id);
        // A directory that nobody may look into cannot be emptied; a link in its place leads to nothing of ours.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(directory) = rustix::fs::open(&path, flags, Mode::empty()) {
            let place = format!("/proc/self/fd/{}", directory.as_raw_fd());
            let _not_ours = std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o700));
        }
        // It is a file, a directory, or nothing at all.
        let _none = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    }

    /// A home that lies on the host.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A sandbox on this stage that may write to this tree; all that is pinned lies in the first one.
    pub(super) fn spec(&self, name: &str, tree: &Path, policy: Policy) -> crate::Result<Spec> {
        let mount = |path: PathBuf, target: PathBuf, access| Mount { source: path, target, access };
        let frozen = |path: PathBuf| mount(path.clone(), path, Access::ReadOnly);
        let mut mounts = vec![
            mount(tree.to_owned(), tree.to_owned(), Access::ReadWrite),
            frozen(self.root.join("readonly")),
            frozen(self.root.join("repository/.git/objects")),
        ];
        let deep = |id: &'static str| self.own.contains_key(&(id, "ANCESTOR"));
        let here = tree == self.tree();
        let pins = self.own.iter().filter(|((id, word), _)| here && *word == "PIN" && !deep(id));
        mounts.extend(pins.map(|((id, _), pin)| mount(self.pin(id), pin.into(), Access::ReadOnly)));
        Ok(Spec {
            id: SandboxId::new(format!("escape-{}-{name}", self.nonce))?,
            labels: self.labels(),
            policy,
            mounts,
            home: None,
        })
    }

    /// The mount that only the sandbox of this probe has, some directories below the tree.
    pub(super) fn extra(&self, probe: &Probe) -> Result<Mount> {
        let given = self.own.get(&(probe.id, "PIN")).map(PathBuf::from);
        let target = given.unwrap_or_else(|| self.tree().join("swapped/pin"));
        target.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        if !target.exists() {
            std::fs::write(&target, "under\n")?;
        }
        Ok(Mount { source: self.pin(probe.id), target, access: Access::ReadOnly })
    }

    pub(super) fn labels(&self) -> Labels {
        Labels::from([("hedgerow-escape".to_owned(), self.nonce.clone())])
    }

    /// What is found in the command lines of the processes of this probe.
    pub(super) fn sign(&self, probe: &Probe) -> String {
        format!("sign-{}-{};", self.nonce, probe.id)
    }

    /// What is found in the command lines of the processes of any probe.
    pub(super) fn any_sign(&self) -> String {
        format!("sign-{}-", self.nonce)
    }

    /// What this probe must not find out.
    pub(super) fn secret(&self, id: &str) -> String {
        format!("secret-{}-{id};", self.nonce)
    }

    /// The text without placeholders.
    ///
    /// # Errors
    /// The placeholder that stands for nothing on this machine, or for this user.
    pub(super) fn fill(&self, probe: &Probe, template: &str) -> std::result::Result<String, String> {
        let lookup = |word: &str| {
            let own = self.own.iter().find(|((id, name), _)| *id == probe.id && *name == word).map(|(_, value)| value);
            own.or_else(|| self.words.get(word)).cloned()
        };
        words::fill(template, lookup).map_err(|word| format!("{word} cannot be had here"))
    }

    fn out(&self, id: &str) -> PathBuf {
        self.root.join("outside").join(id)
    }

    /// What lies over a file of the tree.
    fn pin(&self, id: &str) -> PathBuf {
        self.root.join("pins").join(id)
    }

    /// The paths that nothing but the probes should add to.
    fn listed(&self) -> Vec<PathBuf> {
        let places = [self.root.clone(), self.root.join("pins"), self.root.join("repository")];
        let entries = |place: PathBuf| std::fs::read_dir(place).into_iter().flatten().flatten().map(|e| e.path());
        let mut paths: Vec<_> = places.into_iter().flat_map(entries).collect();
        paths.sort();
        paths
    }
}

/// All code of a probe: what it runs, and what runs in its place.
fn code(probe: &Probe) -> Vec<&'static str> {
    let mut code = match probe.how {
        How::Together(code) | How::Alone(code, _) => vec![code],
        How::Twice { plant, look } => vec![plant, look],
        How::After => Vec::new(),
    };
    if let Proof::Instead(instead) = probe.proof {
        code.push(instead);
    }
    code
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.bystanders.values_mut() {
            // It may be dead already, which is what some probes are after.
            let _dead = child.kill();
            let _reaped = child.wait();
        }
        self.sweep();
    }
}
