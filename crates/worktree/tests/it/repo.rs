//! A repository made with git itself, and git as the oracle about what became of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use hedgerow_worktree::{Base, BranchName, CommitId, LocalOptions, LocalWorktrees, Request, WorktreeId};

/// A repository in a directory of its own; trees end up beside it.
pub(crate) struct Repo {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Repo {
    /// A main checkout with one commit of a few files.
    pub(crate) fn new() -> Self {
        let repo = Self::empty();
        repo.write("README", "hello\n");
        repo.write("src/main.rs", "fn main() {}\n");
        repo.write("src/deep/er/mod.rs", "//! Deep.\n");
        repo.commit("first");
        repo
    }

    /// A main checkout without a commit.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("repo");
        std::fs::create_dir(&path).unwrap();
        let repo = Self { dir, path };
        repo.git(["init", "-q", "-b", "main"]);
        repo
    }

    /// A bare clone of this one, in the same directory.
    pub(crate) fn bare(&self) -> PathBuf {
        let bare = self.root().join("bare.git");
        self.git([OsStr::new("clone"), "-q".as_ref(), "--bare".as_ref(), ".".as_ref(), bare.as_os_str()]);
        bare
    }

    /// The directory that holds the repository and its trees.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// The main checkout.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The manager of its worktrees.
    pub(crate) fn manager(&self) -> LocalWorktrees {
        LocalWorktrees::open(&self.path).unwrap()
    }

    /// Writes a file of the main checkout.
    pub(crate) fn write(&self, path: &str, content: &str) {
        write(&self.path.join(path), content);
    }

    /// Commits everything in the main checkout.
    pub(crate) fn commit(&self, message: &str) -> CommitId {
        self.git(["add", "-A"]);
        self.git(["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    /// The commit that `HEAD` names.
    pub(crate) fn head(&self) -> CommitId {
        CommitId::new(self.git(["rev-parse", "HEAD"])).unwrap()
    }

    /// Runs git in the main checkout; it must succeed.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        git_in(&self.path, args)
    }

    /// git has nothing to complain about, and every worktree is clean unless its id is in `dirty`.
    pub(crate) fn assert_sound(&self) {
        assert_sound(&self.path);
    }

    /// The ref that holds the base of this worktree.
    pub(crate) fn pin(&self, id: &str) -> String {
        let text = std::fs::read(self.path.join(format!(".git/hedgerow/worktrees/{id}.json"))).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&text).unwrap();
        format!("refs/hedgerow/base/{}", record["admin"].as_str().unwrap())
    }

    /// Has everything deleted that was removed, without waiting for a git that may still look at it.
    pub(crate) fn purge(&self) {
        let options = LocalOptions::default().grace(Some(Duration::ZERO));
        let manager = LocalWorktrees::open_with(&self.path, options).unwrap();
        let purge = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(manager.purge());
        // On a thread of its own, because the tests run on a runtime.
        let purged = std::thread::scope(|scope| scope.spawn(purge).join().unwrap());
        assert_eq!(purged.unwrap().left, Vec::<String>::new());
    }

    /// Everything that a creation may leave behind for good: trees, admin directories, branches, records.
    pub(crate) fn traces(&self) -> Vec<String> {
        self.purge();
        self.untouched_traces()
    }

    /// As `traces`, of what there is right now.
    pub(crate) fn untouched_traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        for dir in ["repo.worktrees", "repo/.git/worktrees", "repo/.git/hedgerow"] {
            collect(&self.root().join(dir), dir, &mut found);
        }
        let refs = self.git(["for-each-ref", "--format=%(refname)"]);
        found.extend(refs.lines().map(str::to_owned));
        found.sort();
        found
    }
}

pub(crate) fn collect(dir: &Path, name: &str, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, found);
        } else if !["lock", "purge", "generation", "history", "history.lock"]
            .iter()
            .any(|file| name == format!("repo/.git/hedgerow/{file}"))
        {
            found.push(name);
        }
    }
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Runs git, which must succeed, and returns its output.
pub(crate) fn git_in<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> String {
    let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let output = try_git(dir, &args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(output.status.success(), "git {args:?} in {dir:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs git without anything of this machine or user.
pub(crate) fn try_git<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Output {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A Developer").env(format!("GIT_{role}_EMAIL"), "dev@example.com");
        command.env(format!("GIT_{role}_DATE"), "2024-01-01T00:00:00Z");
    }
    command.output().expect("git runs")
}

/// git has nothing to complain about.
pub(crate) fn assert_sound(repo: &Path) {
    let listed = git_in(repo, ["worktree", "list", "--porcelain"]);
    assert!(!listed.contains("prunable"), "{listed}");
    let pruned = git_in(repo, ["worktree", "prune", "-n", "-v"]);
    assert_eq!(pruned, "", "git would prune");
    git_in(repo, ["fsck", "--strict"]);
}

/// What `git status` says in a tree, one line for each change.
pub(crate) fn status(tree: &Path) -> String {
    git_in(tree, ["status", "--porcelain"])
}

/// An id that is known to be valid.
pub(crate) fn id(text: &str) -> WorktreeId {
    WorktreeId::new(text).unwrap()
}

/// A branch name that is known to be valid.
pub(crate) fn branch(text: &str) -> BranchName {
    BranchName::new(text).unwrap()
}

/// A request for a worktree on a new branch of its own name.
pub(crate) fn request(name: &str) -> Request {
    Request::new(id(name), branch(name), Base::Head)
}
