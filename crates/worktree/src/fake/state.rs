//! The worktrees of the fake, and what is done with them. All of it runs under one lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::history::History;
use super::tree::{self, Tree};
use crate::{
    Access, Base, BranchName, Capture, CommitId, Disposition, Entry, Error, Fact, Fate, Head, Keeper, Mount, Notice,
    Owner, Parts, Recovery, Released, Request, Rescue, Result, SafetyReport, Sample, State as Life, Taken, Unknown,
    Worktree, WorktreeId,
};

/// What a handle holds; the worktree knows it weakly, so that the lease dies with the handle.
#[derive(Debug)]
pub(super) struct Lease;

/// One worktree.
#[derive(Debug)]
struct Slot {
    parts: Parts,
    /// What was captured last; a branch may have been moved by others since.
    tip: CommitId,
    lease: Weak<Lease>,
    kept: Option<String>,
}

/// Everything that the fake knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) history: History,
    slots: BTreeMap<WorktreeId, Slot>,
    root: PathBuf,
}

impl State {
    /// A repository with one commit; its trees go below `root`.
    pub(super) fn new(tree: Tree, root: PathBuf) -> Self {
        Self { history: History::new(tree), slots: BTreeMap::new(), root }
    }

    /// As [`create`](crate::WorktreeManager::create).
    pub(super) fn create(&mut self, request: &Request) -> Result<Worktree> {
        let id = &request.id;
        let base = match &request.base {
            Base::Commit(id) => id.clone(),
            Base::Head => self.tip_of(&self.history.head)?,
            Base::Branch(name) => self.tip_of(name)?,
        };
        let tree = self.history.find(&base)?.tree.clone();
        let path = self.root.join(id.as_str());
        if self.slots.contains_key(id) {
            return Err(occupied(Taken::Id, id.as_str(), "another worktree has it; choose another id"));
        }
        let branch = match &request.head {
            Head::Branch(name) => Some(name.clone()),
            Head::Detached => None,
        };
        if let Some(name) = &branch
            && let Some(other) = self.history.conflict(name)
        {
            return Err(occupied(Taken::Branch, name.as_str(), &format!("the branch {other} is there already")));
        }
        if path.symlink_metadata().is_ok() {
            return Err(occupied(Taken::Path, &path.display().to_string(), "something is there already"));
        }
        if let Err(e) = tree::write(&path, &tree) {
            let _ = std::fs::remove_dir_all(&path);
            return Err(io("write the tree", &path)(e));
        }
        if let Some(name) = &branch {
            self.history.branches.insert(name.clone(), base.clone());
        }
        let mounts = vec![Mount { source: path.clone(), target: path.clone(), access: Access::ReadWrite }];
        let parts = Parts { id: id.clone(), path, branch, base: base.clone(), git: request.git, mounts };
        let lease = Arc::new(Lease);
        let slot = Slot { parts: parts.clone(), tip: base, lease: Arc::downgrade(&lease), kept: None };
        self.slots.insert(id.clone(), slot);
        Ok(Worktree::new(parts, lease))
    }

    /// As [`capture`](crate::WorktreeManager::capture).
    pub(super) fn capture(&mut self, worktree: &Worktree, message: &str) -> Result<Capture> {
        self.held(worktree)?;
        self.take_over(worktree.id(), message)
    }

    fn take_over(&mut self, id: &WorktreeId, message: &str) -> Result<Capture> {
        let slot = self.slots.get(id).ok_or_else(|| lost(id, "there is no worktree of this id"))?;
        let (parts, earlier) = (slot.parts.clone(), slot.tip.clone());
        let base = self.history.find(&parts.base)?.tree.clone();
        let tip = match &parts.branch {
            Some(branch) => self.history.branches.get(branch).cloned().unwrap_or(earlier),
            None => earlier,
        };
        let found = tree::read(&parts.path, &base).map_err(io("read the tree", &parts.path))?;
        let tip = if self.history.find(&tip)?.tree == found.tree {
            tip
        } else {
            self.history.commit(Some(tip), found.tree.clone(), message)
        };
        if let Some(branch) = &parts.branch {
            self.history.branches.insert(branch.clone(), tip.clone());
        }
        if let Some(slot) = self.slots.get_mut(id) {
            slot.tip = tip.clone();
        }
        let commits = self.history.line(&tip).take_while(|id| **id != parts.base).count();
        let nested = found.nested.into_iter().map(|path| Notice::NestedRepository { path });
        let strange = found.strange.into_iter().map(|(path, why)| Notice::Unstorable { path, why });
        Ok(Capture {
            base: parts.base,
            snapshot: (found.tree != base).then(|| tip.clone()),
            tip,
            commits,
            files: differences(&base, &found.tree),
            rescued: Vec::new(),
            notices: nested.chain(strange).collect(),
        })
    }

    /// As [`release`](crate::WorktreeManager::release).
    pub(super) fn release(&mut self, worktree: &Worktree, disposition: &Disposition) -> Result<Released> {
        self.held(worktree)?;
        let id = worktree.id();
        let into = match disposition {
            Disposition::Keep => return Ok(self.keep(worktree, None)),
            Disposition::Discard if worktree.branch().is_some() => {
                return Ok(self.keep(worktree, Some("it has a branch; archive it instead".into())));
            }
            Disposition::Discard => return self.remove(id, Vec::new()),
            Disposition::Archive => None,
            Disposition::Merged { into } => Some(into),
        };
        let tip = if worktree.path().is_dir() {
            let capture = self.take_over(id, "Keep what was left")?;
            if let Some(notice) = capture.notices.first() {
                let kept = self.keep(worktree, Some(format!("not all of it could be captured: {notice:?}")));
                return Ok(Released { notices: capture.notices, ..kept });
            }
            capture.tip
        } else {
            // Somebody else deleted the tree; its commits are left.
            self.slots.get(id).map_or_else(|| worktree.base().clone(), |slot| slot.tip.clone())
        };
        let safe = tip == *worktree.base() || into.is_some_and(|into| self.history.contains(into, &tip));
        let rescues = if safe { Vec::new() } else { vec![self.history.rescue(id, tip)] };
        self.remove(id, rescues)
    }

    fn keep(&mut self, worktree: &Worktree, why: Option<String>) -> Released {
        if let Some(slot) = self.slots.get_mut(worktree.id()) {
            slot.kept = Some(why.clone().unwrap_or_default());
            slot.lease = Weak::new();
        }
        let by = if why.is_none() { Keeper::Request } else { Keeper::Work };
        Released {
            fate: Fate::Kept { path: worktree.path().to_owned(), by, why },
            rescues: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn remove(&mut self, id: &WorktreeId, rescues: Vec<Rescue>) -> Result<Released> {
        if let Some(slot) = self.slots.get(id) {
            let path = &slot.parts.path;
            if path.symlink_metadata().is_ok() {
                std::fs::remove_dir_all(path).map_err(io("remove the tree", path))?;
            }
            if let Some(branch) = &slot.parts.branch {
                self.history.branches.remove(branch);
            }
        }
        self.slots.remove(id);
        Ok(Released { fate: Fate::Removed, rescues, notices: Vec::new() })
    }

    /// As [`list`](crate::WorktreeManager::list).
    pub(super) fn list(&self) -> Vec<Entry> {
        let entry = |slot: &Slot| {
            let state = match &slot.kept {
                Some(_) => Life::Kept,
                None if slot.lease.strong_count() > 0 => Life::Leased,
                None => Life::Orphaned,
            };
            let branch = slot.parts.branch.clone();
            let head = branch.as_ref().and_then(|name| self.history.branches.get(name)).unwrap_or(&slot.tip);
            let missing = slot.parts.path.symlink_metadata().is_err();
            Entry {
                path: slot.parts.path.clone(),
                head: Some(head.clone()),
                branch,
                owner: Owner::Hedgerow { id: slot.parts.id.clone(), state },
                locked: Some(format!("hedgerow worktree {}", slot.parts.id)),
                problem: missing.then(|| "its tree is missing".into()),
            }
        };
        self.slots.values().map(entry).collect()
    }

    /// As [`recover`](crate::WorktreeManager::recover).
    pub(super) fn recover(&mut self) -> Recovery {
        let dead = self.slots.values_mut().filter(|slot| slot.kept.is_none() && slot.lease.strong_count() == 0);
        Recovery { adopted: dead.map(Slot::take).collect(), ..Recovery::default() }
    }

    /// As [`inspect`](crate::WorktreeManager::inspect).
    pub(super) fn inspect(&self, id: &WorktreeId) -> Result<SafetyReport> {
        let slot = self.slots.get(id).ok_or_else(|| lost(id, "there is no worktree of this id"))?;
        let own = slot.parts.branch.as_ref();
        let tip = own.and_then(|name| self.history.branches.get(name)).unwrap_or(&slot.tip);
        let committed = &self.history.find(tip)?.tree;
        let mut report = SafetyReport { id: id.clone(), facts: Vec::new(), unknowns: Vec::new() };
        let commits = Sample::of(self.history.alone(tip, &slot.parts.base, own));
        report.facts.extend(commits.map(Fact::Commits));
        match tree::read(&slot.parts.path, committed) {
            Err(e) => report.unknowns.push(Unknown { subject: "the tree".into(), why: e.to_string() }),
            Ok(found) => {
                let changed = committed.iter().filter(|(path, node)| found.tree.get(*path) != Some(node));
                let untracked = found.tree.keys().filter(|path| !committed.contains_key(*path));
                report.facts.extend(Sample::of(changed.map(|(path, _)| path.clone())).map(Fact::Changed));
                report.facts.extend(Sample::of(untracked.cloned()).map(Fact::Untracked));
                report.facts.extend(Sample::of(found.nested).map(Fact::NestedRepositories));
                let strange = found.strange.into_iter();
                let unknown = |(path, why): (PathBuf, String)| Unknown { subject: format!("{path:?}"), why };
                report.unknowns.extend(strange.map(unknown));
            }
        }
        Ok(report)
    }

    /// Leases one worktree that nobody holds.
    pub(super) fn adopt(&mut self, id: &WorktreeId) -> Result<Worktree> {
        match self.slots.get_mut(id) {
            Some(slot) if slot.lease.strong_count() == 0 => Ok(slot.take()),
            Some(_) => Err(lost(id, "somebody holds it")),
            None => Err(lost(id, "there is no worktree of this id")),
        }
    }

    fn tip_of(&self, branch: &BranchName) -> Result<CommitId> {
        let problem = || "there is no such branch".to_owned();
        let tip = self.history.branches.get(branch).cloned();
        tip.ok_or_else(|| Error::Base { revision: branch.to_string(), problem: problem() })
    }

    fn held(&self, worktree: &Worktree) -> Result<()> {
        let id = worktree.id();
        let Some(lease) = worktree.lease().downcast_ref::<Arc<Lease>>() else {
            return Err(lost(id, "the handle was not made by this manager"));
        };
        match self.slots.get(id) {
            Some(slot) if Weak::ptr_eq(&slot.lease, &Arc::downgrade(lease)) => Ok(()),
            Some(_) => Err(lost(id, "it was leased anew to somebody else, or kept")),
            None => Err(lost(id, "there is no worktree of this id")),
        }
    }
}

impl Slot {
    /// A new lease.
    fn take(&mut self) -> Worktree {
        let lease = Arc::new(Lease);
        self.lease = Arc::downgrade(&lease);
        self.kept = None;
        Worktree::new(self.parts.clone(), lease)
    }
}

fn differences(base: &Tree, tip: &Tree) -> usize {
    let changed = base.iter().filter(|(path, node)| tip.get(*path) != Some(node)).count();
    changed + tip.keys().filter(|path| !base.contains_key(*path)).count()
}

fn occupied(what: Taken, name: &str, problem: &str) -> Error {
    Error::Occupied { what, name: name.to_owned(), problem: problem.to_owned() }
}

fn lost(id: &WorktreeId, problem: &str) -> Error {
    Error::LeaseLost { id: id.to_string(), problem: problem.to_owned() }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}
