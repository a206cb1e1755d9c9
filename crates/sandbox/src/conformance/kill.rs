//! When a command is over, nothing of it is left.

use std::time::Duration;

use super::act::Beat;
use super::bench::{Bench, beats, demand, read, still, until};
use super::{Act, Found, Rule};
use crate::{End, Guarantee};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a-daemon-dies-with-its-command",
        demand: "When a command has ended, nothing of it runs, also not in a session of its own.",
        check: |bench| Box::pin(daemon(bench)),
    },
    Rule {
        name: "a-stop-leaves-time-for-a-goodbye",
        demand: "A command that is stopped gets SIGTERM, and what it says within its grace arrives.",
        check: |bench| Box::pin(goodbye(bench)),
    },
    Rule {
        name: "who-defies-a-stop-is-killed",
        demand: "A command that does not end within its grace is killed.",
        check: |bench| Box::pin(stubborn(bench)),
    },
    Rule {
        name: "a-dropped-process-is-killed",
        demand: "A process that is dropped is killed with all of it, and the next command finds nothing of it.",
        check: |bench| Box::pin(dropped(bench)),
    },
    Rule {
        name: "a-stopped-sandbox-is-empty",
        demand: "When a sandbox was stopped, nothing runs in it.",
        check: |bench| Box::pin(stopped(bench)),
    },
];

async fn daemon(bench: Bench) -> Found {
    bench.claims(Guarantee::KillComplete)?;
    let (spec, here) = bench.spec_with_directory()?;
    let file = here.join("beat");
    let mut running = bench.start(spec).await?;
    read(running.exec(bench.command(&Act::Beat(file.clone(), Beat::Daemon))?).await?).await?.ok()?;
    still(&file).await
}

async fn goodbye(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let mut command = bench.command(&Act::SayGoodbye("goodbye".into()))?;
    command.grace = Duration::from_secs(60);
    let mut process = running.exec(command).await?;
    until(&mut process, "ready").await?;
    process.stopper().stop();
    let said = read(process).await?.text();
    demand(said.contains("goodbye"), || format!("it said {said:?}"))
}

async fn stubborn(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let mut process = running.exec(bench.command(&Act::SayAndDefy("ready".into()))?).await?;
    until(&mut process, "ready").await?;
    process.stopper().stop();
    let end = read(process).await?.exit.end;
    demand(end == End::Stopped, || format!("it is told as {end:?}"))
}

async fn dropped(bench: Bench) -> Found {
    bench.claims(Guarantee::KillComplete)?;
    let (spec, here) = bench.spec_with_directory()?;
    let file = here.join("beat");
    let mut running = bench.start(spec).await?;
    let process = running.exec(bench.command(&Act::Beat(file.clone(), Beat::Stubborn))?).await?;
    beats(&file).await?;
    drop(process);
    // It starts when nothing of the one before is left.
    read(running.exec(bench.command(&Act::Exit(0))?).await?).await?.ok()?;
    still(&file).await
}

async fn stopped(bench: Bench) -> Found {
    bench.claims(Guarantee::KillComplete)?;
    let (spec, here) = bench.spec_with_directory()?;
    let file = here.join("beat");
    let mut running = bench.start(spec).await?;
    let process = running.exec(bench.command(&Act::Beat(file.clone(), Beat::Program))?).await?;
    beats(&file).await?;
    running.stop(Duration::from_millis(300)).await?;
    still(&file).await?;
    let end = read(process).await?.exit.end;
    demand(end == End::Stopped, || format!("its command's end is told as {end:?}"))
}
