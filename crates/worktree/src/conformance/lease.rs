//! Rules about who may do what.

use super::bench::{Bench, ensure, id, message, read, write};
use super::{Found, Rule};
use crate::{Disposition, Error, State, Worktree};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "dropping-a-handle-deletes-nothing",
        demand: "A handle that is dropped leaves its tree with all work, its branch, and its entry in the list.",
        check: |bench| Box::pin(drop_deletes_nothing(bench)),
    },
    Rule {
        name: "recovery-adopts-what-was-left",
        demand: "A recovery leases a worktree whose handle was dropped to its caller, as it was.",
        check: |bench| Box::pin(adopts(bench)),
    },
    Rule {
        name: "recovery-is-idempotent",
        demand: "A second recovery finds nothing more as long as the adopted worktrees are held.",
        check: |bench| Box::pin(idempotent(bench)),
    },
    Rule {
        name: "recovery-leaves-the-living-alone",
        demand: "A recovery does not touch a worktree whose handle lives, and its holder can go on.",
        check: |bench| Box::pin(living(bench)),
    },
    Rule {
        name: "an-adopted-worktree-can-be-finished",
        demand: "What was adopted can be captured and released like any other.",
        check: |bench| Box::pin(finished(bench)),
    },
    Rule {
        name: "a-handle-without-a-lease-can-do-nothing",
        demand: "Capture and release of a handle that does not hold the lease are Error::LeaseLost and change nothing.",
        check: |bench| Box::pin(forged(bench)),
    },
    Rule {
        name: "the-list-shows-all",
        demand: "Every worktree is listed with its path, its branch and its state.",
        check: |bench| Box::pin(lists(bench)),
    },
];

async fn drop_deletes_nothing(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let path = worktree.path().to_owned();
    write(&path, "work", "x\n")?;
    drop(worktree);
    ensure!(read(&path, "work").as_deref() == Some("x\n"), "the work is gone from {path:?}.");
    ensure!(bench.entry("one").await?.is_some(), "it is not listed any more.");
    let second = bench.manager.create(bench.request("another", "one")).await;
    ensure!(second.is_err(), "its branch was given to another one.");
    Ok(())
}

async fn adopts(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    let (path, base) = (worktree.path().to_owned(), worktree.base().clone());
    write(&path, "work", "x\n")?;
    drop(worktree);
    let adopted = bench.recover().await?.adopted;
    let [one] = &adopted[..] else { return Err(format!("it adopted {adopted:?}.")) };
    let same = one.id() == &id("one") && one.path() == path && one.base() == &base;
    ensure!(same && one.branch().is_some_and(|branch| branch.as_str() == "one"), "it adopted {one:?}.");
    ensure!(read(&path, "work").as_deref() == Some("x\n"), "the work is gone.");
    Ok(())
}

async fn idempotent(bench: Bench) -> Found {
    drop(bench.create("one").await?);
    let first = bench.recover().await?;
    let second = bench.recover().await?;
    ensure!(first.adopted.len() == 1, "the first adopted {:?}.", first.adopted);
    ensure!(second.adopted.is_empty() && second.mended.is_empty(), "the second found {second:?}.");
    Ok(())
}

async fn living(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    let adopted = bench.recover().await?.adopted;
    ensure!(adopted.is_empty(), "it adopted {adopted:?}.");
    let capture = bench.capture(&worktree).await?;
    ensure!(!capture.is_empty(), "the work is not there any more.");
    Ok(())
}

async fn finished(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    drop(worktree);
    let Some(adopted) = bench.recover().await?.adopted.pop() else { return Err("nothing was adopted.".into()) };
    let capture = bench.capture(&adopted).await?;
    ensure!(!capture.is_empty(), "a capture finds nothing in it.");
    let released = bench.release(adopted, Disposition::Archive).await?;
    ensure!(bench.holds(&released.rescues, "work").await?, "the work is lost: {released:?}.");
    Ok(())
}

async fn forged(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    let forged = || Worktree::new(worktree.parts().clone(), "this is no lease");
    let capture = bench.manager.capture(&forged(), message()).await;
    ensure!(matches!(capture, Err(Error::LeaseLost { .. })), "a capture was answered with {capture:?}.");
    for disposition in [Disposition::Archive, Disposition::Keep, Disposition::Discard] {
        let released = bench.manager.release(forged(), disposition.clone()).await;
        let lost = matches!(released, Err(Error::LeaseLost { .. }));
        ensure!(lost, "a release ({disposition:?}) was answered with {released:?}.");
    }
    ensure!(read(worktree.path(), "work").is_some(), "the work is gone.");
    let capture = bench.capture(&worktree).await?;
    ensure!(!capture.is_empty(), "the true holder finds nothing any more.");
    Ok(())
}

async fn lists(bench: Bench) -> Found {
    let leased = bench.create("leased").await?;
    drop(bench.create("orphaned").await?);
    let kept = bench.create("kept").await?;
    bench.release(kept, Disposition::Keep).await?;
    for (name, wanted) in [("leased", State::Leased), ("orphaned", State::Orphaned), ("kept", State::Kept)] {
        let Some((entry, state)) = bench.entry(name).await? else { return Err(format!("{name} is not listed.")) };
        ensure!(state == wanted, "{name} is listed as {state:?}.");
        ensure!(entry.branch.as_ref().is_some_and(|branch| branch.as_str() == name), "{name} is listed as {entry:?}.");
        ensure!(entry.path.is_dir() && entry.problem.is_none(), "{name} is listed as {entry:?}.");
    }
    let (entry, _) = bench.entry("leased").await?.ok_or("it is not listed any more.")?;
    ensure!(entry.path == leased.path(), "its path is listed as {:?}.", entry.path);
    Ok(())
}
