//! `evidence worktree-bench`: what worktrees cost, against git, gix and the floor, all in one run.

mod capture;
mod check;
mod child;
mod floor;
mod fresh;
mod ignored;
mod near;
mod removals;
mod run;
mod sample;
mod variant;

use std::path::{Path, PathBuf};

pub(crate) use child::{Args as ChildArgs, run as child};

use self::fresh::{Fresh, Ground};
use self::run::{Look, Place};
pub(crate) use self::sample::median;
use self::sample::{Sample, Samples};
use self::variant::Variant;
use crate::table::{Evidence, Table};
use crate::{Failure, clone, git, progress};

/// The arguments of `evidence worktree-bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A repository to measure on; it is copied, and only read. Can be given more than once. Up to 32 GiB of space are
    /// needed in the temporary directory, for one of 10,000 files and 32 at once.
    #[arg(long, value_name = "PATH", required = true)]
    repo: Vec<PathBuf>,
    /// How many times each measurement is taken; with more than 8 worktrees at once, for which there is no bar, once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How many worktrees are made at once.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 8, 32])]
    at_once: Vec<usize>,
    /// Gives each measurement a new ext4, with a copy of the repository that is the same every time: on one that is used
    /// again, the time depends on what was deleted in the minutes before. Needs root, loop devices, unshare, mkfs.ext4 and
    /// room in the temporary directory; without one of them nothing is measured. Nothing is left, also when it is killed.
    #[arg(long)]
    fresh: bool,
    /// Measures a tree with 10,000 ignored directories as well, which takes minutes.
    #[arg(long)]
    ignored: bool,
    /// It is in namespaces of its own already.
    #[arg(long, hide = true, requires = "fresh")]
    within: bool,
}

/// The most worktrees at once for which there is a bar.
const BARRED: usize = 8;
/// How many times faster than git's best a claim has to be, in a repository of so many files.
const CLAIM: f64 = 20.0;
const LARGE: usize = 50_000;
const GITS: [Variant; 3] = [Variant::Git, Variant::GitW2, Variant::GitW4];
const COLUMNS: [&str; 9] =
    ["variant", "wall s", "times faster", "bar", "cpu s", "peak MiB", "status s", "failed", "files"];

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    if args.fresh && !args.within {
        return Err(fresh::enter());
    }
    let repos: Vec<_> = args.repo.iter().map(|repo| format!("--repo {}", name(repo))).collect();
    let at_once: Vec<_> = args.at_once.iter().map(ToString::to_string).collect();
    let fresh = if args.fresh { " --fresh" } else { "" };
    let ignored = if args.ignored { " --ignored" } else { "" };
    let (repos, at_once) = (repos.join(" "), at_once.join(","));
    let command =
        format!("evidence worktree-bench {repos} --rounds {} --at-once {at_once}{fresh}{ignored}", args.rounds);
    let mut evidence = Evidence { command, ..Evidence::default() };
    for repo in &args.repo {
        measure_one(args, repo, &mut evidence)?;
    }
    Ok(evidence)
}

fn measure_one(args: &Args, repo: &Path, evidence: &mut Evidence) -> Result<(), Failure> {
    let files = git::lines(repo, &["ls-tree", "-r", "--name-only", "HEAD"])?.len();
    let ground_of = if args.fresh { ", each measurement on a file system of its own" } else { "" };
    let title = format!("{} ({files} files{ground_of})", name(repo));
    progress(&format!("copying {}", repo.display()));
    let home = (!args.fresh).then(clone::temporary).transpose()?;
    let ground = if let Some(home) = &home {
        let place = Place { repo: home.path().join("repository"), trees: home.path().join("trees") };
        git::git(home.path(), &["clone", "--quiet", &repo.to_string_lossy(), &place.repo.to_string_lossy()])?;
        place.make_trees()?;
        // Files that were written in this very moment are not copied.
        std::thread::sleep(std::time::Duration::from_secs(3));
        Ground::Used(place)
    } else {
        Ground::Fresh(Fresh::new(&repo.canonicalize()?, files, args.at_once.iter().copied().max().unwrap_or(1))?)
    };
    for count in &args.at_once {
        let samples = measure(&ground, *count, args.rounds, &title)?;
        creations(&samples, *count, &title, evidence);
        removals::removals(&ground, &samples, *count, &title, evidence)?;
        if *count == 1 {
            let best = samples.best(&GITS, |sample| (sample.failed == 0).then_some(sample.wall));
            claims(&ground, best, (files, args.rounds), &title, evidence)?;
        }
    }
    captures(&ground, args.rounds, &title, evidence)?;
    if args.ignored {
        ignored::ignored(&ground, args.rounds, &title, evidence)?;
    }
    match &ground {
        Ground::Used(place) => git::git(&place.repo, &["fsck", "--no-dangling"]).map(drop),
        Ground::Fresh(_) => Ok(()),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Takes all measurements in turn, so that what disturbs the machine disturbs all of them alike.
fn measure(ground: &Ground, count: usize, rounds: usize, title: &str) -> Result<Samples, Failure> {
    let mut samples = Samples::default();
    // Where there is no bar, one look is enough.
    let rounds = if count <= BARRED { rounds } else { 1 };
    let mut order: Vec<_> = Variant::ALL.into_iter().chain([Variant::Discard]).collect();
    for round in 0..rounds {
        // A file system remembers for minutes what was deleted, so whoever is next would always pay for the same one.
        let shift = order.len() / rounds.min(order.len());
        order.rotate_left(if round == 0 { 0 } else { shift });
        for (turn, &variant) in order.iter().enumerate() {
            progress(&format!("{title}, {count} at once, round {}: {}", round + 1, variant.title()));
            let name = format!("t{round}-{turn}-{count}");
            let look = if round == 0 { Look::Whole } else { Look::Status };
            samples.add(variant, ground.with(|place| run::one(place, variant, &name, count, look))?);
        }
    }
    Ok(samples)
}

fn creations(samples: &Samples, count: usize, title: &str, evidence: &mut Evidence) {
    let wall = |sample: &Sample| (sample.failed == 0).then_some(sample.wall);
    let best = samples.best(&GITS, wall);
    let floor = samples.median(Variant::Floor2, wall);
    let mut table = Table::new(format!("{title}: {count} at once"), COLUMNS);
    for variant in Variant::ALL {
        let own = samples.median(variant, wall);
        let ratio = best.zip(own).map(|(best, own)| best / own);
        let within = best.zip(floor).map(|(best, floor)| best / floor);
        let bar = variant.bar().filter(|_| count <= BARRED);
        let what = || format!("{title}, {count} at once, {}", variant.title());
        let said = verdict(ratio, within, bar, what, evidence);
        let figure = |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
        let shown = |figure: fn(&Sample) -> f64| samples.median(variant, |sample| Some(figure(sample)));
        let failed: usize = samples.of(variant).iter().map(|sample| sample.failed).sum();
        let peak = shown(|sample| sample.peak).filter(|_| !variant.is_floor());
        table.row([
            variant.title().to_owned(),
            figure(own, 4),
            figure(ratio, 2),
            said,
            figure(shown(|sample| sample.busy).filter(|_| !variant.is_floor()), 3),
            figure(peak, 0),
            figure(samples.median(variant, |sample| sample.status), 3),
            failed.to_string(),
            samples.of(variant).last().map(|sample| sample.came.clone()).unwrap_or_default(),
        ]);
    }
    evidence.tables.push(table);
}

/// What is to be said of a bar: whether it was met, or cannot be because not even the floor meets it.
fn verdict(
    ratio: Option<f64>,
    floor: Option<f64>,
    bar: Option<f64>,
    what: impl FnOnce() -> String,
    evidence: &mut Evidence,
) -> String {
    match (bar, ratio) {
        (None, _) => String::new(),
        (Some(bar), Some(ratio)) if ratio >= bar => format!("{bar:.1} met"),
        (Some(bar), _) if floor.is_some_and(|floor| floor < bar) => {
            evidence.above_floor += 1;
            format!("{bar:.1} is above the floor")
        }
        (Some(bar), ratio) => {
            let found = ratio.map_or_else(|| "nothing".to_owned(), |ratio| format!("{ratio:.2}"));
            evidence.missed.push(format!("{}: {found} instead of {bar:.1}", what()));
            format!("{bar:.1} MISSED")
        }
    }
}

/// A tree from a pool that was filled at a commit near by.
fn claims(
    ground: &Ground,
    best: Option<f64>,
    (files, rounds): (usize, usize),
    title: &str,
    evidence: &mut Evidence,
) -> Result<(), Failure> {
    let mut samples = Samples::default();
    for round in 0..rounds {
        progress(&format!("{title}, claim, round {}", round + 1));
        let look = if round == 0 { Look::Whole } else { Look::Status };
        let claim = |place: &Place| run::claim(place, &format!("p{round}"), &near::commit(&place.repo)?, look);
        samples.add(Variant::Claim, ground.with(claim)?);
    }
    let title = format!("{title}: claim from a pool filled at a commit that differs in {} files", near::FILES);
    let mut table = Table::new(title.clone(), ["what", "wall s", "times faster", "files"]);
    let own = samples.median(Variant::Claim, |sample| Some(sample.wall)).unwrap_or_default();
    let best = best.unwrap_or_default();
    let came = samples.of(Variant::Claim).last().map(|sample| sample.came.clone()).unwrap_or_default();
    table.row(["git worktree add -b, best setting".to_owned(), format!("{best:.4}"), "1.00".into(), String::new()]);
    let ratio = best / own;
    table.row(["hedgerow, claiming".to_owned(), format!("{own:.4}"), format!("{ratio:.1}"), came]);
    evidence.tables.push(table);
    if files >= LARGE && ratio < CLAIM {
        evidence.missed.push(format!("{title}: {ratio:.1} times faster instead of {CLAIM}"));
    }
    Ok(())
}

fn captures(ground: &Ground, rounds: usize, title: &str, evidence: &mut Evidence) -> Result<(), Failure> {
    let one = |round: usize| ground.with(|place| run::capture(place, &format!("c{round}")));
    let seen = (0..rounds).map(one).collect::<Result<Vec<_>, _>>()?;
    let capture = median(seen.iter().map(|seen| seen.capture).collect());
    let status = median(seen.iter().map(|seen| seen.status).collect());
    let mut table = Table::new(format!("{title}: capture of a small change"), ["what", "wall s"]);
    let (capture, status) = (capture.unwrap_or_default(), status.unwrap_or_default());
    table.row(["git status", &format!("{status:.4}")]);
    table.row(["hedgerow capture", &format!("{capture:.4}")]);
    let floor = ground.with(|place| floor::capture(&place.trees))?;
    table.row(["floor: what it writes made durable, which git status has not to do", &format!("{floor:.4}")]);
    evidence.tables.push(table);
    if capture > status + floor {
        evidence.missed.push(format!(
            "{title}: a capture takes {capture:.4} s, git status {status:.4} s and the floor {floor:.4} s"
        ));
    }
    Ok(())
}
