//! `fleet verify`.

use clap::Args;
use hedgerow_orchestrator::merge::{BranchName, CommitId, Doubt, LandingRange, Repository, Verification};

use crate::{End, Failure, Repo, show};

/// The arguments of `fleet verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    repo: Repo,
    /// Where to begin: a commit that the branch was at, by its full id, or another branch that is still there.
    from: String,
    /// The branch that changes landed on; the current one when none is named.
    #[arg(long, value_name = "BRANCH")]
    target: Option<String>,
    /// Prints the findings and the certificates as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) async fn run(self) -> Result<End, Failure> {
        let json = self.json;
        let verification = tokio::task::spawn_blocking(move || self.verify()).await??;
        match json {
            true => show(&format!("{}\n", serde_json::json!({ "verification": verification })))?,
            false => show(&table(&verification))?,
        }
        Ok(if verification.holds() { End::Landed } else { End::Trouble })
    }

    fn verify(self) -> Result<Verification, Failure> {
        let repository = Repository::open(&self.repo.repo)?;
        let branch = match self.target {
            Some(name) => BranchName::new(name)?,
            None => repository.head_branch()?.ok_or("no branch is checked out; name one with --target")?,
        };
        let from = match CommitId::new(self.from.as_str()) {
            Ok(commit) => commit,
            Err(_) => repository.tip(&BranchName::new(self.from)?)?,
        };
        let to = repository.tip(&branch)?;
        Ok(repository.verify(&LandingRange { branch, from, to })?)
    }
}

fn table(verification: &Verification) -> String {
    let mut text = String::new();
    for finding in &verification.findings {
        text.push_str(&format!("{:.12}  {}\n", finding.commit.as_str(), doubt(&finding.doubt)));
    }
    for landing in &verification.proven {
        let gates: Vec<_> = landing.passes.iter().map(|pass| pass.gate.as_str()).collect();
        let gates = if gates.is_empty() { "no gate".into() } else { format!("passed {}", gates.join(", ")) };
        let dropped = match landing.dropped.len() + landing.left_out.len() {
            0 => String::new(),
            several => format!(", {several} dropped on purpose"),
        };
        text.push_str(&format!("{:.12}  proven: {gates}{dropped}\n", landing.commit.as_str()));
    }
    let (proven, doubted) = (verification.proven.len(), verification.findings.len());
    text.push_str(&format!("{proven} landing(s) proven, {doubted} finding(s)\n"));
    text
}

fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::Uncertified => "has no certificate: it did not land through hedgerow".into(),
        Doubt::Unreadable { why } => crate::table::clean(&format!("its certificate cannot be read: {why}")),
        Doubt::NotAsSaid { why } => crate::table::clean(&format!("is not what its certificate says: {why}")),
        Doubt::Lost { losses } => format!("lacks work of both sides in {} place(s) without saying so", losses.len()),
        Doubt::LeftOut { commits } => format!("left out {} commit(s) without saying so", commits.len()),
        Doubt::Inside { merges } => format!("has {} merge(s) inside that lack work without saying so", merges.len()),
        Doubt::Astray => "is where the way back ends: name a commit that the branch was at".into(),
        Doubt::Ungated { tree } => format!("no gate passed on its tree {tree}, and one was promised"),
        other => crate::table::clean(&format!("{other:?}")),
    }
}
