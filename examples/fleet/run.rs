//! `fleet run`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hedgerow_orchestrator::merge::Checkout;
use hedgerow_orchestrator::{Fleet, Plan, Report, Stopper};

use crate::lane::{Lane, LaneArgs};
use crate::progress::{self, Show};
use crate::{End, Failure, Repo, table};

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
}

impl From<CheckoutRule> for Checkout {
    fn from(rule: CheckoutRule) -> Self {
        match rule {
            CheckoutRule::Refuse => Self::Refuse,
            CheckoutRule::FastForward => Self::FastForwardClean,
        }
    }
}

impl Run {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let text = std::fs::read_to_string(&self.plan).map_err(|e| format!("plan {}: {e}", self.plan.display()))?;
        let plan = Plan::from_toml(&text).map_err(|e| format!("{}: {e}", self.plan.display()))?;
        let lane = self.lane.open().await?;
        let show = if self.json { Show::Json } else { Show::for_terminal() };
        let mut fleet = open(&self.repo.repo, lane, self.parallel.map(usize::from), self.checkout.into()).await?;
        let report = drive(&mut fleet, plan, show).await?;
        Ok(finish(&fleet, &report, show))
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
        eprintln!("found: {line}");
    }
    for line in &fleet.found().left {
        eprintln!("found, and left as it is: {line}");
    }
    Ok(fleet)
}

/// Runs the plan, showing what happens, until it ends or Ctrl-C ends it.
pub(crate) async fn drive(fleet: &mut Fleet, plan: Plan, show: Show) -> Result<Report, Failure> {
    if let Some(run) = &fleet.found().run {
        eprintln!("going on with run {run}");
    }
    let shown = tokio::spawn(progress::show(fleet.subscribe(), plan.clone(), show));
    let signals = tokio::spawn(stop_on_signals(fleet.stopper()));
    let report = fleet.run(plan).await;
    signals.abort();
    progress::settle(shown).await;
    Ok(report?)
}

/// Prints the report and says what the exit status must be.
pub(crate) fn finish(fleet: &Fleet, report: &Report, show: Show) -> End {
    match show {
        Show::Json => println!("{}", serde_json::json!({ "report": report })),
        _ => print!("{}", table::of(report)),
    }
    match (fleet.stopping(), report.success()) {
        (true, _) => End::Stopped,
        (false, true) => End::Landed,
        (false, false) => End::Trouble,
    }
}

/// The first signal stops in order, the second at once.
async fn stop_on_signals(stopper: Stopper) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        eprintln!("signals cannot be caught here: Ctrl-C will end everything at once; `fleet recover` then mends");
        return;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    eprintln!("stopping: agents get a moment to end, then their work is captured (once more: at once)");
    stopper.stop();
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    eprintln!("stopping at once");
    stopper.abort();
}
