//! How output is delivered.

use std::time::Duration;

use super::bench::{Bench, demand, read, until};
use super::{Act, Found, Rule};
use crate::{End, Guarantee, Overflow, Stream};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "each-stream-arrives-whole-and-in-order",
        demand: "What is written to a stream arrives on that stream, whole and in order, without a mark.",
        check: |bench| Box::pin(whole(bench)),
    },
    Rule {
        name: "output-arrives-while-it-runs",
        demand: "Output arrives while the command runs, not when it has ended.",
        check: |bench| Box::pin(live(bench)),
    },
    Rule {
        name: "too-much-output-keeps-both-ends",
        demand: "Of more output than the limit, the beginning and the end arrive, with a mark between that says how much is missing.",
        check: |bench| Box::pin(capped(bench)),
    },
    Rule {
        name: "too-much-output-can-end-it",
        demand: "Where the policy says so, a command that writes more than the limit is ended, and that is how its end is told.",
        check: |bench| Box::pin(ended(bench)),
    },
    Rule {
        name: "a-reader-that-does-not-read-holds-up-nothing",
        demand: "A command that nobody reads runs on and ends by its deadline, and can be stopped.",
        check: |bench| Box::pin(unread(bench)),
    },
];

async fn whole(bench: Bench) -> Found {
    let say = |stream, text: &str| (stream, text.to_owned());
    let pieces =
        vec![say(Stream::Stdout, "one\n"), say(Stream::Stderr, "two\n"), say(Stream::Stdout, "three, it's \u{fc}")];
    let seen = bench.does(&Act::Say(pieces)).await?.ok()?;
    let (out, err) = (seen.text(), String::from_utf8_lossy(&seen.stderr));
    demand(out == "one\nthree, it's \u{fc}", || format!("standard output is {out:?}"))?;
    demand(err == "two\n", || format!("standard error is {err:?}"))?;
    demand(seen.gaps.is_empty(), || format!("there are marks: {:?}", seen.gaps))?;
    let (written, dropped) = (seen.exit.written, seen.exit.dropped);
    demand((written, dropped) == (22, 0), || format!("it counts {written} bytes, and {dropped} dropped"))
}

async fn live(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let mut process = running.exec(bench.command(&Act::SayAndWait("early".into()))?).await?;
    until(&mut process, "early").await?;
    process.stopper().kill();
    read(process).await.map(drop)
}

async fn capped(bench: Bench) -> Found {
    bench.claims(Guarantee::OutputCap)?;
    let mut spec = bench.spec();
    spec.policy.limits.output = 4000;
    let seen = bench.run(spec, bench.command(&Act::Flood(100_000, "the last words".into()))?).await?.ok()?;
    let kept = seen.stdout.len();
    demand(kept <= 4000 && kept > 2000, || format!("{kept} of at most 4000 bytes arrive"))?;
    demand(seen.stdout.starts_with(b"xxx"), || "its beginning does not arrive".into())?;
    demand(seen.stdout.ends_with(b"the last words"), || "its end does not arrive".into())?;
    let missing = 100_014 - kept as u64;
    let marks = vec![(Stream::Stdout, missing)];
    demand(seen.gaps == marks, || format!("the marks are {:?} instead of {marks:?}", seen.gaps))?;
    let counts = (seen.exit.written, seen.exit.dropped);
    demand(counts == (100_014, missing), || format!("it counts {counts:?} bytes written and dropped"))
}

async fn ended(bench: Bench) -> Found {
    bench.claims(Guarantee::OutputCap)?;
    let mut spec = bench.spec();
    (spec.policy.limits.output, spec.policy.limits.overflow) = (4000, Overflow::End);
    let exit = bench.run(spec.clone(), bench.command(&Act::Flood(3000, String::new()))?).await?.exit;
    demand(exit.success(), || format!("a command that stays under the limit ends so: {:?}", exit.end))?;
    spec.id = bench.spec().id;
    let exit = bench.run(spec, bench.command(&Act::FloodForEver)?).await?.exit;
    demand(exit.end == End::OutputLimit, || format!("it is told as {:?}", exit.end))
}

async fn unread(bench: Bench) -> Found {
    bench.claims(Guarantee::WallTime)?;
    let mut running = bench.start(bench.spec()).await?;
    let command = bench.command(&Act::FloodForEver)?.deadline(Duration::from_secs(1));
    let process = running.exec(command).await?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    running.stop(Duration::from_secs(60)).await?;
    let end = read(process).await?.exit.end;
    demand(end == End::Deadline, || format!("it is told as {end:?}"))
}
