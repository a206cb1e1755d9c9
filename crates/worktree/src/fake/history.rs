//! Commits, branches and rescue refs, in memory.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::{Node, Tree};
use crate::{BranchName, CommitId, Error, Rescue, Result, WorktreeId};

/// A commit.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) parent: Option<CommitId>,
    pub(super) tree: Tree,
}

/// All history of one fake repository.
#[derive(Debug)]
pub(super) struct History {
    commits: BTreeMap<CommitId, Commit>,
    pub(super) branches: BTreeMap<BranchName, CommitId>,
    pub(super) head: BranchName,
    rescues: BTreeMap<WorktreeId, Vec<Rescue>>,
}

impl History {
    /// One commit with this tree, on the branch `main`.
    pub(super) fn new(tree: Tree) -> Self {
        let head = BranchName::new("main").expect("this is a valid name");
        let mut history =
            Self { commits: BTreeMap::new(), branches: BTreeMap::new(), head: head.clone(), rescues: BTreeMap::new() };
        let first = history.commit(None, tree, "first");
        history.branches.insert(head, first);
        history
    }

    /// Adds a commit. Its id depends on nothing but what it holds.
    pub(super) fn commit(&mut self, parent: Option<CommitId>, tree: Tree, message: &str) -> CommitId {
        let id = name(&format!("{parent:?} {message:?} {tree:?}"));
        self.commits.insert(id.clone(), Commit { parent, tree });
        id
    }

    /// The commit of this id.
    pub(super) fn find(&self, id: &CommitId) -> Result<&Commit> {
        let problem = || "there is no such commit".to_owned();
        self.commits.get(id).ok_or_else(|| Error::Base { revision: id.to_string(), problem: problem() })
    }

    /// The commits from this one to the first.
    pub(super) fn line<'a>(&'a self, tip: &'a CommitId) -> impl Iterator<Item = &'a CommitId> {
        std::iter::successors(Some(tip), |id| self.commits.get(*id)?.parent.as_ref())
    }

    /// Whether `old` is `new` or one of its ancestors.
    pub(super) fn contains(&self, new: &CommitId, old: &CommitId) -> bool {
        self.line(new).any(|id| id == old)
    }

    /// The commits of this line that neither the base nor another branch nor a rescue ref reaches.
    pub(super) fn alone<'a>(&'a self, tip: &'a CommitId, base: &CommitId, own: Option<&BranchName>) -> Vec<CommitId> {
        let branches = self.branches.iter().filter(|(name, _)| Some(*name) != own).map(|(_, tip)| tip);
        let rescues = self.rescues.values().flatten().map(|rescue| &rescue.commit);
        let others: Vec<&CommitId> = branches.chain(rescues).chain([base]).collect();
        let held = |id: &&CommitId| others.iter().any(|other| self.contains(other, id));
        self.line(tip).take_while(|id| !held(id)).cloned().collect()
    }

    /// What a file of a commit holds.
    pub(super) fn file(&self, commit: &CommitId, path: &Path) -> Option<&[u8]> {
        match self.commits.get(commit)?.tree.get(path)? {
            Node::File { content, .. } => Some(content),
            Node::Link(_) => None,
        }
    }

    /// Puts a commit under the next rescue ref of this worktree, or finds the one that has it.
    pub(super) fn rescue(&mut self, id: &WorktreeId, commit: CommitId) -> Rescue {
        let rescues = self.rescues.entry(id.clone()).or_default();
        if let Some(there) = rescues.iter().find(|rescue| rescue.commit == commit) {
            return there.clone();
        }
        let reference = format!("refs/hedgerow/rescue/{id}/{}", rescues.len() + 1);
        let made = Rescue { reference, commit };
        rescues.push(made.clone());
        made
    }

    /// The rescue refs of this worktree, oldest first.
    pub(super) fn rescues(&self, id: &WorktreeId) -> Vec<Rescue> {
        self.rescues.get(id).cloned().unwrap_or_default()
    }

    /// Which branch excludes one of this name: itself, one above it or one below it.
    pub(super) fn conflict(&self, branch: &BranchName) -> Option<&BranchName> {
        let above = |short: &str, long: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
        let excludes =
            |other: &str| other == branch.as_str() || above(other, branch.as_str()) || above(branch.as_str(), other);
        self.branches.keys().find(|other| excludes(other.as_str()))
    }
}

/// Forty digits that depend on the text alone (FNV-1a, from three beginnings).
fn name(text: &str) -> CommitId {
    let hash = |seed: u64| {
        text.bytes()
            .fold(0xCBF2_9CE4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
    };
    let digits: String = (1..=3).map(|seed| format!("{:016x}", hash(seed))).collect();
    CommitId::new(&digits[..40]).expect("these are forty digits")
}
