//! Which of the files that a side added are files that it deleted, under another name.
//!
//! As in git's merge: first those that are the same, then those of one name in other directories that are much alike,
//! then the best pairs of all that are left and that matter.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use super::halt::{Budget, Halt};
use super::similarity::{Comparer, LEAST, WHOLE};
use super::tree::{Entry, split};
use super::walk::Moves;

pub(super) mod directories;
mod matrix;

use directories::Directories;

/// So many equal files are looked at for each new name.
const ALIKE: usize = 100;
/// A pair of one name has to be this much alike: half-way between what any pair needs and equality.
const SAME_NAME: u64 = LEAST + (WHOLE - LEAST) / 2;
/// More old names times new names than this are not compared.
const LIMIT: usize = 7000 * 7000;

/// What a side renamed.
#[derive(Debug, Default)]
pub(super) struct Renames {
    /// Old and new name, in the order of new names.
    pub(super) files: Vec<(BString, BString)>,
    /// What that says of directories.
    pub(super) directories: Directories,
}

/// The old and new names of one side, while they are matched.
struct Matching<'m> {
    sources: Vec<&'m (BString, Entry)>,
    targets: Vec<&'m (BString, Entry)>,
    /// For each source, whether it has a new name.
    used: Vec<bool>,
    /// For each target, its source.
    found: Vec<Option<usize>>,
    directories: Directories,
}

/// Matches what a side deleted with what it added, as far as it can matter.
pub(super) fn find(session: &gix::Repository, budget: &Budget, mut moves: Moves) -> Result<Renames, Halt> {
    if moves.needed.is_empty() {
        return Ok(Renames::default());
    }
    let mut needed = std::mem::take(&mut moves.needed);
    let empty = ObjectId::empty_blob(session.object_hash());
    let filled = |list: &'_ Vec<(BString, Entry)>| list.iter().any(|(_, entry)| entry.id != empty);
    if !filled(&moves.deleted) || !filled(&moves.added) {
        return Ok(Renames::default());
    }
    let mut matching = Matching {
        sources: moves.deleted.iter().filter(|(_, entry)| entry.id != empty).collect(),
        targets: moves.added.iter().filter(|(_, entry)| entry.id != empty).collect(),
        used: Vec::new(),
        found: Vec::new(),
        directories: Directories::new(std::mem::take(&mut moves.lost)),
    };
    matching.used = vec![false; matching.sources.len()];
    matching.found = vec![None; matching.targets.len()];

    matching.exact();
    for (target, source) in matching.pairs() {
        matching.directories.count(source.as_bstr(), target.as_bstr());
    }
    let mut comparer = Comparer::new(session, budget);
    matching.by_name(&mut comparer, |path| needed.contains_key(path))?;
    let left: Vec<_> = matching.unused().filter(|n| needed.contains_key(&matching.sources[*n].0)).collect();
    let names = left.iter().map(|n| matching.sources[*n].0.as_bstr());
    let known = matching.directories.known_early(names, &needed);
    for path in known {
        needed.remove(&path);
    }
    let left: Vec<_> = left.into_iter().filter(|n| needed.contains_key(&matching.sources[*n].0)).collect();
    let open: Vec<_> = (0..matching.targets.len()).filter(|n| matching.found[*n].is_none()).collect();
    if !left.is_empty() && !open.is_empty() && left.len().saturating_mul(open.len()) <= LIMIT {
        let pairs = matrix::best(&mut comparer, &matching, &left, &open)?;
        for (source, target) in pairs {
            matching.record(source, target);
            matching.count(source, target);
        }
    }
    matching.directories.clean();
    let files = matching.pairs().into_iter().map(|(target, source)| (source, target)).collect();
    Ok(Renames { files, directories: matching.directories })
}

impl Matching<'_> {
    fn record(&mut self, source: usize, target: usize) {
        self.used[source] = true;
        self.found[target] = Some(source);
    }

    fn count(&mut self, source: usize, target: usize) {
        let (old, new) = (&self.sources[source].0, &self.targets[target].0);
        self.directories.count(old.as_bstr(), new.as_bstr());
    }

    /// New and old names that belong together.
    fn pairs(&self) -> Vec<(BString, BString)> {
        let name = |(target, source): (&&(BString, Entry), &Option<usize>)| {
            source.map(|source| (target.0.clone(), self.sources[source].0.clone()))
        };
        self.targets.iter().zip(&self.found).filter_map(name).collect()
    }

    fn unused(&self) -> impl Iterator<Item = usize> {
        (0..self.sources.len()).filter(|n| !self.used[*n])
    }

    /// Files that are the same; of several, one of the same name if there is any.
    fn exact(&mut self) {
        let mut by_id: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for (n, (_, entry)) in self.sources.iter().enumerate() {
            by_id.entry(entry.id).or_default().push(n);
        }
        for target in 0..self.targets.len() {
            let (path, entry) = self.targets[target];
            let mut best: Option<(bool, usize)> = None;
            let mut looked = 0;
            for source in by_id.get(&entry.id).into_iter().flatten().copied() {
                let (old, original) = self.sources[source];
                let comparable = original.is_file() && entry.is_file() || original.kind == entry.kind;
                if !comparable || self.used[source] {
                    continue;
                }
                let same_name = split(old.as_bstr()).1 == split(path.as_bstr()).1;
                if best.is_none_or(|(name, _)| same_name && !name) {
                    best = Some((same_name, source));
                    if same_name {
                        break;
                    }
                }
                looked += 1;
                if looked > ALIKE {
                    break;
                }
            }
            if let Some((_, source)) = best {
                self.record(source, target);
            }
        }
    }

    /// Files of one name, if only one pair has it, or if the directory of the old one became that of the new one.
    fn by_name(&mut self, comparer: &mut Comparer<'_>, needed: impl Fn(&BString) -> bool) -> Result<(), Halt> {
        let unused: Vec<_> = self.unused().collect();
        let open: Vec<_> = (0..self.targets.len()).filter(|n| self.found[*n].is_none()).collect();
        let old = once(unused.iter().map(|n| (*n, self.sources[*n].0.as_bstr())));
        let new = once(open.iter().map(|n| (*n, self.targets[*n].0.as_bstr())));
        let places: HashMap<&BStr, usize> = open.iter().map(|n| (self.targets[*n].0.as_bstr(), *n)).collect();
        let guesses = self.directories.guesses();
        let mut seen = HashSet::new();
        for source in unused {
            let (path, entry) = self.sources[source];
            if !needed(path) {
                continue;
            }
            let (directory, name) = split(path.as_bstr());
            let target = match (old.get(name).copied().flatten(), new.get(name)) {
                (_, None) => None,
                (Some(_), Some(Some(target))) => Some(*target),
                _ => {
                    let place = guesses.get(directory).map(|guess| {
                        let mut place = guess.clone();
                        place.push(b'/');
                        place.extend_from_slice(name);
                        place
                    });
                    place.and_then(|place| places.get(place.as_bstr()).copied())
                }
            };
            let Some(target) = target.filter(|target| !seen.contains(target)) else { continue };
            if comparer.score(entry, &self.targets[target].1, SAME_NAME)? >= SAME_NAME {
                seen.insert(target);
                self.record(source, target);
                self.count(source, target);
            }
        }
        Ok(())
    }
}

/// The only one that has a last name, or nothing where several have it.
fn once<'p>(paths: impl Iterator<Item = (usize, &'p BStr)>) -> HashMap<&'p BStr, Option<usize>> {
    let mut names = HashMap::new();
    for (n, path) in paths {
        names.entry(split(path).1).and_modify(|only| *only = None).or_insert(Some(n));
    }
    names
}
