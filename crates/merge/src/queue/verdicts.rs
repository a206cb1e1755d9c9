//! What gates said about trees, and which run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GateKey, GateRun, TreeId, Verdict};
use crate::CommitId;

/// How often in a row a gate may break on a tree before that tree is given up.
const BROKEN: u32 = 5;

/// What is known about one tree under one gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) passed: u32,
    pub(super) failed: u32,
    broken: u32,
    /// A certificate says that it passed.
    pub(super) certified: bool,
    /// The last failure is doubted: another run shall be made.
    pub(super) doubted: bool,
    /// The step that failed last.
    pub(super) step: String,
    /// The highest run that ended, and the highest that was asked for.
    done: u32,
    asked: u32,
    /// When it was last of use, in landings.
    used: u64,
}

/// What a tree is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Passed,
    /// It failed, and another run shall say whether that was a flake.
    Doubted,
    Failed,
    /// The gate itself broke too often.
    Broken,
}

impl Judged {
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self { passed: 1.., .. } | Self { certified: true, .. } => Standing::Passed,
            Self { broken: BROKEN.., .. } => Standing::Broken,
            Self { failed: 1.., doubted: true, .. } => Standing::Doubted,
            Self { failed: 1.., .. } => Standing::Failed,
            _ => Standing::Unknown,
        }
    }
}

/// The memory for verdicts, by tree, gate and environment, and the runs that are going on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Verdicts {
    key: GateKey,
    trees: BTreeMap<TreeId, Judged>,
    /// What other gates said, in case they come back.
    others: BTreeMap<GateKey, BTreeMap<TreeId, Judged>>,
    running: BTreeMap<TreeId, CommitId>,
}

/// What a verdict changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    Passed { failed_before: u32 },
    Failed { times: u32 },
    Broke,
}

impl Verdicts {
    pub(super) fn new(key: GateKey) -> Self {
        Self { key, trees: BTreeMap::new(), others: BTreeMap::new(), running: BTreeMap::new() }
    }

    pub(super) fn key(&self) -> &GateKey {
        &self.key
    }

    pub(super) fn of(&self, tree: &TreeId) -> Option<&Judged> {
        self.trees.get(tree)
    }

    pub(super) fn standing(&self, tree: &TreeId) -> Standing {
        self.trees.get(tree).map_or(Standing::Unknown, Judged::standing)
    }

    pub(super) fn is_running(&self, tree: &TreeId) -> bool {
        self.running.contains_key(tree)
    }

    /// The trees that a gate is running on.
    pub(super) fn running(&self) -> impl ExactSizeIterator<Item = &TreeId> {
        self.running.keys()
    }

    /// The runs that are going on, to be asked for again.
    pub(super) fn runs(&self) -> impl Iterator<Item = GateRun> {
        self.running.iter().map(|(tree, commit)| self.run(tree, commit))
    }

    fn run(&self, tree: &TreeId, commit: &CommitId) -> GateRun {
        let run = self.trees.get(tree).map_or(0, |judged| judged.asked);
        GateRun { commit: commit.clone(), tree: tree.clone(), key: self.key.clone(), run }
    }

    /// Begins the next run on a tree.
    pub(super) fn start(&mut self, tree: &TreeId, commit: &CommitId, now: u64) -> GateRun {
        let judged = self.trees.entry(tree.clone()).or_default();
        judged.asked = judged.asked.max(judged.done) + 1;
        judged.used = now;
        self.running.insert(tree.clone(), commit.clone());
        self.run(tree, commit)
    }

    /// Gives up the run on a tree.
    pub(super) fn cancel(&mut self, tree: &TreeId) -> Option<GateRun> {
        let commit = self.running.remove(tree)?;
        Some(self.run(tree, &commit))
    }

    /// Believes a certificate.
    pub(super) fn certify(&mut self, tree: &TreeId, now: u64) {
        let judged = self.trees.entry(tree.clone()).or_default();
        (judged.certified, judged.used) = (true, now);
    }

    /// Takes in what a run said; a run that was heard of before, or an older one, says nothing new.
    pub(super) fn record(&mut self, tree: &TreeId, key: &GateKey, run: u32, verdict: &Verdict, now: u64) -> News {
        let current = *key == self.key;
        let trees = if current { &mut self.trees } else { self.others.entry(key.clone()).or_default() };
        let judged = trees.entry(tree.clone()).or_default();
        judged.used = now;
        if run <= judged.done {
            return News::Nothing;
        }
        judged.done = run;
        if current && run >= judged.asked {
            self.running.remove(tree);
        }
        let news = match verdict {
            Verdict::Passed => {
                judged.passed += 1;
                News::Passed { failed_before: judged.failed }
            }
            Verdict::Failed { step } => {
                (judged.failed, judged.broken) = (judged.failed + 1, 0);
                judged.step.clone_from(step);
                News::Failed { times: judged.failed }
            }
            Verdict::Broken => {
                judged.broken += 1;
                News::Broke
            }
        };
        if current { news } else { News::Nothing }
    }

    /// Says whether the last failure of a tree is doubted.
    pub(super) fn doubt(&mut self, tree: &TreeId, doubted: bool) {
        if let Some(judged) = self.trees.get_mut(tree) {
            judged.doubted = doubted;
        }
    }

    /// Goes over to another gate, and returns the runs of the one before.
    pub(super) fn change(&mut self, key: GateKey) -> Vec<GateRun> {
        let runs = self.runs().collect();
        self.running.clear();
        let mut trees = self.others.remove(&key).unwrap_or_default();
        std::mem::swap(&mut trees, &mut self.trees);
        self.others.insert(std::mem::replace(&mut self.key, key), trees);
        runs
    }

    /// Forgets the older half of what nobody used lately, as soon as there is more than `most`, and what other gates said first.
    pub(super) fn forget(&mut self, most: usize) {
        if self.trees.len() + self.others.values().map(BTreeMap::len).sum::<usize>() <= most {
            return;
        }
        self.others.clear();
        let mut used: Vec<u64> = self.trees.values().map(|judged| judged.used).collect();
        used.sort_unstable();
        let median = used.get(used.len() / 2).copied().unwrap_or(0);
        self.trees.retain(|tree, judged| judged.used > median || self.running.contains_key(tree));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Digest;

    fn key(gate: &str) -> GateKey {
        GateKey { gate: Digest::new(gate), environment: Digest::new("e") }
    }

    fn started() -> (Verdicts, TreeId, GateRun) {
        let mut verdicts = Verdicts::new(key("g"));
        let tree = TreeId::new("t");
        let run = verdicts.start(&tree, &CommitId::new("0".repeat(40)).unwrap(), 0);
        (verdicts, tree, run)
    }

    #[test]
    fn a_verdict_that_comes_twice_counts_once() {
        let (mut verdicts, tree, run) = started();
        let failed = Verdict::Failed { step: "test".into() };
        assert_eq!(verdicts.record(&tree, &run.key, run.run, &failed, 0), News::Failed { times: 1 });
        assert_eq!(verdicts.record(&tree, &run.key, run.run, &failed, 0), News::Nothing);
        assert_eq!(verdicts.of(&tree).unwrap().failed, 1);
        assert_eq!(verdicts.running().len(), 0);
    }

    #[test]
    fn a_verdict_of_a_cancelled_run_is_still_knowledge_and_does_not_end_the_next_run() {
        let (mut verdicts, tree, first) = started();
        verdicts.cancel(&tree).unwrap();
        let second = verdicts.start(&tree, &first.commit, 0);
        assert_ne!(first.run, second.run);
        verdicts.record(&tree, &first.key, first.run, &Verdict::Passed, 0);
        assert_eq!(verdicts.standing(&tree), Standing::Passed);
        assert!(verdicts.is_running(&tree));
    }

    #[test]
    fn the_verdict_of_another_gate_does_not_count_until_that_gate_is_back() {
        let (mut verdicts, tree, run) = started();
        assert_eq!(verdicts.change(key("other")), vec![run.clone()]);
        assert_eq!(verdicts.record(&tree, &run.key, run.run, &Verdict::Passed, 0), News::Nothing);
        assert_eq!(verdicts.standing(&tree), Standing::Unknown);
        verdicts.change(key("g"));
        assert_eq!(verdicts.standing(&tree), Standing::Passed);
    }

    #[test]
    fn a_gate_that_breaks_again_and_again_is_not_waited_for_for_ever() {
        let (mut verdicts, tree, run) = started();
        for n in 0..BROKEN {
            assert_eq!(verdicts.standing(&tree), Standing::Unknown);
            verdicts.record(&tree, &run.key, run.run + n, &Verdict::Broken, 0);
        }
        assert_eq!(verdicts.standing(&tree), Standing::Broken);
    }

    #[test]
    fn what_is_forgotten_first_is_what_was_not_used_for_longest() {
        let mut verdicts = Verdicts::new(key("g"));
        for n in 0..10 {
            verdicts.certify(&TreeId::new(n.to_string()), n);
        }
        verdicts.forget(10);
        assert_eq!(verdicts.trees.len(), 10);
        verdicts.forget(9);
        assert!(verdicts.of(&TreeId::new("9")).is_some() && verdicts.of(&TreeId::new("1")).is_none());
    }
}
