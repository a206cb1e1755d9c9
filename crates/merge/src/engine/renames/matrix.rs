//! The best pairs among all old and new names that are left.

use std::cmp::Ordering;

use super::Matching;
use crate::engine::halt::Halt;
use crate::engine::similarity::{Comparer, LEAST};
use crate::engine::tree::split;

/// So many old names are kept for each new one.
const KEPT: usize = 4;

#[derive(Clone, Copy)]
struct Pair {
    score: u64,
    same_name: bool,
    source: usize,
    target: usize,
}

/// Better pairs first.
fn better(one: &Pair, other: &Pair) -> Ordering {
    other.score.cmp(&one.score).then(other.same_name.cmp(&one.same_name))
}

/// Pairs of source and target, no source and no target twice.
pub(super) fn best(
    comparer: &mut Comparer<'_>,
    matching: &Matching<'_>,
    sources: &[usize],
    targets: &[usize],
) -> Result<Vec<(usize, usize)>, Halt> {
    let mut pairs = Vec::new();
    for target in targets.iter().copied() {
        let (new, entry) = matching.targets[target];
        let mut kept: [Option<Pair>; KEPT] = [None; KEPT];
        for source in sources.iter().copied() {
            let (old, original) = matching.sources[source];
            let score = comparer.score(original, entry, LEAST)?;
            let same_name = score > 0 && split(old.as_ref()).1 == split(new.as_ref()).1;
            keep(&mut kept, Pair { score, same_name, source, target });
        }
        pairs.extend(kept.into_iter().flatten());
    }
    pairs.sort_by(better);
    let (mut used, mut found) = (vec![false; matching.sources.len()], vec![false; matching.targets.len()]);
    let mut chosen = Vec::new();
    for pair in pairs {
        if pair.score < LEAST {
            break;
        }
        if !found[pair.target] && !used[pair.source] {
            (found[pair.target], used[pair.source]) = (true, true);
            chosen.push((pair.source, pair.target));
        }
    }
    Ok(chosen)
}

/// Puts a pair in the place of the worst one, if it is better.
fn keep(kept: &mut [Option<Pair>; KEPT], pair: Pair) {
    let rank = |one: &Option<Pair>, other: &Option<Pair>| match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(other)) => better(one, other),
    };
    let mut worst = 0;
    for n in 1..KEPT {
        if rank(&kept[n], &kept[worst]) == Ordering::Greater {
            worst = n;
        }
    }
    if rank(&kept[worst], &Some(pair)) == Ordering::Greater {
        kept[worst] = Some(pair);
    }
}
