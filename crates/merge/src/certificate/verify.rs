//! Proving a range of landings again, with nothing but the repository.

use gix::ObjectId;
use serde::{Deserialize, Serialize};

use super::{LandingCertificate, notes, parse};
use crate::conserve::{self, Checked, Landed};
use crate::queue::Guarantee;
use crate::resolve::{self, Doubted};
use crate::{BranchName, CommitId, Error, Fallback, Loss, Repository, Result, TreeId, graph};

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
    /// Whether every commit that the branch named is the landing of a certificate of which everything is so.
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
    /// [`Error::Object`](crate::Error::Object) when the way back from `to` does not come to `from`; others when
    /// the repository cannot be read. What is wrong with a landing is a [`Finding`].
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
                at = match before.filter(|_| proven) {
                    Some(before) => before,
                    None => *graph::parents(session, at)?.first().ok_or_else(|| {
                        let problem = format!(
                            "going back from {} does not come by it; name a commit that the branch was at",
                            range.to
                        );
                        graph::unusable(&range.from, problem)
                    })?,
                };
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
    let (certificates, damaged) = parse(&notes::read(session, at)?);
    let commit = graph::public(at)?;
    let mine = certificates.into_iter().filter(|found| found.target == range.branch && found.commit == commit);
    let mut doubts: Vec<_> = damaged.into_iter().map(|why| Doubt::Unreadable { why }).collect();
    let mut first = None;
    // The same commit may have landed twice, after the branch was set back. One that holds is enough.
    for certificate in mine {
        let found = match examine(session, at, &certificate, fallback) {
            Ok(found) => found,
            Err(error @ (Error::Object { .. } | Error::InvalidName { .. })) => {
                vec![Doubt::NotAsSaid { why: error.to_string() }]
            }
            Err(error) => return Err(error),
        };
        if found.is_empty() {
            return Ok((doubts, Some(certificate)));
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
    let on_it = certificate.passes.iter().any(|pass| pass.tree.as_str() == tree);
    if certificate.guarantee == Some(Guarantee::EveryCommit) && !on_it {
        doubts.push(Doubt::Ungated { tree: TreeId::new(tree)? });
    }
    Ok(doubts)
}
