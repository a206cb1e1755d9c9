//! How changes go out.

use std::collections::BTreeSet;

use super::admit::unblock;
use super::entry::Entry;
use super::id::Seq;
use super::state::State;
use super::{Action, ChangeId, End, Rejection, Relation};

/// Ends the attempt of a change, and of those that cannot land without it or beside it.
pub(super) fn end(state: &mut State, seq: Seq, end: End, actions: &mut Vec<Action>) {
    let dependents = dependents(state, seq);
    let landed = matches!(end, End::Landed { .. } | End::AlreadyLanded);
    if landed {
        let related: Vec<Seq> = state.graph.neighbours(seq).map(|(other, _)| other).collect();
        for other in related {
            if let Some(entry) = state.entries.get_mut(&other) {
                entry.under.insert(seq);
            }
        }
    }
    let Some(entry) = detach(state, seq) else { return };
    let change = entry.submission.change;
    finish(state, change.clone(), entry.submission.attempt, end, actions);
    if !landed {
        return abandon(state, &change, dependents, actions);
    }
    for dependent in dependents {
        if let Some(entry) = state.entries.get_mut(&dependent) {
            entry.needs.remove(&seq);
        }
        unblock(state, dependent);
    }
    if let Some(group) = entry.submission.group {
        state.won.add(group.clone(), change.clone(), state.config.memory);
        for other in state.groups.get(&group).cloned().unwrap_or_default() {
            self::end(state, other, End::Archived { winner: change.clone() }, actions);
        }
    }
}

/// Records the end of an attempt and asks for it to be noted.
pub(super) fn finish(state: &mut State, change: ChangeId, attempt: u32, end: End, actions: &mut Vec<Action>) {
    state.ended.entry(change.clone()).or_default().insert(attempt, end.clone());
    actions.push(Action::End { change, attempt, end });
}

/// Rejects what needs a change that will not land.
pub(super) fn abandon(state: &mut State, need: &ChangeId, dependents: BTreeSet<Seq>, actions: &mut Vec<Action>) {
    for dependent in dependents {
        end(state, dependent, End::Rejected(Rejection::NeedNotLanded { need: need.clone() }), actions);
    }
}

/// What needs a change.
pub(super) fn dependents(state: &State, seq: Seq) -> BTreeSet<Seq> {
    let declared = state.graph.neighbours(seq).filter(|(_, relation)| *relation == Relation::Declared);
    let needs = |other: &Seq| state.entries.get(other).is_some_and(|entry| entry.needs.contains(&seq));
    declared.map(|(other, _)| other).filter(needs).collect()
}

/// Takes a change out of everything, without an end.
pub(super) fn detach(state: &mut State, seq: Seq) -> Option<Entry> {
    let entry = state.entries.remove(&seq)?;
    state.ids.remove(&entry.submission.change);
    if let Some(group) = &entry.submission.group
        && let Some(members) = state.groups.get_mut(group)
    {
        members.remove(&seq);
        if members.is_empty() {
            state.groups.remove(group);
        }
    }
    step_out(state, seq);
    state.waiting.remove(&(entry.rank, seq));
    state.blamed.remove(&seq);
    state.held.remove(&seq);
    state.cancelled.remove(&seq);
    state.graph.remove(seq, &entry.submission.footprint);
    state.nodes.remove(seq);
    Some(entry)
}

/// Takes a change out of the line.
pub(super) fn step_out(state: &mut State, seq: Seq) {
    if let Some(at) = state.line.iter().position(|other| *other == seq) {
        state.line.remove(at);
    }
}
