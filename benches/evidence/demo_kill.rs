//! `evidence demo-kill`: the fleet is killed at random moments, recovered, and run to its end.

mod round;

use std::path::PathBuf;

use crate::clone::Template;
use crate::fleet24;
use crate::fleetrun::Program;
use crate::lane::Lanes;
use crate::plan::AGENTS;
use crate::random::Random;
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

use round::{Also, Round, Seen};

/// The arguments of `evidence demo-kill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the agents run.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
    /// The repository to copy; only read.
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
    /// How many kills, each on a fresh copy.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u32,
    /// How many agents work at once.
    #[arg(long, value_name = "N", default_value_t = 8)]
    parallel: usize,
    /// Decides the moments.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    progress("copying the repository");
    let template = Template::of(&args.repo)?;
    let (lane, rounds, parallel, seed) = (args.lane.name(), args.rounds, args.parallel, args.seed);
    let mut evidence = Evidence {
        command: format!("evidence demo-kill --lane {lane} --rounds {rounds} --parallel {parallel} --seed {seed}"),
        ..Evidence::default()
    };
    for lane in args.lane.each() {
        let program = Program::find(lane, parallel)?;
        progress(&format!("{} lane, undisturbed", lane.name()));
        let mut whole = fleet24::undisturbed(&program, &template.copy()?, &template.files)?.wall;
        let title =
            format!("kill -9 of the fleet in the {} lane: {AGENTS} agents, {} files", lane.name(), template.size);
        let mut table = Table::new(title, COLUMNS);
        let mut random = Random::new(seed);
        let mut at_work = 0;
        for number in 1..=rounds {
            let also = Also::of(number);
            let moments = [random.fraction(), random.fraction()];
            progress(&format!("{} lane, kill {number} of {rounds} at {:.2} of the run", lane.name(), moments[0]));
            let mut round = Round { program: &program, template: &template, whole, moments, also };
            let seen = round.run()?;
            whole = round.whole;
            at_work += seen.adopted + seen.abandoned;
            evidence.missed.extend(seen.misses().map(|miss| format!("{} lane, round {number}: {miss}", lane.name())));
            table.row(cells(number, &seen));
        }
        if at_work == 0 {
            evidence.missed.push(format!("{} lane: no kill met an agent at work; use more rounds", lane.name()));
        }
        evidence.tables.push(table);
    }
    Ok(evidence)
}

const COLUMNS: [&str; 11] = [
    "round",
    "killed at",
    "also",
    "at the kill",
    "waited for",
    "put away",
    "markers",
    "lost",
    "run twice",
    "landed twice",
    "left over",
];

fn cells(number: u32, seen: &Seen) -> [String; 11] {
    [
        number.to_string(),
        format!("{:.2}", seen.killed),
        seen.also.clone(),
        seen.stages.clone(),
        seen.adopted.to_string(),
        seen.abandoned.to_string(),
        seen.wanted.to_string(),
        seen.lost.len().to_string(),
        seen.doubled_runs.len().to_string(),
        seen.doubled_landings.len().to_string(),
        seen.left.len().to_string(),
    ]
}
