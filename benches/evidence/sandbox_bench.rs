//! `evidence sandbox-bench`: what a sandbox costs, against a plain spawn, bubblewrap and `docker run`, all in one run.

mod arm;
mod bubblewrap;
mod crowd;
mod engine;
mod floor;
mod idle;
mod place;
mod warm;

use std::collections::BTreeMap;

use self::arm::{Arm, Bar};
use self::place::Place;
use crate::lane::Lanes;
use crate::table::{Evidence, Table};
use crate::worktree_bench::median;
use crate::{Failure, progress};

/// The arguments of `evidence sandbox-bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The isolated lanes to measure.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
    /// How often each is measured, in turn; what takes an engine a tenth as often.
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// How many run at once; none to leave that out.
    #[arg(long, default_value_t = 100)]
    crowd: usize,
    /// Only what has this in its name, and a plain spawn.
    #[arg(long, default_value = "")]
    only: String,
    /// How many containers run at once; none to leave that out.
    #[arg(long, default_value_t = 20)]
    containers: usize,
    /// How many idle sandboxes the memory is measured of; none to leave that out.
    #[arg(long, default_value_t = 10)]
    idle: usize,
}

/// Seconds, by what was measured, and what failed.
#[derive(Debug, Default)]
struct Samples {
    seconds: BTreeMap<Arm, Vec<f64>>,
    failed: Vec<String>,
}

impl Samples {
    fn median(&self, arm: Arm) -> Option<f64> {
        median(self.seconds.get(&arm).cloned().unwrap_or_default())
    }
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut evidence = Evidence {
        command: format!("evidence sandbox-bench --lane {} --rounds {}", args.lane.name(), args.rounds),
        ..Evidence::default()
    };
    let mut place = runtime.block_on(Place::open(args.lane))?;
    let wanted = |arm: &Arm| place.has(*arm) && (*arm == Arm::Plain || arm.title().contains(&args.only));
    let (heavy, light): (Vec<_>, Vec<_>) = Arm::ALL.into_iter().filter(wanted).partition(|arm| arm.heavy());
    let mut samples = Samples::default();
    runtime.block_on(measure(&mut place, &light, args.rounds, &mut samples));
    // Nothing is made in the background while the light ones are measured.
    runtime.block_on(place.warm_up())?;
    runtime.block_on(measure(&mut place, &heavy, args.rounds.div_ceil(10), &mut samples));
    runtime.block_on(place.cool_down())?;
    costs(&samples, &mut evidence);
    evidence.missed.append(&mut samples.failed);
    if args.crowd > 0 {
        runtime.block_on(crowd::table(&place, args.crowd, &mut evidence))?;
    }
    if args.containers > 0 {
        runtime.block_on(crowd::containers(&place, args.containers, &mut evidence))?;
    }
    if args.idle > 0 {
        runtime.block_on(idle::table(&place, args.idle, &mut evidence))?;
    }
    Ok(evidence)
}

/// Takes all measurements in turn, so that what disturbs the machine disturbs all of them alike.
async fn measure(place: &mut Place, arms: &[Arm], rounds: usize, samples: &mut Samples) {
    for round in 0..rounds {
        if round % 10 == 0 && !arms.is_empty() {
            progress(&format!("round {} of {rounds}, {} in turn", round + 1, arms.len()));
        }
        for turn in 0..arms.len() {
            // Each begins as often as every other one, so that none always comes right after the same one.
            let arm = arms[(turn + round) % arms.len()];
            match place.once(arm).await {
                // What is read for the first time is slower.
                Ok(seconds) if round > 0 || rounds == 1 => {
                    samples.seconds.entry(arm).or_default().push(seconds);
                }
                Ok(_) => {}
                Err(error) => samples.failed.push(format!("{}: {error}", arm.title())),
            }
        }
    }
}

fn costs(samples: &Samples, evidence: &mut Evidence) {
    let mut table = Table::new(
        "One command, `true`",
        ["what", "of a plain spawn", "of the floor", "of its counterpart", "its counterpart", "at most"],
    );
    let (plain, floor) = (samples.median(Arm::Plain), samples.median(Arm::Floor));
    for arm in Arm::ALL {
        let Some(own) = samples.median(arm) else { continue };
        let counterpart = arm.counterpart().and_then(|other| Some((other, samples.median(other)?)));
        let of_plain = plain.map(|plain| own / plain);
        let of_floor = floor.filter(|_| !arm.heavy()).map(|floor| own / floor);
        let of_other = counterpart.map(|(_, other)| own / other);
        let mut said = Vec::new();
        for bar in arm.bars() {
            let (ratio, most, what) = match *bar {
                Bar::OfPlainOrFloor(most, _) if of_plain.is_some_and(|ratio| ratio <= most) => {
                    (of_plain, most, "of a plain spawn")
                }
                Bar::OfPlainOrFloor(plain, most) => match floor.zip(samples.median(Arm::Plain)) {
                    // What the kernel alone takes leaves no room below.
                    Some((floor, spawn)) if floor * most > spawn * plain => (of_floor, most, "of the floor"),
                    _ => (of_plain, plain, "of a plain spawn"),
                },
                Bar::OfCounterpart(most) => (of_other, most, "of its counterpart"),
            };
            let met = ratio.is_some_and(|ratio| ratio <= most);
            said.push(format!("{most} {what}{}", if met { "" } else { ": MISSED" }));
            if !met {
                let found = ratio.map_or_else(|| "nothing".to_owned(), |ratio| format!("{ratio:.2}"));
                evidence.missed.push(format!("{}: {found} {what} instead of at most {most}", arm.title()));
            }
        }
        let figure = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        table.row([
            arm.title().to_owned(),
            figure(of_plain),
            figure(of_floor),
            figure(of_other),
            counterpart.map_or("-", |(other, _)| other.title()).to_owned(),
            if said.is_empty() { "-".to_owned() } else { said.join(", ") },
        ]);
    }
    evidence.tables.push(table);
}
