//! Shares out what is to be inflated: in the order of the packs, and not in that of the paths.

use std::sync::Mutex;
use std::vec::IntoIter;

use super::CHUNK;
use super::packed::{Packs, Tree, grow};
use super::worker::Waiting;

/// For fewer files it does not pay to look at all packs.
const FEW: usize = 64;

/// What is still to be inflated, and where most of it is.
pub(super) struct Store<'a> {
    pub(super) packs: Option<Packs>,
    pub(super) pieces: Mutex<IntoIter<Piece<'a>>>,
}

/// What a thread takes at a time.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Objects that lie together in a pack.
    Trees(Vec<Tree<Waiting<'a>>>),
    /// Those that are looked for one by one: loose, or not found in this way.
    Single(Vec<Waiting<'a>>),
}

impl<'a> Store<'a> {
    /// Looks for all that waits.
    pub(super) fn new(repo: &gix::Repository, waiting: Vec<Waiting<'a>>) -> Self {
        let mut pieces = Vec::new();
        let mut packs = if waiting.len() < FEW { None } else { Packs::open(repo) };
        let single = match &mut packs {
            Some(packs) => {
                let (trees, single) = locate(packs, waiting);
                pieces.extend(bundle(trees).into_iter().map(Piece::Trees));
                single
            }
            None => waiting,
        };
        let mut single = single.into_iter().peekable();
        while single.peek().is_some() {
            pieces.push(Piece::Single(single.by_ref().take(CHUNK).collect()));
        }
        Self { packs, pieces: Mutex::new(pieces.into_iter()) }
    }

    /// How many threads have something to do.
    pub(super) fn width(&self) -> usize {
        self.pieces.lock().map_or(1, |pieces| pieces.len())
    }
}

fn locate<'a>(packs: &mut Packs, waiting: Vec<Waiting<'a>>) -> (Vec<Tree<Waiting<'a>>>, Vec<Waiting<'a>>) {
    let mut found = Vec::with_capacity(waiting.len());
    let mut single = Vec::new();
    for file in waiting {
        match packs.find(&file.entry.id) {
            Some(spot) => found.push((spot, file)),
            None => single.push(file),
        }
    }
    let (trees, odd) = grow(packs, found);
    single.extend(odd);
    (trees, single)
}

/// Neighbours go to one thread: their files mostly lie in one directory.
fn bundle<T>(trees: Vec<Tree<T>>) -> Vec<Vec<Tree<T>>> {
    let mut bundles = vec![Vec::new()];
    let mut count = 0;
    for tree in trees {
        if count >= CHUNK {
            bundles.push(Vec::new());
            count = 0;
        }
        count += tree.count();
        if let Some(bundle) = bundles.last_mut() {
            bundle.push(tree);
        }
    }
    bundles
}
