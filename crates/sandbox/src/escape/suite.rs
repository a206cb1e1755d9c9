//! Which probes, and what they say about a lane.

use std::path::PathBuf;

use super::judge;
use super::plain::Plain;
use super::probe::{Probe, Proof};
use super::report::{Controls, Report, Row};
use super::round::{Place, Round};
use super::{Control, Seen, probes};
use crate::{Error, Result, Sandbox};

/// Probes to run against a lane.
#[derive(Clone, Debug)]
pub struct Suite {
    probes: Vec<Probe>,
    place: PathBuf,
}

impl Suite {
    /// What a hostile program tries, set up in a directory of its own below `place`.
    ///
    /// `place` has to exist and to be writable. For what is said about a home directory to mean something, it should lie where
    /// a user's files lie, and not in `/tmp`.
    pub fn escape(place: impl Into<PathBuf>) -> Self {
        Self { probes: probes::attacks(), place: place.into() }
    }

    /// What an honest program must be able to do, set up in the same way.
    pub fn compatibility(place: impl Into<PathBuf>) -> Self {
        Self { probes: probes::tools(), place: place.into() }
    }

    /// The same suite with fewer probes.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&Probe) -> bool) -> Self {
        self.probes.retain(keep);
        self
    }

    /// The probes, in the order of the report.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// Runs every probe without a sandbox, as the caller's user.
    ///
    /// Nothing is tried that harms the machine. Descriptors are left open for programs that this process starts meanwhile, and
    /// files and services with names of their own are made and removed again, also in directories of the system where the user
    /// may write there. Programs that other threads start meanwhile may get such a descriptor.
    ///
    /// A key in the session's keyring is only looked for when the caller has a session keyring.
    ///
    /// Dropping the future leaves what was set up until the process ends.
    ///
    /// # Errors
    /// [`Error::Lane`] when the stage could not be set.
    pub async fn control(&self) -> Result<Controls> {
        let seen = Round::run(&self.probes, &self.place, &Plain, Place::Outside).await?;
        let say = |probe: &Probe| match (probe.proof, seen.get(probe.id)) {
            (Proof::None(why), _) => Control::Incomparable { why: why.to_owned() },
            (_, Some(seen)) => judge::control(probe.effect, seen),
            (_, None) => Control::ProvesNothing { why: "it was not run".to_owned() },
        };
        Ok(self.probes.iter().map(|probe| (probe.id.to_owned(), say(probe))).collect())
    }

    /// Runs every probe in a lane, under a policy that requires all that the lane says it can keep, with low limits.
    ///
    /// Takes the time of some twenty commands. `controls` come from [`control`](Self::control), as the same user. The future must
    /// be polled to its end: dropped, it kills what runs in the lane, and leaves sentinels of the host until the process ends.
    ///
    /// # Errors
    /// When the lane refuses its own coverage, fails to start or to stop; [`Error::Lane`] when the stage could not be set.
    pub async fn run(&self, sandbox: &dyn Sandbox, controls: &Controls) -> Result<Report> {
        let seen = Round::run(&self.probes, &self.place, sandbox, Place::Inside).await?;
        let row = |probe: &Probe| {
            let coverage = probe.attacks.map(|guarantee| sandbox.coverage(guarantee));
            let missing = || Control::ProvesNothing { why: "there was no control".to_owned() };
            let control = controls.get(probe.id).cloned().unwrap_or_else(missing);
            let not_run = || Seen::NotRun { why: "nothing is known".to_owned() };
            let seen = seen.get(probe.id).cloned().unwrap_or_else(not_run);
            let verdict = judge::verdict(probe.expected, probe.proof, coverage.as_ref(), &control, &seen);
            Row {
                id: probe.id.to_owned(),
                category: probe.category(),
                tries: probe.tries.to_owned(),
                attacks: probe.attacks,
                coverage,
                expected: probe.expected,
                control,
                seen,
                verdict,
            }
        };
        Ok(Report { lane: sandbox.name().to_owned(), rows: self.probes.iter().map(row).collect() })
    }
}

/// Something on the host could not be set up.
pub(super) fn failed(action: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Lane { action: action.to_owned(), source: source.into() }
}
