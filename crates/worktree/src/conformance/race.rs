//! Rules about what happens at once, or only half.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;

use super::bench::{Bench, Told, ensure, is_occupied, read, write};
use super::{Found, Rule};
use crate::{Disposition, Result, Worktree};

/// How many creations run at the same time.
const MANY: usize = 8;
/// How often a cancelled creation is looked for before it counts as lost.
const PATIENCE: usize = 300;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "many-are-created-at-once",
        demand: "Creations of different worktrees at the same time all succeed, each with a tree of its own.",
        check: |bench| Box::pin(many(bench)),
    },
    Rule {
        name: "of-many-for-one-id-exactly-one-wins",
        demand: "Of several that want one id at the same time exactly one gets it, and the others Error::Occupied.",
        check: |bench| Box::pin(contested(bench, |n| ("same".into(), format!("branch-{n}")))),
    },
    Rule {
        name: "of-many-for-one-branch-exactly-one-wins",
        demand: "Of several that want one branch at the same time exactly one gets it, and the others Error::Occupied.",
        check: |bench| Box::pin(contested(bench, |n| (format!("id-{n}"), "same".into()))),
    },
    Rule {
        name: "a-cancelled-creation-can-be-repeated",
        demand: "After a creation was dropped half-way, recovery brings it to an end, and the same can be created again.",
        check: |bench| Box::pin(cancelled(bench)),
    },
    Rule {
        name: "a-cancelled-capture-can-be-repeated",
        demand: "After a capture was dropped half-way, the tree is as it was, and a capture finds everything.",
        check: |bench| Box::pin(cancelled_capture(bench)),
    },
];

async fn at_once(bench: &Bench, names: impl Fn(usize) -> (String, String)) -> Told<Vec<Result<Worktree>>> {
    let mut creations = JoinSet::new();
    for n in 0..MANY {
        let (id, branch) = names(n);
        let (manager, request) = (bench.manager.clone(), bench.request(&id, &branch));
        creations.spawn(async move { manager.create(request).await });
    }
    let mut done = Vec::new();
    while let Some(creation) = creations.join_next().await {
        done.push(creation.map_err(|e| format!("a creation did not end well: {e}."))?);
    }
    Ok(done)
}

async fn many(bench: Bench) -> Found {
    let mut paths = HashSet::new();
    for made in at_once(&bench, |n| (format!("id-{n}"), format!("branch-{n}"))).await? {
        let made = super::bench::told("one of them", made)?;
        ensure!(made.path().is_dir(), "{:?} is no directory.", made.path());
        paths.insert(made.path().to_owned());
    }
    ensure!(paths.len() == MANY, "{MANY} worktrees share {} paths.", paths.len());
    Ok(())
}

async fn contested(bench: Bench, names: fn(usize) -> (String, String)) -> Found {
    let done = at_once(&bench, names).await?;
    let winners = done.iter().filter(|made| made.is_ok()).count();
    ensure!(winners == 1, "{winners} of {MANY} got it.");
    let other = done.iter().find(|made| made.is_err() && !is_occupied(made));
    ensure!(other.is_none(), "one of them was answered with {other:?}.");
    let count = bench.count().await?;
    ensure!(count == 1, "{count} worktrees are listed.");
    Ok(())
}

/// Polls the future so many times, then drops it.
async fn abandon<T>(future: impl Future<Output = T>, polls: usize) {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn cancelled(bench: Bench) -> Found {
    for polls in [0, 1, 2, 100] {
        let name = format!("cancelled-{polls}");
        abandon(bench.manager.create(bench.request(&name, &name)), polls).await;
        let mut last = None;
        for _ in 0..PATIENCE {
            for adopted in bench.recover().await?.adopted {
                bench.release(adopted, Disposition::Archive).await?;
            }
            match bench.manager.create(bench.request(&name, &name)).await {
                Ok(made) => {
                    last = None;
                    bench.release(made, Disposition::Archive).await?;
                    break;
                }
                Err(e) => last = Some(e),
            }
            pause().await;
        }
        ensure!(last.is_none(), "after {polls} steps it still cannot be: {last:?}.");
    }
    let count = bench.count().await?;
    ensure!(count == 0, "{count} worktrees are listed after all were removed.");
    Ok(())
}

async fn cancelled_capture(bench: Bench) -> Found {
    let worktree = bench.create("one").await?;
    write(worktree.path(), "work", "x\n")?;
    for polls in [0, 1, 2, 100] {
        abandon(bench.manager.capture(&worktree, super::bench::message()), polls).await;
        pause().await;
    }
    ensure!(read(worktree.path(), "work").as_deref() == Some("x\n"), "the file is not as it was.");
    // One that still runs in the background may move the branch once more.
    let mut tip = None;
    for _ in 0..PATIENCE {
        match bench.manager.capture(&worktree, super::bench::message()).await {
            Ok(capture) => {
                tip = Some(capture.tip);
                break;
            }
            Err(e) if e.is_transient() => pause().await,
            Err(e) => return Err(format!("the next capture failed: {e}.")),
        }
    }
    let Some(tip) = tip else { return Err("no capture succeeded any more.".into()) };
    let look = bench.look("look", &tip).await?;
    ensure!(read(look.path(), "work").is_some(), "the work is not in the captured commit.");
    Ok(())
}

/// Waits a little. Not with the runtime's timer, which the caller's runtime may lack.
async fn pause() {
    let _ = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(10))).await;
}
