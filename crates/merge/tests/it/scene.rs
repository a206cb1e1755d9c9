//! Real repositories, made with git itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hedgerow_merge::{
    BranchName, Candidate, Change, CommitId, Conflict, Identity, MergeCommit, MergeStrategy, Prepared, Repository,
    Target,
};
use tempfile::TempDir;

/// A repository with a checkout, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Scene {
    dir: TempDir,
}

impl Scene {
    /// A repository with `main` checked out and no commit.
    pub(crate) fn empty() -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.path()).unwrap();
        scene.git(&["init", "-q", "-b", "main"]);
        scene
    }

    /// A base commit on `main`, then one commit on `main` and one on `change`, each made by a shell script. `main` is
    /// checked out at the end.
    pub(crate) fn forked(base: &str, main: &str, change: &str) -> Self {
        let scene = Self::empty();
        scene.commit("base", base);
        scene.git(&["branch", "change"]);
        scene.commit("main", main);
        scene.git(&["checkout", "-q", "change"]);
        scene.commit("change", change);
        scene.git(&["checkout", "-q", "main"]);
        scene
    }

    /// Two changes that do not touch each other; `f` has ten lines.
    pub(crate) fn simple() -> Self {
        Self::forked("seq 10 >f", "sed -i 's/^1$/one/' f", "sed -i 's/^9$/nine/' f; echo new >g")
    }

    /// A bare clone of this scene, in the same directory.
    pub(crate) fn bare(&self) -> PathBuf {
        let bare = self.dir.path().join("bare.git");
        self.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        bare
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    /// Whether git ended with 0.
    pub(crate) fn git_ok(&self, arguments: &[&str]) -> bool {
        raw(Command::new("git").args(arguments), &self.path()).status.success()
    }

    /// Runs a shell script in the checkout.
    pub(crate) fn sh(&self, script: &str) {
        let output = raw(Command::new("sh").args(["-ec", script]), &self.path());
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a shell script prints.
    pub(crate) fn sh_out(&self, script: &str) -> String {
        let output = raw(Command::new("sh").args(["-ec", script]), &self.path());
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a script and commits everything that it did, also nothing.
    pub(crate) fn commit(&self, message: &str, script: &str) -> CommitId {
        self.sh(script);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    pub(crate) fn id(&self, revision: &str) -> CommitId {
        CommitId::new(self.git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])).unwrap()
    }

    pub(crate) fn tree(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", &format!("{revision}^{{tree}}")])
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(self.path()).unwrap()
    }

    /// Prepares one branch for another.
    pub(crate) fn prepare(&self, target: &str, change: &str) -> Prepared {
        let (target, change) = (self.target(target), self.change(change));
        MergeCommit.prepare(&self.open(), &target, &change).unwrap()
    }

    /// The candidate of a merge that must be clean.
    pub(crate) fn candidate(&self, target: &str, change: &str) -> Candidate {
        candidate(self.prepare(target, change))
    }

    /// The conflict of a merge that must conflict.
    pub(crate) fn conflict(&self, target: &str, change: &str) -> Conflict {
        match self.prepare(target, change) {
            Prepared::Conflict(conflict) => conflict,
            other => panic!("expected a conflict: {other:?}"),
        }
    }

    pub(crate) fn target(&self, name: &str) -> Target {
        Target { branch: branch(name), expected: self.id(name) }
    }

    pub(crate) fn change(&self, name: &str) -> Change {
        change(self.id(name))
    }

    /// git finds nothing wrong.
    pub(crate) fn fsck(&self) {
        self.git(&["fsck", "--strict", "--no-dangling"]);
    }

    /// Every file of the checkout and of its git directory that is the user's, with its content.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(), &mut files);
        let objects = self.path().join(".git/objects");
        files.retain(|path, _| !path.starts_with(&objects));
        files
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            files.insert(path.clone(), fs::read_link(&path).unwrap().to_string_lossy().into_owned().into());
        } else if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

pub(crate) fn branch(name: &str) -> BranchName {
    BranchName::new(name).unwrap()
}

pub(crate) fn change(tip: CommitId) -> Change {
    Change {
        tip,
        subject: "Bring in a change".into(),
        trailers: vec![("Task".into(), "fix-42".into())],
        committer: Identity { name: "Queue".into(), email: "queue@example.com".into() },
    }
}

pub(crate) fn candidate(prepared: Prepared) -> Candidate {
    match prepared {
        Prepared::Candidate(candidate) => candidate,
        other => panic!("expected a candidate: {other:?}"),
    }
}

/// Runs git in a directory; it must succeed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = raw(Command::new("git").args(arguments), directory);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a command in a directory with nothing of this process's environment but the path.
pub(crate) fn raw(command: &mut Command, directory: &Path) -> Output {
    command.current_dir(directory).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    for (who, date) in [("AUTHOR", "1700000000 +0100"), ("COMMITTER", "1700000000 +0100")] {
        command.env(format!("GIT_{who}_NAME"), "Writer").env(format!("GIT_{who}_EMAIL"), "writer@example.com");
        command.env(format!("GIT_{who}_DATE"), date);
    }
    command.stdin(Stdio::null()).output().unwrap()
}
