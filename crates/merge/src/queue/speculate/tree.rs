//! Best first through all assumptions about what passes: every change on top of every set of those before it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{FLOOR, Found, Want, Weighted, found, may_begin};
use crate::CommitId;
use crate::queue::id::Seq;
use crate::queue::state::State;
use crate::queue::verdicts::Standing;

/// One set of assumptions about the first changes of the line.
#[derive(Debug)]
struct Path<'a> {
    likelihood: f64,
    /// How many changes something was assumed about.
    depth: usize,
    /// The candidate of all that were assumed to pass.
    base: &'a CommitId,
    /// The last of them, as an index into the links.
    below: Option<usize>,
}

impl PartialEq for Path<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Path<'_> {}

impl PartialOrd for Path<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Path<'_> {
    /// The likeliest is the greatest; among equals the one that is decided first.
    fn cmp(&self, other: &Self) -> Ordering {
        let likelier = self.likelihood.total_cmp(&other.likelihood);
        likelier.then_with(|| other.depth.cmp(&self.depth)).then_with(|| other.base.cmp(self.base))
    }
}

/// A change that is assumed to pass, and the one below it.
#[derive(Clone, Copy, Debug)]
struct Link {
    seq: Seq,
    below: Option<usize>,
}

fn changes(links: &[Link], last: Option<usize>) -> impl Iterator<Item = Seq> + Clone {
    std::iter::successors(last.map(|last| links[last]), |link| link.below.map(|below| links[below]))
        .map(|link| link.seq)
}

/// What is wanted, with likelihoods, until there is enough for twice the budget.
pub(super) fn wants<'a>(state: &'a State, window: &[Seq]) -> Vec<Weighted<'a>> {
    let budget = state.config.budget();
    let (mut wants, mut links) = (Vec::new(), Vec::new());
    let mut open = BinaryHeap::new();
    open.push(Path { likelihood: 1.0, depth: 0, base: &state.tip.commit, below: None });
    let mut visits = 16 * budget + 64;
    while let Some(path) = open.pop() {
        if path.likelihood < FLOOR || wants.len() >= 2 * budget || visits == 0 {
            break;
        }
        visits -= 1;
        let Some(seq) = window.get(path.depth).copied() else { continue };
        let Path { likelihood, base, below, .. } = path;
        let depth = path.depth + 1;
        let without = |share: f64| Path { likelihood: likelihood * share, depth, base, below };
        let Some(entry) = state.entries.get(&seq).filter(|_| may_begin(state, seq)) else {
            open.push(without(1.0));
            continue;
        };
        if !state.fits(entry, changes(&links, below)) {
            open.push(without(1.0));
            continue;
        }
        let chance = state.chance(entry);
        let (commit, tree) = match found(state, base, seq) {
            Found::Unfit => {
                open.push(without(1.0));
                continue;
            }
            missing @ (Found::Missing | Found::Asked) => {
                let want = if let Found::Missing = missing { Want::Merge(base, seq) } else { Want::Asked };
                wants.push(Weighted { weight: likelihood, want });
                open.push(without(1.0 - chance));
                continue;
            }
            Found::Made(commit, tree) => (commit, tree),
        };
        let standing = state.verdicts.standing(tree);
        let share = match standing {
            Standing::Passed => 1.0,
            Standing::Unknown => chance,
            Standing::Doubted => state.rates.flake(1),
            Standing::Failed | Standing::Broken => 0.0,
        };
        // What failed is looked at again only once it stands on the target.
        if standing == Standing::Unknown {
            wants.push(Weighted { weight: likelihood, want: Want::Gate(commit, tree) });
        }
        if share > 0.0 {
            links.push(Link { seq, below });
            let below = Some(links.len() - 1);
            open.push(Path { likelihood: likelihood * share, depth, base: commit, below });
        }
        if share < 1.0 {
            open.push(without(1.0 - share));
        }
    }
    wants
}
