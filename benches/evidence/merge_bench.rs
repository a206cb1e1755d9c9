//! `evidence merge-bench`: what a merge costs, beside git's co-process, one after the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hedgerow_merge::Repository;

use crate::merge_replay::oracle::CoProcess;
use crate::merge_replay::pairs::{self, Group, Pair};
use crate::merge_replay::{Replayed, copied, trial};
use crate::quantile::{at, ms, sorted};
use crate::table::{Evidence, Table};
use crate::{Failure, clone, git, progress, usage};

/// The arguments of `evidence merge-bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A repository whose merges are made again; it is copied, and only read. Can be given more than once.
    #[arg(long, value_name = "PATH", required = true)]
    repo: Vec<PathBuf>,
    /// At most so many merges of each, spread over the whole history.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    sample: usize,
}

/// The most that ours may cost as a multiple of git's, by the median and at p99.
const BARS: [(&str, f64, f64); 2] = [("the median", 0.5, 1.0), ("p99", 0.99, 2.0)];
/// Where the costs are compared.
const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 1.0];

/// What the merges of one repository cost, ours and git's.
#[derive(Debug, Default)]
struct Costs {
    each: Vec<[Duration; 2]>,
    worst: (Duration, String),
    /// Merges that did not come to the same, each in a line.
    differ: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let mut command = "evidence merge-bench".to_owned();
    for repo in &args.repo {
        command.push_str(&format!(" --repo {}", repo.display()));
    }
    command.push_str(&format!(" --sample {}", args.sample));
    let mut evidence = Evidence { command, ..Evidence::default() };
    let mut table = Table::new(
        "Processor time of a merge, in ms",
        ["repository", "commit-graph", "merges", "who", "P50", "P90", "P99", "worst", "sum"],
    );
    let mut worst = Table::new("Our worst merges", ["repository", "commit-graph", "ms", "merge"]);
    for source in &args.repo {
        let name = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy().into_owned();
        let place = clone::temporary()?;
        let copy = copied(source, place.path())?;
        let pairs = pairs::spread(pairs::all(&copy)?, args.sample);
        let groups = pairs::grouped(&copy, pairs)?;
        for graph in ["yes", "no"] {
            // What a shared copy has, its origin may have too, so both programs are told not to look.
            git::git(&copy, &["config", "core.commitGraph", if graph == "yes" { "true" } else { "false" }])?;
            progress(&format!("{name}, commit-graph: {graph}"));
            let costs = measure(&copy, &groups)?;
            account(&mut table, [&name, graph], &costs, &mut evidence.missed);
            worst.row([name.as_str(), graph, &ms(costs.worst.0), &costs.worst.1]);
            let differ = costs.differ.iter().take(5);
            evidence.missed.extend(differ.map(|pair| format!("{name}: {pair} did not come to the same")));
        }
    }
    evidence.tables = vec![table, worst];
    Ok(evidence)
}

/// Has each merge made by both, taking turns in who goes first.
fn measure(copy: &Path, groups: &[Group]) -> Result<Costs, Failure> {
    let repository = Repository::open(copy)?;
    let mut costs = Costs::default();
    // Reading an index for the first time is nobody's merge.
    let mut warm: Option<&Pair> = None;
    for group in groups {
        let mut rest = group.pairs.as_slice();
        while !rest.is_empty() {
            let mut process = CoProcess::start(copy, &group.attributes)?;
            let mut made = Vec::new();
            let skipped = warm.filter(|pair| process.merge(pair).is_some() && trial(&repository, pair).is_ok());
            for (n, pair) in rest.iter().enumerate() {
                let mut first = None;
                if n.is_multiple_of(2) {
                    first = Some(ours(&repository, pair));
                }
                let Some(git) = process.merge(pair) else { break };
                let (ours, cost) = first.unwrap_or_else(|| ours(&repository, pair));
                made.push((pair, ours, [cost, git]));
            }
            let answers = process.end()?;
            warm = made.last().map(|(pair, ..)| *pair).or(warm);
            rest = rest.get(made.len().max(1)..).unwrap_or_default();
            for ((pair, ours, cost), git) in
                made.into_iter().zip(answers.into_iter().skip(usize::from(skipped.is_some())))
            {
                costs.add(pair, Replayed { ours, git, cost: Some(cost) }, cost);
            }
        }
    }
    Ok(costs)
}

fn ours(repository: &Repository, pair: &Pair) -> (Result<hedgerow_merge::Trial, String>, Duration) {
    let started = usage::thread_busy();
    let ours = trial(repository, pair);
    (ours, usage::thread_busy().saturating_sub(started))
}

impl Costs {
    fn add(&mut self, pair: &Pair, replayed: Replayed, cost: [Duration; 2]) {
        let named = format!("{},{}", pair.ours, pair.theirs);
        if !replayed.agrees() {
            self.differ.push(named.clone());
        }
        if cost[0] > self.worst.0 {
            self.worst = (cost[0], named);
        }
        self.each.push(cost);
    }
}

fn account(table: &mut Table, [name, graph]: [&str; 2], costs: &Costs, missed: &mut Vec<String>) {
    let side = |side: usize| sorted(costs.each.iter().map(|cost| cost[side]));
    let (ours, git) = (side(0), side(1));
    let sum = |times: &[Duration]| times.iter().sum::<Duration>();
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(1e-9);
    let mut row = |who: &str, cells: Vec<String>| {
        let facts = [name.to_owned(), graph.to_owned(), costs.each.len().to_string(), who.to_owned()];
        table.row(facts.into_iter().chain(cells));
    };
    for (who, times) in [("hedgerow", &ours), ("git", &git)] {
        let cells = SHARES.iter().map(|share| ms(at(times, *share)));
        row(who, cells.chain([format!("{:.0}", sum(times).as_secs_f64() * 1000.0)]).collect());
    }
    let ratios = SHARES.iter().map(|share| format!("{:.2}", ratio(at(&ours, *share), at(&git, *share))));
    row("git = 1", ratios.chain([format!("{:.2}", ratio(sum(&ours), sum(&git)))]).collect());
    for (what, share, most) in BARS {
        let found = ratio(at(&ours, share), at(&git, share));
        if found > most {
            missed.push(format!("{name}, commit-graph {graph}: {found:.2} of git's at {what} instead of {most:.2}"));
        }
    }
}
