//! Who touched a path on one side.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use serde::{Deserialize, Serialize};

use super::assemble::entry_at;
use crate::commit::trailers;
use crate::{CommitId, Error, Identity, RepoPath, Result, graph};

/// How many commits of one side are looked at, the latest first.
const LOOK: usize = 5_000;

/// A commit of one side that changed a conflicting path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message. Bytes that are no UTF-8 are replaced.
    pub subject: String,
    /// Who wrote it.
    pub author: Identity,
    /// The trailers of its message, as key and value, in their order.
    pub trailers: Vec<(String, String)>,
}

impl Touch {
    /// The tasks that it was made for: the values of its `Task` trailers.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        let of_task = |(key, value): &'_ (String, String)| key.eq_ignore_ascii_case("task").then_some(value.len());
        self.trailers.iter().filter(move |trailer| of_task(trailer).is_some()).map(|(_, value)| value.as_str())
    }
}

/// The commits of `tip` that are not behind `bases` and changed one of the paths, the latest first. A merge counts when
/// it has something that none of its parents has.
pub(super) fn touches(
    session: &gix::Repository,
    tip: ObjectId,
    bases: &[ObjectId],
    paths: &BTreeSet<RepoPath>,
) -> Result<Vec<Touch>> {
    let walk = session.rev_walk([tip]).with_hidden(bases.iter().copied()).all();
    let mut found = Vec::new();
    for info in walk.map_err(Error::git(format!("walk back from {tip}")))?.take(LOOK) {
        let id = info.map_err(Error::git(format!("walk back from {tip}")))?.id;
        let commit = session.find_commit(id).map_err(Error::git(format!("read commit {id}")))?;
        let parents: Vec<_> = commit.parent_ids().map(|id| id.detach()).collect();
        let mut touched = false;
        for path in paths {
            let path = path.as_bytes().as_bstr();
            let now = entry_at(session, id, path)?;
            let mut differs = true;
            for parent in &parents {
                differs &= entry_at(session, *parent, path)? != now;
            }
            touched |= differs && (!parents.is_empty() || now.is_some());
        }
        if touched {
            found.push(touch(&commit)?);
        }
    }
    Ok(found)
}

fn touch(commit: &gix::Commit<'_>) -> Result<Touch> {
    let damaged = || graph::unusable(commit.id, "it is a damaged commit");
    let message = commit.message_raw().map_err(|_| damaged())?;
    let author = commit.author().map_err(|_| damaged())?;
    Ok(Touch {
        commit: graph::public(commit.id)?,
        subject: message.lines().next().unwrap_or_default().to_str_lossy().into_owned(),
        author: Identity { name: author.name.to_string(), email: author.email.to_string() },
        trailers: trailers::parse(message),
    })
}
