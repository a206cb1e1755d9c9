//! A repository with one worktree, whose view each case finds as it was made.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gix::objs::Kind;
use hedgerow_worktree::{
    Base, BranchName, Capture, GitAccess, LocalWorktrees, Message, Notice, Request, Worktree, WorktreeId,
    WorktreeManager,
};
use tokio::runtime::Runtime;

use super::draw::Known;
use super::history::object;
use crate::{Failure, git};

const SECRET: &[u8] = b"secret\n";

#[derive(Debug)]
pub(super) struct Arena {
    dir: tempfile::TempDir,
    runtime: Runtime,
    manager: LocalWorktrees,
    worktree: Worktree,
    pristine: Vec<Content>,
    /// For each case something of its own that the repository has, so that no case can spoil git's view of another one.
    pub(super) known: Vec<Known>,
}

impl Arena {
    pub(super) fn new() -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let repo = dir.path().join("repo");
        fs::create_dir(&repo)?;
        fs::write(dir.path().join("secret"), SECRET)?;
        git::git(&repo, &["init", "-q", "-b", "main"])?;
        fs::write(repo.join("README"), "hello\n")?;
        git::git(&repo, &["add", "-A"])?;
        git::git(&repo, &["commit", "-q", "-m", "first"])?;
        let known = history(&repo)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let manager = LocalWorktrees::open(&repo)?;
        let mut request = Request::new(WorktreeId::new("lane")?, BranchName::new("lane")?, Base::Head);
        request.git = GitAccess::Private;
        let worktree = runtime.block_on(manager.create(request))?;
        let mut arena = Self { dir, runtime, manager, worktree, pristine: Vec::new(), known };
        arena.pristine = contents(&arena.view())?;
        Ok(arena)
    }

    pub(super) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// Whether what lies outside is as it was.
    pub(super) fn is_untouched(&self) -> bool {
        fs::read(self.dir.path().join("secret")).is_ok_and(|bytes| bytes == SECRET)
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The private git directory, which a case may write.
    pub(super) fn view(&self) -> PathBuf {
        self.manager.state_dir().join("views/lane/git")
    }

    /// Makes the view again as it was.
    pub(super) fn reset(&self) -> Result<(), Failure> {
        let view = self.view();
        if view.is_dir() && !view.is_symlink() {
            fs::remove_dir_all(&view)?;
        }
        fs::create_dir_all(&view)?;
        for (name, content) in &self.pristine {
            match content {
                None => fs::create_dir_all(view.join(name))?,
                Some(bytes) => fs::write(view.join(name), bytes)?,
            }
        }
        Ok(())
    }

    pub(super) fn capture(&self) -> Result<Capture, hedgerow_worktree::Error> {
        let message = Message { text: "left".into(), name: "evidence".into(), email: "evidence@example.com".into() };
        self.runtime.block_on(self.manager.capture(&self.worktree, message))
    }
}

/// One commit on the first one for each case.
fn history(repo: &Path) -> Result<Vec<Known>, Failure> {
    let mut stream = String::new();
    let file = |n: usize| format!("known {n}\n");
    for n in 0..super::BATCH {
        let file = file(n);
        let who = "committer A <a@b> 1600000000 +0000\ndata 1\nx\nfrom refs/heads/main^0";
        stream += &format!("commit refs/known/{n}\n{who}\nM 100644 inline known\ndata {}\n{file}\n", file.len());
    }
    let mut child = git::command(repo).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no standard input")?.write_all(stream.as_bytes())?;
    if !child.wait()?.success() {
        return Err("git fast-import failed".into());
    }
    let raw = |hex: &str| -> Result<Vec<u8>, Failure> {
        (0..20).map(|at| Ok(u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16)?)).collect()
    };
    let format = "--format=%(refname:lstrip=2) %(objectname) %(tree)";
    let mut found = Vec::new();
    for line in git::lines(repo, &["for-each-ref", format, "refs/known"])? {
        let words: Vec<&str> = line.split(' ').collect();
        let blob = object(Kind::Blob, file(words[0].parse()?).into_bytes()).id;
        found.push(Known { commit: raw(words[1])?, tree: raw(words[2])?, blob: blob.as_bytes().to_vec() });
    }
    Ok(found)
}

/// A directory, or a file with what it holds.
type Content = (PathBuf, Option<Vec<u8>>);

/// Every directory and file below this one, the directories first.
fn contents(root: &Path) -> Result<Vec<Content>, Failure> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(dir) = waiting.pop() {
        found.push((dir.clone(), None));
        for entry in fs::read_dir(root.join(&dir))? {
            let entry = entry?;
            let name = dir.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(name);
            } else {
                let bytes = fs::read(entry.path())?;
                found.push((name, Some(bytes)));
            }
        }
    }
    found.sort_by_key(|(name, content)| (content.is_some(), name.clone()));
    Ok(found)
}

/// Why the history was refused, if it was.
pub(super) fn refusals(capture: &Capture) -> Vec<&str> {
    capture
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::HistoryRefused { why } => Some(why.as_str()),
            _ => None,
        })
        .collect()
}
