//! The repository in which an operation is killed, and what must hold of it afterwards.

use std::path::Path;
use std::time::Duration;

use hedgerow_worktree::{
    Base, Disposition, Fate, LocalOptions, LocalWorktrees, Request, Worktree, WorktreeManager, pool::Pool,
};
use serde_json::{Value, json};

use super::strace::{self, Step};
use crate::repo::{Repo, git_in, id, request, status, try_git, write};

/// What the agent wrote.
pub(super) const WORK: &str = "the work of an agent\n";

/// A manager that deletes at once.
pub(super) fn hasty(path: &Path) -> LocalWorktrees {
    let options = LocalOptions::default().grace(Some(Duration::ZERO));
    LocalWorktrees::open_with(path, options).unwrap()
}

/// A pool of one slot.
pub(super) async fn pool(manager: &LocalWorktrees) -> Pool {
    Pool::open(manager.clone(), crate::pool::options(1)).await.unwrap()
}

pub(super) struct Scene {
    repo: Repo,
    clean: Vec<String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let repo = Repo::new();
        repo.git(["remote", "add", "-t", "main", "self", "."]);
        repo.git(["fetch", "-q", "self"]);
        let bystander = repo.root().join("bystander");
        repo.git(["worktree", "add", "-q", "--detach", bystander.to_str().unwrap()]);
        // What the operations need, whatever they are.
        repo.manager();
        let clean = traces(&repo);
        Self { repo, clean }
    }

    fn path(&self) -> &str {
        self.repo.path().to_str().unwrap()
    }

    /// The steps of an operation that nothing disturbs.
    pub(super) async fn steps(&self, operation: &str) -> Vec<Step> {
        self.prepare(operation).await;
        let steps = strace::watch(operation, self.path(), &self.repo.root().join("log"));
        self.converges(operation, &format!("{operation}, not disturbed")).await;
        steps
    }

    /// What somebody else must have done before.
    pub(super) async fn prepare(&self, operation: &str) {
        let manager = patient(&self.repo);
        match operation {
            "purge" => {
                let worktree = manager.create(request("gone")).await.unwrap();
                assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
            }
            "accept" => {
                let worktree = self.worked_in(&manager, "victim").await;
                let handover = manager.hand_over(worktree, Duration::from_secs(600)).await.unwrap();
                std::fs::write(self.repo.root().join("handover"), serde_json::to_vec(&handover).unwrap()).unwrap();
            }
            "recover" => {
                drop(self.worked_in(&manager, "victim").await);
                for name in ["leaving", "torn", "whole"] {
                    drop(manager.create(request(name)).await.unwrap());
                }
                self.edit("leaving", |record| record["stage"] = json!({ "Removing": { "tip": self.repo.head() } }));
                self.edit("whole", |record| record["stage"] = json!("Creating"));
                self.edit("torn", |record| {
                    record["stage"] = json!("Creating");
                    let (from, to) = (&record["parts"]["path"], &record["temporary"]);
                    std::fs::rename(from.as_str().unwrap(), to.as_str().unwrap()).unwrap();
                    let place =
                        |dir, name: &str| self.repo.path().join(".git").join(dir).join(record[name].as_str().unwrap());
                    std::fs::rename(place("worktrees", "admin"), place("hedgerow/staging", "token")).unwrap();
                    self.repo.git(["update-ref", "-d", "refs/heads/torn"]);
                    record["root"] = Value::Null;
                });
            }
            "pool-create" => {
                pool(&manager).await.refill(&Base::Head).await.unwrap();
                self.another_commit();
            }
            "pool-refill" => {
                let pool = pool(&manager).await;
                pool.refill(&Base::Head).await.unwrap();
                let worktree = pool.create(Request::detached(id("before"), self.repo.head())).await.unwrap();
                write(&worktree.path().join("src/left"), "behind\n");
                write(&worktree.path().join("README"), "edited\n");
                assert_eq!(pool.release(worktree, Disposition::Discard).await.unwrap().fate, Fate::Removed);
                assert_eq!(pool.status().await.unwrap().dirty, 1);
                self.another_commit();
            }
            _ => {}
        }
    }

    /// Moves `HEAD`, so that what was ready is not any more.
    fn another_commit(&self) {
        let count = self.repo.git(["rev-list", "--count", "HEAD"]);
        self.repo.write("src/main.rs", &format!("fn main() {{}} // {count}\n"));
        self.repo.write(&format!("new-{count}"), "x\n");
        self.repo.commit("another");
    }

    async fn worked_in(&self, manager: &LocalWorktrees, name: &str) -> Worktree {
        let worktree = manager.create(request(name)).await.unwrap();
        write(&worktree.path().join("work"), WORK);
        worktree
    }

    fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.repo.path().join(format!(".git/hedgerow/worktrees/{name}.json"));
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        std::fs::write(&path, record.to_string()).unwrap();
    }

    pub(super) fn kill(&self, operation: &str, step: &Step) -> bool {
        strace::kill(operation, self.path(), step)
    }

    /// Has a recovery killed somewhere, each time elsewhere.
    pub(super) fn kill_a_recovery(&self, number: usize) {
        let calls = [("rename", 1), ("fsync", 2), ("unlink", 1), ("openat", 25), ("write", 2), ("renameat2", 1)];
        let (name, count) = calls[number / 3 % calls.len()];
        strace::kill("recover", self.path(), &Step::new(name, count));
    }

    /// Nobody but us needs to care, even before anybody recovers.
    pub(super) fn works_for_everyone(&self, moment: &str) {
        let repo = &self.repo;
        let other = repo.root().join("other");
        let other = other.to_str().unwrap();
        let locks = self.locks();
        for args in [
            &["worktree", "list", "--porcelain"][..],
            &["worktree", "prune"],
            &["worktree", "add", "-q", "-b", "other", other],
            &["worktree", "remove", other],
            &["update-ref", "-d", "refs/heads/other"],
            &["fetch", "-q", "self"],
            &["fsck", "--strict", "--no-dangling"],
            &["gc", "-q"],
        ] {
            let output = try_git(repo.path(), args);
            let said = String::from_utf8_lossy(&output.stderr);
            // A ref is changed under git's own lock, which is a file that a killed process leaves, git's no less than
            // ours. What needs this very lock waits for the recovery.
            let lock = locks.iter().any(|lock| said.contains(&format!("{lock}': File exists")));
            assert!(output.status.success() || lock, "git {args:?} after {moment}: {said}");
        }
        assert_eq!(status(&repo.root().join("bystander")), "", "after {moment}");
    }

    /// The locks of refs that are lying about.
    fn locks(&self) -> Vec<String> {
        let mut found = Vec::new();
        let common = self.repo.path().join(".git");
        crate::repo::collect(&common.join("refs"), "refs", &mut found);
        found.extend(common.join("packed-refs.lock").exists().then(|| "packed-refs.lock".to_owned()));
        found.retain(|name| name.ends_with(".lock"));
        found
    }

    /// Recovered twice, nothing is left to do, the work is there, and the same id, branch and path can be had again.
    pub(super) async fn converges(&self, operation: &str, moment: &str) {
        let manager = self.repo.manager();
        let mut recovery = manager.recover().await.unwrap();
        assert_eq!(recovery.left, Vec::<String>::new(), "after {moment}");
        let again = manager.recover().await.unwrap();
        assert!(again.left.is_empty() && again.mended.is_empty() && again.adopted.is_empty(), "{moment}: {again:?}");
        self.repo.assert_sound();
        // Where a lock of git's was lying about, it could not be taken away again.
        let _ = try_git(self.repo.path(), ["update-ref", "-d", "refs/heads/other"]);
        let holds_nothing =
            ["create", "create-private", "purge", "discard", "pool-create", "pool-refill"].contains(&operation);
        let holds_work = !holds_nothing;
        let kept = match manager.list().await.unwrap().iter().any(|entry| entry.path.ends_with("victim")) {
            true if recovery.adopted.iter().all(|worktree| worktree.id() != &id("victim")) => {
                Some(self.kept_or_offered(&manager, operation).await)
            }
            _ => None,
        };
        recovery.adopted.extend(kept);
        for worktree in recovery.adopted {
            if holds_work && worktree.id() == &id("victim") && !self.is_held(&manager).await {
                let text = std::fs::read_to_string(worktree.path().join("work")).unwrap_or_default();
                assert_eq!(text, WORK, "{moment}: the work is in no ref, and not in the tree");
            }
            if worktree.git() == hedgerow_worktree::GitAccess::Direct {
                let seen = git_in(worktree.path(), ["status", "--porcelain"]);
                assert!(!seen.contains("D  "), "{moment}: a commit inside would take the work back: {seen}");
            }
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed, "{moment}");
        }
        assert!(!holds_work || self.is_held(&manager).await, "{moment}: the work is lost");
        for rescue in manager.rescues(&id("victim")).await.unwrap() {
            self.repo.git(["update-ref", "-d", &rescue.reference]);
        }
        let _ = try_git(self.repo.path(), ["update-ref", "-d", "refs/heads/other"]);
        let retry = manager.create(request("victim")).await.unwrap();
        assert_eq!(status(retry.path()), "", "after {moment}");
        assert_eq!(manager.release(retry, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        if operation.starts_with("pool-") {
            self.pool_converges(&manager, moment).await;
        }
        assert_eq!(traces(&self.repo), self.clean, "after {moment}");
    }

    /// Whatever there is of slots, a refill makes one clean slot of it, and a drained pool leaves nothing.
    async fn pool_converges(&self, manager: &LocalWorktrees, moment: &str) {
        let pool = pool(manager).await;
        let done = pool.refill(&Base::Head).await.unwrap();
        let status = pool.status().await.unwrap();
        assert_eq!((status.ready.len(), status.filling, status.dirty), (1, 0, 0), "{moment}: {done:?}");
        let worktree = pool.create(request("victim")).await.unwrap();
        assert_eq!(pool.status().await.unwrap().claims.hits, 1, "{moment}");
        let bystander = self.repo.root().join("bystander");
        git_in(&bystander, ["checkout", "-q", "--detach", self.repo.head().as_str()]);
        assert_eq!(crate::pool::content(worktree.path()), crate::pool::content(&bystander), "{moment}");
        assert_eq!(crate::repo::status(worktree.path()), "", "{moment}");
        assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed, "{moment}");
        assert_eq!(pool.drain().await.unwrap(), 1, "{moment}");
        assert_eq!(crate::pool::slots(manager), Vec::<std::path::PathBuf>::new(), "{moment}");
        std::fs::remove_dir_all(self.repo.path().join(".git/hedgerow/pool")).unwrap();
    }

    /// What no recovery takes: kept on purpose, or on offer.
    async fn kept_or_offered(&self, manager: &LocalWorktrees, operation: &str) -> Worktree {
        if operation == "accept" {
            let text = std::fs::read(self.repo.root().join("handover")).unwrap();
            return manager.accept(&serde_json::from_slice(&text).unwrap()).await.unwrap();
        }
        assert_eq!(operation, "keep");
        manager.adopt(&id("victim")).await.unwrap()
    }

    /// Whether the work is under a ref.
    async fn is_held(&self, manager: &LocalWorktrees) -> bool {
        let rescues = manager.rescues(&id("victim")).await.unwrap().into_iter().map(|rescue| rescue.reference);
        rescues.chain(["victim".to_owned()]).any(|reference| {
            let found = try_git(self.repo.path(), ["cat-file", "-p", &format!("{reference}:work")]);
            found.status.success() && found.stdout == WORK.as_bytes()
        })
    }
}

/// What there is, except for what git itself keeps of refs and worktrees.
fn traces(repo: &Repo) -> Vec<String> {
    repo.git(["pack-refs", "--all"]);
    let mut traces = repo.traces();
    traces.retain(|trace| !trace.starts_with("repo/.git/worktrees/bystander/"));
    traces
}

fn patient(repo: &Repo) -> LocalWorktrees {
    let options = LocalOptions::default().grace(Some(Duration::from_secs(3600)));
    LocalWorktrees::open_with(repo.path(), options).unwrap()
}
