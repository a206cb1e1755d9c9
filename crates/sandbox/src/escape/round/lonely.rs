//! Probes that have a command of their own, and those that have a sandbox of their own.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{LONG, Place, Round};
use crate::escape::probe::{Effect, How, Manner, Probe};
use crate::escape::run::{Ended, Ran, run};
use crate::escape::stage::{Peak, Stage, Watch, While, end};
use crate::escape::suite::failed;
use crate::escape::{Seen, judge, limits, script};
use crate::{Error, Result, Running, Spec};

/// How long one that must not end is watched without a sandbox.
const SHORT: Duration = Duration::from_millis(600);
/// The deadline of one that must not end.
const HURRY: Duration = Duration::from_millis(600);
/// How long what was killed may take to be gone in a lane.
const GONE: Duration = Duration::from_millis(500);
/// How long what was dropped may take to be gone in a lane.
const DROPPED: Duration = Duration::from_secs(20);

impl Round<'_> {
    /// Takes one probe after the other, and runs it in a sandbox that many have used before.
    pub(super) async fn work(&self, tree: &Path, free: &Mutex<VecDeque<&Probe>>) -> Result<()> {
        let next = || free.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(mut probe) = next() else { return Ok(()) };
        let mut running = self.start(tree, limits::low(self.sandbox)).await?;
        loop {
            match probe.how {
                How::Alone(code, manner) if manner != Manner::Slowed => {
                    if let Some(code) = self.code(probe, code) {
                        self.alone(&mut *running, tree, probe, &code, manner).await?;
                    }
                }
                _ => self.one(tree, probe).await?,
            }
            match next() {
                Some(another) => probe = another,
                None => return self.stop(running).await,
            }
        }
    }

    /// Runs a probe in a sandbox of its own.
    pub(super) async fn one(&self, tree: &Path, probe: &Probe) -> Result<()> {
        let How::Alone(code, manner) = probe.how else { return Ok(()) };
        let Some(code) = self.code(probe, code) else { return Ok(()) };
        let slow = manner == Manner::Slowed;
        let limits = if slow { limits::slow(self.sandbox) } else { limits::low(self.sandbox) };
        let spec = self.spec(tree, limits)?;
        if matches!(manner, Manner::Swapped | Manner::Pinned) && self.place == Place::Inside {
            return self.mounted(tree, probe, spec, &code, manner).await;
        }
        let mut running = self.sandbox.start(spec).await?;
        self.alone(&mut *running, tree, probe, &code, manner).await?;
        self.stop(running).await
    }

    async fn alone(
        &self,
        running: &mut dyn Running,
        tree: &Path,
        probe: &Probe,
        code: &str,
        manner: Manner,
    ) -> Result<()> {
        let mut command = self.command(tree, &script::alone(&self.driver, code))?;
        let secret = self.stage.secret(probe.id);
        match manner {
            Manner::Hurried => command.deadline = HURRY,
            Manner::Told => command = command.env("HEDGEROW_GIVEN", &secret),
            Manner::Through if self.place == Place::Inside => command.workdir = "/proc/self/fd/8".into(),
            _ => {}
        }
        let until = (manner == Manner::Dropped).then_some("READY");
        let patience = match (self.place, probe.effect) {
            (Place::Outside, Effect::Hangs) => SHORT,
            _ => command.deadline + LONG,
        };
        let watched = matches!(probe.effect, Effect::Crowds | Effect::Hoards | Effect::Shows);
        let watch = watched.then(|| Watch::start(&self.stage.sign(probe), &secret));
        let ran = run(running, command, patience, until).await;
        let peak = watch.map(Watch::end).unwrap_or_default();
        if matches!(probe.effect, Effect::Disturbs | Effect::Survives | Effect::Hangs) {
            // A signal is on its way.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if probe.effect == Effect::Heard {
            self.stage.catch_up().await;
        }
        self.note(probe, self.lonely(probe, manner, &ran, peak));
        if self.place == Place::Outside {
            end(&self.stage.sign(probe));
        }
        Stage::remove(tree, probe);
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
    async fn mounted(&self, tree: &Path, probe: &Probe, mut spec: Spec, code: &str, manner: Manner) -> Result<()> {
        spec.mounts.push(self.stage.extra(probe).map_err(|e| failed("set the stage", e))?);
        let mut running = match self.sandbox.start(spec).await {
            Ok(running) => running,
            Err(error @ (Error::Refused { .. } | Error::InvalidSpec { .. })) => {
                let refusal = error.to_string().chars().take(60).collect::<String>();
                self.note(probe, Seen::Blocked { why: format!("refused: {refusal}…") });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.alone(&mut *running, tree, probe, code, Manner::Plain).await?;
        if manner == Manner::Swapped {
            // The mount that is in place now keeps the first command from it, or the second one finds the link.
            let first = self.noted(probe);
            self.alone(&mut *running, tree, probe, "told('ok');", Manner::Swapped).await?;
            if let Some(first @ (Seen::Through | Seen::Blocked { .. } | Seen::NotRun { .. } | Seen::Skipped { .. })) =
                first
            {
                self.note(probe, first);
            }
        }
        self.stop(running).await
    }
}
