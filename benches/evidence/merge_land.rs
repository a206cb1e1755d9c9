//! `evidence merge-land`: many real changes, landed one by one the whole way, beside git.

mod lander;
mod oracle;
mod proof;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hedgerow_merge::Repository;

use crate::table::{Evidence, Table};
use crate::{Failure, clone, git, progress, quantile, topics};

use lander::{Came, Lander, STEPS};

/// The arguments of `evidence merge-land`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository whose merged topics are taken; it is copied, and only read.
    #[arg(long, value_name = "PATH")]
    repo: PathBuf,
    /// How many topics.
    #[arg(long, value_name = "N", default_value_t = 275)]
    topics: usize,
}

/// The most that a landing may take beside its gate, by the median.
const OVERHEAD: Duration = Duration::from_millis(10);

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let place = clone::temporary()?;
    let copy = bare(&args.repo, place.path())?;
    let (base, topics) = topics::transplanted(&copy, args.topics)?;
    git::git(&copy, &["update-ref", &format!("refs/heads/{}", clone::TARGET), &base])?;
    for topic in &topics {
        git::git(&copy, &["update-ref", &format!("refs/heads/{}", topic.name), topic.tip.as_str()])?;
    }
    progress(&format!("{} topics stand on {base}", topics.len()));

    let repository = Repository::open(&copy)?;
    let mut lander = Lander::new(&repository, place.path())?;
    let mut came = Vec::new();
    for (number, topic) in topics.iter().enumerate() {
        came.push(lander.land(number, topic)?);
        if (number + 1).is_multiple_of(50) {
            progress(&format!("{} of {}", number + 1, topics.len()));
        }
    }
    progress("git lands the same");
    let compared = oracle::compare(&copy, &base, &topics, &came)?;
    let landed = came.iter().filter(|came| matches!(came, Came::Landed { .. })).count();
    let proof = proof::of(&copy, place.path(), &base, &came)?;

    let mut evidence = Evidence {
        command: format!("evidence merge-land --repo {} --topics {}", args.repo.display(), args.topics),
        ..Evidence::default()
    };
    let mut missed = Vec::new();
    let costs = costs(&came, &lander.flushes, &compared.taken, &mut missed);
    let mut seen = Table::new(
        "What landed",
        ["topics", "landed", "conflict", "trees that are git's", "trees that are not", "conflicts for one alone"],
    );
    seen.row([
        topics.len().to_string(),
        landed.to_string(),
        (topics.len() - landed).to_string(),
        compared.same.to_string(),
        compared.other.len().to_string(),
        compared.one_sided.len().to_string(),
    ]);
    missed.extend(compared.other.iter().map(|name| format!("{name}: git makes another tree")));
    missed.extend(compared.one_sided.iter().map(|name| format!("{name}: a conflict for one of both alone")));
    evidence.tables = vec![costs, seen, proof.table()];
    missed.extend(proof.missed(landed));
    evidence.missed = missed;
    Ok(evidence)
}

/// A bare clone of one branch, whose objects stay where they are.
fn bare(source: &Path, place: &Path) -> Result<PathBuf, Failure> {
    let copy = place.join("copy.git");
    let (from, to) = (source.canonicalize()?, copy.to_string_lossy().into_owned());
    git::git(place, &["clone", "-q", "--bare", "--shared", "--single-branch", &from.to_string_lossy(), &to])?;
    git::git(&copy, &["commit-graph", "write", "--reachable"])?;
    Ok(copy)
}

/// What each step of a landing took.
fn costs(came: &[Came], flushes: &[Duration], git: &[Duration], missed: &mut Vec<String>) -> Table {
    let mut table = Table::new("Each landing, gate apart", ["step", "ms P50", "P90", "P99", "worst"]);
    let steps: Vec<_> = came.iter().filter_map(Came::steps).collect();
    let mut row = |name: &str, times: &mut dyn Iterator<Item = Duration>| {
        table.row(std::iter::once(name.to_owned()).chain(quantile::row(times)));
    };
    for (number, name) in STEPS.iter().enumerate() {
        row(name, &mut steps.iter().map(|steps| steps[number]));
    }
    let whole = || steps.iter().map(|steps| steps.iter().sum::<Duration>());
    row("all of it", &mut whole());
    row("(git: merge-tree, commit-tree, update-ref)", &mut git.iter().copied());
    row("(one small file written and flushed)", &mut flushes.iter().copied());
    let median = quantile::at(&quantile::sorted(whole()), 0.5);
    if median >= OVERHEAD {
        missed.push(format!("a landing took {} ms instead of {} ms", quantile::ms(median), OVERHEAD.as_millis()));
    }
    table
}
