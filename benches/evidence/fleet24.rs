//! `evidence fleet-24`: 24 scripted agents at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hedgerow_orchestrator::{Outcome, Report, Status};

use crate::clone::{Copy, Template};
use crate::fleetrun::{Ended, Program};
use crate::lane::{Lane, Lanes};
use crate::plan::{self, AGENTS};
use crate::table::{Evidence, Table};
use crate::{Failure, git, journal, leftovers, markers, progress};

/// The arguments of `evidence fleet-24`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the agents run.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
    /// The repository to copy; only read.
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
    /// How often.
    #[arg(long, value_name = "N", default_value_t = 1)]
    rounds: u32,
    /// How many agents work at once.
    #[arg(long, value_name = "N", default_value_t = AGENTS)]
    parallel: usize,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    progress("copying the repository");
    let template = Template::of(&args.repo)?;
    let mut evidence = Evidence {
        command: format!(
            "evidence fleet-24 --lane {} --rounds {} --parallel {}",
            args.lane.name(),
            args.rounds,
            args.parallel
        ),
        ..Evidence::default()
    };
    let title = format!("{AGENTS} agents, {} at once, on a repository of {} files", args.parallel, template.size);
    let columns = [
        "lane",
        "round",
        "tasks",
        "outcomes",
        "lost",
        "run or landed twice",
        "left over",
        "fleet's peak MiB",
        "largest process MiB",
    ];
    let mut table = Table::new(title, columns);
    let mut walls: BTreeMap<Lane, Vec<f64>> = BTreeMap::new();
    for lane in args.lane.each() {
        let program = Program::find(lane, args.parallel)?;
        for round in 1..=args.rounds {
            progress(&format!("{} lane, round {round}", lane.name()));
            let copy = template.copy()?;
            let ended = undisturbed(&program, &copy, &template.files)?;
            let seen = Seen::of(&copy, &ended)?;
            evidence.missed.extend(seen.misses().map(|miss| format!("{} lane, round {round}: {miss}", lane.name())));
            walls.entry(lane).or_default().push(ended.wall.as_secs_f64());
            table.row([
                lane.name(),
                &round.to_string(),
                &seen.tasks.to_string(),
                &seen.outcomes,
                &seen.lost.len().to_string(),
                &seen.doubled.len().to_string(),
                &seen.left.len().to_string(),
                &(ended.own_peak / 1024).to_string(),
                &(ended.largest_peak / 1024).to_string(),
            ]);
        }
    }
    evidence.tables.push(table);
    evidence.tables.extend(ratio(&walls));
    Ok(evidence)
}

/// Runs the plan to its end without disturbing it.
pub(crate) fn undisturbed(program: &Program, copy: &Copy, files: &[String]) -> Result<Ended, Failure> {
    let plan = copy.place().join("plan.toml");
    std::fs::write(&plan, plan::text(files))?;
    let ended = program.run(copy, &plan, "run")?.wait()?;
    ended.ran()?;
    Ok(ended)
}

/// What came of a run, as git and the machine tell it.
#[derive(Debug)]
struct Seen {
    tasks: usize,
    outcomes: String,
    unexpected: Vec<String>,
    lost: Vec<String>,
    doubled: Vec<String>,
    left: Vec<String>,
}

impl Seen {
    fn of(copy: &Copy, ended: &Ended) -> Result<Self, Failure> {
        let report = ended.report.as_ref().ok_or("the fleet printed no report")?;
        let found = markers::in_refs(&copy.path)?;
        let has = |name: &str| found.iter().any(|(agent, _)| agent == name);
        let lost = plan::agents().filter(|(name, _)| !has(name)).map(|(name, _)| name.to_owned()).collect();
        let mut doubled = journal::doubled_runs(&journal::events(copy)?);
        doubled.extend(journal::doubled_landings(copy)?);
        let (tasks, left) = (report.tasks.len(), leftovers::all(copy)?);
        Ok(Self { tasks, outcomes: counted(report), unexpected: unexpected(copy, report), lost, doubled, left })
    }

    fn misses(&self) -> impl Iterator<Item = String> {
        let all = (self.tasks != AGENTS).then(|| format!("{} of {AGENTS} tasks were reported", self.tasks));
        let lost = self.lost.iter().map(|name| format!("the work of {name} is lost"));
        all.into_iter().chain(self.unexpected.iter().chain(&self.doubled).chain(&self.left).cloned()).chain(lost)
    }
}

/// How many ended how.
pub(crate) fn counted(report: &Report) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &report.tasks {
        *counts.entry(word(&task.status)).or_default() += 1;
    }
    counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Ended(Outcome::Landed { .. }) => "landed",
        Status::Ended(Outcome::NoChange) => "no change",
        Status::Ended(Outcome::AgentFailed { .. }) => "agent failed",
        Status::Ended(Outcome::Conflict { .. }) => "conflict",
        Status::Ended(Outcome::GateFailed { .. }) => "gate failed",
        Status::Ended(Outcome::NotLanded { .. }) => "not landed",
        Status::Ended(Outcome::Skipped { .. }) => "skipped",
        Status::Ended(Outcome::Cancelled) => "cancelled",
        Status::Ended(Outcome::Broken { .. }) => "broken",
        _ => "not over",
    }
}

/// The tasks that did not end as their script is written to.
///
/// One of the two that quarrel may land and the other conflict, or both land when the second was tried again later.
pub(crate) fn unexpected(copy: &Copy, report: &Report) -> Vec<String> {
    use plan::Kind;
    let mut unexpected = Vec::new();
    let mut quarrels = 0;
    for (name, kind) in plan::agents() {
        let Some(task) = report.tasks.iter().find(|task| task.task.as_str() == name) else {
            unexpected.push(format!("{name} is not in the report"));
            continue;
        };
        let word = word(&task.status);
        quarrels += usize::from(kind == Kind::Quarrels && word == "landed");
        let fits = match kind {
            Kind::Quarrels => matches!(word, "landed" | "conflict"),
            Kind::Red => word == "gate failed",
            Kind::Crashes | Kind::Fails | Kind::Hangs => word == "agent failed",
            _ => word == "landed" && on_target(copy, name),
        };
        if !fits {
            unexpected.push(format!("{name} ended so: {:?}", task.status));
        }
    }
    if quarrels == 0 {
        unexpected.push("neither of the two that quarrel has landed".into());
    }
    unexpected
}

fn on_target(copy: &Copy, name: &str) -> bool {
    let file = format!("{}:{}/{name}", crate::clone::TARGET, plan::MARKERS);
    git::git(&copy.path, &["cat-file", "-e", &file]).is_ok()
}

/// How long docker takes, with native as 1. Only what was measured in one run is compared.
fn ratio(walls: &BTreeMap<Lane, Vec<f64>>) -> Option<Table> {
    let median = |lane| {
        let mut all = walls.get(&lane)?.clone();
        all.sort_by(f64::total_cmp);
        Some(all[all.len() / 2])
    };
    let (native, docker) = (median(Lane::Native)?, median(Lane::Docker)?);
    let mut table = Table::new("Wall time of the whole plan, as a ratio made in this run", ["lane", "native = 1"]);
    table.row(["native", "1.00"]);
    table.row(["docker", &format!("{:.2}", docker / native)]);
    Some(table)
}
