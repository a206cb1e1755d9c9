//! One kill and all that follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use hedgerow_orchestrator::{Event, Fleet};

use crate::clone::{Copy, Template};
use crate::fleet24::unexpected;
use crate::fleetrun::{Kill, Program};
use crate::lane::Lane;
use crate::markers::{self, Markers};
use crate::{Failure, journal, leftovers, plan};

/// How long agents that die with their fleet may take to do so.
const DYING: Duration = Duration::from_secs(10);
/// How often a kill may come too late.
const TRIES: u32 = 4;

/// What else is killed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Also {
    Nothing,
    /// The run that goes on.
    NextRun,
    /// The first `fleet recover`.
    Recover,
}

#[derive(Debug)]
pub(super) struct Round<'a> {
    pub(super) program: &'a Program,
    pub(super) template: &'a Template,
    /// How long the plan takes when nobody disturbs it.
    pub(super) whole: Duration,
    /// When to kill, as fractions of that: the run, and what else is killed.
    pub(super) moments: [f64; 2],
    pub(super) also: Also,
}

/// What was seen in a round.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When, as a fraction of the time that the plan takes.
    pub(super) killed: f64,
    pub(super) also: String,
    pub(super) stages: String,
    pub(super) adopted: usize,
    pub(super) abandoned: usize,
    /// How many markers there were to be found again.
    pub(super) wanted: usize,
    pub(super) lost: Vec<String>,
    pub(super) doubled_runs: Vec<String>,
    pub(super) doubled_landings: Vec<String>,
    pub(super) left: Vec<String>,
    unexpected: Vec<String>,
}

impl Also {
    /// Two of three rounds kill something else as well.
    pub(super) fn of(round: u32) -> Self {
        match round % 3 {
            1 => Self::Nothing,
            2 => Self::NextRun,
            _ => Self::Recover,
        }
    }
}

impl Seen {
    pub(super) fn misses(&self) -> impl Iterator<Item = String> {
        let lost = self.lost.iter().map(|text| format!("lost: {text}"));
        let rest = [&self.doubled_runs, &self.doubled_landings, &self.left, &self.unexpected];
        lost.chain(rest.into_iter().flatten().cloned())
    }
}

impl Round<'_> {
    /// Runs the round; once more with a better idea of how long the plan takes when the kill came too late.
    pub(super) fn run(&mut self) -> Result<Seen, Failure> {
        for _ in 0..TRIES {
            match self.try_once()? {
                Ok(seen) => return Ok(seen),
                Err(whole) => self.whole = whole,
            }
        }
        Err(format!("{TRIES} times in a row the run was over before it could be killed").into())
    }

    /// One kill and all that follows it, or how long the run took that was over before.
    fn try_once(&self) -> Result<Result<Seen, Duration>, Failure> {
        let copy = self.template.copy()?;
        let plan = copy.place().join("plan.toml");
        std::fs::write(&plan, plan::text(&self.template.files))?;
        let mut seen = Seen { also: "-".into(), ..Seen::default() };
        let mut wanted = Markers::new();
        match self.program.run(&copy, &plan, "killed")?.kill_at(self.whole.mul_f64(self.moments[0]))? {
            Kill::At(age) => seen.killed = age.as_secs_f64() / self.whole.as_secs_f64(),
            Kill::TooLate(whole) => return Ok(Err(whole)),
        }
        let before = self.after_a_kill(&copy, &mut wanted, &mut seen)?;
        let interrupted = journal::working(&before);
        seen.stages = journal::stages(&before);
        self.kill_more(&copy, &plan, &mut wanted, &mut seen)?;
        self.program.recover(&copy, "recover")?.wait()?.ran()?;
        // A kill may come when all is over; the same plan would then begin a new run.
        if !journal::finished(&journal::events(&copy)?) {
            self.program.run(&copy, &plan, "last")?.wait()?.ran()?;
        }
        let reports = Fleet::status(&copy.path)?;
        let report = reports.last().ok_or("there is no run")?;
        seen.unexpected = unexpected(&copy, report);
        self.judge(&copy, wanted, &interrupted, &mut seen)?;
        Ok(Ok(seen))
    }

    fn kill_more(&self, copy: &Copy, plan: &Path, wanted: &mut Markers, seen: &mut Seen) -> Result<(), Failure> {
        let (what, killed) = match self.also {
            Also::Nothing => return Ok(()),
            Also::Recover => {
                // It is quick: a fraction of what is left would nearly always come too late.
                let age = Duration::from_secs(1).mul_f64(self.moments[1]);
                ("recover", self.program.recover(copy, "killed-recover")?.kill_at(age)?)
            }
            Also::NextRun => {
                self.program.recover(copy, "first-recover")?.wait()?.ran()?;
                // What is left of the plan is about so much.
                let age = self.whole.mul_f64((1.0 - self.moments[0]) * self.moments[1]);
                let over = journal::finished(&journal::events(copy)?);
                let killed = if over {
                    Kill::TooLate(Duration::ZERO)
                } else {
                    self.program.run(copy, plan, "killed-again")?.kill_at(age)?
                };
                ("next run", killed)
            }
        };
        self.after_a_kill(copy, wanted, seen)?;
        seen.also = match killed {
            Kill::At(age) => format!("{what} after {} ms", age.as_millis()),
            Kill::TooLate(_) => format!("{what} was over"),
        };
        Ok(())
    }

    /// Notes which markers are in the trees and in the refs at this moment, and what the journal says.
    fn after_a_kill(&self, copy: &Copy, wanted: &mut Markers, seen: &mut Seen) -> Result<Vec<Event>, Failure> {
        // In this lane nothing outlives the fleet; what is still dying could write on.
        if self.program.lane == Lane::Native {
            let alive = leftovers::processes_after_a_while(copy.place(), DYING);
            seen.left.extend(alive.into_iter().map(|process| format!("after the kill, process {process}")));
        }
        wanted.extend(markers::in_trees(copy)?);
        wanted.extend(markers::in_refs(&copy.path)?);
        journal::events(copy)
    }

    fn judge(
        &self,
        copy: &Copy,
        wanted: Markers,
        interrupted: &BTreeSet<(String, u32)>,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let found = markers::in_refs(&copy.path)?;
        let (begun, _) = markers::printed(copy)?;
        // An agent says that it begins when its marker is written.
        let said = begun.iter().map(|run| (run.split(' ').next().unwrap_or_default().to_owned(), format!("{run}\n")));
        let wanted: Markers = wanted.into_iter().chain(said).collect();
        seen.wanted = wanted.len();
        seen.lost = markers::missing(&wanted, &found);
        let events = journal::events(copy)?;
        (seen.adopted, seen.abandoned) = journal::fate(&events, interrupted);
        seen.doubled_runs = journal::doubled_runs(&events);
        seen.doubled_landings = journal::doubled_landings(copy)?;
        seen.doubled_runs.extend(doubled_processes(&begun, &wanted, &found));
        seen.left.extend(leftovers::all(copy)?);
        Ok(())
    }
}

/// The attempts for which there is proof of more than one process, whatever the journal says.
fn doubled_processes(begun: &BTreeSet<String>, wanted: &Markers, found: &Markers) -> Vec<String> {
    let mut processes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let marked = wanted.iter().chain(found).map(|(_, text)| markers::run(text));
    for run in begun.iter().map(String::as_str).chain(marked) {
        // "<task> <branch> <number>": the branch is the attempt.
        if let Some((attempt, number)) = run.rsplit_once(' ') {
            processes.entry(attempt.to_owned()).or_default().insert(number.to_owned());
        }
    }
    let twice = processes.into_iter().filter(|(_, numbers)| numbers.len() > 1);
    twice.map(|(attempt, numbers)| format!("{attempt} was run by {} processes", numbers.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_in_one_attempt_are_noticed() {
        let begun: BTreeSet<_> = ["a agent/a/1-1 11".to_owned(), "a agent/a/1-2 22".to_owned()].into();
        let same: Markers = [("a".to_owned(), "a agent/a/1-1 11\nstep 1\n".to_owned())].into();
        let other: Markers = [("a".to_owned(), "a agent/a/1-1 33\n".to_owned())].into();
        assert!(doubled_processes(&begun, &same, &Markers::new()).is_empty());
        assert_eq!(doubled_processes(&begun, &same, &other).len(), 1);
    }
}
