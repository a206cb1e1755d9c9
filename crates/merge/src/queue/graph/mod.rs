//! Which open changes are related, kept up to date change by change.

mod footprint;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use footprint::{Footprint, Hunk, Relation, Touch};

use super::id::Seq;

/// How many pairs of scopes are remembered at most.
const LEARNED: usize = 512;

/// The graph of all open changes, with the indexes that make adding one cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Graph {
    /// By path, who touches it where.
    files: BTreeMap<String, BTreeMap<Seq, Vec<Hunk>>>,
    /// By directory, who moves it.
    moved: BTreeMap<String, BTreeSet<Seq>>,
    scopes: BTreeMap<String, BTreeSet<Seq>>,
    edges: BTreeMap<Seq, BTreeMap<Seq, Relation>>,
    /// Scopes whose changes broke each other, both ways.
    learned: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Adds a change with what it touches and the changes that it declares itself to be related to.
    pub(crate) fn insert(&mut self, seq: Seq, footprint: &Footprint, declared: &[Seq]) {
        let mut found = self.related_to(footprint);
        for other in declared {
            found.insert(*other, Relation::Declared);
        }
        found.remove(&seq);
        for (other, relation) in &found {
            self.edges.entry(*other).or_default().insert(seq, *relation);
        }
        self.edges.insert(seq, found);
        for touch in &footprint.files {
            self.files.entry(touch.path.clone()).or_default().insert(seq, touch.hunks.clone());
        }
        for directory in &footprint.moved {
            self.moved.entry(directory.clone()).or_default().insert(seq);
        }
        for scope in &footprint.scopes {
            self.scopes.entry(scope.clone()).or_default().insert(seq);
        }
    }

    /// Takes a change out.
    pub(crate) fn remove(&mut self, seq: Seq, footprint: &Footprint) {
        for other in self.edges.remove(&seq).unwrap_or_default().into_keys() {
            if let Some(edges) = self.edges.get_mut(&other) {
                edges.remove(&seq);
            }
        }
        for touch in &footprint.files {
            if let Some(users) = self.files.get_mut(&touch.path) {
                users.remove(&seq);
            }
            self.files.retain_used(&touch.path, BTreeMap::is_empty);
        }
        for directory in &footprint.moved {
            if let Some(users) = self.moved.get_mut(directory) {
                users.remove(&seq);
            }
            self.moved.retain_used(directory, BTreeSet::is_empty);
        }
        for scope in &footprint.scopes {
            if let Some(users) = self.scopes.get_mut(scope) {
                users.remove(&seq);
            }
            self.scopes.retain_used(scope, BTreeSet::is_empty);
        }
    }

    /// The changes that a change is related to, with the strongest reason of each.
    pub(crate) fn neighbours(&self, seq: Seq) -> impl Iterator<Item = (Seq, Relation)> {
        self.edges.get(&seq).into_iter().flatten().map(|(other, relation)| (*other, *relation))
    }

    pub(super) fn relation(&self, one: Seq, other: Seq) -> Option<Relation> {
        self.edges.get(&one)?.get(&other).copied()
    }

    /// How many changes a change is related to.
    pub(super) fn degree(&self, seq: Seq) -> usize {
        self.edges.get(&seq).map_or(0, BTreeMap::len)
    }

    /// Remembers that changes of these scopes passed alone and failed together.
    pub(super) fn learn(&mut self, ones: &[String], others: &[String]) {
        for (one, other) in ones.iter().flat_map(|one| others.iter().map(move |other| (one, other))) {
            if one == other || (self.learned.len() >= LEARNED && !self.learned.contains_key(one)) {
                continue;
            }
            self.learned.entry(one.clone()).or_default().insert(other.clone());
            self.learned.entry(other.clone()).or_default().insert(one.clone());
        }
    }

    /// Everything that a footprint is related to, with the strongest reason of each.
    pub(crate) fn related_to(&self, footprint: &Footprint) -> BTreeMap<Seq, Relation> {
        let mut found = BTreeMap::new();
        let mut note = |seq: Seq, relation: Relation| {
            let known = found.entry(seq).or_insert(relation);
            *known = relation.max(*known);
        };
        for touch in &footprint.files {
            for (seq, hunks) in self.files.get(&touch.path).into_iter().flatten() {
                note(*seq, if meet(&touch.hunks, hunks) { Relation::Hunk } else { Relation::Path });
            }
            for (at, _) in touch.path.match_indices('/') {
                for seq in self.moved.get(&touch.path[..at]).into_iter().flatten() {
                    note(*seq, Relation::MovedDirectory);
                }
                self.files.get(&touch.path[..at]).into_iter().flatten().for_each(|(seq, _)| note(*seq, Relation::Hunk));
            }
            let below = format!("{}/", touch.path);
            for (_, users) in self.files.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below)) {
                users.keys().for_each(|seq| note(*seq, Relation::Hunk));
            }
        }
        for directory in &footprint.moved {
            let below = format!("{directory}/");
            for (_, users) in self.files.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below)) {
                users.keys().for_each(|seq| note(*seq, Relation::MovedDirectory));
            }
            for seq in self.moved.get(directory).into_iter().flatten() {
                note(*seq, Relation::MovedDirectory);
            }
        }
        for scope in &footprint.scopes {
            for seq in self.scopes.get(scope).into_iter().flatten() {
                note(*seq, Relation::Scope);
            }
            for other in self.learned.get(scope).into_iter().flatten() {
                self.scopes.get(other).into_iter().flatten().for_each(|seq| note(*seq, Relation::Learned));
            }
        }
        found
    }
}

/// Whether changes of these hunks of one file conflict; a file without hunks is touched all over.
fn meet(ones: &[Hunk], others: &[Hunk]) -> bool {
    ones.is_empty() || others.is_empty() || ones.iter().any(|one| others.iter().any(|other| one.meets(*other)))
}

/// Indexes without leftovers, so that equal queues are equal values.
trait RetainUsed<V> {
    /// Drops the entry of a key if it is empty.
    fn retain_used(&mut self, key: &str, empty: impl Fn(&V) -> bool);
}

impl<V> RetainUsed<V> for BTreeMap<String, V> {
    fn retain_used(&mut self, key: &str, empty: impl Fn(&V) -> bool) {
        if self.get(key).is_some_and(empty) {
            self.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, hunks: &[(u32, u32)]) -> Footprint {
        let hunks = hunks.iter().map(|(first, lines)| Hunk { first: *first, lines: *lines }).collect();
        Footprint { files: vec![Touch { path: path.into(), hunks }], ..Footprint::default() }
    }

    #[test]
    fn the_strongest_relation_counts_and_a_removed_change_leaves_nothing() {
        let mut graph = Graph::default();
        let touched = [file("src/a.rs", &[(1, 2)]), file("src/a.rs", &[(9, 1)]), file("src/a.rs", &[(3, 1)])];
        for (n, footprint) in (0..).zip(&touched) {
            graph.insert(Seq(n), footprint, &[]);
        }
        let moves = Footprint { moved: vec!["src".into()], ..Footprint::default() };
        graph.insert(Seq(3), &moves, &[Seq(0)]);
        assert_eq!(graph.relation(Seq(1), Seq(0)), Some(Relation::Path));
        assert_eq!(graph.relation(Seq(2), Seq(0)), Some(Relation::Hunk), "the lines adjoin");
        assert_eq!(graph.relation(Seq(3), Seq(1)), Some(Relation::MovedDirectory));
        assert_eq!(graph.relation(Seq(0), Seq(3)), Some(Relation::Declared));
        assert_eq!(graph.degree(Seq(0)), 3);
        for (n, footprint) in (0..).zip(touched.iter().chain([&moves])) {
            graph.remove(Seq(n), footprint);
        }
        assert_eq!(graph, Graph::default());
    }

    #[test]
    fn scopes_that_broke_each_other_are_related_from_then_on() {
        let mut graph = Graph::default();
        let scope = |name: &str| Footprint { scopes: vec![name.into()], ..Footprint::default() };
        graph.insert(Seq(0), &scope("parser"), &[]);
        graph.insert(Seq(1), &scope("printer"), &[]);
        assert_eq!(graph.relation(Seq(0), Seq(1)), None);
        graph.learn(&["parser".into()], &["printer".into()]);
        graph.insert(Seq(2), &scope("printer"), &[]);
        assert_eq!(
            graph.neighbours(Seq(2)).collect::<Vec<_>>(),
            [(Seq(0), Relation::Learned), (Seq(1), Relation::Scope)]
        );
    }
}
