//! Every change on top of the related changes before it, and of nothing else.

use super::{FLOOR, Found, Want, Weighted, found, may_begin};
use crate::CommitId;
use crate::queue::id::Seq;
use crate::queue::state::State;
use crate::queue::verdicts::Standing;
use crate::queue::{Guarantee, Tip};

/// One set of assumptions about the related changes before one change.
#[derive(Clone, Debug)]
struct Path<'a> {
    likelihood: f64,
    base: &'a CommitId,
    below: Vec<Seq>,
}

/// What a path leads to.
enum Reached<'a> {
    /// Something has to be made or is being made first.
    Wants(Want<'a>),
    /// The candidate of the change, on top of what the path assumed to pass.
    Candidate(&'a Tip),
    Nothing,
}

/// The related changes before each change of the window, which decide what it is tried on.
fn before(state: &State, window: &[Seq], at: usize) -> Vec<Seq> {
    let seq = window[at];
    let related = |other: &&Seq| state.graph.relation(seq, **other).is_some() && may_begin(state, **other);
    window[..at].iter().filter(related).copied().collect()
}

/// What is known of a change on top of these related ones that are not landed yet.
fn standing(state: &State, seq: Seq, below: &[Seq]) -> Standing {
    let Some(entry) = state.entries.get(&seq) else { return Standing::Unknown };
    let related = below.iter().filter(|other| state.graph.relation(seq, **other).is_some());
    let mut context: Vec<Seq> = entry.under.iter().chain(related).copied().collect();
    context.sort_unstable();
    entry.tried_on(&context).map_or(Standing::Unknown, |tip| state.verdicts.standing(&tip.tree))
}

/// All ways to assume which of the related changes pass, the likeliest first, as far as candidates are made.
fn paths<'a>(state: &'a State, related: &[Seq]) -> Vec<(Path<'a>, Option<Want<'a>>)> {
    let mut paths = vec![(Path { likelihood: 1.0, base: &state.tip.commit, below: Vec::new() }, None)];
    for other in related {
        let Some(entry) = state.entries.get(other) else { continue };
        let mut next = Vec::new();
        for (path, want) in paths {
            if want.is_some() || !state.fits(entry, path.below.iter().copied()) {
                next.push((path, want));
                continue;
            }
            let share = match standing(state, *other, &path.below) {
                Standing::Passed => 1.0,
                Standing::Failed | Standing::Broken => 0.0,
                Standing::Doubted => state.rates.flake(1),
                Standing::Unknown => state.chance(entry),
            };
            let mut with = path.clone();
            let mut share = share;
            match found(state, path.base, *other) {
                Found::Unfit => share = 0.0,
                Found::Missing => next.push((
                    Path { likelihood: path.likelihood * share, ..path.clone() },
                    Some(Want::Merge(path.base, *other)),
                )),
                Found::Asked => {
                    next.push((Path { likelihood: path.likelihood * share, ..path.clone() }, Some(Want::Asked)));
                }
                Found::Made(commit, _) => {
                    with.likelihood *= share;
                    with.base = commit;
                    with.below.push(*other);
                    next.push((with, None));
                }
            }
            next.push((Path { likelihood: path.likelihood * (1.0 - share), ..path }, None));
        }
        next.retain(|(path, _)| path.likelihood >= FLOOR);
        next.sort_by(|(one, _), (other, _)| other.likelihood.total_cmp(&one.likelihood));
        next.truncate(state.config.budget());
        paths = next;
    }
    paths
}

fn reach<'a>(state: &'a State, seq: Seq, base: &'a CommitId) -> Reached<'a> {
    match found(state, base, seq) {
        Found::Missing => Reached::Wants(Want::Merge(base, seq)),
        Found::Asked => Reached::Wants(Want::Asked),
        Found::Unfit => Reached::Nothing,
        Found::Made(..) => state.nodes.made(base, seq).map_or(Reached::Nothing, Reached::Candidate),
    }
}

/// The sorted related changes below a candidate, landed or assumed.
fn context(state: &State, seq: Seq, below: &[Seq]) -> Vec<Seq> {
    let under = state.entries.get(&seq).map(|entry| entry.landed_below()).unwrap_or_default();
    let mut context: Vec<Seq> = under.into_iter().chain(below.iter().copied()).collect();
    context.sort_unstable();
    context
}

/// What is wanted for the changes of the window.
pub(super) fn wants<'a>(state: &'a State, window: &[Seq]) -> Vec<Weighted<'a>> {
    let mut wants = Vec::new();
    for (at, seq) in window.iter().enumerate() {
        let Some(entry) = state.entries.get(seq).filter(|_| may_begin(state, *seq)) else { continue };
        for (path, want) in paths(state, &before(state, window, at)) {
            let weight = path.likelihood;
            if let Some(want) = want {
                wants.push(Weighted { weight, want });
                continue;
            }
            if !state.fits(entry, path.below.iter().copied()) {
                continue;
            }
            if let Some(tip) = entry.tried_on(&context(state, *seq, &path.below)) {
                match state.verdicts.standing(&tip.tree) {
                    // Only the commit that lands is missing.
                    Standing::Passed if path.below.is_empty() && found_missing(state, *seq) => {
                        wants.push(Weighted { weight: 1.0, want: Want::Merge(&state.tip.commit, *seq) });
                    }
                    Standing::Unknown | Standing::Doubted => {
                        wants.push(Weighted { weight, want: Want::Gate(&tip.commit, &tip.tree) });
                    }
                    _ => {}
                }
                continue;
            }
            if let Reached::Wants(want) = reach(state, *seq, path.base) {
                wants.push(Weighted { weight, want });
            }
        }
    }
    wants
}

fn found_missing(state: &State, seq: Seq) -> bool {
    matches!(found(state, &state.tip.commit, seq), Found::Missing)
}

/// Remembers as which candidate every change is tried on top of its related ones.
pub(super) fn remember(state: &mut State) {
    let window: Vec<Seq> = state.line.iter().copied().chain(state.first_waiting()).collect();
    let mut tried = Vec::new();
    for (at, seq) in window.iter().enumerate() {
        for (path, want) in paths(state, &before(state, &window, at)) {
            if want.is_some() {
                continue;
            }
            let context = context(state, *seq, &path.below);
            let known = state.entries.get(seq).is_some_and(|entry| entry.tried_on(&context).is_some());
            if let (false, Reached::Candidate(tip)) = (known, reach(state, *seq, path.base)) {
                tried.push((*seq, context, tip.clone()));
            }
        }
    }
    for (seq, context, tip) in tried {
        if let Some(entry) = state.entries.get_mut(&seq) {
            entry.tried.push((context, tip));
        }
    }
}

/// Whether a change fails on top of all related ones that landed.
pub(super) fn fails(state: &State, seq: Seq) -> bool {
    state.config.guarantee == Guarantee::Scoped
        && matches!(standing(state, seq, &[]), Standing::Failed | Standing::Doubted)
}
