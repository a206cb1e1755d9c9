//! What may land, and what changes when it has.

use super::entry::Place;
use super::history::Past;
use super::id::Seq;
use super::speculate::batches;
use super::state::State;
use super::verdicts::Standing;
use super::{Action, End, Guarantee, Landed, Landing, Proof, Tip, TreeId, admit, leave};

/// Asks for the next landing, if none is underway and something may land.
pub(super) fn begin(state: &mut State, actions: &mut Vec<Action>) -> bool {
    if state.landing.is_some() {
        return false;
    }
    let changes = match state.config.guarantee {
        Guarantee::EveryCommit => every_commit(state),
        Guarantee::HeadGreen => head_green(state),
        Guarantee::Scoped => scoped(state),
    };
    let Some(last) = changes.last() else { return false };
    let landing = Landing {
        expected: state.tip.commit.clone(),
        to: last.commit.clone(),
        guarantee: state.config.guarantee,
        key: state.verdicts.key().clone(),
        changes,
    };
    state.landing = Some(landing.clone());
    actions.push(Action::Land(landing));
    true
}

/// The longest chain from the tip of which every candidate passed.
fn every_commit(state: &State) -> Vec<Landed> {
    let (mut base, mut below, mut changes) = (&state.tip.commit, Vec::new(), Vec::new());
    for seq in &state.line {
        let Some(entry) = state.entries.get(seq) else { break };
        if !state.fits(entry, below.iter().copied()) {
            continue;
        }
        let Some((tip, Standing::Passed)) = state.made(base, *seq) else { break };
        changes.push(landed(state, *seq, tip, proof(state, &tip.tree)));
        below.push(*seq);
        base = &tip.commit;
    }
    changes
}

/// The longest chain from the tip of which the last candidate passed.
fn head_green(state: &State) -> Vec<Landed> {
    let chain = batches::chain(state, &state.line);
    let green = chain.links.iter().rposition(|link| link.standing == Standing::Passed);
    let links = chain.links.iter().take(green.map_or(0, |last| last + 1));
    links.map(|link| landed(state, link.seq, link.tip, proof(state, &link.tip.tree))).collect()
}

/// The first change that passed on top of all that it is related to, and is made on the tip.
fn scoped(state: &State) -> Vec<Landed> {
    let ready = state.line.iter().find_map(|seq| {
        let entry = state.entries.get(seq).filter(|entry| entry.needs.is_empty())?;
        let tip = state.nodes.made(&state.tip.commit, *seq)?;
        if state.verdicts.standing(&tip.tree) == Standing::Passed {
            return Some(landed(state, *seq, tip, proof(state, &tip.tree)));
        }
        let tried = entry.tried_on(&entry.landed_below())?;
        let passed = state.verdicts.standing(&tried.tree) == Standing::Passed;
        passed.then(|| landed(state, *seq, tip, Proof::Carried { tree: tried.tree.clone() }))
    });
    ready.into_iter().collect()
}

fn landed(state: &State, seq: Seq, tip: &Tip, proof: Proof) -> Landed {
    let change = state.entries[&seq].submission.change.clone();
    Landed { change, commit: tip.clone(), proof }
}

/// What is known of exactly this tree.
fn proof(state: &State, tree: &TreeId) -> Proof {
    match state.verdicts.of(tree) {
        Some(judged) if judged.passed > 0 => Proof::Gated { flaked: judged.failed },
        Some(judged) if judged.certified => Proof::Certified,
        _ => Proof::Covered,
    }
}

/// The target names, or contains, the commit of the landing.
pub(super) fn done(state: &mut State, actions: &mut Vec<Action>) {
    let Some(landing) = state.landing.take() else { return };
    let found = |landed: Landed| Some((*state.ids.get(&landed.change)?, landed.commit));
    let chain: Vec<_> = landing.changes.into_iter().filter_map(found).collect();
    advance(state, chain, actions);
    state.landed_here = true;
}

/// The target is somewhere else.
pub(super) fn moved(state: &mut State, tip: Tip, actions: &mut Vec<Action>) {
    if state.landing.as_ref().is_some_and(|landing| landing.to.commit == tip.commit) {
        return done(state, actions);
    }
    let landing = state.landing.take();
    if tip == state.tip {
        // Somebody moved it and moved it back, or looked too early: try again.
        if landing.is_some() {
            give_up_cancelled(state, actions);
        }
        return;
    }
    if let Some(chain) = state.nodes.chain(&state.tip.commit, &tip.commit) {
        // A landing that an earlier run of this queue asked for, and that was forgotten since.
        advance(state, chain, actions);
        state.landed_here = false;
        return;
    }
    state.tip = tip;
    state.landed_here = false;
    state.history.reset(state.tip.commit.clone());
    for entry in state.entries.values_mut() {
        entry.good_at = None;
        entry.suspect = false;
        entry.tried.clear();
    }
    for seq in std::mem::take(&mut state.blamed) {
        // What it failed on is gone; it is tried again on what is there now.
        wait_again(state, seq);
    }
    settled(state, actions);
}

fn advance(state: &mut State, chain: Vec<(Seq, Tip)>, actions: &mut Vec<Action>) {
    for (seq, tip) in chain {
        let landings = state.history.landings();
        let passes = |other: &Seq| matches!(state.made(&state.tip.commit, *other), Some((_, Standing::Passed)));
        let passed: Vec<Seq> = state.nodes.on(&state.tip.commit).map(|(other, _)| other).filter(passes).collect();
        for other in passed {
            if let Some(entry) = state.entries.get_mut(&other) {
                entry.good_at = Some(landings);
            }
        }
        state.tip = tip;
        if let Some(entry) = state.entries.get(&seq) {
            let (change, scopes) = (entry.submission.change.clone(), entry.submission.footprint.scopes.clone());
            state.rates.good(entry.class);
            let commit = state.tip.commit.clone();
            state.history.push(Past { change, commit: commit.clone(), scopes });
            leave::end(state, seq, End::Landed { commit }, actions);
        }
    }
    settled(state, actions);
    state.verdicts.forget(state.config.memory);
}

/// After any move: what stood on the old tip alone goes, what waited for a move comes back.
fn settled(state: &mut State, actions: &mut Vec<Action>) {
    state.told_red = false;
    state.prune();
    for seq in std::mem::take(&mut state.held) {
        wait_again(state, seq);
    }
    give_up_cancelled(state, actions);
    for submission in std::mem::take(&mut state.deferred) {
        admit::enqueue(state, submission, actions);
    }
}

/// Ends what was to be cancelled and did not land.
fn give_up_cancelled(state: &mut State, actions: &mut Vec<Action>) {
    let cancelled = std::mem::take(&mut state.cancelled);
    for seq in cancelled {
        leave::end(state, seq, End::Cancelled, actions);
    }
}

/// Gives a change that was out of the line its turn again: candidates of it may be there already.
pub(super) fn wait_again(state: &mut State, seq: Seq) {
    if let Some(entry) = state.entries.get_mut(&seq) {
        entry.place = Place::Blocked;
        admit::unblock(state, seq);
        admit::enter_line(state, seq);
    }
}
