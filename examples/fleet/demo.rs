//! `fleet demo`: eight agents at once on a copy of a real repository.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use hedgerow_orchestrator::agents::CommandAgent;
use hedgerow_orchestrator::merge::{BranchName, Checkout};
use hedgerow_orchestrator::{GateSpec, Kept, Outcome, Plan, Report, Status, Task};

use crate::lane::LaneArgs;
use crate::progress::Show;
use crate::{End, Failure, run, show, table};

const TARGET: &str = "demo";

/// What each agent does: a name, a script, and how long it may take in seconds.
const AGENTS: [(&str, &str, u64); 8] = [
    (
        "commits",
        "# Commit in two steps\nmkdir -p demo && echo one >demo/commits && git add demo && git commit -qm 'Add one' \
         && echo two >>demo/commits && git commit -qam 'Add two' && git log --oneline -2",
        60,
    ),
    (
        "leaves-uncommitted",
        "# Leave everything uncommitted\nmkdir -p demo && echo left >demo/leaves-uncommitted && git status --short",
        60,
    ),
    (
        "stashes-and-branches",
        "# Stash, branch and commit\nmkdir -p demo && echo kept >demo/stashes-and-branches && git add demo && git stash -q && git stash pop -q \
         && git checkout -q -b aside && git commit -qm 'Work on a branch of my own' && git fsck --no-dangling",
        60,
    ),
    (
        "quarrels-one",
        "# Write a file that another writes too\nmkdir -p demo && echo one >demo/quarrel && echo one >demo/quarrels-one && sleep 1",
        60,
    ),
    (
        "quarrels-two",
        "# Write a file that another writes too\nmkdir -p demo && echo two >demo/quarrel && echo two >demo/quarrels-two && sleep 1",
        60,
    ),
    (
        "fails-its-gate",
        "# Break what the gate looks for\nmkdir -p demo && echo red >demo/fails-its-gate && echo oops >BROKEN",
        60,
    ),
    ("crashes", "# Crash half-way\nmkdir -p demo && echo half >demo/crashes && kill -SEGV $$", 60),
    ("hangs", "# Hang for ever\nmkdir -p demo && echo stuck >demo/hangs && echo waiting for ever && sleep 1000", 4),
];

const GATE: &str = "test ! -e BROKEN || { echo 'BROKEN must not exist'; exit 1; }; git log -1 --format='gated %h: %s'";

/// The arguments of `fleet demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The repository to copy; only read.
    #[arg(long, value_name = "PATH", default_value = ".")]
    source: PathBuf,
    /// Use this lane; the best isolating one of this machine when not given.
    #[command(flatten)]
    lane: DemoLane,
}

#[derive(Debug, Args)]
struct DemoLane {
    /// Where the agents run; the first of native and docker that works here when not given.
    #[arg(long, value_enum)]
    lane: Option<crate::lane::LaneName>,
    /// The image of the docker lane.
    #[arg(long, value_name = "NAME", default_value = "hedgerow-agent:local")]
    image: String,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let source = source(&self.source)?;
        let lane = match self.lane.lane {
            Some(name) => LaneArgs::named(name, &self.lane.image).open().await?,
            None => LaneArgs::best(&self.lane.image).await?,
        };
        let place = tempfile::Builder::new().prefix("hedgerow-demo-").tempdir()?.keep();
        let repo = place.join("repository");
        show(&format!("copying {} to {}\n", source.display(), repo.display()))?;
        git(&place, &["clone", "--quiet", "--no-local", &source.to_string_lossy(), &repo.to_string_lossy()])?;
        git(&repo, &["branch", TARGET])?;
        show(&format!("running {} agents at once in the {} lane\n", AGENTS.len(), lane.name))?;
        let mut fleet = run::open(&repo, lane, Some(AGENTS.len()), Checkout::Refuse).await?;
        let report = run::drive(&mut fleet, plan()?, Show::for_terminal()).await?;
        run::clear(&fleet).await?;
        show(&table::of(&report))?;
        let lost = lost(&repo, &report)?;
        show(&format!(
            "\nwork that was lost: {}\n",
            if lost.is_empty() { "none".to_owned() } else { lost.join(", ") }
        ))?;
        show(&format!("look at the result:  git -C {} log --graph --oneline {TARGET}\n", repo.display()))?;
        show(&format!("and at what failed:  git -C {} for-each-ref refs/hedgerow/rescue\n", repo.display()))?;
        Ok(if lost.is_empty() && as_announced(&report) { End::Landed } else { End::Trouble })
    }
}

/// The repository to copy, which must be one with a commit.
fn source(path: &Path) -> Result<PathBuf, Failure> {
    let about = |problem: &str| {
        let path = path.display();
        format!("{path} {problem}; run this in a checkout of any repository of yours, or name one with `--source PATH`")
    };
    let found = path.canonicalize().map_err(|e| about(&format!("cannot be found ({e})")))?;
    // Asked about exactly this one: a clone looks for no repository above it.
    let is_bare = found.join("HEAD").exists() && found.join("objects").exists();
    if !is_bare && !found.join(".git").exists() {
        return Err(about("is not the top of a git repository").into());
    }
    match git(&found, &["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]) {
        Ok(()) => Ok(found),
        Err(e) => Err(about(&format!("has no commit to begin with, or git cannot read it ({e})")).into()),
    }
}

fn plan() -> Result<Plan, Failure> {
    let mut plan = Plan::new(GateSpec::command(["sh", "-c", GATE]))
        .target(BranchName::new(TARGET)?)
        .agent("script", CommandAgent::new(["sh", "-s"]));
    for (name, script, deadline) in AGENTS {
        plan = plan.task(Task::new(name, "script")?.prompt(script).deadline(Duration::from_secs(deadline)));
    }
    Ok(plan)
}

/// Whether three landed, one of the two that quarrel landed, and the other four failed each in its own way.
fn as_announced(report: &Report) -> bool {
    let count = |is: fn(&Outcome) -> bool| {
        report.tasks.iter().filter(|task| matches!(&task.status, Status::Ended(end) if is(end))).count()
    };
    count(|end| matches!(end, Outcome::Landed { .. })) == 4
        && count(|end| matches!(end, Outcome::Conflict { .. })) == 1
        && count(|end| matches!(end, Outcome::GateFailed { .. })) == 1
        && count(|end| matches!(end, Outcome::AgentFailed { .. })) == 2
}

/// The tasks whose file is neither on the target nor under a rescue ref nor in a tree that was kept.
fn lost(repo: &Path, report: &Report) -> Result<Vec<String>, Failure> {
    let mut lost = Vec::new();
    for task in &report.tasks {
        let file = format!("demo/{}", task.task);
        let kept = task.kept.iter().any(|kept| match kept {
            Kept::Rescue(rescue) => has(repo, &rescue.reference, &file),
            Kept::Tree { path, .. } => path.join(&file).exists(),
        });
        if !kept && !has(repo, TARGET, &file) {
            lost.push(task.task.to_string());
        }
    }
    Ok(lost)
}

fn has(repo: &Path, revision: &str, file: &str) -> bool {
    git(repo, &["cat-file", "-e", &format!("{revision}:{file}")]).is_ok()
}

/// Runs the user's git on the demonstration's own copy.
fn git(dir: &Path, args: &[&str]) -> Result<(), Failure> {
    let output = Command::new("git").arg("-C").arg(dir).args(args).output().map_err(|e| format!("git: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()).into())
}
