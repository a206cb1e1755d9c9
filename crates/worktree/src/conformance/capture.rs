//! Rules about what a capture takes.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::bench::{Bench, ensure, id, read, remove, told, write};
use super::{Found, Rule};
use crate::{Base, Request};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a-capture-of-nothing-is-empty",
        demand: "A capture of a tree in which nothing was done finds nothing, and its tip is the base.",
        check: |bench| Box::pin(nothing(bench)),
    },
    Rule {
        name: "a-capture-takes-new-files",
        demand: "A capture takes untracked files, in new directories too.",
        check: |bench| Box::pin(new_files(bench)),
    },
    Rule {
        name: "a-capture-takes-changes",
        demand: "A capture takes the new content of files that were committed before.",
        check: |bench| Box::pin(changes(bench)),
    },
    Rule {
        name: "a-capture-takes-deletions",
        demand: "A file that was deleted in the tree is not in the captured commit.",
        check: |bench| Box::pin(deletions(bench)),
    },
    Rule {
        name: "a-capture-takes-modes",
        demand: "A capture takes over whether a file is executable.",
        check: |bench| Box::pin(modes(bench)),
    },
    Rule {
        name: "a-capture-takes-symlinks",
        demand: "A capture takes symlinks as symlinks, wherever they lead.",
        check: |bench| Box::pin(symlinks(bench)),
    },
    Rule {
        name: "a-capture-leaves-ignored-files",
        demand: "Files that .gitignore names are not captured, and stay where they are.",
        check: |bench| Box::pin(ignored(bench)),
    },
    Rule {
        name: "a-capture-changes-nothing-in-the-tree",
        demand: "A capture leaves every file of the tree as it is.",
        check: |bench| Box::pin(unchanged(bench)),
    },
    Rule {
        name: "a-capture-moves-the-branch",
        demand: "After a capture the branch of the worktree names the captured commit.",
        check: |bench| Box::pin(moves_branch(bench)),
    },
    Rule {
        name: "a-capture-is-idempotent",
        demand: "Capturing a tree again that has not changed finds the same commit.",
        check: |bench| Box::pin(idempotent(bench)),
    },
    Rule {
        name: "a-capture-goes-on-from-the-last",
        demand: "A later capture holds the earlier work too, and has the same base.",
        check: |bench| Box::pin(goes_on(bench)),
    },
];

async fn nothing(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let capture = bench.capture(&worktree).await?;
    ensure!(capture.is_empty() && capture.snapshot.is_none(), "it found {capture:?}.");
    ensure!(&capture.base == worktree.base(), "its base is {}, not {}.", capture.base, worktree.base());
    Ok(())
}

async fn new_files(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "top", "1\n")?;
    write(worktree.path(), "deep/er/file", "2\n")?;
    let capture = bench.capture(&worktree).await?;
    ensure!(!capture.is_empty() && capture.snapshot.is_some(), "it found nothing.");
    ensure!(capture.files == 2 && capture.commits == 1, "it tells of {capture:?}.");
    let look = bench.look("look", &capture.tip).await?;
    let found = ["top", "deep/er/file"].map(|path| read(look.path(), path));
    ensure!(found == [Some("1\n".into()), Some("2\n".into())], "the commit has {found:?}.");
    Ok(())
}

async fn changes(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "file", "before\n")?;
    bench.capture(&worktree).await?;
    write(worktree.path(), "file", "after!\n")?;
    let capture = bench.capture(&worktree).await?;
    let look = bench.look("look", &capture.tip).await?;
    let found = read(look.path(), "file");
    ensure!(found.as_deref() == Some("after!\n"), "the file holds {found:?} in the commit.");
    Ok(())
}

async fn deletions(bench: Bench) -> Found {
    let first = bench.create("first").await?;
    write(first.path(), "dir/gone", "x\n")?;
    write(first.path(), "stays", "x\n")?;
    let base = bench.capture(&first).await?.tip;
    let request = Request::new(id("next"), super::bench::branch("next"), Base::Commit(base));
    let next = told("creating a worktree", bench.manager.create(Request { git: bench.git, ..request }).await)?;
    remove(next.path(), "dir/gone")?;
    let capture = bench.capture(&next).await?;
    let look = bench.look("look", &capture.tip).await?;
    ensure!(read(look.path(), "dir/gone").is_none(), "it is still in the commit.");
    ensure!(read(look.path(), "stays").is_some(), "another one is not in the commit.");
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o100 != 0)
}

async fn modes(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    for (path, mode) in [("run", 0o755), ("plain", 0o644)] {
        write(worktree.path(), path, "x\n")?;
        let permissions = std::fs::Permissions::from_mode(mode);
        let set = std::fs::set_permissions(worktree.path().join(path), permissions);
        set.map_err(|e| format!("the mode of {path} cannot be set: {e}"))?;
    }
    let capture = bench.capture(&worktree).await?;
    let look = bench.look("look", &capture.tip).await?;
    let found = ["run", "plain"].map(|path| is_executable(&look.path().join(path)));
    ensure!(found == [true, false], "of an executable and a plain file these are executable: {found:?}.");
    Ok(())
}

async fn symlinks(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "file", "x\n")?;
    for (path, target) in [("inside", "file"), ("dangling", "no/such/file"), ("outside", "/etc/passwd")] {
        symlink(target, worktree.path().join(path)).map_err(|e| format!("a symlink cannot be made: {e}"))?;
    }
    let capture = bench.capture(&worktree).await?;
    let look = bench.look("look", &capture.tip).await?;
    for (path, target) in [("inside", "file"), ("dangling", "no/such/file"), ("outside", "/etc/passwd")] {
        let found = std::fs::read_link(look.path().join(path));
        ensure!(found.as_ref().is_ok_and(|found| found == Path::new(target)), "{path} leads to {found:?}.");
    }
    Ok(())
}

async fn ignored(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), ".gitignore", "/build/\n*.log\n")?;
    for path in ["build/out", "trace.log", "work"] {
        write(worktree.path(), path, "x\n")?;
    }
    let capture = bench.capture(&worktree).await?;
    let look = bench.look("look", &capture.tip).await?;
    let found = ["build/out", "trace.log", "work"].map(|path| read(look.path(), path).is_some());
    ensure!(found == [false, false, true], "of two ignored files and another one it took {found:?}.");
    let left = ["build/out", "trace.log"].map(|path| read(worktree.path(), path).is_some());
    ensure!(left == [true, true], "the ignored files are not all there any more.");
    Ok(())
}

async fn unchanged(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\r\n")?;
    let stamp = || {
        let meta = worktree.path().join("work").symlink_metadata();
        meta.and_then(|meta| meta.modified()).map_err(|e| format!("the file cannot be looked at: {e}."))
    };
    let before = stamp()?;
    bench.capture(&worktree).await?;
    let found = read(worktree.path(), "work");
    ensure!(found.as_deref() == Some("x\r\n"), "a file holds {found:?} afterwards.");
    ensure!(stamp()? == before, "a file was written to.");
    Ok(())
}

async fn moves_branch(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    let tip = bench.capture(&worktree).await?.tip;
    let request = Request::new(id("next"), super::bench::branch("next"), Base::Branch(super::bench::branch("one")));
    let next = told("creating one at the branch", bench.manager.create(Request { git: bench.git, ..request }).await)?;
    ensure!(next.base() == &tip, "the branch names {}, not {tip}.", next.base());
    Ok(())
}

async fn idempotent(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    let (first, second) = (bench.capture(&worktree).await?, bench.capture(&worktree).await?);
    ensure!(first.tip == second.tip, "it found {} and then {}.", first.tip, second.tip);
    ensure!(first.commits == second.commits, "it made another commit.");
    Ok(())
}

async fn goes_on(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "first", "1\n")?;
    bench.capture(&worktree).await?;
    write(worktree.path(), "second", "2\n")?;
    let capture = bench.capture(&worktree).await?;
    ensure!(&capture.base == worktree.base(), "its base is {} now.", capture.base);
    let look = bench.look("look", &capture.tip).await?;
    let found = ["first", "second"].map(|path| read(look.path(), path).is_some());
    ensure!(found == [true, true], "of both works the last commit holds {found:?}.");
    Ok(())
}
