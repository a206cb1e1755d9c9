//! What others make of the landings: a clone that verifies them, and git.

use std::path::Path;
use std::time::{Duration, Instant};

use hedgerow_merge::{BranchName, CommitId, LandingRange, Repository};

use super::lander::Came;
use crate::table::Table;
use crate::{Failure, clone, git, progress, quantile};

/// What was found.
#[derive(Debug)]
pub(super) struct Proof {
    /// How long the verification of all took.
    taken: Duration,
    proven: usize,
    findings: Vec<String>,
    /// What git found damaged.
    fsck: Vec<String>,
    /// How many notes git showed that are of a certificate.
    notes: usize,
    /// Locks that were left.
    locks: usize,
}

pub(super) fn of(copy: &Path, place: &Path, base: &str, came: &[Came]) -> Result<Proof, Failure> {
    let other = place.join("other.git");
    git::git(place, &["clone", "-q", "--mirror", "--shared", &copy.to_string_lossy(), &other.to_string_lossy()])?;
    let repository = Repository::open(&other)?;
    let branch = BranchName::new(clone::TARGET)?;
    let range = LandingRange { from: CommitId::new(base)?, to: repository.tip(&branch)?, branch };
    progress("a clone verifies them");
    let started = Instant::now();
    let verification = repository.verify(&range)?;
    let taken = started.elapsed();
    let mut notes = 0;
    for came in came {
        let Came::Landed { commit, .. } = came else { continue };
        let note = git::git(&other, &["notes", "--ref=hedgerow", "show", commit.as_str()]).unwrap_or_default();
        let named = |line: &str| {
            let value = serde_json::from_str::<serde_json::Value>(line).ok()?;
            Some(value.get("commit")?.as_str()? == commit.as_str())
        };
        notes += usize::from(note.lines().any(|line| named(line) == Some(true)));
    }
    progress("git looks for damage");
    let output = git::command(copy).args(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let mut fsck: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if !output.status.success() && fsck.is_empty() {
        fsck.push(format!("git fsck ended with {}", output.status));
    }
    Ok(Proof {
        taken,
        proven: verification.proven.len(),
        findings: verification.findings.iter().map(|finding| format!("{finding:?}")).collect(),
        fsck,
        notes,
        locks: locks(&copy.join("refs"))?,
    })
}

fn locks(dir: &Path) -> Result<usize, Failure> {
    let mut found = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        found += if path.is_dir() { locks(&path)? } else { usize::from(path.extension().is_some_and(|e| e == "lock")) };
    }
    Ok(found)
}

impl Proof {
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(
            "What others make of it",
            [
                "proven in a clone",
                "findings",
                "all in ms",
                "damage that git finds",
                "notes that git shows",
                "locks left",
            ],
        );
        table.row([
            self.proven.to_string(),
            self.findings.len().to_string(),
            quantile::ms(self.taken),
            self.fsck.len().to_string(),
            self.notes.to_string(),
            self.locks.to_string(),
        ]);
        table
    }

    pub(super) fn missed(&self, landed: usize) -> Vec<String> {
        let mut missed = Vec::new();
        missed.extend(self.findings.iter().take(5).cloned());
        missed.extend(self.fsck.iter().take(5).map(|line| format!("git fsck: {line}")));
        for (what, n) in [("proven", self.proven), ("read by git", self.notes)] {
            if n != landed {
                missed.push(format!("{landed} landed and {n} were {what}"));
            }
        }
        if self.locks > 0 {
            missed.push(format!("{} locks were left", self.locks));
        }
        missed
    }
}
