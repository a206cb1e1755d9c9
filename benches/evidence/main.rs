//! `evidence`: makes again, on this machine, what the documentation claims.
//!
//! Each subcommand is one table of `docs/evidence.md`. It prints the machine, the versions and the table, and ends with
//! status 1 when a bar is missed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people speaks to them")]

mod clone;
mod demo_kill;
mod engine_faults;
mod fleet24;
mod fleetrun;
mod git;
mod hostile;
mod import;
mod journal;
mod landing_faults;
mod lane;
mod leftovers;
mod machine;
mod markers;
mod merge_bench;
mod merge_graph;
mod merge_land;
mod merge_replay;
mod plan;
mod quantile;
mod queue_check;
mod queue_sim;
mod random;
mod sandbox_bench;
mod sandbox_escape;
mod sandbox_flood;
mod sandbox_kill;
mod strace;
mod table;
mod topics;
mod usage;
mod worktree_bench;
mod worktree_child;
mod worktree_kill;
mod worktree_stress;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Makes the tables of docs/evidence.md again.
#[derive(Debug, Parser)]
#[command(
    name = "evidence",
    version,
    after_help = "Exit status: 0 every bar was met that the floor allows; 1 one was missed; 2 it could not run."
)]
struct Cli {
    /// Prints one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 24 scripted agents at once on a copy of a repository.
    #[command(name = "fleet-24")]
    Fleet24(fleet24::Args),
    /// The same plan, with the fleet killed at random moments and recovered.
    DemoKill(demo_kill::Args),
    /// An engine of its own, killed and starved while commands run on it. Needs root, dockerd and containerd.
    EngineFaults(engine_faults::Args),
    /// The owner of a command in `engine-faults`.
    #[command(hide = true)]
    EngineFaultsChild(engine_faults::ChildArgs),
    /// What a hostile agent tries in each lane, and what came of it.
    Hostile(hostile::Args),
    /// Histories that are wrong in every way, and what of them gets into the repository.
    Import(import::Args),
    /// Landings that are killed, starved of space, raced and obstructed.
    LandingFaults(landing_faults::Args),
    /// A process of `landing-faults`.
    #[command(hide = true)]
    LandingFaultsChild(landing_faults::ChildArgs),
    /// What a merge costs beside git's, one after the other, with and without a commit-graph.
    MergeBench(merge_bench::Args),
    /// Who conflicts with whom among many real changes, and what it costs to know.
    MergeGraph(merge_graph::Args),
    /// Many real changes landed one by one, with everything that is proven of them, beside git.
    MergeLand(merge_land::Args),
    /// The merges of real histories, made again and compared with git's.
    MergeReplay(merge_replay::Args),
    /// Everything that can happen to a small merge queue, in every order.
    QueueCheck(queue_check::Args),
    /// Many changes through the merge queue on a virtual clock, against an oracle and what else there is.
    QueueSim(queue_sim::Args),
    /// What a sandbox costs, against a plain spawn, bubblewrap and `docker run`.
    SandboxBench(sandbox_bench::Args),
    /// What is left of agents that do not want to end, in each lane.
    SandboxKill(sandbox_kill::Args),
    /// The embedding program of `sandbox-kill`.
    #[command(hide = true)]
    SandboxChild(sandbox_kill::ChildArgs),
    /// What much output costs, and what is lost of it.
    SandboxFlood(sandbox_flood::Args),
    /// The embedding program of `sandbox-flood`.
    #[command(hide = true)]
    SandboxReader(sandbox_flood::ReaderArgs),
    /// What hostile programs reach in each lane, as root and as an ordinary user, and elsewhere.
    SandboxEscape(sandbox_escape::Args),
    /// The process of one user of `sandbox-escape`.
    #[command(hide = true)]
    SandboxEscapeChild(sandbox_escape::ChildArgs),
    /// Making, capturing, removing and recovering worktrees, killed at random moments and after every step.
    WorktreeKill(worktree_kill::Args),
    /// Many threads and processes at once, beside loops of git.
    WorktreeStress(worktree_stress::Args),
    /// Creating, removing and capturing worktrees, against git, gix and the floor.
    WorktreeBench(worktree_bench::Args),
    /// One measured process of `worktree-bench`.
    #[command(hide = true)]
    WorktreeSample(worktree_bench::ChildArgs),
    /// A process that the tables about worktrees start and kill.
    #[command(hide = true)]
    WorktreeChild(worktree_child::Args),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let made = match cli.command {
        Command::Fleet24(args) => fleet24::run(&args),
        Command::DemoKill(args) => demo_kill::run(&args),
        Command::EngineFaults(args) => engine_faults::run(&args),
        Command::EngineFaultsChild(args) => match engine_faults::child(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::Hostile(args) => hostile::run(&args),
        Command::Import(args) => match import::child(&args) {
            Some(Ok(())) => return ExitCode::SUCCESS,
            Some(Err(error)) => Err(error),
            None => import::run(&args),
        },
        Command::SandboxEscape(args) => sandbox_escape::run(&args),
        Command::SandboxEscapeChild(args) => match sandbox_escape::child(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::LandingFaults(args) => landing_faults::run(&args),
        Command::LandingFaultsChild(args) => match landing_faults::child(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::MergeBench(args) => merge_bench::run(&args),
        Command::MergeGraph(args) => merge_graph::run(&args),
        Command::MergeLand(args) => merge_land::run(&args),
        Command::MergeReplay(args) => merge_replay::run(&args),
        Command::QueueCheck(args) => queue_check::run(&args),
        Command::QueueSim(args) => queue_sim::run(&args),
        Command::SandboxBench(args) => sandbox_bench::run(&args),
        Command::SandboxKill(args) => sandbox_kill::run(&args),
        Command::SandboxChild(args) => match sandbox_kill::child(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::SandboxFlood(args) => sandbox_flood::run(&args),
        Command::SandboxReader(args) => match sandbox_flood::reader(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::WorktreeBench(args) => worktree_bench::run(&args),
        Command::WorktreeSample(args) => match worktree_bench::child(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
        Command::WorktreeKill(args) => worktree_kill::run(&args),
        Command::WorktreeStress(args) => worktree_stress::run(&args),
        Command::WorktreeChild(args) => match worktree_child::run(&args) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => Err(error),
        },
    };
    match made {
        Ok(evidence) => {
            println!("{}", if cli.json { evidence.to_json() } else { evidence.to_text() });
            if evidence.missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("evidence: {error}");
            ExitCode::from(2)
        }
    }
}

/// Says on standard error how far a long table is.
fn progress(text: &str) {
    eprintln!("evidence: {text}");
}
