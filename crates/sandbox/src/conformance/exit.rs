//! How ends are told.

use std::time::Duration;

use super::bench::{Bench, demand, read, until};
use super::{Act, Found, Rule};
use crate::{End, Guarantee, Witness};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "an-exit-status-is-told",
        demand: "The end of a program is its exit status, and only a status of 0 that somebody saw is a success.",
        check: |bench| Box::pin(status(bench)),
    },
    Rule {
        name: "a-signal-is-told",
        demand: "A program that a signal ended is not said to have ended by itself, and the signal is told.",
        check: |bench| Box::pin(signal(bench)),
    },
    Rule {
        name: "a-deadline-ends-it",
        demand: "A command that runs into its deadline is ended, and that is how its end is told.",
        check: |bench| Box::pin(deadline(bench)),
    },
    Rule {
        name: "silence-ends-it",
        demand: "A command that is silent for longer than it may is ended, and that is how its end is told.",
        check: |bench| Box::pin(idle(bench)),
    },
    Rule {
        name: "a-stop-is-told",
        demand: "A command that its caller stopped or killed was stopped.",
        check: |bench| Box::pin(stopped(bench)),
    },
    Rule {
        name: "a-long-time-is-no-mistake",
        demand: "A deadline, a grace and a limit of silence may be as long as a duration can be.",
        check: |bench| Box::pin(for_ever(bench)),
    },
    Rule {
        name: "use-is-added-up",
        demand: "A sandbox can be asked what it used, before, between and after its commands, and time passes in a command.",
        check: |bench| Box::pin(usage(bench)),
    },
];

async fn status(bench: Bench) -> Found {
    for code in [0, 1, 42] {
        let exit = bench.does(&Act::Exit(code)).await?.exit;
        let expected = End::Exited { code: code.into() };
        demand(exit.end == expected, || format!("status {code} is told as {:?}", exit.end))?;
        demand(exit.success() == (code == 0), || format!("status {code} counts as success: {}", exit.success()))?;
        demand(exit.witness != Witness::Nobody, || format!("nobody saw the end of status {code}"))?;
    }
    Ok(())
}

async fn signal(bench: Bench) -> Found {
    let exit = bench.does(&Act::Signal(9)).await?.exit;
    // Who is told both in the same way says so.
    let ends = [End::Signaled { signal: 9 }, End::ExitedOrSignaled { code: 137 }];
    demand(ends.contains(&exit.end), || format!("signal 9 is told as {:?}", exit.end))
}

async fn deadline(bench: Bench) -> Found {
    bench.claims(Guarantee::WallTime)?;
    for act in [Act::SayAndWait("on".into()), Act::SayAndDefy("on".into())] {
        let command = bench.command(&act)?.deadline(Duration::from_millis(500));
        let exit = bench.run(bench.spec(), command).await?.exit;
        demand(exit.end == End::Deadline, || format!("it is told as {:?} of {act:?}", exit.end))?;
    }
    Ok(())
}

async fn idle(bench: Bench) -> Found {
    let mut command = bench.command(&Act::SayAndWait("on".into()))?;
    command.idle = Some(Duration::from_millis(500));
    let exit = bench.run(bench.spec(), command).await?.exit;
    demand(exit.end == End::Idle, || format!("it is told as {:?}", exit.end))
}

async fn stopped(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let mut process = running.exec(bench.command(&Act::SayGoodbye("bye".into()))?).await?;
    until(&mut process, "ready").await?;
    process.stopper().stop();
    let seen = read(process).await?;
    demand(seen.exit.end == End::Stopped, || format!("a stop is told as {:?}", seen.exit.end))?;
    let mut process = running.exec(bench.command(&Act::SayAndDefy("ready".into()))?).await?;
    until(&mut process, "ready").await?;
    process.stopper().kill();
    let seen = read(process).await?;
    demand(seen.exit.end == End::Stopped, || format!("a kill is told as {:?}", seen.exit.end))
}

async fn for_ever(bench: Bench) -> Found {
    let mut command = bench.command(&Act::Exit(0))?.deadline(Duration::MAX);
    (command.idle, command.grace) = (Some(Duration::MAX), Duration::MAX);
    bench.run(bench.spec(), command).await?.ok().map(drop)
}

async fn usage(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    running.usage().await?;
    let seen = read(running.exec(bench.command(&Act::Exit(0))?).await?).await?.ok()?;
    let used = running.usage().await?;
    demand(!seen.exit.wall.is_zero(), || "a command took no time at all".into())?;
    let alone = seen.exit.usage;
    demand(used.cpu >= alone.cpu && used.peak_memory >= alone.peak_memory, || {
        format!("a command used {alone:?}, and its sandbox {used:?}")
    })
}
