//! `evidence worktree-kill`: making, capturing, removing and recovering worktrees, killed.

mod contender;
mod round;
mod scene;
mod steps;

use crate::random::Random;
use crate::table::{Evidence, Table};
use crate::{Failure, progress, strace};

use contender::{Contender, Operation};
use round::Tally;
use scene::Scene;

/// The arguments of `evidence worktree-kill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many kills at random moments, for each row.
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u32,
    /// How many files the repository has.
    #[arg(long, value_name = "N", default_value_t = 400)]
    files: usize,
    /// Decides the moments.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

const ROWS: [(Contender, Operation); 6] = [
    (Contender::Git, Operation::Create),
    (Contender::Gix, Operation::Create),
    (Contender::Hedgerow, Operation::Create),
    (Contender::Hedgerow, Operation::Capture),
    (Contender::Hedgerow, Operation::Release),
    (Contender::Hedgerow, Operation::Recover),
];

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let (rounds, files, seed) = (args.rounds, args.files, args.seed);
    let mut evidence = Evidence {
        command: format!("evidence worktree-kill --rounds {rounds} --files {files} --seed {seed}"),
        ..Evidence::default()
    };
    let title = format!("kill -9 at random moments, {files} files");
    let mut table = Table::new(title, COLUMNS);
    for (contender, operation) in ROWS {
        let scene = Scene::new(files)?;
        let name = format!("{} {}", contender.name(), operation.name());
        let tally = round::random(&scene, contender, operation, rounds, &mut Random::new(seed), &|n| {
            if n % 25 == 0 {
                progress(&format!("{name}: {n} of {rounds}"));
            }
        })?;
        account(&mut evidence, &mut table, &name, contender, &tally);
    }
    evidence.tables.push(table);

    let mut table = Table::new("kill -9 before every system call that changes anything, one after the other", COLUMNS);
    match strace::find() {
        None => evidence.missed.push("there is no strace, so nothing was killed step by step".into()),
        Some(strace) => {
            for (contender, operation) in ROWS.into_iter().filter(|(contender, _)| *contender == Contender::Hedgerow) {
                let scene = Scene::new(steps::FILES)?;
                let name = format!("{} {}", contender.name(), operation.name());
                progress(&format!("{name}, step by step"));
                let tally = steps::all(&strace, &scene, operation)?;
                account(&mut evidence, &mut table, &name, contender, &tally);
            }
        }
    }
    evidence.tables.push(table);
    Ok(evidence)
}

const COLUMNS: [&str; 12] = [
    "what was killed",
    "kills",
    "done by then",
    "entries left",
    "half trees",
    "branches left",
    "retries that fail",
    "git commands that fail",
    "ref locks in their way",
    "left after recovery",
    "retries that fail then",
    "bytes lost",
];

fn account(evidence: &mut Evidence, table: &mut Table, name: &str, contender: Contender, tally: &Tally) {
    let recovers = contender == Contender::Hedgerow;
    let after = |n: usize| if recovers { n.to_string() } else { "no recovery".into() };
    let works = |n: u64| if tally.worked { n.to_string() } else { "-".into() };
    table.row([
        name.to_owned(),
        tally.kills.to_string(),
        tally.done.to_string(),
        tally.entries.to_string(),
        tally.half.to_string(),
        tally.branches.to_string(),
        tally.retries.to_string(),
        tally.broken.len().to_string(),
        tally.locked.to_string(),
        after(tally.left.len()),
        after(tally.retries_after),
        works(tally.lost),
    ]);
    if !recovers {
        return;
    }
    let mut miss = |what: String| evidence.missed.push(format!("{name}: {what}"));
    tally.broken.iter().chain(&tally.left).take(5).cloned().for_each(&mut miss);
    if tally.half > 0 {
        miss(format!("{} half trees for all to see", tally.half));
    }
    if tally.retries_after > 0 {
        miss(format!("{} retries failed after a recovery", tally.retries_after));
    }
    if tally.lost > 0 {
        miss(format!("{} bytes of work were lost", tally.lost));
    }
}
