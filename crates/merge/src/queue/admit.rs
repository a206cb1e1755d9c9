//! How changes come in.

use std::collections::BTreeSet;

use super::entry::{Entry, Place, Rank};
use super::id::Seq;
use super::rates::Class;
use super::state::State;
use super::{Action, ChangeId, End, Rejection, Submission, leave};

/// Takes an attempt in, in the place of a lower one; an attempt that is known already changes nothing.
pub(super) fn enqueue(state: &mut State, submission: Submission, actions: &mut Vec<Action>) {
    let Submission { change, attempt, .. } = &submission;
    if let Some((known, end)) = state.ended.get(change).and_then(|ends| ends.range(attempt..).next()) {
        if known == attempt {
            actions.push(Action::End { change: change.clone(), attempt: *attempt, end: end.clone() });
        }
        return;
    }
    let Some(seq) = state.ids.get(change).copied() else {
        let seq = Seq(state.next);
        state.next += 1;
        return insert(state, seq, submission, BTreeSet::new(), actions);
    };
    if state.entries.get(&seq).is_some_and(|entry| entry.submission.attempt >= *attempt) {
        return;
    }
    if state.is_landing(change) {
        if !state.deferred.contains(&submission) {
            state.deferred.push(submission);
        }
        return;
    }
    let dependents = leave::dependents(state, seq);
    if let Some(old) = leave::detach(state, seq) {
        leave::finish(state, old.submission.change, old.submission.attempt, End::Superseded, actions);
    }
    state.prune();
    insert(state, seq, submission, dependents, actions);
}

fn insert(state: &mut State, seq: Seq, new: Submission, dependents: BTreeSet<Seq>, actions: &mut Vec<Action>) {
    let needs = match needs(state, seq, &new) {
        Ok(needs) => needs,
        Err(rejection) => {
            leave::finish(state, new.change.clone(), new.attempt, End::Rejected(rejection), actions);
            return leave::abandon(state, &new.change, dependents, actions);
        }
    };
    if let Some(winner) = new.group.as_ref().and_then(|group| state.won.winner(group)).cloned() {
        leave::finish(state, new.change.clone(), new.attempt, End::Archived { winner }, actions);
        return leave::abandon(state, &new.change, dependents, actions);
    }
    let counts = new.certificate.as_ref() == Some(&state.config.gate);
    if counts {
        state.verdicts.certify(&new.tree, state.history.landings());
    }
    let mut declared: Vec<Seq> = needs.iter().chain(&dependents).copied().collect();
    if let Some(group) = &new.group {
        let members = state.groups.entry(group.clone()).or_default();
        declared.extend(members.iter().copied());
        members.insert(seq);
    }
    state.graph.insert(seq, &new.footprint, &declared);
    let class = Class::of(&new, counts);
    let rank = Rank::new(&new, state.history.landings(), state.graph.degree(seq), state.rates.chance(class));
    state.ids.insert(new.change.clone(), seq);
    let (under, tried) = (BTreeSet::new(), Vec::new());
    let (place, good_at, suspect) = (Place::Blocked, None, false);
    let entry = Entry { submission: new, class, rank, place, needs, under, good_at, suspect, tried };
    state.entries.insert(seq, entry);
    unblock(state, seq);
}

/// The changes of the queue that a new one needs.
fn needs(state: &State, seq: Seq, new: &Submission) -> Result<BTreeSet<Seq>, Rejection> {
    let mut found = BTreeSet::new();
    for need in &new.needs {
        match state.ids.get(need) {
            _ if *need == new.change => return Err(Rejection::NeedsItself),
            Some(open) => _ = found.insert(*open),
            None if has_landed(state, need) => {}
            None => return Err(Rejection::NeedNotLanded { need: need.clone() }),
        }
    }
    let mut seen = BTreeSet::new();
    let mut open: Vec<Seq> = found.iter().copied().collect();
    while let Some(need) = open.pop() {
        if need == seq {
            return Err(Rejection::NeedsItself);
        }
        if seen.insert(need) {
            open.extend(state.entries.get(&need).into_iter().flat_map(|entry| entry.needs.iter().copied()));
        }
    }
    Ok(found)
}

fn has_landed(state: &State, change: &ChangeId) -> bool {
    let ends = state.ended.get(change).into_iter().flat_map(|ends| ends.values());
    let mut landed = ends.filter(|end| matches!(end, End::Landed { .. } | End::AlreadyLanded));
    landed.next().is_some() || state.history.landed(change)
}

/// Lets a change wait for its turn, if everything that it needs has had its turn.
pub(super) fn unblock(state: &mut State, seq: Seq) {
    let in_line = |need: &Seq| state.entries.get(need).is_some_and(|entry| entry.place == Place::Line);
    let Some(entry) = state.entries.get(&seq) else { return };
    if entry.place != Place::Blocked || !entry.needs.iter().all(in_line) {
        return;
    }
    if let Some(entry) = state.entries.get_mut(&seq) {
        entry.place = Place::Waiting;
        state.waiting.insert((entry.rank, seq));
    }
}

/// Gives a change its turn.
pub(super) fn enter_line(state: &mut State, seq: Seq) {
    let Some(entry) = state.entries.get_mut(&seq) else { return };
    if entry.place != Place::Waiting {
        return;
    }
    entry.place = Place::Line;
    state.waiting.remove(&(entry.rank, seq));
    state.line.push(seq);
    for dependent in leave::dependents(state, seq) {
        unblock(state, dependent);
    }
}
