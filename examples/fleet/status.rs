//! `fleet status`.

use clap::Args;
use hedgerow_orchestrator::Fleet;

use crate::{End, Failure, Repo, show, table};

/// The arguments of `fleet status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    repo: Repo,
    /// Shows all runs, not only the newest.
    #[arg(long)]
    all: bool,
    /// Prints the reports as lines of JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let repo = self.repo.repo;
        let reports = tokio::task::spawn_blocking(move || Fleet::status(repo)).await??;
        let from = if self.all { 0 } else { reports.len().saturating_sub(1) };
        if reports.is_empty() && !self.json {
            show("no run was started on this repository\n")?;
        }
        for report in &reports[from..] {
            if self.json {
                show(&format!("{}\n", serde_json::json!({ "report": report })))?;
                continue;
            }
            show(&table::of(report))?;
            if !report.finished {
                show("not finished: run the same plan again to go on, or `fleet recover` to end what was begun\n")?;
            }
        }
        Ok(End::Landed)
    }
}
