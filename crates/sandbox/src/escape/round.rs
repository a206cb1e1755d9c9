//! All probes once, in one lane or without any.

mod lonely;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Seen;
use super::judge;
use super::limits;
use super::probe::{Effect, Expected, How, Manner, Probe, Proof};
use super::run::run;
use super::script::{self, Part};
use super::stage::Stage;
use super::suite::failed;
use crate::{Command, Coverage, Guarantee, Limits, Result, Running, Sandbox, Spec};

/// How long something may take that has no end of its own. Nobody waits so long for what has one, so this is for machines on
/// which everything takes many times as long: there, too, a probe is judged by what it does and not by when.
const LONG: Duration = Duration::from_secs(240);
/// How long all that runs together may take.
const TOGETHER: Duration = Duration::from_secs(1200);
/// How many seconds one of those may take.
const PATIENCE: u32 = 240;

/// Whether there is a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Inside,
}

/// One run of all probes. What runs by itself is done by two workers, each with sandboxes and a tree of its own.
#[derive(Debug)]
pub(super) struct Round<'a> {
    place: Place,
    sandbox: &'a dyn Sandbox,
    stage: Stage,
    driver: String,
    scripts: AtomicU32,
    sandboxes: AtomicU32,
    seen: Mutex<BTreeMap<&'static str, Seen>>,
}

impl<'a> Round<'a> {
    /// Sets the stage, runs everything, and clears the stage.
    pub(super) async fn run(
        probes: &[Probe],
        at: &Path,
        sandbox: &'a dyn Sandbox,
        place: Place,
    ) -> Result<BTreeMap<&'static str, Seen>> {
        let (at, all) = (at.to_owned(), probes.to_vec());
        let setting = tokio::task::spawn_blocking(move || Stage::new(&at, &all));
        let mut stage =
            setting.await.map_err(|e| failed("set the stage", e))?.map_err(|e| failed("set the stage", e))?;
        for (word, value) in limits::WORDS {
            stage.set(word, value.to_string());
        }
        // A watcher may be a moment late; without one, there is nothing to wait for.
        stage.set("WAIT", if place == Place::Inside { "2" } else { "0" }.to_owned());
        let filled = probes.first().map(|probe| stage.fill(probe, script::driver()));
        let driver = filled.unwrap_or_else(|| Ok(String::new())).map_err(|why| failed("write the driver", why))?;
        let (scripts, sandboxes) = (AtomicU32::new(0), AtomicU32::new(0));
        let round = Self { place, sandbox, stage, driver, scripts, sandboxes, seen: Mutex::default() };
        let ran = round.all(probes).await;
        let Round { stage, seen, .. } = round;
        tokio::task::spawn_blocking(move || drop(stage)).await.map_err(|e| failed("clear the stage", e))?;
        ran.map(|()| seen.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    async fn all(&self, probes: &[Probe]) -> Result<()> {
        let alone = probes.iter().filter(|probe| matches!(probe.how, How::Alone(..)));
        let (fixed, free): (Vec<_>, Vec<_>) =
            alone.partition(|probe| matches!(probe.how, How::Alone(_, Manner::Swapped | Manner::Pinned)));
        let free = Mutex::new(VecDeque::from(free));
        let [first, second] = self.stage.trees();
        let one = async {
            let mut running = self.start(&first, limits::low(self.sandbox)).await?;
            self.together(&mut *running, probes).await?;
            self.twice(&mut *running, probes).await?;
            self.stop(running).await?;
            let mut running = self.start(&first, limits::low(self.sandbox)).await?;
            // Once more, in a sandbox that comes after the one in which something was planted.
            self.look(&mut *running, probes).await?;
            self.stop(running).await?;
            for probe in fixed {
                self.one(&first, probe).await?;
            }
            self.work(&first, &free).await
        };
        tokio::try_join!(one, self.work(&second, &free))?;
        if self.place == Place::Inside {
            self.after(probes).await?;
        }
        Ok(())
    }

    /// What is run of this probe here, without placeholders; none when it cannot be run, which is noted.
    fn code(&self, probe: &Probe, code: &'static str) -> Option<String> {
        let code = match (self.place, probe.proof) {
            (Place::Outside, Proof::None(_)) => return None,
            (_, Proof::Instead(instead)) if self.is_open(probe) => instead,
            _ => code,
        };
        match self.stage.fill(probe, code) {
            Ok(code) => Some(code),
            Err(why) => {
                self.note(probe, Seen::Skipped { why });
                None
            }
        }
    }

    fn note(&self, probe: &Probe, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(probe.id, seen);
    }

    fn noted(&self, probe: &Probe) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(probe.id).cloned()
    }

    /// Whether nothing is said to hold this probe, so that one that does harm would do it to the host.
    fn is_open(&self, probe: &Probe) -> bool {
        let promised = |guarantee| !matches!(self.sandbox.coverage(guarantee), Coverage::Unenforced(_));
        self.place == Place::Outside || !probe.attacks.is_some_and(promised)
    }

    async fn start(&self, tree: &Path, limits: Limits) -> Result<Box<dyn Running>> {
        let spec = self.spec(tree, limits)?;
        self.sandbox.start(spec).await
    }

    fn spec(&self, tree: &Path, limits: Limits) -> Result<Spec> {
        let name = self.sandboxes.fetch_add(1, Ordering::Relaxed).to_string();
        let mut spec = self.stage.spec(&name, tree, limits::policy(self.sandbox, limits))?;
        if self.place == Place::Outside {
            spec.home = Some(self.stage.home());
        }
        if matches!(self.sandbox.coverage(Guarantee::NoHostWrites), Coverage::Unenforced(_)) {
            // A lane that shows the host as it is cannot put one thing in the place of another.
            spec.mounts.retain(|mount| mount.source == mount.target);
        }
        Ok(spec)
    }

    async fn stop(&self, running: Box<dyn Running>) -> Result<()> {
        running.stop(Duration::from_secs(1)).await.map(drop)
    }

    /// A script in the tree, as a command.
    fn command(&self, tree: &Path, text: &str) -> Result<Command> {
        let number = self.scripts.fetch_add(1, Ordering::Relaxed);
        let path: PathBuf = tree.join(format!("run-{number}.pl"));
        std::fs::write(&path, text).map_err(|e| failed("write a script", e))?;
        let mut command = Command::new("perl", tree).args([path]).deadline(LONG);
        command.grace = Duration::from_millis(300);
        Ok(command)
    }

    async fn together(&self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let code = |probe: &Probe| if let How::Together(code) = probe.how { self.code(probe, code) } else { None };
        let parts: Vec<_> = probes.iter().filter_map(|probe| Some((probe, code(probe)?))).collect();
        let said = self.batch(running, &parts).await?;
        for (probe, _) in parts {
            self.note(probe, self.told(probe, said.get(probe.id)));
        }
        Ok(())
    }

    /// Plants in one command what the next one looks for.
    async fn twice(&self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let code =
            |probe: &Probe| if let How::Twice { plant, .. } = probe.how { self.code(probe, plant) } else { None };
        let parts: Vec<_> = probes.iter().filter_map(|probe| Some((probe, code(probe)?))).collect();
        let said = self.batch(running, &parts).await?;
        for (probe, _) in parts {
            // What could not even be planted is blocked already; what was planted waits for who looks.
            if let Some(seen) = planted(said.get(probe.id)) {
                self.note(probe, seen);
            }
        }
        self.look(running, probes).await
    }

    async fn look(&self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let mut parts = Vec::new();
        for probe in probes {
            let open = self.noted(probe).is_none_or(|seen| seen == Seen::Contained);
            if let How::Twice { look, .. } = probe.how
                && open
                && let Some(code) = self.code(probe, look)
            {
                parts.push((probe, code));
            }
        }
        let said = self.batch(running, &parts).await?;
        for (probe, _) in parts {
            let seen = match self.told(probe, said.get(probe.id)) {
                // It was planted, and nobody finds it.
                Seen::Blocked { .. } => Seen::Contained,
                other => other,
            };
            self.note(probe, seen);
        }
        Ok(())
    }

    /// Runs all of these in one command and gives what each said.
    async fn batch(&self, running: &mut dyn Running, parts: &[(&Probe, String)]) -> Result<BTreeMap<String, Vec<u8>>> {
        if parts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let part = |(probe, code): &(&Probe, String)| -> Part { (probe.id, PATIENCE, code.clone()) };
        let parts: Vec<Part> = parts.iter().map(part).collect();
        let nonce = self.stage.nonce().to_owned();
        let text = script::together(&self.driver, &nonce, &parts);
        let command = self.command(&self.stage.tree(), &text)?.deadline(TOGETHER);
        let ran = run(running, command, TOGETHER + LONG, None).await;
        // A signal is on its way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.stage.catch_up().await;
        let mut said = script::said(&ran.stdout, &nonce);
        let complaint = String::from_utf8_lossy(&ran.stderr).lines().next().unwrap_or_default().to_owned();
        let why = || format!("{} {complaint}", ran.end().unwrap_or_default());
        for (id, ..) in parts {
            said.entry(id.to_owned()).or_insert_with(|| format!("SKIP the command ended before: {}", why()).into());
        }
        Ok(said)
    }

    /// What came of a probe that ran with others.
    fn told(&self, probe: &Probe, said: Option<&Vec<u8>>) -> Seen {
        let said = said.map(Vec::as_slice).unwrap_or_default();
        let through = self.stage.through(probe, said, None);
        judge::seen(probe.effect, probe.expected, through, &String::from_utf8_lossy(said), None)
    }

    /// What is left when all is over.
    async fn after(&self, probes: &[Probe]) -> Result<()> {
        for probe in probes {
            let (How::After, Effect::Remains(rest)) = (probe.how, probe.effect) else { continue };
            let left = self.stage.left(rest, self.sandbox).await?;
            let why = || Seen::Broken { why: left.join(", ") };
            self.note(probe, if left.is_empty() { Seen::Contained } else { why() });
        }
        Ok(())
    }
}

/// What is known of a probe that could not plant anything.
fn planted(said: Option<&Vec<u8>>) -> Option<Seen> {
    let text = String::from_utf8_lossy(said.map(Vec::as_slice).unwrap_or_default()).into_owned();
    let seen = judge::seen(Effect::Own, Expected::Harmless, false, &text, None);
    Some(seen).filter(|seen| *seen != Seen::Contained)
}
