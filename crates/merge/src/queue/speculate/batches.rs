//! One gate for many changes: batches on top of each other, and the search for what is bad in one.

use super::{Found, Want, Weighted, found, may_begin};
use crate::CommitId;
use crate::queue::batch;
use crate::queue::id::Seq;
use crate::queue::state::State;
use crate::queue::verdicts::Standing;
use crate::queue::{Guarantee, Tip};

/// At how many places at once a batch that failed is cut.
const CUTS: usize = 3;

/// A candidate of the chain.
#[derive(Clone, Copy, Debug)]
pub(in crate::queue) struct Link<'a> {
    pub(in crate::queue) seq: Seq,
    pub(in crate::queue) tip: &'a Tip,
    pub(in crate::queue) standing: Standing,
}

/// All changes on top of each other, as far as candidates are made, without what is known not to go there.
#[derive(Debug)]
pub(in crate::queue) struct Chain<'a> {
    pub(in crate::queue) links: Vec<Link<'a>>,
    /// What has to be made for the chain to go on.
    next: Option<Want<'a>>,
}

/// Follows the chain from the tip through these changes.
pub(in crate::queue) fn chain<'a>(state: &'a State, window: &[Seq]) -> Chain<'a> {
    let mut chain = Chain { links: Vec::new(), next: None };
    let (mut base, mut sure) = (&state.tip.commit, true);
    for seq in window {
        let Some(entry) = state.entries.get(seq).filter(|_| may_begin(state, *seq)) else { continue };
        if !state.fits(entry, chain.links.iter().map(|link| link.seq)) {
            continue;
        }
        match found(state, base, *seq) {
            Found::Unfit => {}
            Found::Missing => chain.next = Some(Want::Merge(base, *seq)),
            Found::Asked => chain.next = Some(Want::Asked),
            Found::Made(..) => {
                let Some((tip, standing)) = state.made(base, *seq) else { continue };
                let fails = matches!(standing, Standing::Failed | Standing::Doubted | Standing::Broken);
                if fails && sure && !passes_above(state, &tip.commit) {
                    continue;
                }
                chain.links.push(Link { seq: *seq, tip, standing });
                (base, sure) = (&tip.commit, standing == Standing::Passed);
            }
        }
        if chain.next.is_some() {
            break;
        }
    }
    chain
}

/// Whether something on top of a candidate passed, which says that the candidate is not to blame.
fn passes_above(state: &State, commit: &CommitId) -> bool {
    state.nodes.on(commit).any(|(seq, _)| match state.made(commit, seq) {
        Some((tip, standing)) => standing == Standing::Passed || passes_above(state, &tip.commit),
        None => false,
    })
}

/// What is wanted for the batches of the window.
pub(super) fn wants<'a>(state: &'a State, window: &[Seq]) -> Vec<Weighted<'a>> {
    debug_assert!(state.config.guarantee == Guarantee::HeadGreen);
    let chain = chain(state, window);
    let gate = |tip: &'a Tip, weight| Weighted { weight, want: Want::Gate(&tip.commit, &tip.tree) };
    let mut wants = Vec::new();
    let good = chain.links.iter().rposition(|link| link.standing == Standing::Passed).map_or(0, |last| last + 1);
    let open = &chain.links[good..];
    if let Some(bad) = open.iter().position(|link| link.standing != Standing::Unknown) {
        wants.extend(cuts(state, &open[..bad]).into_iter().map(|tip| gate(tip, 1.0)));
        return wants;
    }
    let chance = state.batch_chance();
    let size = batch::size(chance);
    let thrift = f64::from(state.config.thrift) / 1000.0;
    let (mut rest, mut weight) = (open, 1.0);
    loop {
        let runs = rest.iter().position(|link| state.verdicts.is_running(&link.tip.tree));
        let length = runs.map_or(size, |last| last + 1);
        if rest.len() < length && chain.next.is_some() {
            // The batch is not complete yet.
            wants.extend(chain.next.map(|want| Weighted { weight, want }));
            return wants;
        }
        let Some(last) = rest.len().min(length).checked_sub(1) else { return wants };
        // While others want the slots, a batch waits until it is worth its run.
        let full = f64::from(u16::try_from(last + 1).unwrap_or(u16::MAX)) / f64::from(u16::try_from(size).unwrap_or(1));
        wants.push(gate(rest[last].tip, (weight * full.min(1.0)).max(if weight < 1.0 { 0.0 } else { thrift })));
        rest = &rest[last + 1..];
        weight *= chance.powi(i32::try_from(last + 1).unwrap_or(i32::MAX));
    }
}

/// The candidates below a failure whose verdicts say most about where it begins.
fn cuts<'a>(state: &State, below: &[Link<'a>]) -> Vec<&'a Tip> {
    let running: Vec<_> =
        below.iter().filter(|link| state.verdicts.is_running(&link.tip.tree)).map(|link| link.tip).collect();
    if !running.is_empty() {
        return running;
    }
    let parts = below.len().min(CUTS) + 1;
    (1..parts).map(|n| below[(n * (below.len() + 1) / parts).saturating_sub(1).min(below.len() - 1)].tip).collect()
}
