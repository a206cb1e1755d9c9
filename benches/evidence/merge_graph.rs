//! `evidence merge-graph`: who conflicts with whom among many real changes, and what it costs to know.

mod oracle;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hedgerow_merge::queue::ChangeId;
use hedgerow_merge::{Forecast, Repository};

use crate::table::{Evidence, Table};
use crate::topics::{self, Topic};
use crate::{Failure, clone, merge_replay, progress, usage};

/// The arguments of `evidence merge-graph`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository whose merged topics are taken; it is copied, and only read.
    #[arg(long, value_name = "PATH")]
    repo: PathBuf,
    /// How many branches.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    branches: usize,
    /// How many pairs that were not merged to know are merged by git to see.
    #[arg(long, value_name = "N", default_value_t = 4000)]
    checked: usize,
}

/// The most that the whole picture may take.
const WHOLE: Duration = Duration::from_secs(2);
/// The most that one changed branch may take, by the median.
const ONE: Duration = Duration::from_millis(5);

type Pair = (usize, usize);

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let place = clone::temporary()?;
    let copy = merge_replay::copied(&args.repo, place.path())?;
    let (target, topics) = topics::transplanted(&copy, args.branches)?;
    progress(&format!("{} topics stand on one commit", topics.len()));

    let repository = Repository::open(&copy)?;
    let (mut forecast, whole) = picture(&repository, &target, &topics)?;
    let peak = usage::own().1;
    let one = each(&mut forecast, &topics)?;
    let (related, clashes) = pairs(&forecast, topics.len());
    progress(&format!("{} pairs are related, {} conflict; git looks at them", related.len(), clashes.len()));
    let seen = compared(args, &copy, &topics, &related, &clashes)?;

    let mut evidence =
        Evidence { command: format!("evidence merge-graph --repo {}", args.repo.display()), ..Evidence::default() };
    let mut graph = Table::new(
        format!("{} branches on one commit", topics.len()),
        ["pairs", "same file", "conflict", "whole picture s", "one branch ms P50", "P99", "worst", "peak MiB"],
    );
    let pairs = topics.len() * topics.len().saturating_sub(1) / 2;
    let ms = |at: Duration| format!("{:.2}", at.as_secs_f64() * 1000.0);
    let nth = |percent: usize| one[(one.len() - 1) * percent / 100];
    graph.row([
        pairs.to_string(),
        related.len().to_string(),
        clashes.len().to_string(),
        format!("{:.2}", whole.as_secs_f64()),
        ms(nth(50)),
        ms(nth(99)),
        ms(nth(100)),
        (peak / 1024).to_string(),
    ]);
    let mut judged =
        Table::new("The same pairs, merged by git", ["said", "pairs", "looked at", "git agrees", "git does not"]);
    for row in &seen {
        let differ = row.wrong.len();
        judged.row([
            row.said.into(),
            row.pairs.to_string(),
            row.looked.to_string(),
            (row.looked - differ).to_string(),
            differ.to_string(),
        ]);
        for (one, other) in &row.wrong {
            evidence.missed.push(format!(
                "{}: git does not agree about {} and {}",
                row.said, topics[*one].name, topics[*other].name
            ));
        }
    }
    evidence.tables = vec![graph, judged];
    if whole > WHOLE {
        evidence.missed.push(format!(
            "the whole picture took {:.2} s instead of {} s",
            whole.as_secs_f64(),
            WHOLE.as_secs()
        ));
    }
    if nth(50) > ONE {
        evidence.missed.push(format!("one branch took {} ms instead of {} ms", ms(nth(50)), ONE.as_millis()));
    }
    Ok(evidence)
}

fn picture(repository: &Repository, target: &str, topics: &[Topic]) -> Result<(Forecast, Duration), Failure> {
    let target = hedgerow_merge::CommitId::new(target)?;
    let tips: Vec<_> = topics.iter().map(|topic| (ChangeId::new(&*topic.name), topic.tip.clone())).collect();
    let mut forecast = Forecast::new(repository, target);
    let started = Instant::now();
    forecast.update(tips)?;
    Ok((forecast, started.elapsed()))
}

/// How long each branch takes that comes anew beside all others.
fn each(forecast: &mut Forecast, topics: &[Topic]) -> Result<Vec<Duration>, Failure> {
    let mut taken = Vec::new();
    for topic in topics {
        let change = ChangeId::new(&*topic.name);
        forecast.remove(&change);
        let started = Instant::now();
        forecast.update([(change, topic.tip.clone())])?;
        taken.push(started.elapsed());
    }
    taken.sort();
    Ok(taken)
}

/// The pairs that touch the same files, and those that conflict.
fn pairs(forecast: &Forecast, count: usize) -> (BTreeSet<Pair>, BTreeSet<Pair>) {
    let number = |change: &ChangeId| topics::number(change.as_str());
    let pair = |one: usize, other: usize| (one.min(other), one.max(other));
    let mut related = BTreeSet::new();
    for one in 0..count {
        let change = ChangeId::new(topics::name(one));
        related.extend(forecast.related(&change).map(|(other, _)| pair(one, number(other))));
    }
    let clashes = forecast.clashes().map(|clash| pair(number(&clash.one), number(&clash.other))).collect();
    (related, clashes)
}

/// What was said of some pairs, and where git says otherwise.
struct Seen {
    said: &'static str,
    pairs: usize,
    looked: usize,
    wrong: Vec<Pair>,
}

fn compared(
    args: &Args,
    copy: &std::path::Path,
    topics: &[Topic],
    related: &BTreeSet<Pair>,
    clashes: &BTreeSet<Pair>,
) -> Result<Vec<Seen>, Failure> {
    let all = (0..topics.len()).flat_map(|one| (one + 1..topics.len()).map(move |other| (one, other)));
    let apart: Vec<Pair> = all.filter(|pair| !related.contains(pair)).collect();
    let beside: Vec<Pair> = related.difference(clashes).copied().collect();
    let clashes: Vec<Pair> = clashes.iter().copied().collect();
    let groups = [
        ("they conflict", clashes, true),
        ("same file, no conflict", beside, false),
        ("nothing in common", apart, false),
    ];
    let mut seen = Vec::new();
    for (said, pairs, conflict) in groups {
        let step = pairs.len().div_ceil(args.checked.max(1)).max(1);
        let some: Vec<Pair> = pairs.iter().copied().step_by(step).collect();
        let git = oracle::conflicts(copy, &some, topics)?;
        let wrong = some.iter().zip(git).filter(|(_, git)| *git != conflict).map(|(pair, _)| *pair).collect();
        seen.push(Seen { said, pairs: pairs.len(), looked: some.len(), wrong });
    }
    Ok(seen)
}
