//! Rules about what becomes of a worktree and of the work in it.

use super::bench::{Bench, ensure, read, told, write};
use super::{Found, Rule};
use crate::{Base, Disposition, Fate, Keeper, Request, State};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "archiving-rescues-what-was-not-captured",
        demand: "Before a tree is removed everything in it is under a rescue ref, captured before or not.",
        check: |bench| Box::pin(rescues_uncaptured(bench)),
    },
    Rule {
        name: "archiving-rescues-what-was-captured",
        demand: "Work that was captured is under a rescue ref before its branch is removed.",
        check: |bench| Box::pin(rescues_captured(bench)),
    },
    Rule {
        name: "archiving-removes",
        demand: "An archived worktree is gone: its tree, its branch, its id and its entry in the list.",
        check: |bench| Box::pin(removes(bench)),
    },
    Rule {
        name: "archiving-nothing-rescues-nothing",
        demand: "A worktree in which nothing was done leaves no rescue ref.",
        check: |bench| Box::pin(nothing(bench)),
    },
    Rule {
        name: "rescues-outlive-the-worktree",
        demand: "The rescue refs of an id are listed when it is gone, the oldest first, and none of an unknown id.",
        check: |bench| Box::pin(outlive(bench)),
    },
    Rule {
        name: "keeping-keeps",
        demand: "A kept worktree stays as it is, uncommitted work included, is listed as kept, and is not adopted.",
        check: |bench| Box::pin(keeps(bench)),
    },
    Rule {
        name: "merged-work-needs-no-tree",
        demand: "A worktree whose work is part of the named commit is removed, and the work is still there.",
        check: |bench| Box::pin(merged(bench)),
    },
    Rule {
        name: "what-is-not-merged-is-rescued",
        demand: "Work that the named commit does not contain after all is rescued before the worktree is removed.",
        check: |bench| Box::pin(not_merged(bench)),
    },
    Rule {
        name: "discarding-removes-a-detached-tree",
        demand: "A tree without a branch is discarded with whatever was written into it.",
        check: |bench| Box::pin(discards(bench)),
    },
    Rule {
        name: "discarding-keeps-a-branch",
        demand: "A worktree with a branch is not discarded but kept, with the reason.",
        check: |bench| Box::pin(keeps_branch(bench)),
    },
    Rule {
        name: "a-deleted-tree-leaves-its-commits",
        demand: "When somebody deleted the tree, what was captured of it is not lost with the release.",
        check: |bench| Box::pin(tree_deleted(bench)),
    },
];

async fn rescues_uncaptured(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "captured", "1\n")?;
    bench.capture(&worktree).await?;
    write(worktree.path(), "left", "2\n")?;
    let released = bench.release(worktree, Disposition::Archive).await?;
    ensure!(released.fate == Fate::Removed, "its fate is {:?}.", released.fate);
    let Some(rescue) = released.rescues.last() else { return Err("there is no rescue ref.".into()) };
    let look = bench.look("look", &rescue.commit).await?;
    let found = ["captured", "left"].map(|path| read(look.path(), path).is_some());
    ensure!(found == [true, true], "of captured and uncaptured work the rescue holds {found:?}.");
    Ok(())
}

async fn rescues_captured(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "1\n")?;
    bench.capture(&worktree).await?;
    let released = bench.release(worktree, Disposition::Archive).await?;
    let rescued = bench.holds(&released.rescues, "work").await?;
    ensure!(rescued, "the work is under none of {:?}.", released.rescues);
    Ok(())
}

async fn removes(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "1\n")?;
    let path = worktree.path().to_owned();
    bench.release(worktree, Disposition::Archive).await?;
    ensure!(path.symlink_metadata().is_err(), "something is at {path:?} still.");
    let count = bench.count().await?;
    ensure!(count == 0, "{count} worktrees are listed.");
    let again = bench.create("one").await?;
    ensure!(read(again.path(), "work").is_none(), "a new worktree of the same name has the old work in it.");
    Ok(())
}

async fn nothing(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let released = bench.release(worktree, Disposition::Archive).await?;
    ensure!(released.fate == Fate::Removed, "its fate is {:?}.", released.fate);
    let rescues = bench.rescues("one").await?;
    ensure!(released.rescues.is_empty() && rescues.is_empty(), "there are {:?} and {rescues:?}.", released.rescues);
    Ok(())
}

async fn outlive(bench: Bench) -> Found {
    let mut made = Vec::new();
    for content in ["1\n", "2\n"] {
        let worktree = bench.create("one").await?;
        write(worktree.path(), "work", content)?;
        made.extend(bench.release(worktree, Disposition::Archive).await?.rescues);
    }
    let listed = bench.rescues("one").await?;
    ensure!(made.len() == 2 && listed == made, "after {made:?} these are listed: {listed:?}.");
    let others = bench.rescues("unknown").await?;
    ensure!(others.is_empty(), "an unknown id has {others:?}.");
    Ok(())
}

async fn keeps(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let path = worktree.path().to_owned();
    write(&path, "work", "x\n")?;
    let released = bench.release(worktree, Disposition::Keep).await?;
    ensure!(
        released.fate == Fate::Kept { path: path.clone(), by: Keeper::Request, why: None },
        "its fate is {:?}.",
        released.fate
    );
    let adopted = bench.recover().await?.adopted;
    ensure!(adopted.is_empty(), "a recovery adopted {adopted:?}.");
    ensure!(read(&path, "work").as_deref() == Some("x\n"), "the work is not in the tree any more.");
    let state = bench.entry("one").await?.map(|(_, state)| state);
    ensure!(state == Some(State::Kept), "it is listed as {state:?}.");
    Ok(())
}

async fn merged(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    let tip = bench.capture(&worktree).await?.tip;
    // A commit that is merged is one that a branch holds.
    let onto = Request { base: Base::Commit(tip.clone()), ..bench.request("landed", "landed") };
    let _landed = told("creating a worktree on what was captured", bench.manager.create(onto).await)?;
    let next = bench.look("other", &tip).await?;
    let path = worktree.path().to_owned();
    let released = bench.release(worktree, Disposition::Merged { into: tip.clone() }).await?;
    ensure!(released.fate == Fate::Removed && !path.exists(), "its fate is {:?}.", released.fate);
    ensure!(read(next.path(), "work").is_some(), "the commit that holds it is damaged.");
    bench.look("look", &tip).await.map(drop)
}

async fn not_merged(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let into = worktree.base().clone();
    write(worktree.path(), "work", "x\n")?;
    bench.capture(&worktree).await?;
    let released = bench.release(worktree, Disposition::Merged { into }).await?;
    let rescued = bench.holds(&released.rescues, "work").await?;
    ensure!(rescued, "its fate is {:?}, and the work is under none of {:?}.", released.fate, released.rescues);
    Ok(())
}

async fn discards(bench: Bench) -> Found {
    let base = bench.create("first").await?.base().clone();
    let worktree = bench.look("gate", &base).await?;
    let path = worktree.path().to_owned();
    write(&path, "output", "x\n")?;
    let released = bench.release(worktree, Disposition::Discard).await?;
    ensure!(released.fate == Fate::Removed && !path.exists(), "its fate is {:?}.", released.fate);
    ensure!(released.rescues.is_empty(), "it was rescued: {:?}.", released.rescues);
    Ok(())
}

async fn keeps_branch(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let path = worktree.path().to_owned();
    write(&path, "work", "x\n")?;
    let released = bench.release(worktree, Disposition::Discard).await?;
    ensure!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "its fate is {:?}.", released.fate);
    ensure!(read(&path, "work").is_some(), "the work is gone.");
    Ok(())
}

async fn tree_deleted(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    bench.capture(&worktree).await?;
    std::fs::remove_dir_all(worktree.path()).map_err(|e| format!("the tree cannot be deleted: {e}"))?;
    let released = bench.release(worktree, Disposition::Archive).await?;
    let kept = matches!(released.fate, Fate::Kept { .. });
    let rescued = bench.holds(&released.rescues, "work").await?;
    ensure!(kept || rescued, "it was removed, and the work is under none of {:?}.", released.rescues);
    Ok(())
}
