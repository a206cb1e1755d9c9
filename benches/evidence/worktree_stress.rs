//! `evidence worktree-stress`: many threads and processes at once, beside loops of git, and the same loops alone.

mod load;
mod loops;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hedgerow_worktree::{LocalWorktrees, WorktreeManager};

use crate::git::{self, git};
use crate::table::{Evidence, Table};
use crate::worktree_child::{What, trees};
use crate::{Failure, clone, progress};

use load::Load;
pub(crate) use load::load;
use loops::{Branches, Loops, Seen};

/// The arguments of `evidence worktree-stress`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many tasks create, capture and release at once in this process.
    #[arg(long, value_name = "N", default_value_t = 64)]
    threads: usize,
    /// How many more processes do so, with two tasks each.
    #[arg(long, value_name = "N", default_value_t = 16)]
    processes: usize,
    /// How many worktrees each task makes, one after the other.
    #[arg(long, value_name = "N", default_value_t = 4)]
    rounds: usize,
    /// How many files the repository has.
    #[arg(long, value_name = "N", default_value_t = 200)]
    files: usize,
    /// How many seconds the configuration is locked by somebody.
    #[arg(long, value_name = "N", default_value_t = 5)]
    locked: u64,
}

/// How many tasks each further process has.
const TASKS: usize = 2;

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let Args { threads, processes, rounds, files, locked } = *args;
    let mut evidence = Evidence {
        command: format!(
            "evidence worktree-stress --threads {threads} --processes {processes} --rounds {rounds} --files {files} \
             --locked {locked}"
        ),
        ..Evidence::default()
    };
    let place = clone::temporary()?;
    let repository = repository(place.path(), files)?;

    progress("everything at once");
    let loops = Loops::start(&repository, locked, Branches::Ours);
    let started = Instant::now();
    let load = everything(&repository, args)?;
    let beside = loops.finish()?;
    let lasted = started.elapsed();
    account(&repository, &load, &mut evidence)?;
    let state = git(&repository, &["worktree", "prune", "-n", "-v"])?;
    if !state.is_empty() {
        evidence.missed.push(format!("git would prune: {state}"));
    }

    progress("the loops alone, for as long");
    let alone = place.path().join("alone");
    std::fs::create_dir(&alone)?;
    let alone = self::repository(&alone, files)?;
    let loops = Loops::start(&alone, locked, Branches::OfGit);
    std::thread::sleep(lasted.min(Duration::from_secs(600)));
    let alone = loops.finish()?;

    evidence.tables.push(ours(args, &load));
    evidence.tables.push(theirs(&beside, &alone, &mut evidence.missed));
    Ok(evidence)
}

fn repository(place: &Path, files: usize) -> Result<PathBuf, Failure> {
    let path = place.join("repository");
    std::fs::create_dir(&path)?;
    git(&path, &["init", "-q", "-b", "main"])?;
    for n in 0..files {
        std::fs::write(path.join(format!("file-{n}")), format!("line {n}\n").repeat(1 + n % 100))?;
    }
    git(&path, &["add", "-A"])?;
    git(&path, &["commit", "-q", "-m", "first"])?;
    git(&path, &["commit", "-q", "--allow-empty", "-m", "second"])?;
    git(&path, &["remote", "add", "self", "."])?;
    git(&path, &["fetch", "-q", "self"])?;
    Ok(path)
}

/// The tasks of this process and those of the others, all at once.
fn everything(repository: &Path, args: &Args) -> Result<Load, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let manager = LocalWorktrees::open(repository)?;
    let rounds = args.rounds.to_string();
    let mut children = Vec::new();
    for n in 0..args.processes {
        let mut command = What::Load.command(repository, &format!("process-{n}"))?;
        children.push(command.args([&TASKS.to_string(), &rounds]).spawn()?);
    }
    let mut sum = runtime.block_on(load(&manager, "thread", args.threads, args.rounds));
    for child in children {
        let output = child.wait_with_output()?;
        sum.add(&Load::parse(&String::from_utf8_lossy(&output.stdout)));
        if !output.status.success() {
            sum.failures.push(format!("a process died: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
    }
    Ok(sum)
}

/// Every worktree that was made is gone, and every work that was done is under a rescue ref.
fn account(repository: &Path, load: &Load, evidence: &mut Evidence) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let manager = LocalWorktrees::open(repository)?;
    let (recovery, listed) = runtime.block_on(async {
        let recovery = manager.recover().await?;
        manager.purge().await?;
        Ok::<_, hedgerow_worktree::Error>((recovery, manager.list().await?))
    })?;
    let mut miss = |what: String| evidence.missed.push(what);
    load.failures.iter().take(10).cloned().for_each(&mut miss);
    if !(recovery.adopted.is_empty() && recovery.mended.is_empty() && recovery.left.is_empty()) {
        miss(format!("there was something to recover: {recovery:?}"));
    }
    if !listed.is_empty() {
        miss(format!("{} worktrees are left", listed.len()));
    }
    let rescues = git::lines(repository, &["for-each-ref", "--format=%(refname)", "refs/hedgerow/rescue"])?;
    let mut found = BTreeMap::new();
    for rescue in &rescues {
        let id = rescue.split('/').nth(3).unwrap_or_default();
        let text = git(repository, &["cat-file", "blob", &format!("{rescue}:work")])?;
        found.insert(id.to_owned(), text == format!("the work of {id}"));
    }
    let kept = found.values().filter(|whole| **whole).count();
    if kept != load.released {
        miss(format!("{} worktrees with work were released, the work of {kept} is found again", load.released));
    }
    let branches =
        git::lines(repository, &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/hedgerow/base"])?;
    if branches != ["refs/heads/main"] {
        miss(format!("branches are left: {branches:?}"));
    }
    let left = std::fs::read_dir(trees(repository))?.count();
    if left > 0 {
        miss(format!("{left} directories are left beside the repository"));
    }
    git(repository, &["fsck", "--strict", "--no-dangling"])?;
    Ok(())
}

fn ours(args: &Args, load: &Load) -> Table {
    let Args { threads, processes, rounds, .. } = args;
    let title = format!("{threads} threads and {processes} processes at once, {rounds} worktrees each");
    let mut table = Table::new(title, ["operation of ours", "times", "failures", "pruned by others"]);
    let failed = |what: &str| load.failures.iter().filter(|failure| failure.starts_with(what)).count().to_string();
    for (what, times) in [("create", load.created), ("capture", load.captured), ("release", load.released)] {
        let pruned = if what == "create" { load.pruned.to_string() } else { "-".into() };
        table.row([what.to_owned(), times.to_string(), failed(what), pruned]);
    }
    table
}

/// The loops beside us, against the same loops alone: what git does to git is not our doing.
fn theirs(beside: &BTreeMap<String, Seen>, alone: &BTreeMap<String, Seen>, missed: &mut Vec<String>) -> Table {
    let columns = [
        "git, in a loop",
        "runs beside us",
        "failures",
        "runs beside git",
        "failures beside git",
        "only beside us",
        "messages",
    ];
    let mut table = Table::new(
        "loops of git beside that, and the same loops beside a git that makes, moves and deletes branches, for as long",
        columns,
    );
    let none = Seen::default();
    for (name, seen) in beside {
        let control = alone.get(name).unwrap_or(&none);
        // What a fetch writes to is nothing that we ever touch, and neither is the worktree of the loops.
        let foreign = |class: &str| class.contains("refs/remotes/*") || loops::is_between_gits(class);
        let known = |class: &str| control.failures.contains_key(class) || foreign(class);
        let new: Vec<_> = seen.failures.iter().filter(|(class, _)| !known(class)).collect();
        for (class, times) in &new {
            missed.push(format!("{name} failed {times} times only beside us: {class}"));
        }
        let sum = |seen: &Seen| seen.failures.values().sum::<usize>().to_string();
        let only: usize = new.iter().map(|(_, times)| **times).sum();
        let messages: Vec<_> = seen.failures.iter().map(|(class, times)| format!("{times}x {class}")).collect();
        table.row([
            name.clone(),
            seen.runs.to_string(),
            sum(seen),
            control.runs.to_string(),
            sum(control),
            only.to_string(),
            if messages.is_empty() { "-".into() } else { messages.join("; ") },
        ]);
    }
    table
}
