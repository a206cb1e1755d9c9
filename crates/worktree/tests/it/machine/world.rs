//! A repository with a few worktrees, and everything that can be done to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hedgerow_worktree::{CommitId, Disposition, Error, Fate, LocalWorktrees, WorktreeManager};

use super::model::{Disposal, Foreign, Operation, Slot, Victim};
use crate::capture::message;
use crate::child;
use crate::repo::{Repo, id, request, try_git, write};

/// How many ids there are.
pub(super) const SLOTS: usize = 3;
/// How many files an agent writes to.
pub(super) const FILES: usize = 4;

pub(super) struct World {
    repo: Repo,
    manager: LocalWorktrees,
    slots: Vec<Slot>,
    written: usize,
}

fn name(slot: usize) -> String {
    format!("agent-{slot}")
}

impl World {
    pub(super) fn new() -> Self {
        let repo = Repo::new();
        let manager = repo.manager();
        Self { repo, manager, slots: (0..SLOTS).map(|_| Slot::default()).collect(), written: 0 }
    }

    fn tree(&self, slot: usize) -> PathBuf {
        self.repo.root().join("repo.worktrees").join(name(slot))
    }

    /// The contents of an agent's files in the tree, by object id.
    fn contents(&self, slot: usize) -> BTreeSet<String> {
        let file = |n: usize| std::fs::read(self.tree(slot).join(file(n))).ok();
        (0..FILES).filter_map(file).map(|content| blob(&content)).collect()
    }

    /// What lies in the tree now must never be lost, and takes the place of what lay there before.
    fn promise(&mut self, slot: usize) {
        self.slots[slot].promised = self.contents(slot);
    }

    pub(super) async fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Create(slot) => self.create(slot).await,
            Operation::Write(slot, n) if self.slots[slot].held.is_some() => {
                self.written += 1;
                write(&self.tree(slot).join(file(n)), &format!("content {} of {}\n", self.written, name(slot)));
                self.forget_unreachable(slot);
            }
            Operation::Delete(slot, n) if self.slots[slot].held.is_some() => {
                let _ = std::fs::remove_file(self.tree(slot).join(file(n)));
                self.forget_unreachable(slot);
            }
            Operation::Commit(slot) if self.slots[slot].held.is_some() => {
                self.inside(slot, &["add", "-A"]);
                self.inside(slot, &["commit", "-q", "--allow-empty", "-m", "by the agent"]);
            }
            Operation::Rewind(slot) => self.rewind(slot),
            Operation::Capture(slot) => self.capture(slot).await,
            Operation::Release(slot, disposal) => self.release(slot, disposal).await,
            Operation::Drop(slot) => {
                if self.slots[slot].held.take().is_some() {
                    self.promise(slot);
                }
            }
            Operation::Recover => self.recover().await,
            Operation::Adopt(slot) => self.adopt(slot).await,
            Operation::Foreign(foreign) => self.foreign(foreign).await,
            Operation::DeleteBranch(slot) => {
                let done = try_git(self.repo.path(), ["branch", "-q", "-D", &name(slot)]).status.success();
                let there = self.slots[slot].held.is_some();
                assert!(!(done && there), "git let the branch of a leased worktree be deleted");
                if done {
                    self.forget_unreachable(slot);
                }
            }
            Operation::Kill(slot, victim, after) => self.kill(slot, victim, after).await,
            Operation::Write(..) | Operation::Delete(..) | Operation::Commit(_) => {}
        }
    }

    async fn create(&mut self, slot: usize) {
        match self.manager.create(request(&name(slot))).await {
            Ok(worktree) => {
                let state = &mut self.slots[slot];
                assert!(state.held.is_none(), "two hold {}", name(slot));
                state.settle();
                state.held = Some(worktree);
                let base = BTreeSet::from([blob(b"hello\n")]);
                assert_eq!(self.contents(slot), base, "a new tree holds something else than its base");
            }
            Err(Error::Occupied { .. }) => {}
            // A process was killed while it had the refs locked.
            Err(e) if e.is_transient() => self.recover().await,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn inside(&self, slot: usize, args: &[&str]) {
        let output = try_git(&self.tree(slot), args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn rewind(&mut self, slot: usize) {
        let Some(worktree) = &self.slots[slot].held else { return };
        let base = worktree.base().to_string();
        self.inside(slot, &["reset", "-q", "--soft", &base]);
        self.forget_unreachable(slot);
    }

    /// What somebody else has just thrown away, an agent or a person, nobody has to keep.
    fn forget_unreachable(&mut self, slot: usize) {
        let (there, reachable) = (self.contents(slot), self.reachable());
        self.slots[slot].promised.retain(|content| there.contains(content) || reachable.contains(content));
    }

    async fn capture(&mut self, slot: usize) {
        let Some(worktree) = &self.slots[slot].held else { return };
        let capture = self.manager.capture(worktree, message()).await.expect("a capture failed");
        assert_eq!(capture.notices, Vec::new());
        self.promise(slot);
        let reachable = self.reachable();
        let all = self.slots[slot].promised.iter().all(|content| reachable.contains(content));
        assert!(all, "not everything was captured");
    }

    async fn release(&mut self, slot: usize, disposal: Disposal) {
        let Some(worktree) = self.slots[slot].held.take() else { return };
        let main = CommitId::new(self.repo.git(["rev-parse", "main"])).unwrap();
        let disposition = match disposal {
            Disposal::Keep => Disposition::Keep,
            Disposal::Archive => Disposition::Archive,
            Disposal::Merged => Disposition::Merged { into: main },
            Disposal::Discard => Disposition::Discard,
        };
        self.promise(slot);
        let released = self.manager.release(worktree, disposition).await.expect("a release failed");
        // All of these have a branch, so that nothing of them may be discarded.
        let keeps = matches!(disposal, Disposal::Keep | Disposal::Discard);
        assert_eq!(released.fate != Fate::Removed, keeps, "{released:?}");
        if released.fate == Fate::Removed {
            assert!(!self.tree(slot).exists());
            self.slots[slot].settle();
        }
    }

    async fn recover(&mut self) {
        let recovery = self.repo.manager().recover().await.unwrap();
        assert_eq!(recovery.left, Vec::<String>::new());
        for worktree in recovery.adopted {
            let slot = (0..SLOTS).find(|slot| name(*slot) == worktree.id().as_str()).unwrap();
            assert!(self.slots[slot].held.is_none(), "{} has two owners", worktree.id());
            self.slots[slot].held = Some(worktree);
        }
    }

    async fn adopt(&mut self, slot: usize) {
        match self.repo.manager().adopt(&id(&name(slot))).await {
            Ok(worktree) => {
                assert!(self.slots[slot].held.is_none(), "{} has two owners", worktree.id());
                self.slots[slot].held = Some(worktree);
            }
            Err(Error::LeaseLost { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn foreign(&mut self, foreign: Foreign) {
        let other = self.repo.root().join("other");
        let other = other.to_str().unwrap();
        let args: &[&str] = match foreign {
            Foreign::Prune => &["worktree", "prune"],
            Foreign::Gc => &["gc", "-q", "--prune=now"],
            Foreign::Pack => &["pack-refs", "--all"],
            Foreign::Add if Path::new(other).exists() => return,
            Foreign::Add => &["worktree", "add", "-q", "--detach", other],
            Foreign::Remove if !Path::new(other).exists() => return,
            Foreign::Remove => &["worktree", "remove", other],
        };
        let output = try_git(self.repo.path(), args);
        if String::from_utf8_lossy(&output.stderr).contains(".lock") {
            // A process was killed while it had the refs locked: a recovery takes that away.
            self.recover().await;
            self.repo.git(args);
        } else {
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    async fn kill(&mut self, slot: usize, victim: Victim, after: u64) {
        let (path, name) = (self.repo.path().to_str().unwrap().to_owned(), name(slot));
        let held = self.slots[slot].held.is_some();
        let known = self.manager.state_dir().join(format!("worktrees/{name}.json")).exists();
        let mut child = match victim {
            Victim::Create if !held && !known && !self.repo_has_branch(&name) => {
                self.slots[slot].settle();
                child::start("create", &[&path, &name])
            }
            Victim::Release if held => {
                self.slots[slot].held = None;
                self.promise(slot);
                child::start("adopt-and-release", &[&path, &name])
            }
            Victim::Recover => child::start("recover", &[&path]),
            Victim::Create | Victim::Release => return,
        };
        child::wait_until_it_begins(&mut child);
        tokio::time::sleep(Duration::from_millis(after)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn repo_has_branch(&self, name: &str) -> bool {
        try_git(self.repo.path(), ["rev-parse", "-q", "--verify", &format!("refs/heads/{name}")]).status.success()
    }

    /// The ids of all objects that a ref leads to.
    fn reachable(&self) -> BTreeSet<String> {
        let listed = self.repo.git(["rev-list", "--objects", "--all"]);
        listed.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    }

    /// What must hold after every step.
    pub(super) fn assert_sound(&self, after: &Operation) {
        let listed = self.repo.git(["worktree", "list", "--porcelain"]);
        assert!(!listed.contains("prunable"), "after {after:?}: {listed}");
        self.repo.git(["for-each-ref"]);
        let reachable = self.reachable();
        for (slot, state) in self.slots.iter().enumerate() {
            let there = self.contents(slot);
            for content in &state.promised {
                let kept = there.contains(content) || reachable.contains(content);
                assert!(kept, "after {after:?}: work of {} is lost", name(slot));
            }
            for content in &state.settled {
                assert!(reachable.contains(content), "after {after:?}: old work of {} is lost", name(slot));
            }
            if let Some(worktree) = &state.held {
                let shown = format!("worktree {}\n", worktree.path().display());
                assert!(listed.contains(&shown), "after {after:?}: git does not know {}", name(slot));
            }
        }
    }

    /// Recovers whatever is left, ends everything, and looks a last time.
    pub(super) async fn end(mut self) {
        self.recover().await;
        for slot in 0..SLOTS {
            self.adopt(slot).await;
            self.release(slot, Disposal::Archive).await;
        }
        self.assert_sound(&Operation::Recover);
        self.foreign(Foreign::Remove).await;
        self.foreign(Foreign::Gc).await;
        self.assert_sound(&Operation::Foreign(Foreign::Gc));
        let listed = self.manager.list().await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
        self.repo.assert_sound();
    }
}

fn file(n: usize) -> String {
    // One is tracked at the base, one lies in a directory.
    ["README", "notes", "src/new.rs", "deep/er/file"][n].to_owned()
}

fn blob(content: &[u8]) -> String {
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, content);
    id.unwrap().to_string()
}
