//! `evidence queue-sim`: a million changes through the merge queue on a virtual clock, and through what else there is.

mod others;
mod ours;
mod tally;
mod truth;

use std::time::Instant;

use hedgerow_merge::queue::Guarantee;

use self::tally::Tally;
use self::truth::{Field, draw};
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

/// How many times an oracle's wait and runs the queue's may be, when five in a hundred changes fail.
const BAR: f64 = 1.2;
/// The shares of changes that fail.
const BAD: [f64; 4] = [0.02, 0.05, 0.15, 0.28];
/// How many arrive in the time of one gate.
const LOAD: f64 = 6.0;

/// The arguments of `evidence queue-sim`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many changes go through the queue, in sum.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    changes: usize,
    /// The seed of all chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The least likelihood, in thousandths, for which a free gate is used.
    #[arg(long, value_name = "N", default_value_t = 20)]
    thrift: u32,
}

/// One queue that is tried.
struct Arm {
    name: &'static str,
    guarantee: Guarantee,
    certified: f64,
    slots: u32,
    /// Its part of all changes, in hundredths.
    part: usize,
}

const ARMS: [Arm; 4] = [
    Arm { name: "every commit", guarantee: Guarantee::EveryCommit, certified: 0.0, slots: 40, part: 70 },
    Arm {
        name: "every commit, 80 % certified",
        guarantee: Guarantee::EveryCommit,
        certified: 0.8,
        slots: 40,
        part: 15,
    },
    Arm { name: "heads only", guarantee: Guarantee::HeadGreen, certified: 0.0, slots: 4, part: 14 },
    Arm { name: "by scope", guarantee: Guarantee::Scoped, certified: 0.0, slots: 40, part: 1 },
];

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let command =
        format!("evidence queue-sim --changes {} --seed {} --thrift {}", args.changes, args.seed, args.thrift);
    let mut evidence = Evidence { command, ..Evidence::default() };
    let began = Instant::now();
    for arm in &ARMS {
        let title = format!("{}, {} gates at once, {LOAD} arrivals per gate time", arm.name, arm.slots);
        let mut table = Table::new(
            title,
            [
                "fail",
                "queue",
                "landed",
                "runs per landing",
                "gate time",
                "wait P50",
                "P95",
                "mean",
                "P50 of oracle = 1",
                "P95",
                "mean",
                "gate time",
                "escapes",
                "wrongly rejected",
                "pairs named",
            ],
        );
        for bad in BAD {
            progress(&format!("{}, {:.0} % fail", arm.name, bad * 100.0));
            let field = Field {
                changes: args.changes * arm.part / 100 / BAD.len(),
                load: LOAD,
                bad,
                certified: arm.certified,
                pairs: 0.01,
                flakes: 0.005,
                slots: arm.slots,
                seed: args.seed,
                thrift: args.thrift,
            };
            rows(&mut table, &mut evidence, arm, &field)?;
        }
        evidence.tables.push(table);
    }
    progress(&format!("{:.0} seconds", began.elapsed().as_secs_f64()));
    Ok(evidence)
}

fn rows(table: &mut Table, evidence: &mut Evidence, arm: &Arm, field: &Field) -> Result<(), Failure> {
    let changes = draw(field);
    let mut oracle = others::oracle(field, &changes);
    let mut all = vec![
        ("serial", others::serial(field, &changes)),
        ("bisecting batches of 8", others::bisecting(field, &changes)),
        ("blind pipeline", others::blind(field, &changes)),
    ];
    all.insert(0, ("hedgerow", ours::run(field, &mut draw(field), arm.guarantee)?));
    let ours = &mut all[0].1;
    let at = format!("{}, {:.0} % fail", arm.name, field.bad * 100.0);
    if ours.open > 0 || count(ours.waits.len()) + ours.rejected != count(field.changes) {
        evidence.missed.push(format!("{at}: {} changes never ended", ours.open));
    }
    if arm.guarantee != Guarantee::Scoped && ours.escapes > 0 {
        evidence.missed.push(format!("{at}: {} bad commits landed", ours.escapes));
    }
    if arm.guarantee == Guarantee::EveryCommit && arm.certified == 0.0 && (field.bad - 0.05).abs() < 1e-9 {
        let ratios =
            [ratio(ours.wait(50), oracle.wait(50)), ratio(ours.wait(95), oracle.wait(95)), ours.mean() / oracle.mean()];
        for (what, ratio) in ["P50", "P95", "mean"].iter().zip(ratios) {
            if ratio > BAR {
                evidence.missed.push(format!("{at}: {what} wait is {ratio:.2} times the oracle's"));
            }
        }
    }
    for (name, tally) in &mut all {
        row(table, field, name, tally, &mut oracle);
    }
    let mut twin = others::oracle(field, &changes);
    row(table, field, "oracle", &mut oracle, &mut twin);
    Ok(())
}

fn row(table: &mut Table, field: &Field, name: &str, tally: &mut Tally, oracle: &mut Tally) {
    let pairs = if name == "hedgerow" { format!("{} of {}", tally.named, tally.pairs) } else { "–".to_owned() };
    table.row([
        format!("{:.0} %", field.bad * 100.0),
        name.to_owned(),
        format!("{} of {}", tally.waits.len(), field.changes),
        format!("{:.2}", tally.per_landing()),
        format!("{:.2}", tally.busy_per_landing()),
        format!("{:.2}", tally.wait(50)),
        format!("{:.2}", tally.wait(95)),
        format!("{:.2}", tally.mean()),
        format!("{:.2}", ratio(tally.wait(50), oracle.wait(50))),
        format!("{:.2}", ratio(tally.wait(95), oracle.wait(95))),
        format!("{:.2}", ratio(tally.mean(), oracle.mean())),
        format!("{:.2}", ratio(tally.busy_per_landing(), oracle.busy_per_landing())),
        tally.escapes.to_string(),
        tally.wrong.to_string(),
        pairs,
    ]);
}

fn ratio(one: f64, other: f64) -> f64 {
    one / other
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
