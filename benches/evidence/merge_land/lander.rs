//! Lands one topic after the other, as a queue would whose gate has passed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hedgerow_merge::queue::{Digest, GateKey, Guarantee};
use hedgerow_merge::{
    BranchName, Change, Checkout, CommitId, GatePass, Identity, Landing, MergeCommit, MergeStrategy, Prepared,
    Repository, Target, TreeId,
};

use crate::topics::Topic;
use crate::{Failure, clone};

/// The steps of a landing.
pub(super) const STEPS: [&str; 4] = ["prepare", "certify", "record", "land"];

/// What came of a topic.
#[derive(Debug)]
pub(super) enum Came {
    Landed {
        commit: CommitId,
        tree: TreeId,
        /// What each of [`STEPS`] took.
        steps: [Duration; 4],
    },
    Conflict,
}

impl Came {
    pub(super) fn steps(&self) -> Option<[Duration; 4]> {
        match self {
            Self::Landed { steps, .. } => Some(*steps),
            Self::Conflict => None,
        }
    }
}

/// Whoever lands.
#[derive(Debug)]
pub(super) struct Lander<'a> {
    repository: &'a Repository,
    target: BranchName,
    gate: GateKey,
    /// Where files are written to see what a flush takes.
    place: PathBuf,
    /// What one flush took at the time of each landing.
    pub(super) flushes: Vec<Duration>,
}

impl<'a> Lander<'a> {
    pub(super) fn new(repository: &'a Repository, place: &Path) -> Result<Self, Failure> {
        let digest = |text: &str| Digest::new(text);
        Ok(Self {
            repository,
            target: BranchName::new(clone::TARGET)?,
            gate: GateKey { gate: digest("evidence"), environment: digest("none") },
            place: place.join("flush"),
            flushes: Vec::new(),
        })
    }

    pub(super) fn land(&mut self, number: usize, topic: &Topic) -> Result<Came, Failure> {
        self.flushes.push(self.flush()?);
        let repository = self.repository;
        let target = Target { branch: self.target.clone(), expected: repository.tip(&self.target)? };
        let change = Change {
            tip: topic.tip.clone(),
            subject: format!("Land {}", topic.name),
            trailers: vec![("Task".into(), number.to_string())],
            committer: Identity { name: "Queue".into(), email: "queue@hedgerow.invalid".into() },
        };
        let started = Instant::now();
        let candidate = match MergeCommit.prepare(repository, &target, &change)? {
            Prepared::Candidate(candidate) => candidate,
            Prepared::Conflict(_) => return Ok(Came::Conflict),
            other => return Err(format!("{}: {other:?}", topic.name).into()),
        };
        let prepared = started.elapsed();
        let started = Instant::now();
        let certificate = repository.certify(&candidate)?;
        let certified = started.elapsed();
        let tree = certificate.tree.clone();
        let pass = GatePass { gate: "none".into(), key: self.gate.clone(), tree: tree.clone() };
        let certificate = certificate.with_pass(pass).under(Guarantee::EveryCommit);
        let started = Instant::now();
        repository.record(&certificate)?;
        let recorded = started.elapsed();
        let started = Instant::now();
        match repository.land(&candidate, Checkout::Refuse)? {
            Landing::Landed => {}
            other => return Err(format!("{}: {other:?}", topic.name).into()),
        }
        let steps = [prepared, certified, recorded, started.elapsed()];
        Ok(Came::Landed { commit: candidate.commit, tree, steps })
    }

    /// What it takes just now until one small file is on the disk.
    fn flush(&self) -> Result<Duration, Failure> {
        let started = Instant::now();
        let mut file = File::create(&self.place)?;
        file.write_all(b"flushed\n")?;
        file.sync_all()?;
        let taken = started.elapsed();
        std::fs::remove_file(&self.place)?;
        Ok(taken)
    }
}
