//! A world of letters for a queue to act in: small enough to try everything that can happen in it.
//!
//! A commit is the sequence of the changes in it, and a tree is their set; so merging, gating and landing are computed from
//! names alone, and what is true is known. The program `evidence` uses this file as well.

use std::collections::{BTreeMap, BTreeSet};

use hedgerow_merge::CommitId;
use hedgerow_merge::queue::*;

/// One change, and what is true of it. Changes are numbered from 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    /// It fails its gate whatever is below.
    pub(crate) bad: bool,
    /// It fails together with this one.
    pub(crate) breaks: Option<u8>,
    /// It does not merge with this one.
    pub(crate) conflicts: Option<u8>,
    /// It needs this one.
    pub(crate) needs: Option<u8>,
    /// It is a variant of a group.
    pub(crate) group: Option<u8>,
    /// Its gate passed before it was enqueued.
    pub(crate) certified: bool,
    /// It shares a scope with the others that have the same.
    pub(crate) scope: u8,
}

/// How many faults of each kind may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// An event gets lost after its action was done.
    pub(crate) lost: u8,
    /// An event comes twice.
    pub(crate) doubled: u8,
    /// The driver dies with everything that it was doing, and loads the state.
    pub(crate) crash: u8,
    /// A gate fails on a good tree.
    pub(crate) flake: u8,
    /// Somebody else moves the target.
    pub(crate) foreign: u8,
    /// The first of these moves breaks the target; the next one mends it.
    pub(crate) red: u8,
    /// Somebody cancels a change.
    pub(crate) cancel: u8,
}

/// What is to be tried.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) guarantee: Guarantee,
    pub(crate) slots: u32,
    pub(crate) changes: Vec<Spec>,
    pub(crate) faults: Faults,
}

/// The number from which on foreign commits are named; the first is red if the scenario says so.
const FOREIGN: u8 = 0xa0;

/// What a driver is doing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Task {
    Prepare(CommitId, u8),
    Gate(GateRun),
    Land { expected: CommitId, to: CommitId },
    End(u8, String),
}

/// Everything outside of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// What the target contains, in order.
    pub(crate) target: Vec<u8>,
    /// How many changes were enqueued.
    pub(crate) enqueued: u8,
    pub(crate) tasks: BTreeSet<Task>,
    /// The trees that a gate passed on.
    pub(crate) passed: BTreeSet<TreeId>,
    /// How changes ended, as somebody noted.
    pub(crate) ended: BTreeMap<u8, String>,
    pub(crate) faults: Faults,
    pub(crate) foreign: u8,
    /// A landing that happened and that the queue was not told of.
    pub(crate) untold: Option<CommitId>,
}

/// A commit with these changes, in this order.
pub(crate) fn commit(changes: &[u8]) -> CommitId {
    let digits: String = changes.iter().map(|change| format!("{change:02x}")).collect();
    CommitId::new(format!("{digits:0>40}")).expect("as this world names it")
}

/// The changes of a commit.
pub(crate) fn changes(commit: &CommitId) -> Vec<u8> {
    let pairs = commit.as_str().as_bytes().chunks(2);
    let numbers = pairs.map(|pair| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("as this world names it"), 16)
            .expect("as this world names it")
    });
    numbers.filter(|change| *change != 0).collect()
}

/// The tree of a commit.
pub(crate) fn tree(changes: &[u8]) -> TreeId {
    let set: BTreeSet<u8> = changes.iter().copied().collect();
    TreeId::new(set.iter().map(|change| format!("{change:02x}")).collect::<String>())
}

fn tip(changes: &[u8]) -> Tip {
    Tip { commit: commit(changes), tree: tree(changes) }
}

fn id(change: u8) -> ChangeId {
    ChangeId::new(change.to_string())
}

fn number(id: &ChangeId) -> u8 {
    id.as_str().parse().expect("as this world names it")
}

/// The gate of every world.
pub(crate) fn key() -> GateKey {
    GateKey { gate: Digest::new("g"), environment: Digest::new("e") }
}

impl Scenario {
    /// The queue and the world before anything happened.
    pub(crate) fn begin(&self) -> (State, World) {
        let config = Config::new(self.guarantee, key(), self.slots);
        let (target, tasks) = (Vec::new(), BTreeSet::new());
        let (passed, ended) = (BTreeSet::new(), BTreeMap::new());
        let world = World { target, enqueued: 0, tasks, passed, ended, faults: self.faults, foreign: 0, untold: None };
        (State::new(config, tip(&[])), world)
    }

    fn spec(&self, change: u8) -> &Spec {
        &self.changes[usize::from(change) - 1]
    }

    /// The change that is enqueued next.
    pub(crate) fn submission(&self, change: u8) -> Submission {
        let spec = self.spec(change);
        let mut new = Submission::new(id(change), commit(&[change]), tree(&[change]), commit(&[]));
        new.certificate = spec.certified.then(key);
        new.needs = spec.needs.map(id).into_iter().collect();
        new.group = spec.group.map(|group| GroupId::new(group.to_string()));
        new.footprint.scopes = if spec.scope == 0 { vec![] } else { vec![spec.scope.to_string()] };
        new
    }

    /// Whether a tree is good.
    pub(crate) fn is_good(&self, tree: &TreeId) -> bool {
        let all: BTreeSet<u8> = tree.as_str().as_bytes().chunks(2).map(hex).collect();
        let breaks = |change: &u8| {
            let spec = self.spec(*change);
            spec.bad || spec.breaks.is_some_and(|other| all.contains(&other))
        };
        let red = self.faults.red > 0 && all.contains(&FOREIGN) && !all.contains(&(FOREIGN + 1));
        !red && !all.iter().filter(|change| **change < FOREIGN).any(breaks)
    }

    fn merge(&self, base: &CommitId, change: u8) -> Merge {
        let mut below = changes(base);
        let clash = |other: &u8| {
            self.spec(change).conflicts == Some(*other)
                || (*other < FOREIGN && self.spec(*other).conflicts == Some(change))
        };
        if below.contains(&change) {
            Merge::Nothing
        } else if below.iter().any(clash) {
            Merge::Conflict { paths: vec!["file".into()] }
        } else {
            below.push(change);
            Merge::Made(tip(&below))
        }
    }

    /// What everything that the queue wants done makes of a world.
    pub(crate) fn take(&self, world: &mut World, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Prepare { base, change, .. } => _ = world.tasks.insert(Task::Prepare(base, number(&change))),
                Action::StartGate(run) => _ = world.tasks.insert(Task::Gate(run)),
                Action::CancelGate(run) => _ = world.tasks.remove(&Task::Gate(run)),
                Action::Land(landing) => {
                    let (expected, to) = (landing.expected, landing.to.commit);
                    world.tasks.insert(Task::Land { expected, to });
                }
                Action::End { change, end, .. } => _ = world.tasks.insert(Task::End(number(&change), said(&end))),
                Action::TargetRed { .. } => {}
            }
        }
    }

    /// Does a task, and returns the event; `flaky` is a gate that fails without a reason.
    ///
    /// # Errors
    /// What must never happen.
    pub(crate) fn perform(&self, world: &mut World, task: &Task, flaky: bool) -> Result<Event, String> {
        Ok(match task {
            Task::Prepare(base, change) => {
                let (head, merge) = (commit(&[*change]), self.merge(base, *change));
                Event::Prepared { base: base.clone(), change: id(*change), head, merge }
            }
            Task::Gate(run) => {
                let passes = self.is_good(&run.tree) && !flaky;
                if passes {
                    world.passed.insert(run.tree.clone());
                }
                let verdict = if passes { Verdict::Passed } else { Verdict::Failed { step: "s".into() } };
                Event::GateDone { tree: run.tree.clone(), key: run.key.clone(), run: run.run, verdict }
            }
            Task::Land { expected, to } => self.land(world, expected, to)?,
            Task::End(change, end) => {
                let before = world.ended.insert(*change, end.clone());
                if before.is_some_and(|before| before != *end) {
                    return Err(format!("{change} ended twice, the second time as {end}"));
                }
                Event::Noted { change: id(*change), attempt: 1 }
            }
        })
    }

    /// Compare-and-swap, and everything that must hold of what lands.
    fn land(&self, world: &mut World, expected: &CommitId, to: &CommitId) -> Result<Event, String> {
        let (now, new) = (world.target.clone(), changes(to));
        if now.starts_with(&new) {
            return Ok(Event::Landed { commit: to.clone() });
        }
        if commit(&now) != *expected {
            return Ok(Event::TargetMoved { tip: tip(&now) });
        }
        if !new.starts_with(&now) {
            return Err(format!("{to} does not descend from {expected}"));
        }
        for length in now.len() + 1..=new.len() {
            let (below, change) = (&new[..length - 1], new[length - 1]);
            let (spec, tree) = (self.spec(change), tree(&new[..length]));
            let known = world.passed.contains(&tree) || (spec.certified && tree.as_str() == format!("{change:02x}"));
            let must = match self.guarantee {
                Guarantee::EveryCommit => true,
                Guarantee::HeadGreen => length == new.len(),
                Guarantee::Scoped => false,
            };
            if must && !known {
                return Err(format!("{tree} lands unverified"));
            }
            if must && !self.is_good(&tree) {
                return Err(format!("{tree} lands and is bad"));
            }
            if below.contains(&change) {
                return Err(format!("{change} lands twice"));
            }
            if spec.needs.is_some_and(|need| !below.contains(&need)) {
                return Err(format!("{change} lands before what it needs"));
            }
            let variant = |other: &&u8| **other < FOREIGN && self.spec(**other).group == spec.group;
            if spec.group.is_some() && below.iter().find(variant).is_some() {
                return Err(format!("{change} lands beside another variant"));
            }
        }
        if self.guarantee == Guarantee::Scoped && !self.is_good(&tree(&new)) {
            return Err(format!("{to} lands and is bad, although all that breaks is related"));
        }
        world.target = new;
        Ok(Event::Landed { commit: to.clone() })
    }

    /// Somebody else moves the target.
    pub(crate) fn push(&self, world: &mut World) -> Event {
        world.target.push(FOREIGN + world.foreign);
        world.foreign += 1;
        Event::TargetMoved { tip: tip(&world.target) }
    }

    /// What is wrong with how everything ended.
    ///
    /// # Errors
    /// A change that has no end, or not the end that it deserves.
    pub(crate) fn verdict(&self, world: &World) -> Result<(), String> {
        for change in 1..=world.enqueued {
            let Some(end) = world.ended.get(&change) else { return Err(format!("{change} has no end")) };
            let landed = world.target.contains(&change);
            if landed != matches!(end.as_str(), "landed" | "already") {
                return Err(format!("{change} ended as {end}, and the target is {:?}", world.target));
            }
            let spec = self.spec(change);
            let flaked = world.faults.flake < self.faults.flake;
            let just = match end.as_str() {
                "bad" => spec.bad || spec.breaks.is_some() || self.changes.iter().any(|c| c.breaks == Some(change)),
                "conflict" => spec.conflicts.is_some() || self.changes.iter().any(|c| c.conflicts == Some(change)),
                "need" => spec.needs.is_some(),
                "archived" => spec.group.is_some(),
                end if end.starts_with("pair ") => {
                    let with: u8 = end[5..].parse().expect("as this world names it");
                    spec.breaks == Some(with) || (with < FOREIGN && self.spec(with).breaks == Some(change))
                }
                _ => true,
            };
            if !just && !flaked {
                return Err(format!("{change} ended as {end}, which it does not deserve"));
            }
        }
        Ok(())
    }
}

fn hex(pair: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(pair).expect("as this world names it"), 16).expect("as this world names it")
}

fn said(end: &End) -> String {
    match end {
        End::Landed { .. } => "landed".into(),
        End::AlreadyLanded => "already".into(),
        End::Archived { .. } => "archived".into(),
        End::Cancelled => "cancelled".into(),
        End::Superseded => "superseded".into(),
        End::Rejected(Rejection::Conflict { .. }) => "conflict".into(),
        End::Rejected(Rejection::GateFailed { .. }) => "bad".into(),
        End::Rejected(Rejection::Pair { with, .. }) => format!("pair {with}"),
        End::Rejected(Rejection::GateBroken) => "broken".into(),
        End::Rejected(Rejection::NeedNotLanded { .. }) => "need".into(),
        End::Rejected(Rejection::NeedsItself) => "loop".into(),
    }
}
