//! All that a queue knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Place, Rank};
use super::graph::Graph;
use super::history::History;
use super::id::Seq;
use super::nodes::Nodes;
use super::rates::{Class, Rates};
use super::verdicts::{Standing, Verdicts};
use super::won::Won;
use super::{ChangeId, Config, End, GroupId, Landing, Relation, Submission, Tip};
use crate::CommitId;

/// A queue for one target.
///
/// Save it whenever [`step`](super::step) has changed it, before its actions are done; after a crash, load it and report
/// [`Event::Resume`](super::Event::Resume). An older state than the last one does no harm either, beyond work done twice.
/// Equal states behave equally: there is no clock and no chance in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    pub(super) config: Config,
    pub(super) tip: Tip,
    /// Whether the tip is good because of how it got there.
    pub(super) landed_here: bool,
    pub(super) next: u64,
    pub(super) entries: BTreeMap<Seq, Entry>,
    pub(super) ids: BTreeMap<ChangeId, Seq>,
    pub(super) groups: BTreeMap<GroupId, BTreeSet<Seq>>,
    /// What candidates are made of, in their order.
    pub(super) line: Vec<Seq>,
    pub(super) waiting: BTreeSet<(Rank, Seq)>,
    pub(super) blamed: BTreeSet<Seq>,
    /// What waits for a red target to move.
    pub(super) held: BTreeSet<Seq>,
    /// What is landing although somebody does not want it any more.
    pub(super) cancelled: BTreeSet<Seq>,
    pub(super) nodes: Nodes,
    pub(super) verdicts: Verdicts,
    pub(super) landing: Option<Landing>,
    pub(super) history: History,
    pub(super) graph: Graph,
    pub(super) rates: Rates,
    /// Ends of attempts that nobody took note of yet.
    pub(super) ended: BTreeMap<ChangeId, BTreeMap<u32, End>>,
    /// The variants that landed.
    pub(super) won: Won,
    /// Attempts that came while an earlier one was landing.
    pub(super) deferred: Vec<Submission>,
    /// Whether somebody was told that the tip is red.
    pub(super) told_red: bool,
}

/// Changes that pass less often than this are tried alone before anything is built on them.
const ALONE: f64 = 0.88;

/// One try of a change to land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt<'a> {
    /// The change.
    pub change: &'a ChangeId,
    /// Which try of it.
    pub number: u32,
}

/// Where a change of the queue is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It waits for a change that it needs.
    Blocked,
    /// It waits for its turn.
    Waiting,
    /// Candidates of it are made and gated.
    Trying,
    /// It is landing.
    Landing,
    /// It waits for the target, which fails its own gate.
    Held,
    /// It failed on the target; whether that was a flake, and if not, what it does not go with, is being looked into.
    Blamed,
}

impl State {
    /// An empty queue for a target that is at `tip`.
    pub fn new(config: Config, tip: Tip) -> Self {
        Self {
            verdicts: Verdicts::new(config.gate.clone()),
            history: History::new(tip.commit.clone()),
            config,
            tip,
            landed_here: false,
            next: 0,
            entries: BTreeMap::new(),
            ids: BTreeMap::new(),
            groups: BTreeMap::new(),
            line: Vec::new(),
            waiting: BTreeSet::new(),
            blamed: BTreeSet::new(),
            held: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            nodes: Nodes::default(),
            landing: None,
            graph: Graph::default(),
            rates: Rates::default(),
            ended: BTreeMap::new(),
            won: Won::default(),
            deferred: Vec::new(),
            told_red: false,
        }
    }

    /// Where the target is, as far as the queue knows.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// What it was told in the beginning, with the gate of today.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Which attempts of which changes are in the queue and where they are, in the order of their admission.
    pub fn open(&self) -> impl Iterator<Item = (Attempt<'_>, Stage)> {
        self.entries.iter().map(|(seq, entry)| {
            let stage = match entry.place {
                _ if self.is_landing(&entry.submission.change) => Stage::Landing,
                Place::Blocked => Stage::Blocked,
                Place::Waiting => Stage::Waiting,
                Place::Line => Stage::Trying,
                Place::Held => Stage::Held,
                Place::Blamed(_) => Stage::Blamed,
            };
            debug_assert!(self.ids.get(&entry.submission.change) == Some(seq));
            (Attempt { change: &entry.submission.change, number: entry.submission.attempt }, stage)
        })
    }

    /// The changes of the queue that a change is related to, with the strongest reason.
    pub fn related(&self, change: &ChangeId) -> impl Iterator<Item = (&ChangeId, Relation)> {
        let seq = self.ids.get(change).copied();
        let neighbours = seq.into_iter().flat_map(|seq| self.graph.neighbours(seq));
        neighbours.filter_map(|(other, relation)| Some((&self.entries.get(&other)?.submission.change, relation)))
    }

    /// Ends that nobody took note of yet.
    pub fn ended(&self) -> impl Iterator<Item = (Attempt<'_>, &End)> {
        let attempts = |(change, ends)| {
            let ends: &BTreeMap<u32, End> = ends;
            ends.iter().map(move |(number, end)| (Attempt { change, number: *number }, end))
        };
        self.ended.iter().flat_map(attempts)
    }

    /// How many gates are running.
    pub fn running(&self) -> usize {
        self.verdicts.running().len()
    }

    /// The likelihood that a change without any evidence passes, as measured so far.
    pub fn pass_rate(&self) -> f64 {
        self.rates.chance(Class::Plain)
    }

    /// The likelihood that what comes into a batch passes: what often fails is tried alone first.
    pub(super) fn batch_chance(&self) -> f64 {
        let plain = self.rates.chance(Class::Plain);
        if plain < ALONE { self.rates.chance(Class::Certified) } else { plain }
    }

    pub(super) fn is_landing(&self, change: &ChangeId) -> bool {
        self.landing.as_ref().is_some_and(|landing| landing.changes.iter().any(|landed| landed.change == *change))
    }

    /// What is known of the target itself.
    pub(super) fn ground(&self) -> Standing {
        if self.landed_here { Standing::Passed } else { self.verdicts.standing(&self.tip.tree) }
    }

    /// The likelihood that a change passes on something good.
    pub(super) fn chance(&self, entry: &Entry) -> f64 {
        let measured = self.rates.chance(entry.class);
        if entry.suspect {
            self.rates.flake(1).min(measured)
        } else if entry.good_at.is_some() {
            self.rates.chance(Class::Certified).max(measured)
        } else {
            measured
        }
    }

    /// What waits and could begin next.
    pub(super) fn first_waiting(&self) -> impl Iterator<Item = Seq> {
        self.waiting.iter().map(|(_, seq)| *seq).take(self.config.budget())
    }

    /// Whether a change should be tried on its own tree first: most of its kind pass, but not enough to build on it.
    pub(super) fn alone_first(&self, entry: &Entry) -> bool {
        entry.place == Place::Waiting
            && entry.class != Class::Certified
            && !entry.suspect
            && self.rates.chance(entry.class) < ALONE
    }

    /// Drops candidates that stand on nothing that can still land.
    pub(super) fn prune(&mut self) {
        let blamed = &self.blamed;
        self.nodes.prune(&self.tip.commit, |seq| blamed.contains(&seq));
    }

    /// Whether a change can stand on top of these: everything that it needs is below, and no other variant of it.
    pub(super) fn fits(&self, entry: &Entry, mut below: impl Iterator<Item = Seq> + Clone) -> bool {
        if entry.needs.is_empty() && entry.submission.group.is_none() {
            return true;
        }
        let has_needs = entry.needs.iter().all(|need| below.clone().any(|seq| seq == *need));
        let group = entry.submission.group.as_ref();
        let variant = |seq: Seq| self.entries.get(&seq).is_some_and(|other| other.submission.group.as_ref() == group);
        has_needs && (group.is_none() || !below.any(variant))
    }

    /// What stands on a commit, if it is a candidate that is made.
    pub(super) fn made(&self, base: &CommitId, seq: Seq) -> Option<(&Tip, Standing)> {
        let tip = self.nodes.made(base, seq)?;
        Some((tip, self.verdicts.standing(&tip.tree)))
    }
}
