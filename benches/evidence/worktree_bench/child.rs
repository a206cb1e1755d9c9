//! One measured process: it makes worktrees with a library, then does what its parent asks for, line by line.

use std::io::{BufRead, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use hedgerow_worktree::pool::{Pool, PoolOptions};
use hedgerow_worktree::{
    Base, BranchName, CommitId, CopyFrom, Disposition, Fate, Filled, Head, LocalOptions, LocalWorktrees, Message,
    Request, Worktree, WorktreeId, WorktreeManager,
};

use super::floor::Contents;
use super::variant::Variant;
use crate::{Failure, usage};

/// The arguments of one measured process.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_enum)]
    variant: Variant,
    #[arg(long)]
    repo: PathBuf,
    /// The directory of the trees.
    #[arg(long)]
    trees: PathBuf,
    /// Begins the names of trees and branches.
    #[arg(long)]
    name: String,
    #[arg(long)]
    count: usize,
    /// The commit at which a pool is filled before anything is measured.
    #[arg(long)]
    near: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match args.variant {
        Variant::Git | Variant::GitW2 | Variant::GitW4 => Err("git is no library".into()),
        Variant::Gix => with_gix(args),
        Variant::Inflate => hedgerow(args, CopyFrom::Nothing),
        Variant::Copy | Variant::Discard => hedgerow(args, CopyFrom::MainCheckout),
        Variant::Claim => claim(args),
        Variant::Floor1 => floor(args, 1),
        Variant::Floor2 => floor(args, 2),
    }
}

fn names(args: &Args) -> impl Iterator<Item = String> {
    (0..args.count).map(|n| format!("{}-{n}", args.name))
}

fn floor(args: &Args, threads: usize) -> Result<(), Failure> {
    let contents = Contents::read(&args.repo)?;
    let places: Vec<_> = names(args).map(|name| args.trees.join(name)).collect();
    let started = Instant::now();
    contents.write(&places, threads)?;
    say("created", started.elapsed(), "")
}

fn with_gix(args: &Args) -> Result<(), Failure> {
    let started = Instant::now();
    let add = |name: &str| -> Result<(), Failure> {
        // Its reflogs need somebody.
        let options =
            gix::open::Options::isolated().config_overrides(["user.name=bench", "user.email=bench@localhost"]);
        let repo = gix::open_opts(&args.repo, options)?;
        let full = format!("refs/heads/{name}");
        let head = repo.head_id()?.detach();
        repo.reference(full.as_str(), head, gix::refs::transaction::PreviousValue::MustNotExist, "bench")?;
        let head = gix::worktree::add::Head::Attached(full.as_str().try_into()?);
        repo.add_worktree(args.trees.join(name), head, gix::progress::Discard, &AtomicBool::new(false))?;
        Ok(())
    };
    let failed = std::thread::scope(|scope| {
        let threads: Vec<_> = names(args).map(|name| scope.spawn(move || add(&name))).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a panic".into())));
        results.filter_map(Result::err).map(|e| format!("{e:?}")).collect::<Vec<_>>()
    });
    let took = started.elapsed();
    for error in &failed {
        crate::progress(error);
    }
    say("created", took, &format!("failed={}", failed.len()))
}

#[tokio::main]
async fn hedgerow(args: &Args, copy_from: CopyFrom) -> Result<(), Failure> {
    let started = Instant::now();
    let options = LocalOptions::default().trees(Some(args.trees.clone())).copy_from(copy_from);
    let manager = LocalWorktrees::open_with(&args.repo, options)?;
    let mut creations = Vec::new();
    for name in names(args) {
        let mut request = Request::new(WorktreeId::new(name.as_str())?, BranchName::new(name.as_str())?, Base::Head);
        if args.variant == Variant::Discard {
            request.head = Head::Detached;
        }
        let manager = manager.clone();
        creations.push(tokio::spawn(async move { manager.create_reporting(request).await }));
    }
    let mut worktrees = Vec::new();
    let mut filled = Filled::default();
    for creation in creations {
        let (worktree, came) = creation.await??;
        filled += came;
        worktrees.push(worktree);
    }
    let came = format!("{} inflated, {} copied, {} reflinked", filled.inflated, filled.copied, filled.reflinked);
    say("created", started.elapsed(), &came)?;
    let disposition = if args.variant == Variant::Discard { Disposition::Discard } else { Disposition::Archive };
    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "capture" => capture(&manager, &worktrees[0]).await?,
            "release" => {
                let started = Instant::now();
                let releases: Vec<_> = worktrees
                    .drain(..)
                    .map(|worktree| {
                        let manager = manager.clone();
                        let disposition = disposition.clone();
                        tokio::spawn(async move { manager.release(worktree, disposition).await })
                    })
                    .collect();
                for release in releases {
                    let released = release.await??;
                    if released.fate != Fate::Removed {
                        return Err(format!("a worktree was not removed: {:?}", released.fate).into());
                    }
                }
                say("released", started.elapsed(), "")?;
            }
            other => return Err(format!("{other:?} is not known").into()),
        }
    }
    // What is deleted in the background must not disturb whoever is measured next.
    manager.purge().await?;
    Ok(())
}

/// Claims one tree of a pool, then removes it.
#[tokio::main]
async fn claim(args: &Args) -> Result<(), Failure> {
    let options = LocalOptions::default().trees(Some(args.trees.clone()));
    let manager = LocalWorktrees::open_with(&args.repo, options)?;
    let pool = Pool::open(manager, PoolOptions::new(NonZeroUsize::MIN)).await?;
    let near = args.near.as_deref().ok_or("a claim needs --near")?;
    pool.refill(&Base::Commit(CommitId::new(near)?)).await?;
    let name = names(args).next().ok_or("a claim needs --count 1")?;
    let request = Request::new(WorktreeId::new(name.as_str())?, BranchName::new(name.as_str())?, Base::Head);
    let started = Instant::now();
    let worktree = pool.create(request).await?;
    let took = started.elapsed();
    let claims = pool.status().await?.claims;
    if claims.hits != 1 {
        return Err("the tree was not claimed from the pool".into());
    }
    say("created", took, &format!("{} written, {} deleted", claims.written, claims.deleted))?;
    for line in std::io::stdin().lock().lines() {
        if line? == "release" {
            let started = Instant::now();
            pool.worktrees().release(worktree, Disposition::Archive).await?;
            return say("released", started.elapsed(), "");
        }
    }
    Ok(())
}

async fn capture(manager: &LocalWorktrees, worktree: &Worktree) -> Result<(), Failure> {
    let (name, email) = ("bench".to_owned(), "bench@localhost".to_owned());
    let started = Instant::now();
    let capture = manager.capture(worktree, Message { text: "small".into(), name, email }).await?;
    say("captured", started.elapsed(), &format!("{} files", capture.files))
}

fn say(what: &str, took: Duration, more: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let (busy, peak) = usage::own();
    writeln!(out, "{what} {} {} {peak} {more}", took.as_micros(), busy.as_micros())?;
    Ok(out.flush()?)
}

/// What a child said in one line.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) took: Duration,
    /// How long the child kept a processor busy so far.
    pub(crate) busy: Duration,
    /// Its largest resident size so far, in KiB.
    pub(crate) peak: u64,
    pub(crate) more: String,
}

impl Said {
    /// Takes the line of a child apart.
    pub(crate) fn parse(line: &str, what: &str) -> Result<Self, Failure> {
        let mut words = line.trim_end().splitn(5, ' ');
        if words.next() != Some(what) {
            return Err(format!("a measured process said {line:?} instead of {what:?}").into());
        }
        let mut number = || words.next().and_then(|n| n.parse().ok()).ok_or_else(|| format!("{line:?} is no answer"));
        let (took, busy, peak) = (number()?, number()?, number()?);
        let more = words.next().unwrap_or_default().to_owned();
        Ok(Self { took: Duration::from_micros(took), busy: Duration::from_micros(busy), peak, more })
    }
}

/// The command line of such a process.
pub(crate) fn command(
    variant: Variant,
    repo: &Path,
    trees: &Path,
    name: &str,
    count: usize,
    near: Option<&str>,
) -> Result<std::process::Command, Failure> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.arg("worktree-sample").args(["--variant", &variant.name()]).arg("--repo").arg(repo);
    command.arg("--trees").arg(trees).args(["--name", name]).args(["--count", &count.to_string()]);
    if let Some(near) = near {
        command.args(["--near", near]);
    }
    Ok(command)
}
