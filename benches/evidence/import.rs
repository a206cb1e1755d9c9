//! `evidence import`: what an agent could leave in its private git directory, and what of it gets in.

mod arena;
mod container;
mod dice;
mod draw;
mod history;
mod level;
mod oracle;
mod place;
mod sizes;
mod structure;
mod tally;
mod watch;

use crate::table::Evidence;
use crate::{Failure, progress, usage};

use arena::{Arena, refusals};
use dice::Dice;
use history::Made;
use level::Level;
use oracle::Oracle;
use tally::{Tally, Verdict};
use watch::Watch;

/// The arguments of `evidence import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long it goes on.
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,
    /// Decides the cases.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Makes only the batch of this number, to look at it again.
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// Says what became of each case.
    #[arg(long)]
    verbose: bool,
    /// Takes over views that are large, or stand for something large, instead of drawn ones.
    #[arg(long, conflicts_with_all = ["minutes", "seed", "batch"])]
    sizes: bool,
    /// One of these views, in this process.
    #[arg(long, hide = true, value_name = "N")]
    size: Option<usize>,
}

/// How many cases one repository sees, and one run of git judges.
const BATCH: usize = 200;
/// The largest resident size that all of this may have, in MiB: an index of up to one GiB is read as a whole, and cases
/// put files with holes of every size in its place.
const MEMORY: u64 = 1536;

/// The process of one view, instead of a table.
pub(crate) fn child(args: &Args) -> Option<Result<(), Failure>> {
    args.size.map(sizes::one)
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    if args.sizes {
        return sizes::all();
    }
    let Args { minutes, seed, .. } = *args;
    let mut evidence =
        Evidence { command: format!("evidence import --minutes {minutes} --seed {seed}"), ..Evidence::default() };
    let mut tally = Tally::default();
    let watch = Watch::start();
    let mut number = args.batch.unwrap_or(0);
    loop {
        batch(args, number, &mut tally, &watch)?;
        number += 1;
        if number.is_multiple_of(20) {
            progress(&tally.line());
        }
        if args.batch.is_some() || watch.minutes() >= minutes {
            break;
        }
    }
    tally.panics = watch.panics();
    let (_, peak) = usage::own();
    evidence.missed = tally.missed();
    if peak / 1024 > MEMORY {
        evidence.missed.push(format!("the largest resident size was {} MiB", peak / 1024));
    }
    evidence.tables = tally.tables(seed, number, peak / 1024);
    Ok(evidence)
}

/// One case, as far as it can be looked at again.
struct Case {
    level: Level,
    tip: String,
    refused: Vec<String>,
    /// Whether git can be asked about the same objects.
    compared: bool,
}

fn batch(args: &Args, number: u64, tally: &mut Tally, watch: &Watch) -> Result<(), Failure> {
    let arena = Arena::new()?;
    let mut oracle = Oracle::new(arena.dir(), "oracle.git", &arena.repo())?;
    let mut cases: Vec<Case> = Vec::new();
    for n in 0..BATCH {
        let mut dice =
            Dice::new(args.seed.wrapping_mul(0x1_0000_0001).wrapping_add(number << 16).wrapping_add(n as u64));
        let nonce = format!("{}-{number}-{n}", args.seed);
        let level = level::ALL[dice.below(level::ALL.len())];
        arena.reset()?;
        let made = level.prepare(&mut dice, &arena, n, &nonce)?;
        watch.begin(format!("--seed {} --batch {number}, case {n} ({})", args.seed, level.name()));
        let captured = level.capture(&mut dice, &arena, &made);
        watch.end();
        let case = match captured {
            Ok(capture) => {
                let refused = refusals(&capture).into_iter().map(str::to_owned).collect();
                Case { level, tip: tip(&made), refused, compared: level.is_compared() }
            }
            Err(error) => {
                tally.failed(level, &format!("batch {number} case {n}: {error}"));
                break;
            }
        };
        oracle.add(cases.len(), &made)?;
        if level.is_pack() && n % 8 == 0 {
            let takes = oracle::takes(arena.dir(), &arena.repo(), &arena.view().join("objects/pack/pack-1.pack"))?;
            tally.pack(takes, case.refused.is_empty());
        }
        cases.push(case);
    }
    judge(args, number, &arena, &oracle, &cases, tally)
}

fn tip(made: &[Made]) -> String {
    made.last().map(|made| made.id.to_string()).unwrap_or_default()
}

fn judge(
    args: &Args,
    number: u64,
    arena: &Arena,
    oracle: &Oracle,
    cases: &[Case],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let (sound, complaints) = oracle::fsck(&arena.repo())?;
    let got_in = oracle.blame(&complaints);
    if !sound && got_in.is_empty() {
        tally.unsound(&format!("batch {number}: {:?}", complaints.first()));
    }
    if !arena.is_untouched() {
        tally.unsound(&format!("batch {number}: a file outside was changed"));
    }
    let tips: Vec<String> = cases.iter().map(|case| case.tip.clone()).collect();
    let there = oracle::has(&arena.repo(), &tips)?;
    let judged = oracle.judge()?;
    for (n, (case, there)) in cases.iter().zip(there).enumerate() {
        // Of what got in only that part counts which git finds in the repository itself.
        let judged = if there { &got_in } else { &judged };
        let theirs = case.compared.then(|| judged.get(&n).cloned());
        if let Some(why) = got_in.get(&n).filter(|_| !there || !case.compared) {
            tally.unsound(&format!("batch {number} case {n}: {why}"));
        }
        let verdict = Verdict { accepted: there, refused: &case.refused, theirs: theirs.as_ref() };
        if args.verbose {
            progress(&format!("{number}/{n} {} {there} {:?} {theirs:?}", case.level.name(), case.refused));
        }
        tally.count(case.level, &verdict, &format!("batch {number} case {n}"));
    }
    Ok(())
}
