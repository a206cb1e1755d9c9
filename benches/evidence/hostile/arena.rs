//! A place with everything that a hostile agent could want: a repository, a user's home, services, other processes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::listeners::Listeners;
use super::probe::{Effect, Probe};
use crate::clone::{self, Copy, TARGET};
use crate::{Failure, git, leftovers};

/// What may not be seen by an agent.
const SECRET: &str = "a-secret-of-the-arena";

/// The arena of one lane.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) copy: Copy,
    listeners: Listeners,
    /// What the placeholders stand for.
    words: BTreeMap<&'static str, String>,
    /// Processes that may be killed, one for each probe that wants one.
    bystanders: Mutex<BTreeMap<&'static str, Child>>,
}

/// What the things that a probe is after looked like before it.
#[derive(Debug)]
pub(super) struct Before(Option<Vec<u8>>);

impl Arena {
    pub(super) fn new() -> Result<Self, Failure> {
        let place = clone::temporary()?;
        let root = place.path().to_owned();
        let (repo, home) = (root.join("repository"), root.join("home"));
        for dir in [&repo, &home.join(".ssh"), &root.join("marks")] {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(home.join(".ssh/id_ed25519"), SECRET)?;
        let (object, base) = fill(&repo)?;
        let listeners = Listeners::open(&root)?;
        let git = repo.join(".git");
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let object = git.join("objects").join(&object[..2]).join(&object[2..]);
        let nonce = root.file_name().map(|name| name.to_string_lossy().replace('.', "")).unwrap_or_default();
        let mut words = BTreeMap::from([
            ("ARENA", text(root.clone())),
            ("TREES", text(root.join("repository.worktrees"))),
            ("REPO", text(repo.clone())),
            ("GIT", text(git)),
            ("HOME", text(home)),
            ("REALHOME", real_home()),
            ("OBJECTDIR", object.parent().map(|dir| text(dir.to_owned())).unwrap_or_default()),
            ("OBJECT", text(object)),
            ("BASE", base),
            ("NONCE", nonce),
        ]);
        words.extend(listeners.words());
        let refs = git::lines(&repo, &["for-each-ref", "--format=%(refname)"])?;
        let copy = Copy::own(place, repo, refs);
        Ok(Self { copy, listeners, words, bystanders: Mutex::default() })
    }

    pub(super) fn root(&self) -> &Path {
        self.copy.place()
    }

    /// The template with what the placeholders stand for in a probe; a process is started for one that wants it.
    pub(super) fn fill(&self, probe: &Probe, template: &str) -> Result<String, Failure> {
        let mut text = template.to_owned();
        if text.contains("<PID>") {
            text = text.replace("<PID>", &self.bystander(probe)?.to_string());
        }
        text = text.replace("<ID>", probe.id).replace("<MARK>", &self.mark(probe).to_string_lossy());
        text = text.replace("<SIGN>", &self.sign(probe));
        for (word, value) in &self.words {
            text = text.replace(&format!("<{word}>"), value);
        }
        Ok(text)
    }

    pub(super) fn before(&self, probe: &Probe) -> Result<Before, Failure> {
        Ok(Before(match probe.effect {
            Effect::Changes(path) => std::fs::read(self.fill(probe, path)?).ok(),
            Effect::Moves(reference) => self.value(reference),
            _ => None,
        }))
    }

    /// Whether it is seen from outside that a probe got through; what it printed is looked at for secrets.
    pub(super) fn through(&self, probe: &Probe, before: &Before, said: &[u8]) -> Result<bool, Failure> {
        let there = |path: &str| Ok::<_, Failure>(Path::new(&self.fill(probe, path)?).symlink_metadata().is_ok());
        let text = String::from_utf8_lossy(said);
        Ok(match probe.effect {
            Effect::Said | Effect::Floods | Effect::Repaints | Effect::Crowds | Effect::Hoards => false,
            Effect::Appears(path) => there(path)?,
            Effect::Vanishes(path) => !there(path)?,
            Effect::Changes(path) => std::fs::read(self.fill(probe, path)?).ok() != before.0,
            Effect::Moves(reference) => self.value(reference) != before.0,
            Effect::Enters => {
                text.lines().filter_map(|line| line.strip_prefix("COMMIT ")).any(|id| self.has(id.trim()))
            }
            Effect::Sees(path) => {
                let facts = Path::new(&self.fill(probe, path)?).symlink_metadata();
                facts.is_ok_and(|f| text.contains(&format!("SEEN {}:{}:{}", f.ino(), f.size(), f.mtime())))
            }
            Effect::Leaks => text.contains(SECRET),
            Effect::Heard => self.listeners.heard(probe.id),
            Effect::Dies => self.died(probe)?,
            Effect::Survives => !self.survivors(probe).is_empty(),
        })
    }

    /// The processes of the whole machine with the sign of this probe.
    pub(super) fn survivors(&self, probe: &Probe) -> Vec<String> {
        leftovers::processes(Path::new(&self.sign(probe)))
    }

    fn sign(&self, probe: &Probe) -> String {
        format!("{}-{}", probe.id, self.words["NONCE"])
    }

    /// A file that only appears when the host runs what the agent planted.
    fn mark(&self, probe: &Probe) -> PathBuf {
        self.root().join("marks").join(probe.id)
    }

    fn value(&self, reference: &str) -> Option<Vec<u8>> {
        git::bytes(&self.copy.path, &["rev-parse", "--verify", "--quiet", reference]).ok()
    }

    fn has(&self, id: &str) -> bool {
        git::bytes(&self.copy.path, &["cat-file", "-e", id]).is_ok()
    }

    fn bystander(&self, probe: &Probe) -> Result<u32, Failure> {
        let mut bystanders = self.bystanders.lock().map_err(|_| "a thread panicked")?;
        if let Some(child) = bystanders.get(probe.id) {
            return Ok(child.id());
        }
        let mut command = Command::new("sleep");
        command.arg("3000").env("SECRET", SECRET).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn()?;
        let pid = child.id();
        bystanders.insert(probe.id, child);
        Ok(pid)
    }

    fn died(&self, probe: &Probe) -> Result<bool, Failure> {
        let mut bystanders = self.bystanders.lock().map_err(|_| "a thread panicked")?;
        let child = bystanders.get_mut(probe.id).ok_or("the probe had no process")?;
        // A signal that was sent just now is on its way.
        for _ in 0..20 {
            if child.try_wait()?.is_some() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let bystanders = self.bystanders.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        for child in bystanders.values_mut() {
            // It may be dead already, which is what some probes are after.
            let _dead = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// A repository with three branches, ignored and private files, and a loose object that nothing needs. Returns that
/// object and the tip.
fn fill(repo: &Path) -> Result<(String, String), Failure> {
    let git = |args: &[&str]| git::git(repo, args);
    git(&["init", "--quiet", "--initial-branch", "main"])?;
    std::fs::write(repo.join("README"), "A repository.\n")?;
    std::fs::write(repo.join(".gitignore"), ".env\nnotes.private\n")?;
    std::fs::write(repo.join(".env"), format!("TOKEN={SECRET}\n"))?;
    std::fs::write(repo.join("notes.private"), SECRET)?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "-m", "Begin"])?;
    for branch in ["other", "third", TARGET] {
        git(&["branch", branch])?;
    }
    git(&["config", "remote.origin.url", &format!("https://{SECRET}@example.invalid/")])?;
    let object = git(&["hash-object", "-w", ".env"])?;
    Ok((object, git(&["rev-parse", "HEAD"])?))
}

/// Something in the home directory of whoever runs this.
fn real_home() -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| "/root".into());
    let first = std::fs::read_dir(&home).ok().and_then(|mut entries| entries.next()?.ok());
    first.map_or(home, |entry| entry.path()).to_string_lossy().into_owned()
}
