//! All probes once, in one lane or without any.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::judge;
use super::limits;
use super::probe::{Effect, How, Manner, Probe, Proof};
use super::run::{Ended, Ran, run};
use super::script::{self, Part};
use super::stage::{Peak, Stage, Watch, While, end};
use super::suite::failed;
use super::{Category, Seen};
use crate::{Command, Coverage, Error, Guarantee, Limits, Result, Running, Sandbox, Spec};

/// How long something may take that has no end of its own.
const LONG: Duration = Duration::from_secs(60);
/// How long one that must not end is watched without a sandbox.
const SHORT: Duration = Duration::from_secs(1);
/// How long all that runs together may take.
const TOGETHER: Duration = Duration::from_secs(300);
/// How long what was killed may take to be gone in a lane.
const GONE: Duration = Duration::from_millis(500);
/// How long what was dropped may take to be gone in a lane.
const DROPPED: Duration = Duration::from_secs(20);

/// Whether there is a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Inside,
}

/// One run of all probes.
#[derive(Debug)]
pub(super) struct Round<'a> {
    place: Place,
    sandbox: &'a dyn Sandbox,
    stage: Stage,
    driver: String,
    scripts: u32,
    sandboxes: u32,
    seen: BTreeMap<&'static str, Seen>,
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
        let filled = probes.first().map(|probe| stage.fill(probe, script::driver()));
        let driver = filled.unwrap_or_else(|| Ok(String::new())).map_err(|why| failed("write the driver", why))?;
        let mut round = Self { place, sandbox, stage, driver, scripts: 0, sandboxes: 0, seen: BTreeMap::new() };
        round.all(probes).await?;
        let Round { stage, seen, .. } = round;
        tokio::task::spawn_blocking(move || drop(stage)).await.map_err(|e| failed("clear the stage", e))?;
        Ok(seen)
    }

    async fn all(&mut self, probes: &[Probe]) -> Result<()> {
        let limits = limits::low(self.sandbox);
        let mut running = self.start(limits).await?;
        self.together(&mut *running, probes).await?;
        self.twice(&mut *running, probes).await?;
        self.stop(running).await?;
        let mut running = self.start(limits).await?;
        // Once more, in a sandbox that comes after the one in which something was planted.
        self.look(&mut *running, probes).await?;
        for probe in probes {
            let How::Alone(code, manner) = probe.how else { continue };
            let Some(code) = self.code(probe, code) else { continue };
            match (manner, self.place) {
                (Manner::Slowed, _) => {
                    let slow = limits::slow(self.sandbox);
                    let mut running = self.start(slow).await?;
                    self.alone(&mut *running, probe, &code, manner).await?;
                    self.stop(running).await?;
                }
                (Manner::Swapped | Manner::Pinned, Place::Inside) => self.own(probe, &code, manner).await?,
                _ => self.alone(&mut *running, probe, &code, manner).await?,
            }
        }
        self.stop(running).await?;
        if self.place == Place::Inside {
            self.after(probes).await?;
        }
        Ok(())
    }

    /// What is run of this probe here, without placeholders; none when it cannot be run, which is noted.
    fn code(&mut self, probe: &Probe, code: &'static str) -> Option<String> {
        let code = match (self.place, probe.proof) {
            (Place::Outside, Proof::None(_)) => return None,
            (_, Proof::Instead(instead)) if self.is_open(probe) => instead,
            _ => code,
        };
        match self.stage.fill(probe, code) {
            Ok(code) => Some(code),
            Err(why) => {
                self.seen.insert(probe.id, Seen::NotRun { why });
                None
            }
        }
    }

    /// Whether nothing is said to hold this probe, so that one that does harm would do it to the host.
    fn is_open(&self, probe: &Probe) -> bool {
        let promised = |guarantee| !matches!(self.sandbox.coverage(guarantee), Coverage::Unenforced(_));
        self.place == Place::Outside || !probe.attacks.is_some_and(promised)
    }

    async fn start(&mut self, limits: Limits) -> Result<Box<dyn Running>> {
        let spec = self.spec(limits)?;
        self.sandbox.start(spec).await
    }

    fn spec(&mut self, limits: Limits) -> Result<Spec> {
        self.sandboxes += 1;
        let mut spec = self.stage.spec(&self.sandboxes.to_string(), limits::policy(self.sandbox, limits))?;
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
    fn command(&mut self, text: &str) -> Result<Command> {
        self.scripts += 1;
        let path: PathBuf = self.stage.tree().join(format!("run-{}.pl", self.scripts));
        std::fs::write(&path, text).map_err(|e| failed("write a script", e))?;
        let mut command = Command::new("perl", self.stage.tree()).args([path]).deadline(LONG);
        command.grace = Duration::from_millis(300);
        Ok(command)
    }

    async fn together(&mut self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let mut parts = Vec::new();
        for probe in probes {
            if let How::Together(code) = probe.how
                && let Some(code) = self.code(probe, code)
            {
                parts.push((probe, code));
            }
        }
        let said = self.batch(running, &parts).await?;
        for (probe, _) in parts {
            let seen = self.told(probe, said.get(probe.id));
            self.seen.insert(probe.id, seen);
        }
        Ok(())
    }

    /// Plants in one command what the next one looks for.
    async fn twice(&mut self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let mut parts = Vec::new();
        for probe in probes {
            if let How::Twice { plant, .. } = probe.how
                && let Some(code) = self.code(probe, plant)
            {
                parts.push((probe, code));
            }
        }
        let said = self.batch(running, &parts).await?;
        for (probe, _) in parts {
            // What could not even be planted is blocked already; what was planted waits for who looks.
            if let Some(seen) = planted(said.get(probe.id)) {
                self.seen.insert(probe.id, seen);
            }
        }
        self.look(running, probes).await
    }

    async fn look(&mut self, running: &mut dyn Running, probes: &[Probe]) -> Result<()> {
        let mut parts = Vec::new();
        for probe in probes {
            let open = self.seen.get(probe.id).is_none_or(|seen| *seen == Seen::Contained);
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
            self.seen.insert(probe.id, seen);
        }
        Ok(())
    }

    /// Runs all of these in one command and gives what each said.
    async fn batch(
        &mut self,
        running: &mut dyn Running,
        parts: &[(&Probe, String)],
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        if parts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let part = |(probe, code): &(&Probe, String)| -> Part {
            let seconds = if probe.category() == Category::Works { 60 } else { 5 };
            (probe.id, seconds, code.clone())
        };
        let parts: Vec<Part> = parts.iter().map(part).collect();
        let nonce = self.stage.nonce().to_owned();
        let command = self.command(&script::together(&self.driver, &nonce, &parts))?.deadline(TOGETHER);
        let ran = run(running, command, TOGETHER + LONG, None).await;
        // What was sent to a service of the host just now, and a signal, are on their way.
        tokio::time::sleep(Duration::from_millis(200)).await;
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

    async fn alone(&mut self, running: &mut dyn Running, probe: &Probe, code: &str, manner: Manner) -> Result<()> {
        let mut command = self.command(&script::alone(&self.driver, code))?;
        let secret = self.stage.secret(probe.id);
        match manner {
            Manner::Hurried => command.deadline = Duration::from_millis(1000),
            Manner::Told => command = command.env("HEDGEROW_GIVEN", &secret),
            Manner::Through if self.place == Place::Inside => command.workdir = "/proc/self/fd/8".into(),
            _ => {}
        }
        let until = (manner == Manner::Dropped).then_some("READY");
        let patience = match (self.place, probe.effect) {
            (Place::Outside, Effect::Hangs) => SHORT,
            _ => command.deadline + LONG,
        };
        let watch = Watch::start(&self.stage.sign(probe), &secret);
        let ran = run(running, command, patience, until).await;
        let peak = watch.end();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let seen = self.lonely(probe, manner, &ran, peak);
        self.seen.insert(probe.id, seen);
        if self.place == Place::Outside {
            end(&self.stage.sign(probe));
        }
        Ok(())
    }

    /// What came of a probe that had a command of its own.
    fn lonely(&self, probe: &Probe, manner: Manner, ran: &Ran, peak: Peak) -> Seen {
        let grace = match (manner, self.place) {
            (Manner::Dropped, Place::Inside) => DROPPED,
            (_, Place::Inside) => GONE,
            (_, Place::Outside) => Duration::ZERO,
        };
        let patient = manner != Manner::Hurried && self.place == Place::Inside;
        let hung = ran.hung() || patient && ran.end().as_deref() == Some("deadline");
        let during = While { ran, peak, limits: &limits::most(), grace, hung };
        let through = self.stage.through(probe, ran.text().as_bytes(), Some(during));
        match &ran.end {
            Ended::Failed(why) if !through && matches!(manner, Manner::Through | Manner::Swapped) => {
                Seen::Blocked { why: why.clone() }
            }
            Ended::Failed(why) if !through => Seen::NotRun { why: why.clone() },
            _ => judge::seen(probe.effect, probe.expected, through, &ran.text(), ran.end().as_deref()),
        }
    }

    /// Runs a probe in a sandbox of its own with a mount some directories below the tree. A lane that does not want to make such
    /// a mount has blocked it.
    async fn own(&mut self, probe: &Probe, code: &str, manner: Manner) -> Result<()> {
        let mut spec = self.spec(limits::low(self.sandbox))?;
        spec.mounts.push(self.stage.extra(probe).map_err(|e| failed("set the stage", e))?);
        let mut running = match self.sandbox.start(spec).await {
            Ok(running) => running,
            Err(error @ (Error::Refused { .. } | Error::InvalidSpec { .. })) => {
                let refusal = error.to_string().chars().take(60).collect::<String>();
                self.seen.insert(probe.id, Seen::Blocked { why: format!("refused: {refusal}…") });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.alone(&mut *running, probe, code, Manner::Plain).await?;
        if manner == Manner::Swapped {
            // The mount that is in place now keeps the first command from it, or the second one finds the link.
            let first = self.seen.get(probe.id).cloned();
            self.alone(&mut *running, probe, "told('ok');", Manner::Swapped).await?;
            if let Some(first @ (Seen::Through | Seen::Blocked { .. } | Seen::NotRun { .. })) = first {
                self.seen.insert(probe.id, first);
            }
        }
        self.stop(running).await
    }

    /// What is left when all is over.
    async fn after(&mut self, probes: &[Probe]) -> Result<()> {
        for probe in probes {
            let (How::After, Effect::Remains(rest)) = (probe.how, probe.effect) else { continue };
            let left = self.stage.left(rest, self.sandbox).await?;
            let why = || Seen::Broken { why: left.join(", ") };
            self.seen.insert(probe.id, if left.is_empty() { Seen::Contained } else { why() });
        }
        Ok(())
    }
}

/// What is known of a probe that could not plant anything.
fn planted(said: Option<&Vec<u8>>) -> Option<Seen> {
    let text = String::from_utf8_lossy(said.map(Vec::as_slice).unwrap_or_default()).into_owned();
    match judge::word(&text) {
        Ok("ok") => None,
        Ok(why) => Some(Seen::Blocked { why: why.to_owned() }),
        Err(seen) => Some(seen),
    }
}
