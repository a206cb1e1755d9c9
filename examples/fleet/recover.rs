//! `fleet recover`.

use clap::Args;
use hedgerow_orchestrator::merge::Checkout;

use crate::lane::LaneArgs;
use crate::run::CheckoutRule;
use crate::{End, Failure, Repo, run, show, table};

/// The arguments of `fleet recover`.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    #[command(flatten)]
    repo: Repo,
    #[command(flatten)]
    lane: LaneArgs,
    /// What to do when the target branch is checked out.
    #[arg(long, value_enum, default_value_t = CheckoutRule::Refuse)]
    checkout: CheckoutRule,
    /// Ends the run: tasks that were not begun are cancelled.
    #[arg(long)]
    close: bool,
}

impl Recover {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let lane = self.lane.open().await?;
        let checkout: Checkout = self.checkout.into();
        let mut fleet = run::open(&self.repo.repo, lane, None, checkout).await?;
        let report = if self.close { fleet.close().await? } else { fleet.recover().await? };
        run::clear(&fleet).await?;
        let Some(report) = report else {
            show("nothing is left to recover\n")?;
            return Ok(End::Landed);
        };
        show(&table::of(&report))?;
        if !report.finished {
            show("what was begun is brought to its end; run the same plan again for the rest\n")?;
        }
        Ok(if report.finished && !report.success() { End::Trouble } else { End::Landed })
    }
}
