//! Rules about what a new worktree is.

use super::bench::{Bench, branch, ensure, id, is_occupied, read, told, write};
use super::{Found, Rule};
use crate::{Base, CommitId, Disposition, Request};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a-new-worktree-is-what-was-asked-for",
        demand: "A new worktree has the id, branch and git access of its request, an absolute path, and a tree there.",
        check: |bench| Box::pin(as_asked(bench)),
    },
    Rule {
        name: "a-new-tree-holds-its-base",
        demand: "A new tree holds exactly the files of the commit that it starts from, by branch or by id.",
        check: |bench| Box::pin(holds_base(bench)),
    },
    Rule {
        name: "a-detached-worktree-has-no-branch",
        demand: "A worktree that is asked for without a branch has none, and starts at exactly the commit.",
        check: |bench| Box::pin(detached(bench)),
    },
    Rule {
        name: "trees-are-apart",
        demand: "What is written in one tree is not in another.",
        check: |bench| Box::pin(apart(bench)),
    },
    Rule {
        name: "an-id-is-given-once",
        demand: "An id that is in use is refused with Error::Occupied.",
        check: |bench| Box::pin(id_once(bench)),
    },
    Rule {
        name: "a-branch-is-given-once",
        demand: "A branch that exists is refused with Error::Occupied.",
        check: |bench| Box::pin(branch_once(bench)),
    },
    Rule {
        name: "a-refused-creation-leaves-nothing",
        demand: "A creation that was refused leaves neither a branch nor an id in use nor an entry in the list.",
        check: |bench| Box::pin(leaves_nothing(bench)),
    },
    Rule {
        name: "an-unknown-base-is-refused",
        demand: "A base that does not exist is an error, and leaves nothing behind.",
        check: |bench| Box::pin(unknown_base(bench)),
    },
];

async fn as_asked(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    ensure!(worktree.id() == &id("one"), "its id is {}.", worktree.id());
    ensure!(worktree.branch() == Some(&branch("one")), "its branch is {:?}.", worktree.branch());
    ensure!(worktree.git() == bench.git, "its access to git is {:?}.", worktree.git());
    let path = worktree.path();
    ensure!(path.is_absolute() && path.is_dir(), "its path is {path:?}, which is no directory or not absolute.");
    let mounted = worktree.mounts().iter().any(|mount| mount.source == path);
    ensure!(mounted, "its mounts do not contain its tree: {:?}.", worktree.mounts());
    Ok(())
}

async fn holds_base(bench: Bench) -> Found {
    let first = bench.create("first").await?;
    write(first.path(), "deep/file", "content\n")?;
    let tip = bench.capture(&first).await?.tip;
    for (name, base) in [("by-id", Base::Commit(tip.clone())), ("by-branch", Base::Branch(branch("first")))] {
        let request = Request { git: bench.git, ..Request::new(id(name), branch(name), base) };
        let next = told("creating a worktree at a captured commit", bench.manager.create(request).await)?;
        ensure!(next.base() == &tip, "one {name} says that its base is {}, not {tip}.", next.base());
        let found = read(next.path(), "deep/file");
        ensure!(found.as_deref() == Some("content\n"), "a file of the base holds {found:?} in one {name}.");
        let capture = bench.capture(&next).await?;
        ensure!(capture.is_empty(), "a new tree {name} is not as its base: {capture:?}.");
    }
    Ok(())
}

async fn detached(bench: Bench) -> Found {
    let base = bench.create("first").await?.base().clone();
    let worktree = bench.look("detached", &base).await?;
    ensure!(worktree.branch().is_none(), "it has the branch {:?}.", worktree.branch());
    ensure!(worktree.base() == &base, "its base is {}, not {base}.", worktree.base());
    Ok(())
}

async fn apart(bench: Bench) -> Found {
    let (one, two) = (bench.create("one").await?, bench.create("two").await?);
    ensure!(one.path() != two.path(), "both are at {:?}.", one.path());
    write(one.path(), "work", "of one\n")?;
    ensure!(read(two.path(), "work").is_none(), "the file is in both.");
    let capture = bench.capture(&two).await?;
    ensure!(capture.is_empty(), "a capture found work in the other: {capture:?}.");
    Ok(())
}

async fn id_once(bench: Bench) -> Found {
    let _first = bench.create("same").await?;
    let second = bench.manager.create(bench.request("same", "another")).await;
    ensure!(is_occupied(&second), "it was answered with {second:?}.");
    Ok(())
}

async fn branch_once(bench: Bench) -> Found {
    let first = bench.create("same").await?;
    let second = bench.manager.create(bench.request("another", "same")).await;
    ensure!(is_occupied(&second), "it was answered with {second:?}.");
    bench.release(first, Disposition::Keep).await?;
    let third = bench.manager.create(bench.request("another", "same")).await;
    ensure!(is_occupied(&third), "of a kept worktree it was answered with {third:?}.");
    Ok(())
}

async fn leaves_nothing(bench: Bench) -> Found {
    let _first = bench.create("same").await?;
    // Refused for the id, then for the branch.
    let _ = bench.manager.create(bench.request("same", "branch-of-the-loser")).await;
    let _ = bench.manager.create(bench.request("id-of-the-loser", "same")).await;
    let count = bench.count().await?;
    ensure!(count == 1, "{count} worktrees are listed after one was created and two were refused.");
    let again = bench.manager.create(bench.request("id-of-the-loser", "branch-of-the-loser")).await;
    told("creating one with the names of those that were refused", again).map(drop)
}

async fn unknown_base(bench: Bench) -> Found {
    let nowhere = CommitId::new("0123456789".repeat(4)).expect("these are forty digits");
    let request = Request { git: bench.git, ..Request::new(id("one"), branch("one"), Base::Commit(nowhere)) };
    let made = bench.manager.create(request).await;
    ensure!(made.is_err(), "a worktree was made of a commit that does not exist: {made:?}.");
    let count = bench.count().await?;
    ensure!(count == 0, "{count} worktrees are listed.");
    bench.create("one").await.map(drop)
}
