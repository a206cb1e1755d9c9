//! Proving a range of landings again, with nothing but the repository.

use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::{LandingCertificate, notes, parse};
use crate::conserve::{self, Checked, Landed};
use crate::queue::Guarantee;
use crate::resolve::{self, Doubted};
use crate::{BranchName, CommitId, Fallback, Loss, Made, MergeInside, Repository, Result, TreeId, graph};

/// Landings on a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingRange {
    /// The branch that they landed on, by the name that it had.
    pub branch: BranchName,
    /// What the branch named before the first of them.
    pub from: CommitId,
    /// What it named after the last of them.
    pub to: CommitId,
}

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a verification may have found something"]
pub struct Verification {
    /// The landings of which everything is so, the latest first.
    pub proven: Vec<LandingCertificate>,
    /// What is not so, the latest first.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether the way back from the end of the range to its beginning is one of landings of which everything is so.
    ///
    /// Which commits the branch was at in between, only the certificates say: one that claims a fast-forward stands for all commits
    /// of its change.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A doubt about one commit that the branch named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The commit.
    pub commit: CommitId,
    /// What is wrong.
    pub doubt: Doubt,
}

/// What is wrong with a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Doubt {
    /// There is no certificate of it for this branch.
    Uncertified,
    /// Its certificate cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// The commit is not what its certificate says, or an object is missing that would show it.
    NotAsSaid {
        /// What is not.
        why: String,
    },
    /// It lacks what both sides did, and the certificate does not say so.
    Lost {
        /// What it lacks.
        losses: Vec<Loss>,
    },
    /// Commits of the change were left out, and the certificate does not say so.
    LeftOut {
        /// Which.
        commits: Vec<CommitId>,
    },
    /// Merges that the change has lack work of their parents, and the certificate does not say so.
    Inside {
        /// Which, and what they lack.
        merges: Vec<MergeInside>,
    },
    /// The way back from here does not come to the beginning of the range; name a commit that the branch was at.
    Astray,
    /// A gate is promised to have passed on the tree, and none is named that did.
    Ungated {
        /// The tree.
        tree: TreeId,
    },
}

impl Repository {
    /// Looks whether everything that the certificates of a range say is so.
    ///
    /// It goes from the last landing to the first. For each commit that the branch named, it reads the certificate and looks
    /// whether the commit descends from the one before, has the tree and the shape that are said, lacks nothing of both
    /// sides but what is said, and whether a gate that passed was on that tree, where that is promised. Only objects and
    /// notes of this repository are read, and nothing is written, so a clone that fetched `refs/notes/hedgerow` will do; it
    /// needs the tips of squashed and replayed changes too.
    ///
    /// That a gate passed is what the certificate says. Whoever can write the notes can write that.
    ///
    /// # Errors
    /// When an end of the range is no commit here, or the way between them cannot be read. What is wrong with a landing, its
    /// notes included, is a [`Finding`].
    pub fn verify(&self, range: &LandingRange) -> Result<Verification> {
        self.in_memory(|session| {
            let from = graph::commit(session, &range.from)?;
            let mut at = graph::commit(session, &range.to)?;
            let mut verification = Verification::default();
            while at != from {
                let commit = graph::public(at)?;
                let (doubts, certificate) = look(session, range, at, self.rules().fallback)?;
                let before = match &certificate {
                    Some(certificate) => graph::commit(session, &certificate.expected).ok(),
                    None => None,
                };
                let proven = doubts.is_empty();
                verification.findings.extend(doubts.into_iter().map(|doubt| Finding { commit: commit.clone(), doubt }));
                verification.proven.extend(certificate.filter(|_| proven));
                let next = match before.filter(|_| proven) {
                    Some(before) => Some(before),
                    None => graph::parents(session, at)?.first().copied(),
                };
                let Some(next) = next else {
                    verification.findings.push(Finding { commit, doubt: Doubt::Astray });
                    break;
                };
                at = next;
            }
            Ok(verification)
        })
    }
}

/// What is wrong with one commit that the branch named, and its certificate.
fn look(
    session: &gix::Repository,
    range: &LandingRange,
    at: ObjectId,
    fallback: Option<&Fallback>,
) -> Result<(Vec<Doubt>, Option<LandingCertificate>)> {
    let (certificates, damaged) = match notes::read(session, at) {
        Ok(note) => parse(&note),
        Err(error) => (Vec::new(), vec![error.to_string()]),
    };
    let commit = graph::public(at)?;
    let mine = certificates.into_iter().filter(|found| found.target == range.branch && found.commit == commit);
    let mut doubts: Vec<_> = damaged.into_iter().map(|why| Doubt::Unreadable { why }).collect();
    let mut first = None;
    // The same commit may have landed twice, after the branch was set back. One that holds is enough.
    for certificate in mine {
        let examined = examine(session, at, &certificate, fallback);
        let found = examined.unwrap_or_else(|error| vec![Doubt::NotAsSaid { why: error.to_string() }]);
        if found.is_empty() {
            // Whatever else somebody wrote beside it.
            return Ok((Vec::new(), Some(certificate)));
        }
        first.get_or_insert((found, certificate));
    }
    match first {
        Some((found, certificate)) => {
            doubts.extend(found);
            Ok((doubts, Some(certificate)))
        }
        None => {
            if doubts.is_empty() {
                doubts.push(Doubt::Uncertified);
            }
            Ok((doubts, None))
        }
    }
}

/// Whether everything is as a certificate says.
pub(crate) fn is_so(
    session: &gix::Repository,
    certificate: &LandingCertificate,
    fallback: Option<&Fallback>,
) -> Result<bool> {
    Ok(examine(session, graph::commit(session, &certificate.commit)?, certificate, fallback)?.is_empty())
}

fn examine(
    session: &gix::Repository,
    at: ObjectId,
    certificate: &LandingCertificate,
    fallback: Option<&Fallback>,
) -> Result<Vec<Doubt>> {
    let landed = Landed {
        expected: graph::commit(session, &certificate.expected)?,
        commit: at,
        change: graph::commit(session, &certificate.change)?,
        made: &certificate.made,
        fallback,
    };
    let mut doubts = Vec::new();
    let not_as_said = |why: String| Doubt::NotAsSaid { why };
    if landed.expected == at || !graph::contains(session, at, landed.expected)? {
        doubts.push(not_as_said(format!("it does not descend from {}", certificate.expected)));
        return Ok(doubts);
    }
    let tree = graph::tree_of(session, at)?.to_string();
    if tree != certificate.tree.as_str() {
        doubts.push(not_as_said(format!("its tree is {tree}, not {}", certificate.tree)));
    }
    match conserve::check(session, &landed)? {
        Checked::All(found) => {
            let losses: Vec<_> = found.into_iter().filter(|loss| !certificate.dropped.contains(loss)).collect();
            if !losses.is_empty() {
                doubts.push(Doubt::Lost { losses });
            }
        }
        Checked::Nothing => doubts.push(not_as_said("it does not say how the commit was made".into())),
    }
    let mut commits = conserve::left_out(session, &landed)?;
    commits.retain(|commit| !certificate.left_out.contains(commit));
    if !commits.is_empty() {
        doubts.push(Doubt::LeftOut { commits });
    }
    for resolution in &certificate.resolved {
        let tip = graph::commit(session, &resolution.tip)?;
        if !graph::contains(session, landed.change, tip)? {
            doubts.push(not_as_said(format!("the change does not contain the resolution {tip}")));
            continue;
        }
        match resolve::doubt(session, resolution)? {
            None => {}
            Some(Doubted::Shape) => doubts.push(not_as_said(format!("{tip} is no resolution of the two sides"))),
            Some(Doubted::Lost(losses)) => doubts.push(Doubt::Lost { losses }),
        }
    }
    let mut merges = conserve::inside(session, &landed)?;
    merges.retain(|merge| !certificate.inside.contains(merge));
    if !merges.is_empty() {
        doubts.push(Doubt::Inside { merges });
    }
    for tree in promised(session, certificate, &tree)? {
        if !certificate.passes.iter().any(|pass| pass.tree == tree) {
            doubts.push(Doubt::Ungated { tree });
        }
    }
    Ok(doubts)
}

/// The trees on which a gate is promised to have passed.
fn promised(session: &gix::Repository, certificate: &LandingCertificate, landed: &str) -> Result<Vec<TreeId>> {
    let mut trees = match certificate.guarantee {
        Some(Guarantee::EveryCommit | Guarantee::HeadGreen) => vec![TreeId::new(landed)?],
        Some(Guarantee::Scoped) | None => Vec::new(),
    };
    if let (Some(Guarantee::EveryCommit), Made::Replay { steps }) = (certificate.guarantee, &certificate.made) {
        for step in steps {
            trees.push(TreeId::new(graph::tree_of(session, graph::commit(session, &step.at)?)?.to_string())?);
        }
        // Where a commit does nothing any more, the series is where the target was.
        let before = graph::tree_of(session, graph::commit(session, &certificate.expected)?)?.to_string();
        trees.retain(|tree| tree.as_str() != before);
    }
    trees.sort();
    trees.dedup();
    Ok(trees)
}
