//! What is true of every state.

use std::collections::BTreeSet;

use super::entry::Place;
use super::id::Seq;
use super::state::State;
use super::verdicts::Standing;
use super::{ChangeId, Guarantee, Proof};

/// A state that must not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A change is not where its place says, or in two places.
    Misplaced {
        /// Which one.
        change: ChangeId,
    },
    /// An index and what it indexes differ.
    Index {
        /// Which one.
        what: &'static str,
    },
    /// More gates run than there are slots.
    Crowded {
        /// How many run.
        running: usize,
    },
    /// A landing does not start at the tip.
    Landing {
        /// What is wrong.
        what: &'static str,
    },
    /// A commit would land without what the guarantee asks for.
    Unproven {
        /// The change that it brings in.
        change: ChangeId,
    },
    /// Two variants would land.
    Variants {
        /// The second.
        change: ChangeId,
    },
    /// A change would land without what it needs.
    Needs {
        /// Which one.
        change: ChangeId,
    },
}

/// Looks for anything in a state that must not be there. For tests: it takes far longer than a step.
///
/// # Errors
/// The first [`Violation`] that is found.
pub fn check(state: &State) -> Result<(), Violation> {
    places(state)?;
    indexes(state)?;
    let (running, budget) = (state.verdicts.running().len(), state.config.budget());
    if running > budget {
        return Err(Violation::Crowded { running });
    }
    landing(state)
}

fn places(state: &State) -> Result<(), Violation> {
    for (seq, entry) in &state.entries {
        let here = [
            (state.line.contains(seq), entry.place == Place::Line),
            (state.waiting.contains(&(entry.rank, *seq)), entry.place == Place::Waiting),
            (state.held.contains(seq), entry.place == Place::Held),
            (state.blamed.contains(seq), matches!(entry.place, Place::Blamed(_))),
        ];
        if here.iter().any(|(is, says)| is != says) || state.ended_already(seq) {
            return Err(Violation::Misplaced { change: entry.submission.change.clone() });
        }
    }
    let lists = state.line.len() + state.waiting.len() + state.held.len() + state.blamed.len();
    let blocked = state.entries.values().filter(|entry| entry.place == Place::Blocked).count();
    if lists + blocked == state.entries.len() { Ok(()) } else { Err(Violation::Index { what: "places" }) }
}

fn indexes(state: &State) -> Result<(), Violation> {
    let ids = state.ids.iter().all(|(id, seq)| state.entries.get(seq).is_some_and(|e| e.submission.change == *id));
    let nodes = state.nodes.all().all(|(_, seq, _)| state.entries.contains_key(&seq));
    let needs = state.entries.values().all(|entry| entry.needs.iter().all(|need| state.entries.contains_key(need)));
    let graph = state
        .entries
        .keys()
        .all(|seq| state.graph.neighbours(*seq).all(|(other, how)| state.graph.relation(other, *seq) == Some(how)));
    let groups = state.groups.values().flatten().all(|seq| state.entries.contains_key(seq));
    let checks = [
        (ids && state.ids.len() == state.entries.len(), "ids"),
        (nodes, "candidates"),
        (needs, "needs"),
        (graph, "relations"),
        (groups, "groups"),
        (state.cancelled.iter().all(|seq| state.entries.contains_key(seq)), "cancelled"),
    ];
    checks.iter().find(|(good, _)| !good).map_or(Ok(()), |(_, what)| Err(Violation::Index { what }))
}

fn landing(state: &State) -> Result<(), Violation> {
    let Some(landing) = &state.landing else { return Ok(()) };
    if landing.expected != state.tip.commit {
        return Err(Violation::Landing { what: "it does not start at the tip" });
    }
    if landing.changes.last().map(|landed| &landed.commit) != Some(&landing.to) {
        return Err(Violation::Landing { what: "it does not end at its last change" });
    }
    let (mut below, mut groups) = (BTreeSet::<Seq>::new(), BTreeSet::new());
    for landed in &landing.changes {
        let change = || landed.change.clone();
        let Some((seq, entry)) = state.ids.get(&landed.change).and_then(|seq| Some((seq, state.entries.get(seq)?)))
        else {
            return Err(Violation::Landing { what: "it has a change that is not in the queue" });
        };
        if !entry.needs.is_subset(&below) {
            return Err(Violation::Needs { change: change() });
        }
        if entry
            .submission
            .group
            .as_ref()
            .is_some_and(|group| !groups.insert(group) || state.won.winner(group).is_some())
        {
            return Err(Violation::Variants { change: change() });
        }
        below.insert(*seq);
        // A gate that changed meanwhile has its verdicts elsewhere.
        let proven = landing.key != *state.verdicts.key() || proven(state, landing, landed);
        if !proven {
            return Err(Violation::Unproven { change: change() });
        }
    }
    Ok(())
}

fn proven(state: &State, landing: &super::Landing, landed: &super::Landed) -> bool {
    let passed = |tree| state.verdicts.standing(tree) == Standing::Passed;
    match &landed.proof {
        Proof::Gated { .. } | Proof::Certified => passed(&landed.commit.tree),
        Proof::Covered => landing.guarantee == Guarantee::HeadGreen && passed(&landing.to.tree),
        Proof::Carried { tree } => landing.guarantee == Guarantee::Scoped && passed(tree),
    }
}

impl State {
    /// Whether an attempt is in the queue although it ended.
    fn ended_already(&self, seq: &Seq) -> bool {
        let Some(entry) = self.entries.get(seq) else { return false };
        let ends = self.ended.get(&entry.submission.change);
        ends.is_some_and(|ends| ends.contains_key(&entry.submission.attempt))
    }
}
