//! `evidence engine-faults`: an engine of its own, killed and starved while commands run on it.

mod child;
mod door;
mod engine;
mod fault;
mod round;
mod tally;

use crate::random::Random;
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

pub(crate) use child::{Args as ChildArgs, run as child};
use engine::{Engine, Restore};
use fault::Fault;
use tally::Tally;

/// The arguments of `evidence engine-faults`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often each thing is done to the engine, with live-restore and without.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: u32,
    /// Decides the moments.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Does only what has this in its name.
    #[arg(long, default_value = "")]
    only: String,
}

const COLUMNS: [&str; 11] = [
    "what was done to the engine",
    "live-restore",
    "times",
    "refused",
    "lost",
    "whole",
    "stopped",
    "false",
    "hung",
    "ran twice",
    "left over",
];

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let Args { rounds, seed, ref only } = *args;
    let mut evidence =
        Evidence { command: format!("evidence engine-faults --rounds {rounds} --seed {seed}"), ..Evidence::default() };
    let image = engine::saved_image()?;
    // Each on an engine and a thread of its own.
    let rows = std::thread::scope(|scope| {
        let both = [Restore::Off, Restore::On].map(|restore| {
            let image = image.path().to_owned();
            scope.spawn(move || all(restore, &image, (rounds, seed), only))
        });
        both.map(|half| half.join().unwrap_or_else(|_| Err("one of the engines' threads ended early".into())))
    });
    let mut table = Table::new("An engine killed and starved while commands run on it", COLUMNS);
    let [off, on] = rows;
    for (off, on) in off?.into_iter().zip(on?) {
        for (fault, restore, tally) in [off, on] {
            let name = format!("{}, live-restore {}", fault.name(), restore.name());
            table.row(tally.cells(fault.name(), restore.name()));
            evidence.missed.extend(tally.missed(&name));
        }
    }
    evidence.tables.push(table);
    Ok(evidence)
}

type Row = (Fault, Restore, Tally);

fn all(restore: Restore, image: &std::path::Path, (rounds, seed): (u32, u64), only: &str) -> Result<Vec<Row>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut random = Random::new(seed);
    let mut rows = Vec::new();
    let mut engine = Engine::start(restore, image)?;
    for fault in Fault::ALL.into_iter().filter(|fault| fault.name().contains(only)) {
        let mut tally = Tally::default();
        for n in 0..rounds {
            runtime.block_on(round::one(&mut engine, fault, &mut random, &mut tally))?;
            if n + 1 == rounds {
                progress(&tally.cells(fault.name(), restore.name()).join(" | "));
            }
        }
        let name = format!("{}, live-restore {}", fault.name(), restore.name());
        for missed in tally.missed(&name) {
            progress(&missed);
        }
        rows.push((fault, restore, tally));
    }
    Ok(rows)
}
