//! What an agent leaves in its worktree reaches the repository, whole and checked.

mod files;
mod follow;
mod history;
mod hostile;
mod random;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use hedgerow_worktree::{Capture, GitAccess, LocalWorktrees, Message, Worktree, WorktreeManager};

use crate::repo::{self, Repo};

/// A repository with one worktree, and an agent at work in it.
pub(crate) struct Lane {
    pub(crate) repo: Repo,
    pub(crate) manager: LocalWorktrees,
    pub(crate) worktree: Worktree,
}

impl Lane {
    pub(crate) async fn new(repo: Repo, git: GitAccess) -> Self {
        let manager = repo.manager();
        let mut request = repo::request("lane");
        request.git = git;
        let worktree = manager.create(request).await.unwrap();
        Self { repo, manager, worktree }
    }

    pub(crate) fn tree(&self) -> &Path {
        self.worktree.path()
    }

    /// The private git directory.
    pub(crate) fn view(&self) -> PathBuf {
        self.manager.state_dir().join("views/lane/git")
    }

    pub(crate) fn base(&self) -> &str {
        self.worktree.base().as_str()
    }

    /// Writes a file in the tree.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.tree().join(path), content);
    }

    /// Runs git as the agent does.
    pub(crate) fn inside<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        match self.worktree.git() {
            GitAccess::Private => git_as(&self.view(), self.tree(), args),
            GitAccess::Direct => repo::git_in(self.tree(), args),
        }
    }

    /// Commits everything as the agent does.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.inside(["add", "-A"]);
        self.inside(["commit", "-q", "-m", message]);
        self.inside(["rev-parse", "HEAD"])
    }

    pub(crate) async fn capture(&self) -> Capture {
        self.manager.capture(&self.worktree, message()).await.unwrap()
    }

    /// The tree that git itself makes of what lies in the worktree, when the last commit is `parent`.
    pub(crate) fn expected(&self, parent: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let git = dir.path().join("oracle.git");
        self.repo.git([OsStr::new("clone"), "-q".as_ref(), "--mirror".as_ref(), ".".as_ref(), git.as_os_str()]);
        std::fs::copy(self.repo.path().join(".git/info/exclude"), git.join("info/exclude")).unwrap();
        repo::git_in(&git, ["config", "core.bare", "false"]);
        git_as(&git, self.tree(), ["read-tree", parent]);
        git_as(&git, self.tree(), ["add", "-A"]);
        // What was tracked at the base counts as tracked even if the agent's commits took it out and ignored it.
        for path in repo::git_in(&git, ["ls-tree", "-r", "-z", "--name-only", self.base()]).split('\0') {
            if !path.is_empty() && is_file(self.tree(), path) {
                git_as(&git, self.tree(), ["add", "-f", "--", &format!(":(literal){path}")]);
            }
        }
        git_as(&git, self.tree(), ["write-tree"])
    }

    pub(crate) fn tree_of(&self, commit: &str) -> String {
        self.repo.git(["rev-parse", &format!("{commit}^{{tree}}")])
    }

    /// The captured tip is what git makes of the tree, the branch is there, and the repository is sound.
    pub(crate) fn assert_captured(&self, capture: &Capture, parent: &str) {
        assert_eq!(self.tree_of(capture.tip.as_str()), self.expected(parent));
        assert_eq!(self.repo.git(["rev-parse", "refs/heads/lane"]), capture.tip.as_str());
        self.repo.assert_sound();
    }
}

/// Whether a file or a symlink is at this path, and nothing on the way to it is a symlink.
fn is_file(tree: &Path, path: &str) -> bool {
    let mut at = tree.to_owned();
    let parts: Vec<_> = path.split('/').collect();
    parts.iter().enumerate().all(|(n, part)| {
        at.push(part);
        at.symlink_metadata().is_ok_and(|meta| meta.is_dir() == (n + 1 < parts.len()))
    })
}

pub(crate) fn message() -> Message {
    Message { text: "What was left".into(), name: "hedgerow".into(), email: "hedgerow@example.com".into() }
}

/// Runs git with a git directory and a tree of its own, as a sandbox would with its mounts.
pub(crate) fn git_as<S: AsRef<OsStr>>(git: &Path, tree: &Path, args: impl IntoIterator<Item = S>) -> String {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let mut command = Command::new("git");
    command.current_dir(tree).args(&args).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_DIR", git).env("GIT_WORK_TREE", tree);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "An Agent").env(format!("GIT_{role}_EMAIL"), "agent@example.com");
        command.env(format!("GIT_{role}_DATE"), "2024-02-02T00:00:00Z");
    }
    let output = command.output().expect("git runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(output.status.success(), "git {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}
