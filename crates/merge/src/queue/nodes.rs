//! The candidates that were asked for and made, as a tree: each is a change on top of a commit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::Seq;
use super::{Merge, Tip};
use crate::CommitId;

/// How far the merge of a change into a commit is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Node {
    Asked,
    Done(Merge),
}

/// All candidates, by the commit below and the change on top.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Nodes(BTreeMap<CommitId, BTreeMap<Seq, Node>>);

impl Nodes {
    pub(super) fn get(&self, base: &CommitId, seq: Seq) -> Option<&Node> {
        self.0.get(base)?.get(&seq)
    }

    /// The candidate of a change on a commit, if it is made.
    pub(super) fn made(&self, base: &CommitId, seq: Seq) -> Option<&Tip> {
        match self.get(base, seq)? {
            Node::Done(Merge::Made(tip)) => Some(tip),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, base: CommitId, seq: Seq, node: Node) {
        self.0.entry(base).or_default().insert(seq, node);
    }

    /// What there is on a commit.
    pub(super) fn on(&self, base: &CommitId) -> impl Iterator<Item = (Seq, &Node)> {
        self.0.get(base).into_iter().flatten().map(|(seq, node)| (*seq, node))
    }

    /// Everything.
    pub(super) fn all(&self) -> impl Iterator<Item = (&CommitId, Seq, &Node)> {
        self.0.iter().flat_map(|(base, nodes)| nodes.iter().map(move |(seq, node)| (base, *seq, node)))
    }

    /// Takes all candidates of one change out.
    pub(super) fn remove(&mut self, seq: Seq) {
        self.0.retain(|_, nodes| {
            nodes.remove(&seq);
            !nodes.is_empty()
        });
    }

    /// Keeps what stands on a commit, directly or on top of what does, and what `also` wants to keep.
    pub(super) fn prune(&mut self, root: &CommitId, also: impl Fn(Seq) -> bool) {
        let mut old = std::mem::take(&mut self.0);
        let mut open = vec![root.clone()];
        while let Some(base) = open.pop() {
            if let Some(nodes) = old.remove(&base) {
                open.extend(nodes.values().filter_map(|node| match node {
                    Node::Done(Merge::Made(tip)) => Some(tip.commit.clone()),
                    _ => None,
                }));
                self.0.insert(base, nodes);
            }
        }
        for (base, mut nodes) in old {
            nodes.retain(|seq, _| also(*seq));
            if !nodes.is_empty() {
                self.0.insert(base, nodes);
            }
        }
    }

    /// The changes whose candidates lead from one commit up to another.
    pub(super) fn chain(&self, from: &CommitId, to: &CommitId) -> Option<Vec<(Seq, Tip)>> {
        for (seq, node) in self.on(from) {
            let Node::Done(Merge::Made(tip)) = node else { continue };
            if tip.commit == *to {
                return Some(vec![(seq, tip.clone())]);
            }
            if let Some(mut rest) = self.chain(&tip.commit, to) {
                rest.insert(0, (seq, tip.clone()));
                return Some(rest);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::TreeId;

    fn commit(n: u8) -> CommitId {
        CommitId::new(format!("{n:040x}")).unwrap()
    }

    fn made(n: u8) -> Node {
        Node::Done(Merge::Made(Tip { commit: commit(n), tree: TreeId::new(n.to_string()) }))
    }

    #[test]
    fn what_stands_on_a_commit_that_cannot_land_any_more_is_dropped() {
        let mut nodes = Nodes::default();
        nodes.set(commit(0), Seq(1), made(1));
        nodes.set(commit(1), Seq(2), made(2));
        nodes.set(commit(0), Seq(2), made(3));
        nodes.set(commit(3), Seq(4), Node::Asked);
        nodes.set(commit(3), Seq(5), Node::Asked);
        let chain = nodes.chain(&commit(0), &commit(2)).unwrap();
        assert_eq!(chain.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [Seq(1), Seq(2)]);
        nodes.prune(&commit(1), |seq| seq == Seq(5));
        assert_eq!(nodes.all().map(|(_, seq, _)| seq).collect::<Vec<_>>(), [Seq(2), Seq(5)]);
    }
}
