//! `fleet run`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hedgerow_orchestrator::merge::Checkout;
use hedgerow_orchestrator::{Fleet, Plan, Report, Stopper};
use tokio::signal::unix::{SignalKind, signal};

use crate::lane::{Lane, LaneArgs};
use crate::progress::{self, Show};
use crate::{End, Failure, Repo, show, table, tell};

/// The arguments of `fleet run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The plan, a TOML file.
    plan: PathBuf,
    #[command(flatten)]
    repo: Repo,
    #[command(flatten)]
    lane: LaneArgs,
    /// How many agents work at once; as many as there are cores when not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    parallel: Option<u16>,
    /// What to do when the target branch is checked out.
    #[arg(long, value_enum, default_value_t = CheckoutRule::Refuse)]
    checkout: CheckoutRule,
    /// Prints events and the report as lines of JSON instead of progress and a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CheckoutRule {
    /// Do not start.
    Refuse,
    /// Bring that checkout forward with the branch, as long as it is clean.
    FastForward,
    /// The same, also with changes to files that a landing does not touch; they stay as they are.
    Carry,
    /// Let that checkout go of the branch: it stays where it is, on no branch.
    Detach,
}

impl From<CheckoutRule> for Checkout {
    fn from(rule: CheckoutRule) -> Self {
        match rule {
            CheckoutRule::Refuse => Self::Refuse,
            CheckoutRule::FastForward => Self::FastForwardClean,
            CheckoutRule::Carry => Self::FastForwardCarrying,
            CheckoutRule::Detach => Self::Detach,
        }
    }
}

impl Run {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let text = std::fs::read_to_string(&self.plan).map_err(|e| format!("plan {}: {e}", self.plan.display()))?;
        let plan = Plan::from_toml(&text).map_err(|e| format!("{}: {e}", self.plan.display()))?;
        let lane = self.lane.open().await?;
        let how = if self.json { Show::Json } else { Show::for_terminal() };
        let mut fleet = open(&self.repo.repo, lane, self.parallel.map(usize::from), self.checkout.into()).await?;
        let report = drive(&mut fleet, plan, how).await?;
        clear(&fleet).await?;
        finish(&fleet, &report, how)
    }
}

/// Opens a fleet and tells what it found.
pub(crate) async fn open(
    repo: &Path,
    lane: Lane,
    parallel: Option<usize>,
    checkout: Checkout,
) -> Result<Fleet, Failure> {
    let mut builder = Fleet::builder(repo, lane.sandbox).checkout(checkout);
    builder = builder.policy(lane.policy).gate_policy(lane.gate_policy);
    if let Some(parallel) = parallel {
        builder = builder.parallel(parallel);
    }
    let fleet = builder.open().await?;
    for line in &fleet.found().mended {
        tell(&format!("found: {line}"));
    }
    for line in &fleet.found().left {
        tell(&format!("found, and left as it is: {line}"));
    }
    Ok(fleet)
}

/// Runs the plan, showing what happens, until it ends or Ctrl-C ends it.
pub(crate) async fn drive(fleet: &mut Fleet, plan: Plan, how: Show) -> Result<Report, Failure> {
    if let Some(run) = &fleet.found().run {
        tell(&format!("going on with run {run}"));
    }
    let shown = tokio::spawn(progress::show(fleet.subscribe(), plan.clone(), how));
    let signals = tokio::spawn(stop_on_signals(fleet.stopper()));
    let report = fleet.run(plan).await;
    signals.abort();
    progress::settle(shown).await;
    Ok(report?)
}

/// Waits until what was removed is deleted, and tells what cannot be.
pub(crate) async fn clear(fleet: &Fleet) -> Result<(), Failure> {
    for line in fleet.purge().await? {
        tell(&format!("could not be deleted: {line}"));
    }
    Ok(())
}

/// Prints the report and says what the exit status must be.
pub(crate) fn finish(fleet: &Fleet, report: &Report, how: Show) -> Result<End, Failure> {
    match how {
        Show::Json => show(&format!("{}\n", serde_json::json!({ "report": report })))?,
        _ => show(&table::of(report))?,
    }
    Ok(match (fleet.stopping(), report.success()) {
        (true, _) => End::Stopped,
        (false, true) => End::Landed,
        (false, false) => End::Trouble,
    })
}

/// The first signal stops in order, the second at once.
async fn stop_on_signals(stopper: Stopper) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tell("signals cannot be caught here: Ctrl-C will end everything at once; `fleet recover` then mends");
        return;
    };
    let mut hangup = if ignores_hangup() { None } else { signal(SignalKind::hangup()).ok() };
    let mut next = async || {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hung_up => {} }
    };
    next().await;
    stopper.stop();
    tell("stopping: agents get a moment to end, then their work is captured (once more: at once)");
    next().await;
    stopper.abort();
    tell("stopping at once");
}

/// Whether this was started by `nohup` or the like, which a handler of ours would undo.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
