//! Rules about what is said of a worktree before anybody removes it.

use super::bench::{Bench, branch, ensure, id, read, told, write};
use super::{Found, Rule};
use crate::{Base, Request, SafetyReport, State};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "an-untouched-worktree-is-safe",
        demand: "A worktree in which nothing was done is safe to remove.",
        check: |bench| Box::pin(untouched(bench)),
    },
    Rule {
        name: "uncommitted-work-is-not-safe",
        demand: "A worktree with new, changed or deleted files is not safe to remove.",
        check: |bench| Box::pin(uncommitted(bench)),
    },
    Rule {
        name: "work-of-its-own-branch-is-not-safe",
        demand: "Commits that only the branch of the worktree holds make it unsafe to remove.",
        check: |bench| Box::pin(of_its_branch(bench)),
    },
    Rule {
        name: "what-cannot-be-looked-at-is-not-safe",
        demand: "A worktree whose tree is gone is not called safe.",
        check: |bench| Box::pin(gone(bench)),
    },
    Rule {
        name: "an-inspection-changes-nothing",
        demand: "An inspection leaves files, branch and lease as they are, and makes no rescue ref.",
        check: |bench| Box::pin(changes_nothing(bench)),
    },
    Rule {
        name: "what-is-not-there-cannot-be-inspected",
        demand: "Inspecting an id that no worktree has is an error.",
        check: |bench| Box::pin(unknown(bench)),
    },
];

impl Bench {
    async fn inspect(&self, name: &str) -> Result<SafetyReport, String> {
        told("an inspection", self.manager.inspect(&id(name)).await)
    }
}

async fn untouched(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let report = bench.inspect("one").await?;
    ensure!(report.id == *worktree.id(), "the report is of {}.", report.id);
    ensure!(report.is_safe(), "it is told of {:?} and {:?}.", report.facts, report.unknowns);
    Ok(())
}

async fn uncommitted(bench: Bench) -> Found {
    let first = bench.create("first").await?;
    write(first.path(), "file", "x\n")?;
    let base = bench.capture(&first).await?.tip;
    for name in ["new", "changed", "deleted"] {
        let request = Request::new(id(name), branch(name), Base::Commit(base.clone()));
        let made = bench.manager.create(Request { git: bench.git, ..request }).await;
        let tree = told("creating a worktree", made)?;
        match name {
            "new" => write(tree.path(), "deep/new", "x\n")?,
            "changed" => write(tree.path(), "file", "y\n")?,
            _ => super::bench::remove(tree.path(), "file")?,
        }
        ensure!(!bench.inspect(name).await?.is_safe(), "with a {name} file it is called safe.");
    }
    Ok(())
}

async fn of_its_branch(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    bench.capture(&worktree).await?;
    ensure!(!bench.inspect("one").await?.is_safe(), "after a capture it is called safe.");
    Ok(())
}

async fn gone(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    std::fs::remove_dir_all(worktree.path()).map_err(|e| format!("the tree cannot be deleted: {e}"))?;
    let report = bench.manager.inspect(&id("one")).await;
    ensure!(!report.as_ref().is_ok_and(SafetyReport::is_safe), "it is told of {report:?}.");
    Ok(())
}

async fn changes_nothing(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let (path, base) = (worktree.path().to_owned(), worktree.base().clone());
    write(&path, "work", "x\n")?;
    bench.inspect("one").await?;
    drop(worktree);
    bench.inspect("one").await?;
    ensure!(read(&path, "work").as_deref() == Some("x\n"), "the work is not in the tree any more.");
    let state = bench.entry("one").await?.map(|(_, state)| state);
    ensure!(state == Some(State::Orphaned), "an orphan is listed as {state:?} afterwards.");
    let rescues = bench.rescues("one").await?;
    ensure!(rescues.is_empty(), "there are rescue refs: {rescues:?}.");
    let request = Request::new(id("next"), branch("next"), Base::Branch(branch("one")));
    let next = told("creating one at the branch", bench.manager.create(Request { git: bench.git, ..request }).await)?;
    ensure!(next.base() == &base, "the branch was moved to {}.", next.base());
    Ok(())
}

async fn unknown(bench: Bench) -> Found {
    let report = bench.manager.inspect(&id("unknown")).await;
    ensure!(report.is_err(), "it is told of {report:?}.");
    Ok(())
}
