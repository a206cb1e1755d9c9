//! From an event to actions.

use super::entry::Place;
use super::nodes::Node;
use super::speculate::speculate;
use super::state::State;
use super::verdicts::{News, Standing};
use super::{Action, ChangeId, End, Event, GateKey, Merge, TreeId, Verdict, admit, land, leave, settle};
use crate::CommitId;

/// Takes in an event and says what to do now.
///
/// Everything is computed anew from what is known: an event that says what is known already changes nothing, and an action
/// whose event was lost is asked for again by [`Event::Resume`]. Nothing is done here, and nothing can fail.
pub fn step(state: &mut State, event: Event) -> Vec<Action> {
    let mut actions = Vec::new();
    absorb(state, event, &mut actions);
    while land::begin(state, &mut actions) | settle::settle(state, &mut actions) {}
    speculate(state, &mut actions);
    actions
}

fn absorb(state: &mut State, event: Event, actions: &mut Vec<Action>) {
    match event {
        Event::Enqueue(submission) => admit::enqueue(state, submission, actions),
        Event::Cancel { change } => cancel(state, &change, actions),
        Event::Prepared { base, change, head, merge } => prepared(state, base, &change, &head, merge),
        Event::GateDone { tree, key, run, verdict } => gate_done(state, &tree, &key, run, &verdict),
        Event::Landed { commit } => {
            if state.landing.as_ref().is_some_and(|landing| landing.to.commit == commit) {
                land::done(state, actions);
            }
        }
        Event::TargetMoved { tip } => land::moved(state, tip, actions),
        Event::GateChanged { key } => gate_changed(state, key, actions),
        Event::Noted { change, attempt } => {
            if let Some(ends) = state.ended.get_mut(&change) {
                ends.remove(&attempt);
                if ends.is_empty() {
                    state.ended.remove(&change);
                }
            }
        }
        Event::Resume => resume(state, actions),
    }
}

fn cancel(state: &mut State, change: &ChangeId, actions: &mut Vec<Action>) {
    let Some(seq) = state.ids.get(change).copied() else { return };
    if state.is_landing(change) {
        state.cancelled.insert(seq);
    } else {
        leave::end(state, seq, End::Cancelled, actions);
        state.prune();
    }
}

fn prepared(state: &mut State, base: CommitId, change: &ChangeId, head: &CommitId, merge: Merge) {
    let Some(seq) = state.ids.get(change).copied() else { return };
    // Of an earlier attempt, or nothing that is still wanted.
    let current = state.entries.get(&seq).is_some_and(|entry| entry.submission.head == *head);
    if current && state.nodes.get(&base, seq) == Some(&Node::Asked) {
        state.nodes.set(base, seq, Node::Done(merge));
    }
}

fn gate_done(state: &mut State, tree: &TreeId, key: &GateKey, run: u32, verdict: &Verdict) {
    match state.verdicts.record(tree, key, run, verdict, state.history.landings()) {
        News::Nothing | News::Broke => return,
        News::Passed { failed_before: 0 } => {}
        News::Passed { .. } => state.rates.looked_again(true),
        News::Failed { times } => {
            if times > 1 {
                state.rates.looked_again(false);
            }
            let doubted = state.rates.doubts(times);
            state.verdicts.doubt(tree, doubted);
        }
    }
    suspect(state, tree);
}

/// Marks changes that fail on something that passes: wherever else they are tried, they will probably fail too.
fn suspect(state: &mut State, tree: &TreeId) {
    let passes = |commit: &CommitId| *commit == state.tip.commit && state.landed_here;
    let good = state.verdicts.standing(tree) == Standing::Passed;
    let mut found = Vec::new();
    for (base, seq, node) in state.nodes.all() {
        let Node::Done(Merge::Made(tip)) = node else { continue };
        if tip.tree != *tree {
            continue;
        }
        if good {
            let above = state.nodes.on(&tip.commit).map(|(other, _)| other);
            let failed = |other: &_| matches!(state.made(&tip.commit, *other), Some((_, Standing::Failed)));
            found.extend(above.filter(failed));
        } else if state.verdicts.standing(tree) == Standing::Failed && passes(base) {
            found.push(seq);
        }
    }
    for seq in found {
        if let Some(entry) = state.entries.get_mut(&seq) {
            entry.suspect = true;
        }
    }
}

fn gate_changed(state: &mut State, key: GateKey, actions: &mut Vec<Action>) {
    if *state.verdicts.key() == key {
        return;
    }
    actions.extend(state.verdicts.change(key.clone()).into_iter().map(Action::CancelGate));
    state.config.gate = key;
    // What landed under another gate says nothing about this one, and neither does what failed.
    (state.landed_here, state.told_red) = (false, false);
    let now = state.history.landings();
    for entry in state.entries.values_mut() {
        (entry.good_at, entry.suspect) = (None, false);
        if entry.submission.certificate.as_ref() == Some(&state.config.gate) {
            state.verdicts.certify(&entry.submission.tree, now);
        }
    }
    for seq in std::mem::take(&mut state.blamed).into_iter().chain(std::mem::take(&mut state.held)) {
        land::wait_again(state, seq);
    }
}

/// Asks again for everything that is outstanding.
fn resume(state: &State, actions: &mut Vec<Action>) {
    for (base, seq, node) in state.nodes.all() {
        if let (Node::Asked, Some(entry)) = (node, state.entries.get(&seq)) {
            let (change, head) = (entry.submission.change.clone(), entry.submission.head.clone());
            actions.push(Action::Prepare { base: base.clone(), change, head });
        }
    }
    actions.extend(state.verdicts.runs().map(Action::StartGate));
    actions.extend(state.landing.clone().map(Action::Land));
    for (attempt, end) in state.ended() {
        let (change, attempt) = (attempt.change.clone(), attempt.number);
        actions.push(Action::End { change, attempt, end: end.clone() });
    }
    if state.entries.values().any(|entry| entry.place == Place::Held) {
        actions.push(Action::TargetRed { tip: state.tip.clone() });
    }
}
