//! What a command finds inside.

use std::collections::BTreeSet;

use super::bench::{Bench, demand};
use super::{Act, Failure, Found, Rule};
use crate::{Access, Guarantee, Mount};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "standard-input-arrives-and-ends",
        demand: "Standard input is what the caller gave, and then it ends; given nothing, it ends at once.",
        check: |bench| Box::pin(stdin(bench)),
    },
    Rule {
        name: "standard-input-may-be-ignored",
        demand: "A program that does not read its standard input is no failure.",
        check: |bench| Box::pin(unwanted(bench)),
    },
    Rule {
        name: "the-environment-is-made-from-nothing",
        demand: "The variables are PATH, HOME, TMPDIR, LANG and those of the command; none of the embedding program's arrives.",
        check: |bench| Box::pin(environment(bench)),
    },
    Rule {
        name: "the-working-directory-is-the-commands",
        demand: "A command runs in its working directory.",
        check: |bench| Box::pin(workdir(bench)),
    },
    Rule {
        name: "a-writable-mount-is-shared",
        demand: "What is written to a writable mount is on the host, and what is there can be read inside.",
        check: |bench| Box::pin(mount(bench)),
    },
    Rule {
        name: "a-read-only-mount-stays-as-it-is",
        demand: "Where the lane claims that nothing else of the host can be written, a read-only mount cannot.",
        check: |bench| Box::pin(read_only(bench)),
    },
    Rule {
        name: "a-home-outlives-its-command",
        demand: "A home of the caller's is HOME, and what a command leaves there stays.",
        check: |bench| Box::pin(home(bench)),
    },
];

async fn stdin(bench: Bench) -> Found {
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let seen = bench.run(bench.spec(), bench.command(&Act::Copy)?.stdin(bytes.clone())).await?.ok()?;
    demand(seen.stdout == bytes, || format!("{} of {} bytes arrive, or others", seen.stdout.len(), bytes.len()))?;
    let seen = bench.does(&Act::Copy).await?.ok()?;
    demand(seen.stdout.is_empty(), || format!("given nothing, {:?} arrives", seen.text()))
}

async fn unwanted(bench: Bench) -> Found {
    let command = bench.command(&Act::Ignore)?.stdin(vec![b'x'; 1 << 20]);
    bench.run(bench.spec(), command).await?.ok().map(drop)
}

async fn environment(bench: Bench) -> Found {
    let command = bench.command(&Act::Environment)?.env("GIVEN", "a value");
    let seen = bench.run(bench.spec(), command).await?.ok()?.text();
    demand(seen.lines().any(|line| line == "GIVEN=a value"), || format!("what was given is not in {seen:?}"))?;
    let names: BTreeSet<_> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in ["PATH", "HOME", "TMPDIR", "LANG"] {
        demand(names.contains(name), || format!("{name} is not in {names:?}"))?;
    }
    // As the kernel shows it: what the program was started with. Where that cannot be read, nothing is proven.
    let unread = |e| Failure::NotChecked(format!("/proc/self/environ cannot be read: {e}"));
    let own = std::fs::read("/proc/self/environ").map_err(unread)?;
    let own: BTreeSet<_> = own.split(|b| *b == 0).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect();
    let by_design = ["PATH=", "HOME=", "TMPDIR=", "LANG=", "PWD=", "SHLVL=", "_="];
    let leaked: Vec<_> = seen
        .lines()
        .filter(|line| own.contains(*line) && !by_design.iter().any(|name| line.starts_with(name)))
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    demand(leaked.is_empty(), || format!("of the embedding program arrive {leaked:?}"))
}

async fn workdir(bench: Bench) -> Found {
    let (spec, here) = bench.spec_with_directory()?;
    let mut command = bench.command(&Act::Where)?;
    command.workdir.clone_from(&here);
    let seen = bench.run(spec, command).await?.ok()?.text();
    demand(seen.trim_end() == here.to_string_lossy(), || format!("it runs in {seen:?}, not in {}", here.display()))
}

async fn mount(bench: Bench) -> Found {
    let (spec, here) = bench.spec_with_directory()?;
    let (theirs, ours) = (here.join("theirs"), here.join("ours"));
    std::fs::write(&theirs, "from outside").map_err(unusable)?;
    let seen = bench.run(spec.clone(), bench.command(&Act::Read(theirs))?).await?.ok()?.text();
    demand(seen == "from outside", || format!("inside, {seen:?} is read"))?;
    let spec = crate::Spec { id: bench.spec().id, ..spec };
    bench.run(spec, bench.command(&Act::Write(ours.clone(), "from inside".into()))?).await?.ok()?;
    let seen = std::fs::read_to_string(ours).unwrap_or_default();
    demand(seen == "from inside", || format!("outside, {seen:?} is read"))
}

async fn read_only(bench: Bench) -> Found {
    bench.claims(Guarantee::NoHostWrites)?;
    let (mut spec, here) = bench.spec_with_directory()?;
    let file = here.join("file");
    std::fs::write(&file, "before").map_err(unusable)?;
    spec.mounts = vec![Mount { source: here.clone(), target: here.clone(), access: Access::ReadOnly }];
    let exit = bench.run(spec, bench.command(&Act::Write(file.clone(), "after".into()))?).await?.exit;
    demand(!exit.success(), || "a program that writes there ends well".into())?;
    let seen = std::fs::read_to_string(file).unwrap_or_default();
    demand(seen == "before", || format!("afterwards it holds {seen:?}"))
}

async fn home(bench: Bench) -> Found {
    let (_, here) = bench.spec_with_directory()?;
    let mut spec = bench.spec();
    spec.home = Some(here.clone());
    bench.run(spec, bench.command(&Act::WriteHome("note".into(), "kept".into()))?).await?.ok()?;
    let seen = std::fs::read_to_string(here.join("note")).unwrap_or_default();
    demand(seen == "kept", || format!("afterwards it holds {seen:?}"))
}

fn unusable(error: std::io::Error) -> Failure {
    Failure::NotChecked(format!("the temporary directory cannot be written: {error}"))
}
