//! How a commit brings a change in: what a strategy says of its candidate, so that anybody can check it.

use serde::{Deserialize, Serialize};

use crate::CommitId;

/// How a candidate's commit brings its change in.
///
/// A strategy says so, and nobody has to believe it: whether the commit has that shape, and whether it has what both
/// sides did, is checked when it lands, and again whenever a [certificate](crate::LandingCertificate) is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
#[non_exhaustive]
pub enum Made {
    /// Nobody said. A merge of the target and the change is checked as one; anything else is not checked.
    #[default]
    Undeclared,
    /// The commit is the change's own tip, which descends from the target.
    Forward,
    /// One commit joins the target, its first parent, to the change, among the others.
    Merge,
    /// One commit on the target has the tree of a merge of the target and the change.
    Squash,
    /// Commits were done again, one after the other, beginning at the target.
    Replay {
        /// Each commit that was done again, first to last.
        steps: Vec<Step>,
    },
}

/// One commit of a series, done again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// The commit as it was.
    pub from: CommitId,
    /// Where the series is afterwards: the new commit, or where it was before if this one changes nothing there any more.
    pub at: CommitId,
    /// A commit of the target that does the same under another id, for which this one was left out, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<CommitId>,
}
