//! A manager of worktrees of one's own: it wraps another one, keeps a log, and knows what is held at each moment.
//!
//! It makes a repository of its own in a temporary directory and prints the log. That it keeps every rule of the trait is
//! shown by the test at the end.

mod watched;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::Command;

use hedgerow_worktree::{Base, BranchName, Disposition, LocalWorktrees, Request, WorktreeId, WorktreeManager};
use watched::Watched;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("shop");
    for args in [&["init", "-q", "shop"][..], &["-C", "shop", "commit", "-q", "--allow-empty", "-m", "first"]] {
        let identity = ["-c", "user.name=You", "-c", "user.email=you@example.com"];
        let status = Command::new("git").current_dir(dir.path()).args(identity).args(args).status()?;
        if !status.success() {
            return Err(format!("git {args:?} failed").into());
        }
    }

    let worktrees = Watched::new(LocalWorktrees::open(path)?);
    let request = |name: &str| -> Result<Request, hedgerow_worktree::Error> {
        Ok(Request::new(WorktreeId::new(name)?, BranchName::new(name)?, Base::Head))
    };
    let first = worktrees.create(request("first")?).await?;
    let second = worktrees.create(request("second")?).await?;
    std::fs::write(first.path().join("work"), "done\n")?;
    worktrees.release(first, Disposition::Archive).await?;
    // A handle that gets lost is no worktree that gets lost.
    drop(second);
    for found in worktrees.recover().await?.adopted {
        worktrees.release(found, Disposition::Archive).await?;
    }

    let mut out = stdout().lock();
    for line in worktrees.log() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hedgerow_worktree::{FakeWorktrees, GitAccess, conformance};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_manager_of_ones_own_keeps_every_rule() {
        let factory = async || Watched::new(FakeWorktrees::new([("README", "hello\n")]));
        conformance::check(GitAccess::Direct, factory).await.assert();
    }

    #[tokio::test]
    async fn the_log_tells_what_is_held() {
        let worktrees = Watched::new(FakeWorktrees::new([("README", "hello\n")]));
        let request = Request::new(WorktreeId::new("a").unwrap(), BranchName::new("a").unwrap(), Base::Head);
        let worktree = worktrees.create(request).await.unwrap();
        drop(worktree);
        assert_eq!(worktrees.log(), ["created a, 1 held", "gave up a, 0 held"]);
    }
}
