//! Which commits of another line make the same changes as ours.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::BString;

use super::changes::{self, Change};
use super::patch::{self, Patch, Way};

/// A change that is looked for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The commit that makes it, or the last of those that make it together.
    pub(super) commit: ObjectId,
    changes: Vec<Change>,
    forward: Patch,
    backward: Patch,
    /// The commits that make it, the newest first.
    pub(super) made: Vec<ObjectId>,
    /// How many commits take it back.
    undone: usize,
}

impl Wanted {
    /// The change from one tree to another.
    pub(super) fn new(
        repo: &gix::Repository,
        commit: ObjectId,
        from: Option<ObjectId>,
        to: Option<ObjectId>,
    ) -> Result<Self, String> {
        let changes = changes::between(repo, from, to)?;
        let forward = patch::identify(repo, &changes, Way::Forward)?;
        let backward = patch::identify(repo, &changes, Way::Backward)?;
        Ok(Self { commit, changes, forward, backward, made: Vec::new(), undone: 0 })
    }

    /// The change that a commit makes to its parent; none for a merge.
    pub(super) fn of_commit(repo: &gix::Repository, id: ObjectId) -> Result<Option<Self>, String> {
        let Some([from, to]) = trees(repo, id)? else { return Ok(None) };
        Self::new(repo, id, from, to).map(Some)
    }

    /// Whether it changes nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether it is there, and not taken back as often as it was made.
    pub(super) fn is_there(&self) -> bool {
        self.is_empty() || self.made.len() > self.undone
    }

    /// Whether it was taken back more often than it was made by a commit of its own.
    pub(super) fn is_undone(&self) -> bool {
        !self.is_empty() && self.undone > self.made.len()
    }
}

/// Looks for the changes in these commits, the newest first.
pub(super) fn search(repo: &gix::Repository, commits: &[ObjectId], wanted: &mut [Wanted]) -> Result<(), String> {
    // Reading files costs far more than comparing trees, so first of all the paths must be the same.
    let mut by_paths: HashMap<Vec<BString>, Vec<usize>> = HashMap::new();
    for (at, one) in wanted.iter().enumerate().filter(|(_, one)| !one.is_empty()) {
        by_paths.entry(paths(&one.changes)).or_default().push(at);
    }
    for &id in commits {
        let Some([from, to]) = trees(repo, id)? else { continue };
        // A change of too many paths to compare is none of ours: those were compared.
        let Ok(changes) = changes::between(repo, from, to) else { continue };
        let Some(candidates) = by_paths.get(&paths(&changes)) else { continue };
        let patch = patch::identify(repo, &changes, Way::Forward)?;
        for &at in candidates {
            if wanted[at].forward == patch {
                wanted[at].made.push(id);
            }
            // git's number alone is enough here: what takes a change back with other white space takes it back.
            let one = &wanted[at];
            let only_space = one.forward.stable == one.backward.stable;
            if one.backward == patch || !only_space && one.backward.stable == patch.stable {
                wanted[at].undone += 1;
            }
        }
    }
    Ok(())
}

fn paths(changes: &[Change]) -> Vec<BString> {
    changes.iter().map(|change| change.path.clone()).collect()
}

/// The trees before and after a commit; none for a merge.
fn trees(repo: &gix::Repository, id: ObjectId) -> Result<Option<[Option<ObjectId>; 2]>, String> {
    let commit = repo.find_commit(id).map_err(|e| e.to_string())?;
    let mut parents = commit.parent_ids().map(gix::Id::detach);
    let (parent, more) = (parents.next(), parents.next());
    if more.is_some() {
        return Ok(None);
    }
    Ok(Some([changes::tree_of(repo, parent)?, changes::tree_of(repo, Some(id))?]))
}
