//! Puts objects in the order in which each can be made of the one before it.

use std::collections::HashMap;

use gix::objs::Kind;
use gix::odb::pack::data::Entry;

use super::packs::{Packs, Spot};

/// git makes no longer chain of deltas.
const CHAIN: usize = 4096;

/// A whole object and everything that is wanted of its deltas, the deltas of these, and so on.
#[derive(Debug)]
pub(in crate::local::fill) struct Tree<T> {
    pub(super) pack: u32,
    /// Each comes after the one that it is a delta of, and before the next one that is not its own.
    pub(super) steps: Vec<Step<T>>,
}

/// One object of a tree.
#[derive(Debug)]
pub(super) struct Step<T> {
    pub(super) entry: Entry,
    /// How many deltas are between it and the whole object.
    pub(super) depth: usize,
    /// Whether nothing after it is a delta of the same object, which then is not needed any more.
    pub(super) is_last: bool,
    pub(super) wanted: Vec<T>,
}

impl<T> Tree<T> {
    /// How many objects are wanted of it.
    pub(in crate::local::fill) fn count(&self) -> usize {
        self.steps.iter().map(|step| step.wanted.len()).sum()
    }

    /// Everything that is wanted of it.
    pub(in crate::local::fill) fn into_wanted(self) -> impl Iterator<Item = T> {
        self.steps.into_iter().flat_map(|step| step.wanted)
    }
}

struct Node<T> {
    spot: Spot,
    entry: Option<Entry>,
    wanted: Vec<T>,
    deltas: Vec<usize>,
    /// How many objects are in its tree, from here on.
    weight: usize,
}

/// The trees of these objects, in the order of the packs, and what no tree could be made for.
pub(in crate::local::fill) fn grow<T>(packs: &Packs, objects: Vec<(Spot, T)>) -> (Vec<Tree<T>>, Vec<T>) {
    let mut nodes: Vec<Node<T>> = Vec::with_capacity(objects.len());
    let mut known: HashMap<Spot, usize> = HashMap::with_capacity(objects.len());
    let mut roots = Vec::new();
    let mut odd = Vec::new();
    for (spot, wanted) in objects {
        let Some(chain) = chain(packs, spot, &known) else {
            odd.push(wanted);
            continue;
        };
        let mut below = chain.base;
        for (spot, entry) in chain.new.into_iter().rev() {
            let here = nodes.len();
            nodes.push(Node { spot, entry: Some(entry), wanted: Vec::new(), deltas: Vec::new(), weight: 1 });
            known.insert(spot, here);
            match below {
                Some(base) => nodes[base].deltas.push(here),
                None => roots.push(here),
            }
            below = Some(here);
        }
        if let Some(here) = below {
            nodes[here].wanted.push(wanted);
        }
    }
    weigh(&mut nodes);
    roots.sort_unstable_by_key(|root| nodes[*root].spot);
    (roots.into_iter().map(|root| tree(&mut nodes, root)).collect(), odd)
}

/// What lies between an object and what is known already.
struct Chain {
    /// The object first.
    new: Vec<(Spot, Entry)>,
    base: Option<usize>,
}

/// None when it cannot be followed, or ends in something else than a file.
fn chain(packs: &Packs, object: Spot, known: &HashMap<Spot, usize>) -> Option<Chain> {
    let mut new = Vec::new();
    let mut next = Some(object);
    while let Some(spot) = next {
        if let Some(base) = known.get(&spot) {
            return Some(Chain { new, base: Some(*base) });
        }
        let stored = packs.look(spot)?;
        if new.len() == CHAIN || stored.base.is_none() && stored.entry.header.as_kind() != Some(Kind::Blob) {
            return None;
        }
        new.push((spot, stored.entry));
        next = stored.base;
    }
    Some(Chain { new, base: None })
}

/// A delta always has a higher number than what it is made of.
fn weigh<T>(nodes: &mut [Node<T>]) {
    for here in (0..nodes.len()).rev() {
        nodes[here].weight += nodes[here].deltas.iter().map(|delta| nodes[*delta].weight).sum::<usize>();
    }
}

/// The largest branch comes last, when its base is not needed any more: so no more than the logarithm of the number of
/// objects are ever at hand at once, however long a chain is.
fn tree<T>(nodes: &mut [Node<T>], root: usize) -> Tree<T> {
    let pack = nodes[root].spot.pack;
    let mut steps = Vec::with_capacity(nodes[root].weight);
    let mut waiting = vec![(root, 0, true)];
    while let Some((here, depth, is_last)) = waiting.pop() {
        let mut deltas = std::mem::take(&mut nodes[here].deltas);
        // What is pushed first is taken last.
        deltas.sort_unstable_by_key(|delta| (std::cmp::Reverse(nodes[*delta].weight), nodes[*delta].spot));
        waiting.extend(deltas.iter().enumerate().map(|(n, delta)| (*delta, depth + 1, n == 0)));
        let node = &mut nodes[here];
        let Some(entry) = node.entry.take() else { continue };
        steps.push(Step { entry, depth, is_last, wanted: std::mem::take(&mut node.wanted) });
    }
    Tree { pack, steps }
}

#[cfg(test)]
mod tests {
    use gix::odb::pack::data::entry::Header;
    use proptest::prelude::*;

    use super::*;

    fn node(number: usize) -> Node<usize> {
        let spot = Spot { pack: 0, offset: number as u64 };
        let entry =
            Entry { header: Header::Blob, decompressed_size: 1, data_offset: spot.offset, encoded_header_size: 1 };
        Node { spot, entry: Some(entry), wanted: vec![number], deltas: Vec::new(), weight: 1 }
    }

    proptest! {
        #[test]
        fn every_delta_finds_its_base_at_hand_and_few_are_held(bases in prop::collection::vec(any::<prop::sample::Index>(), 0..200)) {
            let mut nodes = vec![node(0)];
            let mut base_of = vec![None];
            for (n, base) in bases.iter().enumerate() {
                let base = base.index(n + 1);
                nodes.push(node(n + 1));
                nodes[base].deltas.push(n + 1);
                base_of.push(Some(base));
            }
            weigh(&mut nodes);
            let tree = tree(&mut nodes, 0);
            prop_assert_eq!(tree.steps.len(), nodes.len());
            // As the reader does it.
            let mut held: Vec<Option<usize>> = Vec::new();
            for (n, step) in tree.steps.iter().enumerate() {
                held.truncate(step.depth);
                prop_assert_eq!(held.len(), step.depth);
                let here = step.wanted[0];
                prop_assert_eq!(held.last().copied().flatten(), base_of[here]);
                if step.is_last && let Some(base) = held.last_mut() {
                    *base = None;
                }
                if tree.steps.get(n + 1).is_some_and(|next| next.depth > step.depth) {
                    held.push(Some(here));
                }
                let most = nodes.len().ilog2() as usize + 1;
                prop_assert!(held.iter().flatten().count() <= most, "{:?}", held);
            }
        }
    }
}
