//! `hedgerow-worktree` alone: several worktrees at once, what is left in them, and how it is found again.
//!
//! It makes a repository of its own in a temporary directory and prints what it does.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

use hedgerow_worktree::{
    Base, BranchName, Disposition, Fate, LocalWorktrees, Message, Request, WorktreeId, WorktreeManager,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    let repository = make_repository(dir.path())?;
    let mut out = stdout().lock();

    // Always first: what an earlier process left half done is finished or undone, and its worktrees are handed out again.
    let worktrees = LocalWorktrees::open(&repository)?;
    let recovery = worktrees.recover().await?;
    writeln!(out, "recovered: {} worktrees of dead processes", recovery.adopted.len())?;

    // Any number at once; each is complete when its creation returns.
    let (parser, docs, idle) = tokio::try_join!(
        worktrees.create(request("parser")?),
        worktrees.create(request("docs")?),
        worktrees.create(request("idle")?),
    )?;
    for worktree in [&parser, &docs, &idle] {
        writeln!(
            out,
            "created {} at {}",
            worktree.id(),
            worktree.path().strip_prefix(dir.path().canonicalize()?)?.display()
        )?;
    }

    // Work as an agent leaves it: some files, nothing committed.
    std::fs::write(parser.path().join("parser.rs"), "fn parse() {}\n")?;
    std::fs::remove_file(parser.path().join("README"))?;
    std::fs::write(docs.path().join("GUIDE"), "How to use it.\n")?;

    // A capture commits it all onto the worktree's branch, and changes nothing in the tree.
    let message = Message { text: "Add a parser".into(), name: "An agent".into(), email: "agent@example.com".into() };
    let capture = worktrees.capture(&parser, message).await?;
    writeln!(out, "captured {} files of {} as one commit on its branch", capture.files, parser.id())?;

    // Whatever is removed is under a rescue ref first, captured before or not. Where nothing was done, nothing is left.
    for worktree in [parser, docs, idle] {
        let id = worktree.id().clone();
        let released = worktrees.release(worktree, Disposition::Archive).await?;
        let fate = if released.fate == Fate::Removed { "removed" } else { "kept" };
        writeln!(out, "{fate} {id}, {} rescue refs", released.rescues.len())?;
    }

    // The refs say where everything is, now and after any restart.
    let rescues = worktrees.rescues(&WorktreeId::new("docs")?).await?;
    let rescue = rescues.last().ok_or("there was work in it")?;
    writeln!(out, "the work of docs is in {}", rescue.reference)?;

    // A new worktree with everything as it was, what was staged included.
    let restored = worktrees.restore(rescue, request("docs-again")?).await?;
    let guide = std::fs::read_to_string(restored.path().join("GUIDE"))?;
    writeln!(out, "restored: {}", guide.trim_end())?;
    worktrees.release(restored, Disposition::Archive).await?;
    Ok(())
}

/// A worktree on a new branch below `agent/`, starting from the current commit.
fn request(name: &str) -> Outcome<Request> {
    Ok(Request::new(WorktreeId::new(name)?, BranchName::new(format!("agent/{name}"))?, Base::Head))
}

/// A repository with one commit.
fn make_repository(dir: &Path) -> Outcome<PathBuf> {
    let path = dir.join("shop");
    std::fs::create_dir(&path)?;
    std::fs::write(path.join("README"), "A shop.\n")?;
    let identity = ["-c", "user.name=You", "-c", "user.email=you@example.com"];
    for args in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "first"]] {
        let status = Command::new("git").current_dir(&path).args(identity).args(args).status()?;
        if !status.success() {
            return Err(format!("git {args:?} failed").into());
        }
    }
    Ok(path)
}
