//! What a lane refuses, before anything starts.

use std::path::Path;

use super::bench::{Bench, demand, error_of};
use super::{Act, Failure, Found, Rule};
use crate::{Access, Command, Coverage, Error, Guarantee, Mount, Network, Policy, Spec, Strength};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "what-is-not-enforced-is-refused",
        demand: "A policy that requires what the lane does not enforce is refused, with exactly what is missing and a reason.",
        check: |bench| Box::pin(missing(bench)),
    },
    Rule {
        name: "what-is-covered-in-part-needs-consent",
        demand: "What is covered in part is refused unless the policy accepts that, and accepted if it does.",
        check: |bench| Box::pin(partial(bench)),
    },
    Rule {
        name: "a-contradiction-is-refused",
        demand: "A policy that wants no network and the host's is refused.",
        check: |bench| Box::pin(contradiction(bench)),
    },
    Rule {
        name: "a-mount-that-cannot-be-is-refused",
        demand: "A mount whose source does not exist, or whose path is relative or has '..', is refused as invalid.",
        check: |bench| Box::pin(mounts(bench)),
    },
    Rule {
        name: "a-command-that-cannot-be-is-refused",
        demand: "A command without a name, with a NUL byte, with a relative directory or a variable without a name is refused.",
        check: |bench| Box::pin(commands(bench)),
    },
    Rule {
        name: "a-program-that-is-not-there-is-named",
        demand: "A program that does not exist is an error of its own kind that names it, not an exit.",
        check: |bench| Box::pin(program(bench)),
    },
];

fn requiring(bench: &Bench, guarantee: Guarantee, strength: Strength) -> Spec {
    let mut spec = bench.spec();
    // With a network it could be the contradiction that is refused.
    spec.policy = Policy { required: [(guarantee, strength)].into(), network: Network::None, ..spec.policy };
    spec
}

async fn missing(bench: Bench) -> Found {
    let mut lacking = Vec::new();
    for guarantee in Guarantee::ALL {
        let Coverage::Unenforced(why) = bench.sandbox.coverage(guarantee) else { continue };
        demand(!why.is_empty(), || format!("it does not say why it does not enforce {guarantee}"))?;
        // Whoever reaches nobody reaches nobody that is not listed.
        if guarantee != Guarantee::Egress {
            lacking.push(guarantee);
        }
    }
    for guarantee in &lacking {
        refused(&bench, requiring(&bench, *guarantee, Strength::AtLeastPartial), &[*guarantee]).await?;
    }
    let mut all = requiring(&bench, Guarantee::WallTime, Strength::AtLeastPartial);
    all.policy.required = lacking.iter().map(|g| (*g, Strength::AtLeastPartial)).collect();
    if lacking.is_empty() { Ok(()) } else { refused(&bench, all, &lacking).await }
}

async fn refused(bench: &Bench, spec: Spec, expected: &[Guarantee]) -> Found {
    match bench.sandbox.start(spec).await {
        Err(Error::Refused { lane, shortfalls }) => {
            let found: Vec<_> = shortfalls.iter().map(|s| s.guarantee).collect();
            demand(found == expected, || format!("asked for {expected:?}, it says that {found:?} is missing"))?;
            demand(shortfalls.iter().all(|s| !s.why.is_empty()), || "it does not say why".into())?;
            demand(lane == bench.sandbox.name(), || format!("it calls itself {lane}"))
        }
        Err(error) => Err(Failure::Broken(format!("asked for {expected:?}, it fails otherwise: {error:?}"))),
        Ok(_) => Err(Failure::Broken(format!("asked for {expected:?}, it starts"))),
    }
}

async fn partial(bench: Bench) -> Found {
    let partial = |g: &Guarantee| matches!(bench.sandbox.coverage(*g), Coverage::Partial(_));
    let Some(guarantee) = Guarantee::ALL.into_iter().find(|g| partial(g) && *g != Guarantee::Egress) else {
        return Err(Failure::NotChecked("the lane covers nothing in part".into()));
    };
    refused(&bench, requiring(&bench, guarantee, Strength::Full), &[guarantee]).await?;
    bench.start(requiring(&bench, guarantee, Strength::AtLeastPartial)).await.map(drop)
}

async fn contradiction(bench: Bench) -> Found {
    let mut spec = requiring(&bench, Guarantee::NoNetwork, Strength::AtLeastPartial);
    spec.policy.network = Network::Host;
    refused(&bench, spec, &[Guarantee::NoNetwork]).await
}

async fn mounts(bench: Bench) -> Found {
    let (spec, here) = bench.spec_with_directory()?;
    let missing = here.join("missing");
    for (source, target) in [
        (&*missing, &*missing),
        (Path::new("relative"), &here),
        (&here, Path::new("relative")),
        (&here, &here.join("../up")),
    ] {
        let mut spec = Spec { id: bench.spec().id, ..spec.clone() };
        spec.mounts = vec![Mount { source: source.into(), target: target.into(), access: Access::ReadWrite }];
        match bench.sandbox.start(spec).await {
            Err(Error::InvalidSpec { .. }) => {}
            other => {
                let (from, to) = (source.display(), target.display());
                return Err(Failure::Broken(format!("a mount of {from} at {to} leads to {other:?}")));
            }
        }
    }
    Ok(())
}

async fn commands(bench: Bench) -> Found {
    let good = bench.command(&Act::Exit(0))?;
    let mut running = bench.start(bench.spec()).await?;
    let impossible = [
        Command { program: "".into(), ..good.clone() },
        good.clone().args(["a\0b"]),
        good.clone().env("", "value"),
        good.clone().env("A=B", "value"),
        good.clone().env("A", "a\0b"),
        Command { workdir: "relative".into(), ..good.clone() },
        Command { workdir: "/tmp/../tmp".into(), ..good },
    ];
    for command in impossible {
        let error = error_of(&mut running, command.clone()).await?;
        let invalid = matches!(error, Error::InvalidSpec { .. });
        demand(invalid, || format!("{command:?} leads to {error:?}"))?;
    }
    Ok(())
}

async fn program(bench: Bench) -> Found {
    let mut running = bench.start(bench.spec()).await?;
    let error = error_of(&mut running, Command::new("/no/such/program", "/")).await?;
    let Error::Program { program, .. } = &error else {
        return Err(Failure::Broken(format!("it is this error: {error:?}")));
    };
    demand(program.ends_with("no/such/program"), || format!("it names {}", program.display()))?;
    let good = bench.command(&Act::Exit(0))?;
    super::bench::read(running.exec(good).await?).await?.ok().map(drop)
}
