//! The certificate of a landing: what was proven of it, so that anybody can prove it again, later and elsewhere.

use serde::{Deserialize, Serialize};

use crate::conserve::{self, Checked, Landed};
use crate::queue::{GateKey, Guarantee};
use crate::{
    BranchName, Candidate, CommitId, Engine, Error, Loss, Made, MergeInside, Repository, Resolution, Result, TreeId,
    graph,
};

mod notes;
mod verify;

pub(crate) use verify::is_so;
pub use verify::{Doubt, Finding, LandingRange, Verification};

/// The version of the format that this crate writes, and the latest that it reads.
const FORMAT: u32 = 1;

/// What was proven of one landing.
///
/// Stored with [`Repository::record`] it is a note of the landed commit, and [`Repository::verify`] looks whether all of
/// it is so. What cannot be proven again from objects alone is the word of whoever wrote it: that the gates passed, and
/// which engine merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LandingCertificate {
    /// The version of this format.
    pub format: u32,
    /// The branch that it landed on.
    pub target: BranchName,
    /// What the branch named before.
    pub expected: CommitId,
    /// What it named afterwards.
    pub commit: CommitId,
    /// The tree of that commit.
    pub tree: TreeId,
    /// The tip of the change.
    pub change: CommitId,
    /// How the commit brings the change in.
    pub made: Made,
    /// Who merged.
    pub engine: Engine,
    /// What of both sides is not in it, on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Loss>,
    /// Commits of the change that were not taken. Only a series that was done again may have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<CommitId>,
    /// What merges that the change itself has lack of their parents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<MergeInside>,
    /// Conflicts that were resolved in it, by whom, and what was dropped in that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<Resolution>,
    /// The gates that passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<GatePass>,
    /// What is promised of those gates, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<Guarantee>,
}

/// A gate that passed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GatePass {
    /// What people call the gate.
    pub gate: String,
    /// What exactly it runs, and in what.
    pub key: GateKey,
    /// The tree that passed.
    pub tree: TreeId,
}

impl LandingCertificate {
    /// Adds a gate that passed.
    #[must_use]
    pub fn with_pass(mut self, pass: GatePass) -> Self {
        self.passes.push(pass);
        self
    }

    /// Adds a conflict that was resolved in the change.
    #[must_use]
    pub fn with_resolution(mut self, resolution: Resolution) -> Self {
        self.resolved.push(resolution);
        self
    }

    /// Adds what is promised of the gates: with [`Guarantee::EveryCommit`], one passed on exactly the landed tree.
    #[must_use]
    pub fn under(mut self, guarantee: Guarantee) -> Self {
        self.guarantee = Some(guarantee);
        self
    }
}

impl Repository {
    /// Proves what can be proven of a candidate, and says so in a certificate. Nothing is written.
    ///
    /// # Errors
    /// [`Error::NotConserved`] when it lacks something that [`Candidate::dropped`] does not name;
    /// [`Error::Unproven`] when [`Candidate::made`] says nothing and the commit is no merge of the target and the change;
    /// [`Error::Object`] when the commit has not the shape that it says.
    pub fn certify(&self, candidate: &Candidate) -> Result<LandingCertificate> {
        self.in_memory(|session| {
            let landed = Landed {
                expected: graph::commit(session, &candidate.target.expected)?,
                commit: graph::commit(session, &candidate.commit)?,
                change: graph::commit(session, &candidate.change)?,
                made: &candidate.made,
                fallback: self.rules().fallback,
            };
            let found = match conserve::check(session, &landed)? {
                Checked::All(found) => found,
                Checked::Nothing => {
                    return Err(Error::Unproven { commit: candidate.commit.to_string() });
                }
            };
            let undeclared: Vec<_> = found.iter().filter(|loss| !candidate.dropped.contains(loss)).cloned().collect();
            if !undeclared.is_empty() {
                return Err(Error::NotConserved { losses: undeclared });
            }
            Ok(LandingCertificate {
                format: FORMAT,
                target: candidate.target.branch.clone(),
                expected: candidate.target.expected.clone(),
                commit: candidate.commit.clone(),
                tree: TreeId::new(graph::tree_of(session, landed.commit)?.to_string())?,
                change: candidate.change.clone(),
                made: candidate.made.clone(),
                engine: candidate.engine,
                dropped: found,
                left_out: conserve::left_out(session, &landed)?,
                inside: conserve::inside(session, &landed)?,
                resolved: Vec::new(),
                passes: Vec::new(),
                guarantee: None,
            })
        })
    }

    /// Stores a certificate as a note of its commit, under `refs/notes/hedgerow`; durable when it returns.
    ///
    /// `git log --notes=hedgerow` shows it, `git push` and `git fetch` carry it when they are told the ref. Each
    /// certificate is one line of JSON, beside those that are there, so notes of two clones merge with
    /// `git notes merge -s cat_sort_uniq`. Recording one again does nothing.
    ///
    /// The tips of changes that were squashed or replayed stay in the repository with the notes: the commit of the notes has them
    /// as parents.
    ///
    /// Record it *before* you land: then nothing is ever landed without. One whose landing did not happen does no harm,
    /// because [`verify`](Self::verify) goes by what the branch has, and `git notes prune` removes it with its commit.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process holds the ref for seconds; others when an object or the ref cannot be read or
    /// written.
    pub fn record(&self, certificate: &LandingCertificate) -> Result<()> {
        let mut line = serde_json::to_string(certificate).map_err(Error::git("write a certificate"))?;
        line.push('\n');
        self.in_memory(|session| {
            let commit = graph::commit(session, &certificate.commit)?;
            let change = graph::commit(session, &certificate.change)?;
            // What a squash or a series leaves behind hangs on no ref once its branch is gone.
            let keep = if graph::contains(session, commit, change)? { None } else { Some(change) };
            notes::append(session, commit, line.as_bytes(), keep)
        })
    }

    /// The certificates that are recorded for a commit. Usually one; several when it landed on several branches.
    ///
    /// They are what the note says; [`verify`](Self::verify) looks whether it is so. Lines that are no certificate are
    /// passed over.
    ///
    /// # Errors
    /// When the notes or the commit cannot be read.
    pub fn certificates(&self, commit: &CommitId) -> Result<Vec<LandingCertificate>> {
        self.in_memory(|session| {
            let commit = graph::commit(session, commit)?;
            Ok(parse(&notes::read(session, commit)?).0)
        })
    }
}

/// A commit lands on few branches; more certificates than this are nobody's landings.
const MOST: usize = 64;

/// What tells whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The certificates of a note, and what is wrong with lines that look like one and cannot be used.
fn parse(note: &[u8]) -> (Vec<LandingCertificate>, Vec<String>) {
    let (mut certificates, mut damaged) = (Vec::new(), Vec::new());
    // Others may write notes of their own beside, so only what begins like one is held to be one.
    for line in note.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"format\":")) {
        if certificates.len() + damaged.len() == MOST {
            damaged.push(format!("it has more than {MOST} certificates"));
            break;
        }
        match serde_json::from_slice::<Head>(line) {
            Ok(Head { format }) if format > FORMAT => {
                damaged.push(format!("it is of format {format}, and this version reads {FORMAT} at most"));
            }
            _ => match serde_json::from_slice::<LandingCertificate>(line) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => damaged.push(error.to_string()),
            },
        }
    }
    (certificates, damaged)
}
