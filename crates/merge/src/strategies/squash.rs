//! All of a change as one commit.

use std::collections::BTreeSet;

use gix::actor::Signature;
use gix::bstr::ByteSlice;
use serde::{Deserialize, Serialize};

use super::{Offer, keep_both, offer, series, sides};
use crate::commit::{Copied, copy, lines_of, message, trailers};
use crate::engine::{Merged, merge_by};
use crate::{Change, Error, Made, MergeStrategy, Prepared, Repository, Result, Target, graph};

/// Makes one commit of the change on the target, with the tree that [`MergeCommit`](crate::MergeCommit) would have.
///
/// The author is that of the change's first commit, with its date; other authors are named in `Co-authored-by` trailers.
/// The target does not contain the change's own commits afterwards, so squashing the same tip again may conflict with what
/// it brought itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Squash;

impl MergeStrategy for Squash {
    fn prepare(&self, repository: &Repository, target: &Target, change: &Change) -> Result<Prepared> {
        repository.in_memory(|session| {
            let (onto, tip) = sides(session, target, change)?;
            let (merged, engine) = merge_by(session, repository.rules(), onto, tip)?;
            let tree = match merged {
                Merged::Contained => return Ok(Prepared::AlreadyMerged),
                Merged::Conflict(conflict) => return Ok(Prepared::Conflict(conflict)),
                Merged::Clean { tree, bases } => {
                    keep_both(session, &bases, (onto, tip), tree)?;
                    tree
                }
            };
            if tree == graph::tree_of(session, onto)? {
                return Ok(Prepared::Empty);
            }
            let mut authors = Vec::new();
            for commit in series::between(session, tip, onto)? {
                let merge = graph::parents(session, commit)?.len() > 1;
                let damaged = || graph::unusable(commit, "it is a damaged commit");
                let found = session.find_commit(commit).map_err(Error::git(format!("read commit {commit}")))?;
                let author: Signature = found.author().map_err(|_| damaged())?.to_owned().map_err(|_| damaged())?;
                if !merge || authors.is_empty() {
                    authors.push(author);
                }
            }
            let Some(author) = authors.first().cloned() else { return Ok(Prepared::AlreadyMerged) };
            let name =
                |who: &Signature| format!("{} <{}>", who.name.to_str_lossy().trim(), who.email.to_str_lossy().trim());
            let mut named = BTreeSet::from([name(&author)]);
            let others = authors.iter().map(name).filter(|name| named.insert(name.clone()));
            let mut lines: Vec<_> = others.map(|name| ("Co-authored-by".to_owned(), name)).collect();
            // Those of the change are the last ones, where they are looked for.
            lines.extend(lines_of(change)?);
            let bare = Change { trailers: Vec::new(), ..change.clone() };
            let message = trailers::append(message(&bare)?.as_bytes(), &lines);
            let copied = Copied { tree, parent: onto, author, message, encoding: None, after: tip };
            let commit = copy(session, copied, repository.by(change))?;
            offer(session, commit, target, change, Offer { verb: "squash", made: Made::Squash, engine })
        })
    }
}
