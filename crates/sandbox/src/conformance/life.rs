//! From the start of a sandbox to its stop, and who finds it.

use std::time::Duration;

use super::bench::{Bench, demand, read, until};
use super::{Act, Failure, Found, Rule};
use crate::{Error, SandboxId, Stopped};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a-lane-has-a-name",
        demand: "A lane has a word for messages and records, always the same.",
        check: |bench| Box::pin(name(bench)),
    },
    Rule {
        name: "commands-run-one-after-the-other",
        demand: "A sandbox runs one command after the other, and refuses a second one while one is underway.",
        check: |bench| Box::pin(one_at_a_time(bench)),
    },
    Rule {
        name: "a-stop-says-what-it-found",
        demand: "Stopping a sandbox says whether something still ran.",
        check: |bench| Box::pin(stop(bench)),
    },
    Rule {
        name: "who-was-not-adopted-resumes-nothing",
        demand: "A sandbox that was started has no command of an earlier process.",
        check: |bench| Box::pin(resume(bench)),
    },
    Rule {
        name: "a-stopped-sandbox-is-gone",
        demand: "A sandbox that was stopped is neither listed nor adopted, and its name can be used again.",
        check: |bench| Box::pin(gone(bench)),
    },
    Rule {
        name: "a-list-is-by-labels",
        demand: "Sandboxes are listed only under labels that they carry, all of them.",
        check: |bench| Box::pin(labels(bench)),
    },
    Rule {
        name: "an-unknown-sandbox-is-not-adopted",
        demand: "Adopting what does not exist finds nothing, and is no error.",
        check: |bench| Box::pin(unknown(bench)),
    },
    Rule {
        name: "sandboxes-do-not-wait-for-each-other",
        demand: "Two sandboxes run at the same time.",
        check: |bench| Box::pin(two(bench)),
    },
];

async fn name(bench: Bench) -> Found {
    let (first, second) = (bench.sandbox.name(), bench.sandbox.name());
    demand(!first.is_empty() && first == second, || format!("it is called {first:?} and {second:?}"))
}

async fn one_at_a_time(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    for code in [0, 3] {
        let exit = read(running.exec(bench.command(&Act::Exit(code))?).await?).await?.exit;
        demand(exit.success() == (code == 0), || format!("status {code} is told as {:?}", exit.end))?;
    }
    let mut first = running.exec(bench.command(&Act::SayAndWait("ready".into()))?).await?;
    until(&mut first, "ready").await?;
    match running.exec(bench.command(&Act::Exit(0))?).await {
        Err(Error::InvalidSpec { .. }) => {}
        other => return Err(Failure::Broken(format!("a second command leads to {other:?}"))),
    }
    first.stopper().kill();
    read(first).await?;
    read(running.exec(bench.command(&Act::Exit(0))?).await?).await?.ok().map(drop)
}

async fn stop(bench: Bench) -> Found {
    let running = bench.start(bench.spec()).await?;
    let found = running.stop(Duration::ZERO).await?;
    demand(found == Stopped::Idle, || format!("of one that did nothing it says {found:?}"))?;
    let mut running = bench.start(bench.spec()).await?;
    let mut process = running.exec(bench.command(&Act::SayAndDefy("ready".into()))?).await?;
    until(&mut process, "ready").await?;
    let found = running.stop(Duration::ZERO).await?;
    demand(found == Stopped::Killed, || format!("of one that was at work it says {found:?}"))?;
    read(process).await.map(drop)
}

async fn resume(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let found = running.resume().await?;
    demand(found.is_none(), || "it resumes something".into())
}

async fn gone(bench: Bench) -> Found {
    let spec = bench.spec();
    for _ in 0..2 {
        let mut running = bench.start(spec.clone()).await?;
        read(running.exec(bench.command(&Act::Exit(0))?).await?).await?.ok()?;
        running.stop(Duration::ZERO).await?;
        let listed = bench.sandbox.list(&bench.labels()).await?;
        demand(!listed.contains(&spec.id), || "it is still listed".into())?;
        let adopted = bench.sandbox.adopt(&spec.id).await?;
        demand(adopted.is_none(), || "it is still adopted".into())?;
    }
    Ok(())
}

async fn labels(bench: Bench) -> Found {
    let spec = bench.spec();
    let _running = bench.start(spec.clone()).await?;
    let carried = bench.sandbox.list(&bench.labels()).await?;
    demand(carried.iter().all(|id| *id == spec.id), || format!("{carried:?} are listed under its own labels"))?;
    for (key, value) in [("conformance", "another value"), ("another-key", "value")] {
        let mut others = bench.labels();
        others.insert(key.into(), value.into());
        let found = bench.sandbox.list(&others).await?;
        demand(found.is_empty(), || format!("{found:?} are listed under {others:?}"))?;
    }
    Ok(())
}

async fn unknown(bench: Bench) -> Found {
    let found = bench.sandbox.adopt(&SandboxId::new("there-is-no-such-sandbox")?).await?;
    demand(found.is_none(), || "it adopts something".into())
}

async fn two(bench: Bench) -> Found {
    let (mut one, mut two) = (bench.start(bench.spec()).await?, bench.start(bench.spec()).await?);
    let mut first = one.exec(bench.command(&Act::SayAndWait("ready".into()))?).await?;
    until(&mut first, "ready").await?;
    read(two.exec(bench.command(&Act::Exit(0))?).await?).await?.ok()?;
    first.stopper().kill();
    read(first).await.map(drop)
}
