//! A real repository in a temporary place, and git itself as the oracle.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hedgerow_orchestrator::agents::CommandAgent;
use hedgerow_orchestrator::merge::BranchName;
use hedgerow_orchestrator::sandbox::{HostSandbox, Policy};
use hedgerow_orchestrator::worktree::{LocalOptions, LocalWorktrees};
use hedgerow_orchestrator::{Builder, Fleet, GateSpec, Kept, Outcome, Plan, Report, Status, Task};
use tempfile::TempDir;

/// A repository with `main` checked out and an unchecked-out branch `agents` at the same commit.
pub(crate) struct Repo {
    _place: TempDir,
    pub(crate) path: PathBuf,
}

impl Repo {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let path = place.path().join("repository");
        std::fs::create_dir(&path).expect("a directory");
        let repo = Self { _place: place, path };
        repo.git(&["init", "-q", "-b", "main"]);
        std::fs::write(repo.path.join("shared"), "one\ntwo\nthree\n").expect("a file");
        std::fs::write(repo.path.join(".gitignore"), "ignored\n").expect("a file");
        repo.git(&["add", "."]);
        repo.git(&["commit", "-q", "-m", "Begin"]);
        repo.git(&["branch", "agents"]);
        repo
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let (ok, out) = self.try_git(args);
        assert!(ok, "git {args:?}: {out}");
        out
    }

    pub(crate) fn try_git(&self, args: &[&str]) -> (bool, String) {
        let output = hermetic_git(&self.path).args(args).output().expect("git runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    pub(crate) fn has(&self, revision: &str, file: &str) -> bool {
        self.try_git(&["cat-file", "-e", &format!("{revision}:{file}")]).0
    }

    /// Whether the file is on the target, under a rescue ref or on a branch.
    pub(crate) fn has_anywhere(&self, file: &str) -> bool {
        let refs = self.git(&["for-each-ref", "--format=%(refname)"]);
        refs.lines().any(|reference| self.has(reference, file))
    }

    /// Has everything deleted for good that was removed.
    fn purge(&self) {
        let options = LocalOptions::default().grace(Some(Duration::ZERO));
        let manager = LocalWorktrees::open_with(&self.path, options).expect("a manager");
        let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        // On a thread of its own, because the tests run on a runtime.
        let purge = || runtime().block_on(manager.purge());
        let purged = std::thread::scope(|scope| scope.spawn(purge).join()).expect("no panic").expect("a purge");
        assert!(purged.left.is_empty(), "{purged:?}");
    }

    /// What must hold of any repository after any run: sound, and without anything of ours but rescue refs.
    pub(crate) fn assert_nothing_left_over(&self) {
        self.git(&["fsck", "--strict", "--no-dangling"]);
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1, "{}", self.git(&["worktree", "list"]));
        assert_eq!(self.git(&["branch", "--format=%(refname:short)"]), "agents\nmain");
        self.purge();
        let bases = self.git(&["for-each-ref", "refs/hedgerow"]);
        assert!(bases.lines().all(|line| line.contains("refs/hedgerow/rescue/")), "{bases}");
        assert_eq!(self.git(&["status", "--porcelain"]), "");
        for run in std::fs::read_dir(self.path.join(".git/hedgerow/runs")).expect("runs").flatten() {
            let homes: Vec<_> = std::fs::read_dir(run.path().join("home")).expect("homes").flatten().collect();
            assert!(homes.is_empty(), "homes are left: {homes:?}");
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        let lane = Arc::new(HostSandbox::new().expect("the host lane works everywhere"));
        Fleet::builder(&self.path, lane).policy(Policy::open()).parallel(4)
    }
}

/// git without anything of the machine's or the user's configuration, and with fixed dates.
fn hermetic_git(dir: &Path) -> Command {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).arg("-C").arg(dir).stdin(Stdio::null());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "tester").env(format!("GIT_{role}_EMAIL"), "tester@example.invalid");
        git.env(format!("GIT_{role}_DATE"), "2026-01-01T00:00:00Z");
    }
    git
}

/// A plan for the branch `agents` whose one agent runs its prompt as a shell script.
pub(crate) fn plan(gate: GateSpec) -> Plan {
    let target = BranchName::new("agents").expect("a valid name");
    Plan::new(gate).target(target).agent("sh", CommandAgent::new(["sh", "-s"]))
}

pub(crate) fn task(id: &str, script: &str) -> Task {
    Task::new(id, "sh").expect("a valid id").prompt(script).deadline(Duration::from_secs(60))
}

pub(crate) fn outcome<'a>(report: &'a Report, id: &str) -> &'a Outcome {
    let task = report.tasks.iter().find(|task| task.task.as_str() == id).expect("a task of the plan");
    match &task.status {
        Status::Ended(outcome) => outcome,
        other => panic!("{id} has not ended: {other:?}"),
    }
}

/// The refs under which work of a task is kept.
pub(crate) fn rescues(report: &Report, id: &str) -> Vec<String> {
    let task = report.tasks.iter().find(|task| task.task.as_str() == id).expect("a task of the plan");
    let rescue = |kept: &Kept| match kept {
        Kept::Rescue(rescue) => rescue.reference.clone(),
        Kept::Tree { path, why } => panic!("{id} was left at {}: {why}", path.display()),
    };
    task.kept.iter().map(rescue).collect()
}
