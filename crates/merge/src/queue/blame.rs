//! Which landing a change does not go with, when it passed before and fails now.

use super::entry::{Blame, Place};
use super::id::Seq;
use super::nodes::Node;
use super::speculate::{Want, Weighted};
use super::state::State;
use super::verdicts::Standing;
use super::{Action, ChangeId, End, Merge, Rejection, Tip, land, leave};

/// Into how many parts the landings in question are cut at once.
const PARTS: u64 = 4;

/// Takes a change that fails on a good tip out of the line, so that nobody waits while that is looked into.
pub(super) fn begin(state: &mut State, seq: Seq, failed: Tip) {
    leave::step_out(state, seq);
    let bad = state.history.landings();
    if let Some(entry) = state.entries.get_mut(&seq) {
        let good = entry.good_at.filter(|good| *good < bad);
        entry.place = Place::Blamed(Blame { good, bad, failed });
        state.blamed.insert(seq);
    }
}

/// What is known by now about one search.
enum Search {
    /// The failure may be a flake.
    Doubted,
    /// It was one.
    Flake,
    /// The change alone is to be tried.
    Alone,
    /// It passed on something older than all that is remembered; it is to be tried on the oldest that is.
    Oldest,
    /// It fails after one of the landings between.
    Between(u64, u64),
    Ends(Rejection),
}

/// Goes on with every search, and ends those that are over.
pub(super) fn narrow(state: &mut State, actions: &mut Vec<Action>) -> bool {
    let mut any = false;
    for seq in state.blamed.iter().copied().collect::<Vec<_>>() {
        match search(state, seq) {
            Some(Search::Flake) => {
                state.blamed.remove(&seq);
                if let Some(entry) = state.entries.get_mut(&seq) {
                    entry.suspect = false;
                }
                land::wait_again(state, seq);
            }
            Some(Search::Ends(rejection)) => {
                if let Rejection::Pair { with, .. } = &rejection {
                    learn(state, seq, with);
                }
                if let Some(entry) = state.entries.get(&seq) {
                    state.rates.bad(entry.class);
                }
                leave::end(state, seq, End::Rejected(rejection), actions);
            }
            _ => continue,
        }
        any = true;
    }
    any
}

fn search(state: &State, seq: Seq) -> Option<Search> {
    let entry = state.entries.get(&seq)?;
    let Place::Blamed(Blame { good, bad, failed }) = &entry.place else { return None };
    let (tree, mut bad) = (failed.tree.clone(), *bad);
    let judged = state.verdicts.of(&tree).cloned().unwrap_or_default();
    match judged.standing() {
        Standing::Passed => return Some(Search::Flake),
        Standing::Doubted => return Some(Search::Doubted),
        _ => {}
    }
    let step = judged.step;
    let fault = |tree, step| Some(Search::Ends(Rejection::GateFailed { tree, step, runs: judged.failed }));
    let own = &entry.submission;
    let (began, oldest) = (state.history.index_of(&own.base), state.history.oldest());
    let own_standing = state.verdicts.standing(&own.tree);
    let alone = began.filter(|_| own_standing == Standing::Passed);
    let mut good = match alone.max(*good).filter(|good| *good < bad) {
        Some(good) => good,
        None if began.is_none() && own_standing == Standing::Passed && oldest < bad => {
            match probe(state, seq, oldest) {
                Some(Standing::Passed) => oldest,
                Some(Standing::Failed | Standing::Broken) => return fault(tree, step),
                Some(Standing::Unknown | Standing::Doubted) | None => return Some(Search::Oldest),
            }
        }
        None => {
            // Nobody knows that it ever passed. That is worth a run only if something landed since it was begun.
            let open = matches!(own_standing, Standing::Unknown | Standing::Doubted);
            return if began.unwrap_or(oldest) < bad && open { Some(Search::Alone) } else { fault(tree, step) };
        }
    };
    for (at, standing) in probes(state, seq, good, bad) {
        match standing {
            Standing::Passed => good = good.max(at),
            Standing::Failed => bad = bad.min(at),
            Standing::Broken => return fault(tree, step),
            Standing::Unknown | Standing::Doubted => {}
        }
    }
    match state.history.after(good) {
        None => fault(tree, step),
        Some(past) if bad <= good + 1 => Some(Search::Ends(Rejection::Pair { with: past.change.clone(), tree, step })),
        Some(_) => Some(Search::Between(good, bad)),
    }
}

/// What is known of the change after each landing between; where it does not even merge, nothing can be found.
fn probes(state: &State, seq: Seq, good: u64, bad: u64) -> Vec<(u64, Standing)> {
    (good + 1..bad).filter_map(|at| Some((at, probe(state, seq, at)?))).collect()
}

/// What is known of the change after so many landings.
fn probe(state: &State, seq: Seq, at: u64) -> Option<Standing> {
    match state.nodes.get(state.history.commit_at(at)?, seq)? {
        Node::Asked => None,
        Node::Done(Merge::Made(tip)) => Some(state.verdicts.standing(&tip.tree)),
        Node::Done(_) => Some(Standing::Broken),
    }
}

/// Remembers that changes of these scopes broke each other.
fn learn(state: &mut State, seq: Seq, with: &ChangeId) {
    let Some(entry) = state.entries.get(&seq) else { return };
    if let Some(scopes) = state.history.scopes_of(with) {
        state.graph.learn(&entry.submission.footprint.scopes, &scopes);
    }
}

/// The gates that would say more, for slots that nobody else wants.
pub(super) fn wants<'a>(state: &'a State, weight: f64, wants: &mut Vec<Weighted<'a>>) {
    for seq in &state.blamed {
        match search(state, *seq) {
            Some(Search::Doubted) => {
                if let Place::Blamed(Blame { failed, .. }) = &state.entries[seq].place {
                    wants.push(Weighted { weight, want: Want::Gate(&failed.commit, &failed.tree) });
                }
            }
            Some(Search::Alone) => {
                let own = &state.entries[seq].submission;
                wants.push(Weighted { weight, want: Want::Gate(&own.head, &own.tree) });
            }
            Some(Search::Oldest) => ask(state, *seq, weight, &[state.history.oldest()], wants),
            Some(Search::Between(good, bad)) => {
                let part = (bad - good).div_ceil(PARTS).max(1);
                let cuts: Vec<u64> = (1..PARTS).map(|n| good + n * part).filter(|at| *at < bad).collect();
                ask(state, *seq, weight, &cuts, wants);
            }
            _ => {}
        }
    }
}

/// Has a change tried on what the target named after so many landings.
fn ask<'a>(state: &'a State, seq: Seq, weight: f64, cuts: &[u64], wants: &mut Vec<Weighted<'a>>) {
    for base in cuts.iter().filter_map(|at| state.history.commit_at(*at)) {
        let want = match state.nodes.get(base, seq) {
            None => Want::Merge(base, seq),
            Some(Node::Asked) => Want::Asked,
            Some(Node::Done(Merge::Made(tip))) => Want::Gate(&tip.commit, &tip.tree),
            Some(Node::Done(_)) => continue,
        };
        wants.push(Weighted { weight, want });
    }
}
