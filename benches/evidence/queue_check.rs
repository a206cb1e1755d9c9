//! `evidence queue-check`: everything that can happen to a merge queue with a few changes, in every order.

#[path = "../../crates/merge/tests/it/queue/explore.rs"]
mod explore;
mod large;
#[path = "../../crates/merge/tests/it/queue/scenarios.rs"]
mod scenarios;
#[path = "../../crates/merge/tests/it/queue/world.rs"]
mod world;

use crate::random::Random;
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

/// The arguments of `evidence queue-check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// More states than this in one world are a missed bar.
    #[arg(long, value_name = "N", default_value_t = 3_000_000)]
    most: usize,
    /// How many random paths are taken through every world.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    paths: usize,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let command = format!("evidence queue-check --most {} --paths {}", args.most, args.paths);
    let mut evidence = Evidence { command, ..Evidence::default() };
    let mut table = Table::new(
        "Every order of events, and every fault that is listed, after any action",
        ["world", "changes", "guarantee", "states", "steps", "ends", "random paths", "violations"],
    );
    let mut random = Random::new(1);
    for scenario in scenarios::small().into_iter().chain(large::large()) {
        progress(scenario.name);
        let mut violations = 0;
        let explored = explore::explore(&scenario, args.most).unwrap_or_else(|problem| {
            violations += 1;
            evidence.missed.push(problem);
            explore::Explored::default()
        });
        for _ in 0..args.paths {
            let choices: Vec<u16> = (0..40).map(|_| u16::try_from(random.number() % (1 << 16)).unwrap_or(0)).collect();
            if let Err(problem) = explore::wander(&scenario, &choices) {
                violations += 1;
                evidence.missed.push(problem);
                break;
            }
        }
        table.row([
            scenario.name.to_owned(),
            scenario.changes.len().to_string(),
            format!("{:?}", scenario.guarantee),
            explored.states.to_string(),
            explored.steps.to_string(),
            explored.ends.to_string(),
            args.paths.to_string(),
            violations.to_string(),
        ]);
    }
    evidence.tables.push(table);
    Ok(evidence)
}
