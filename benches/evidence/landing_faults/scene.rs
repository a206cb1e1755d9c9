//! A repository in which one change is about to land, and what must be true of it afterwards.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hedgerow_merge::queue::ChangeId;
use hedgerow_merge::{
    ArchivedChange, BranchName, Candidate, Change, Checkout, Identity, LandingRange, MergeCommit, MergeStrategy,
    Prepared, Repository, Target,
};
use tempfile::TempDir;

use super::child::{self, Data};
use super::tally::Tally;
use crate::git::{self, git};
use crate::{Failure, clone};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Doing {
    Record,
    Land,
    Forward,
    Carry,
    Detach,
    Archive,
    /// All of it, for many changes.
    Queue,
}

impl Doing {
    pub(super) const ALL: [Self; 6] =
        [Self::Record, Self::Land, Self::Forward, Self::Carry, Self::Detach, Self::Archive];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Land => "land",
            Self::Forward => "land, checkout forward",
            Self::Carry => "land, checkout carrying",
            Self::Detach => "land, checkout detached",
            Self::Archive => "archive",
            Self::Queue => "queue",
        }
    }

    pub(super) fn checkout(self) -> Option<Checkout> {
        match self {
            Self::Record | Self::Archive | Self::Queue => None,
            Self::Land => Some(Checkout::Refuse),
            Self::Forward => Some(Checkout::FastForwardClean),
            Self::Carry => Some(Checkout::FastForwardCarrying),
            Self::Detach => Some(Checkout::Detach),
        }
    }
}

/// Whoever lands.
pub(super) fn who() -> Identity {
    Identity { name: "Queue".into(), email: "queue@hedgerow.invalid".into() }
}

/// The branch that is landed on.
pub(super) const TARGET: &str = "main";

/// One repository with one change.
#[derive(Debug)]
pub(super) struct Scene {
    _place: Option<TempDir>,
    pub(super) path: PathBuf,
    pub(super) data: Data,
    /// The same, for another process.
    pub(super) prepared: PathBuf,
    doing: Doing,
}

impl Scene {
    pub(super) fn new(doing: Doing) -> Result<Self, Failure> {
        let place = clone::temporary()?;
        let scene = Self::at(place.path(), place.path(), doing)?;
        Ok(Self { _place: Some(place), ..scene })
    }

    /// A scene whose repository is in `disk`, and all else in `place`.
    pub(super) fn at(disk: &Path, place: &Path, doing: Doing) -> Result<Self, Failure> {
        let path = disk.join("repository");
        history(&path)?;
        if !matches!(doing, Doing::Forward | Doing::Carry | Doing::Detach) {
            git(&path, &["checkout", "-q", "--detach"])?;
        }
        let repository = Repository::open(&path)?;
        let candidate = prepare(&repository, "change")?;
        let certificate = repository.certify(&candidate)?;
        let archived = ArchivedChange {
            change: ChangeId::new("change"),
            attempt: 1,
            tip: candidate.change.clone(),
            why: "It was killed".into(),
        };
        let data = Data { candidate, certificate, archived };
        if doing.checkout().is_some() {
            repository.record(&data.certificate)?;
        }
        if doing == Doing::Carry {
            std::fs::write(path.join("kept"), "what the user changed\n")?;
        }
        let prepared = place.join("prepared");
        std::fs::write(&prepared, serde_json::to_vec(&data)?)?;
        Ok(Self { _place: None, path, data, prepared, doing })
    }

    /// Looks at what a fault left, does it again, and looks whether all is well.
    pub(super) fn judge(&self, tally: &mut Tally) -> Result<(), Failure> {
        tally.faults += 1;
        let (before, after) = (self.data.candidate.target.expected.as_str(), self.data.candidate.commit.as_str());
        match git(&self.path, &["rev-parse", &format!("refs/heads/{TARGET}")]) {
            Ok(at) if at == after => tally.landed += 1,
            Ok(at) if at == before => {}
            other => {
                tally.between += 1;
                tally.said.push(format!("the target was at {other:?}"));
            }
        }
        let repository = Repository::open(&self.path)?;
        let mut done = child::step(self.doing, &repository, &self.data);
        if done.is_ok() && self.doing == Doing::Record {
            done = child::step(Doing::Land, &repository, &self.data);
        }
        if let Err(error) = done {
            tally.retries += 1;
            tally.said.push(format!("done again: {error}"));
            return Ok(());
        }
        if self.doing == Doing::Archive {
            let kept = repository.archives()?.contains(&self.data.archived);
            tally.lost += usize::from(!kept);
        } else {
            self.landed(&repository, tally)?;
        }
        whole(&self.path, tally)
    }

    fn landed(&self, repository: &Repository, tally: &mut Tally) -> Result<(), Failure> {
        let candidate = &self.data.candidate;
        let (before, after) = (candidate.target.expected.as_str(), candidate.commit.as_str());
        let branch = BranchName::new(TARGET)?;
        let range = LandingRange { from: candidate.target.expected.clone(), to: repository.tip(&branch)?, branch };
        let verification = repository.verify(&range)?;
        if !verification.holds() || verification.proven.len() != 1 {
            tally.unproven += 1;
            tally.said.push(format!("{:?}", verification.findings));
        }
        let log = std::fs::read_to_string(self.path.join(".git/logs/refs/heads").join(TARGET)).unwrap_or_default();
        tally.unlogged += usize::from(!log.lines().any(|line| line.starts_with(&format!("{before} {after} "))));
        for tip in [before, candidate.change.as_str()] {
            let args = ["merge-base", "--is-ancestor", tip, &format!("refs/heads/{TARGET}")];
            tally.lost += usize::from(git(&self.path, &args).is_err());
        }
        let merges = git(&self.path, &["rev-list", "--count", "--merges", &format!("{before}..refs/heads/{TARGET}")])?;
        tally.doubled += usize::from(merges != "1");
        self.checkout(tally)
    }

    /// The user's files are as they should be.
    fn checkout(&self, tally: &mut Tally) -> Result<(), Failure> {
        let expected = match self.doing {
            Doing::Forward | Doing::Detach => "",
            Doing::Carry => " M kept",
            _ => return Ok(()),
        };
        let status = git(&self.path, &["status", "--porcelain"])?;
        // Leading blanks count.
        if status.trim() != expected.trim() {
            tally.between += 1;
            tally.said.push(format!("the checkout has {status:?}"));
        }
        Ok(())
    }
}

/// A target, a change of it, and files that a checkout can have changed.
pub(super) fn history(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir(path)?;
    git(path, &["init", "-q", "-b", TARGET])?;
    let commit = |files: &[(&str, String)], what: &str| -> Result<(), Failure> {
        for (name, text) in files {
            std::fs::write(path.join(name), text)?;
        }
        git(path, &["add", "-A"])?;
        git(path, &["commit", "-q", "-m", what])?;
        Ok(())
    };
    let lines =
        |changed: usize| (0..40).map(|n| format!("{n}{}\n", if n == changed { " changed" } else { "" })).collect();
    commit(&[("both", lines(99)), ("kept", "kept\n".into())], "base")?;
    git(path, &["checkout", "-q", "-b", "change"])?;
    commit(&[("both", lines(30)), ("new", "new\n".into())], "change")?;
    git(path, &["checkout", "-q", TARGET])?;
    commit(&[("both", lines(3))], "target")
}

pub(super) fn prepare(repository: &Repository, branch: &str) -> Result<Candidate, Failure> {
    let target = BranchName::new(TARGET)?;
    let target = Target { expected: repository.tip(&target)?, branch: target };
    let change = Change {
        tip: repository.tip(&BranchName::new(branch)?)?,
        subject: format!("Land {branch}"),
        trailers: vec![("Task".into(), branch.into())],
        committer: who(),
    };
    match MergeCommit.prepare(repository, &target, &change)? {
        Prepared::Candidate(candidate) => Ok(candidate),
        other => Err(format!("{other:?}").into()),
    }
}

/// git finds nothing wrong, and nothing of ours is left lying about.
pub(super) fn whole(path: &Path, tally: &mut Tally) -> Result<(), Failure> {
    let output = git::command(path).args(["fsck", "--strict", "--no-dangling", "--no-progress"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = said.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("notice:")).collect();
    if !said.is_empty() || !output.status.success() {
        tally.damaged += 1;
        tally.said.push(format!("git fsck: {}", said.join("; ")));
    }
    let left = left(&path.join(".git"))?;
    tally.left += left.len();
    tally.said.extend(left.iter().map(|path| format!("left: {}", path.display())));
    Ok(())
}

/// Locks, and second names of locks.
fn left(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(left(&path)?);
        } else if path.extension().is_some_and(|e| e == "lock") || path.parent().is_some_and(|p| p.ends_with("locks")) {
            found.push(path);
        }
    }
    Ok(found)
}
