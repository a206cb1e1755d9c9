//! `evidence merge-replay`: the merges of a real history, made again and compared with git's.

mod costs;
pub(crate) mod oracle;
pub(crate) mod pairs;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hedgerow_merge::{CommitId, Repository, Trial};

use crate::table::Evidence;
use crate::{Failure, clone, git, progress, usage};

use oracle::Answer;
use pairs::{Group, Pair};
use tally::Tally;

/// The arguments of `evidence merge-replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A repository whose merges are made again; it is copied, and only read. Can be given more than once.
    #[arg(long, value_name = "PATH", required = true)]
    repo: Vec<PathBuf>,
    /// At most so many merges of each, spread over the whole history.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Only the merge of these two commits, to look at it again.
    #[arg(long, value_name = "OURS,THEIRS")]
    pair: Option<String>,
    /// How many merges are made at the same time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
}

/// What one merge came to on both sides.
pub(crate) struct Replayed {
    pub(crate) ours: Result<Trial, String>,
    pub(crate) git: Answer,
    /// The time that each kept a processor busy, where it could be told.
    pub(crate) cost: Option<[Duration; 2]>,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let mut command = "evidence merge-replay".to_owned();
    for repo in &args.repo {
        command.push_str(&format!(" --repo {}", repo.display()));
    }
    if let Some(sample) = args.sample {
        command.push_str(&format!(" --sample {sample}"));
    }
    let mut evidence = Evidence { command, ..Evidence::default() };
    let mut tallies = Vec::new();
    for source in &args.repo {
        tallies.push(one(args, source)?);
    }
    evidence.tables = vec![tally::table(&tallies), tally::kinds(&tallies), costs::table(&tallies)];
    evidence.tables.extend(tally::deviations(&tallies));
    evidence.missed = tallies.iter().flat_map(Tally::missed).collect();
    Ok(evidence)
}

fn one(args: &Args, source: &Path) -> Result<Tally, Failure> {
    let name = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy().into_owned();
    let place = clone::temporary()?;
    let copy = copied(source, place.path())?;
    let mut pairs = pairs::all(&copy)?;
    if let Some(pair) = &args.pair {
        let (ours, theirs) = pair.split_once(',').ok_or("--pair takes two commits with a comma between")?;
        pairs = vec![Pair { ours: ours.into(), theirs: theirs.into() }];
    } else if let Some(sample) = args.sample {
        pairs = pairs::spread(pairs, sample);
    }
    let total = pairs.len();
    let groups = pairs::grouped(&copy, pairs)?;
    let done = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    let parts = std::thread::scope(|scope| {
        let work = || -> Result<Tally, Failure> {
            let mut tally = Tally::default();
            let repository = Repository::open(&copy)?;
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                replay(&copy, &repository, group, &mut tally, &|| {
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(500) {
                        progress(&format!("{name}: {done} of {total}"));
                    }
                })?;
            }
            Ok(tally)
        };
        let threads: Vec<_> = (0..args.threads.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a panic".into()))).collect::<Vec<_>>()
    });
    let mut whole = Tally::default();
    for part in parts {
        whole.add(part?);
    }
    whole.name = name;
    Ok(whole)
}

/// A copy with all refs and a commit-graph, whose objects stay where they are.
pub(crate) fn copied(source: &Path, place: &Path) -> Result<PathBuf, Failure> {
    let copy = place.join("copy.git");
    let (from, to) = (source.canonicalize()?, copy.to_string_lossy().into_owned());
    git::git(place, &["clone", "-q", "--mirror", "--shared", &from.to_string_lossy(), &to])?;
    git::git(&copy, &["commit-graph", "write", "--reachable"])?;
    Ok(copy)
}

/// Makes the merges of one group with both.
fn replay(
    copy: &Path,
    repository: &Repository,
    group: &Group,
    tally: &mut Tally,
    done: &dyn Fn(),
) -> Result<(), Failure> {
    for (pair, (git, git_cost)) in group.pairs.iter().zip(oracle::ask(copy, group)?) {
        let started = usage::thread_busy();
        let ours = trial(repository, pair);
        let cost = git_cost.map(|git| [usage::thread_busy().saturating_sub(started), git]);
        let mut replayed = Replayed { ours, git, cost };
        if !replayed.agrees() {
            // The attributes of the group are those of its first member's root, which need not be all of this one's.
            replayed.git = oracle::once(copy, pair)?;
        }
        tally.count(pair, &replayed);
        done();
    }
    Ok(())
}

/// What we make of a merge.
pub(crate) fn trial(repository: &Repository, pair: &Pair) -> Result<Trial, String> {
    let merged = || -> hedgerow_merge::Result<Trial> {
        repository.trial(&CommitId::new(pair.ours.as_str())?, &CommitId::new(pair.theirs.as_str())?)
    };
    merged().map_err(|error| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    })
}

impl Replayed {
    /// Whether both say the same, and make the same tree when both merge.
    pub(crate) fn agrees(&self) -> bool {
        match (&self.ours, &self.git) {
            (Ok(Trial::Clean { tree, .. }), Answer::Clean(other)) => tree.as_str() == other,
            // git merges what is merged already to the tree that it has.
            (Ok(Trial::AlreadyMerged), Answer::Clean(_)) => true,
            (Ok(Trial::Conflict(conflict)), Answer::Refused(_)) => conflict.bases.is_empty(),
            (Ok(Trial::Conflict(_)), Answer::Conflict) => true,
            _ => false,
        }
    }
}
