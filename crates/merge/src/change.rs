//! What goes in: a change and the target that it is meant for.

use serde::{Deserialize, Serialize};

use crate::{BranchName, CommitId};

/// Where a change shall land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The branch.
    pub branch: BranchName,
    /// The commit that the branch names, and that it must still name when the candidate lands.
    pub expected: CommitId,
}

/// What shall land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The last commit of the change.
    pub tip: CommitId,
    /// Subject of the candidate's message.
    pub subject: String,
    /// Trailer lines of the candidate's message, as key and value, for example `Task` and `fix-42`.
    pub trailers: Vec<(String, String)>,
    /// Who commits. The strategy takes the time from the tip, so that the candidate's id is the same each time.
    pub committer: Identity,
}

/// A name and a mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}
