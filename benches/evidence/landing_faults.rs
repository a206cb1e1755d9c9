//! `evidence landing-faults`: landings that are killed, starved, raced and obstructed.

mod child;
mod contest;
mod full;
mod kill;
mod scene;
mod tally;

use crate::table::{Evidence, Table};
use crate::{Failure, progress};

pub(crate) use child::{ChildArgs, run as child};
use scene::Doing;
use tally::Tally;

/// The arguments of `evidence landing-faults`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many landings each of two queues makes beside the other, and beside somebody who moves the target.
    #[arg(long, value_name = "N", default_value_t = 25)]
    rounds: usize,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let mut evidence =
        Evidence { command: format!("evidence landing-faults --rounds {}", args.rounds), ..Evidence::default() };
    let mut table = Table::new("Landings with faults", tally::COLUMNS);
    let mut missed = Vec::new();
    let mut account = |name: &str, tally: Tally, missed: &mut Vec<String>| {
        table.row(tally.row(name));
        missed.extend(tally.missed(name));
    };
    match crate::strace::find() {
        None => missed.push("there is no strace, so nothing was killed step by step".into()),
        Some(strace) => {
            for doing in Doing::ALL {
                progress(&format!("kill -9: {}", doing.name()));
                account(&format!("kill -9: {}", doing.name()), kill::all(&strace, doing)?, &mut missed);
            }
        }
    }
    for doing in [Doing::Record, Doing::Land, Doing::Archive] {
        progress(&format!("full disk: {}", doing.name()));
        match full::all(doing)? {
            Ok(tally) => account(&format!("full disk: {}", doing.name()), tally, &mut missed),
            Err(why) => missed.push(format!("full disk: {why}")),
        }
    }
    progress("a foreign writer");
    account("somebody moves the target", contest::foreign(args.rounds)?, &mut missed);
    progress("two queues");
    account("two queues on one target", contest::queues(args.rounds)?, &mut missed);
    progress("a driver that hangs");
    account("a merge driver that hangs", contest::driver()?, &mut missed);
    evidence.tables.push(table);
    evidence.missed = missed;
    Ok(evidence)
}
