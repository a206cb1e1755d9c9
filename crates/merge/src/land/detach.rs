//! Lets a checkout go of its branch: `HEAD` names a commit instead. Files and index stay as they are.

use std::fs;
use std::path::Path;

use gix::ObjectId;
use gix::actor::Signature;

use super::checkouts::Holder;
use super::forward::UNDERWAY;
use crate::flush::Unflushed;
use crate::refs::{lock, reflog};
use crate::{BranchName, Error, Result};

/// A checkout that names the commit where its branch was.
pub(super) struct Detached<'a> {
    /// The git directory that all worktrees share.
    common: &'a Path,
    holder: &'a Holder,
    branch: &'a BranchName,
    at: ObjectId,
}

impl<'a> Detached<'a> {
    /// Detaches a checkout, or says why not; then nothing was touched.
    pub(super) fn at(
        common: &'a Path,
        holder: &'a Holder,
        branch: &'a BranchName,
        at: ObjectId,
        who: &Signature,
    ) -> Result<std::result::Result<Self, String>> {
        if let Some((_, why)) = UNDERWAY.iter().find(|(name, _)| holder.git_dir.join(name).exists()) {
            return Ok(Err((*why).to_owned()));
        }
        let detached = Self { common, holder, branch, at };
        // In the words of git, by which `git switch -` finds the way back.
        let message = format!("checkout: moving from {branch} to {at}");
        let log = || reflog::append(&holder.git_dir.join("logs").join("HEAD"), at, at, &message, who);
        if !detached.write(&detached.attached(), &at.to_string(), &log)? {
            return Ok(Err("somebody switched to another branch here just now; land again".into()));
        }
        Ok(Ok(detached))
    }

    /// Goes back to the branch, which did not move. If that fails, the checkout stays detached where it is, and nothing is lost.
    pub(super) fn undo(self, who: &Signature) {
        let message = format!("checkout: moving from {} to {}", self.at, self.branch);
        let log = || reflog::append(&self.holder.git_dir.join("logs").join("HEAD"), self.at, self.at, &message, who);
        let _ = self.write(&self.at.to_string(), &self.attached(), &log);
    }

    fn attached(&self) -> String {
        format!("ref: refs/heads/{}", self.branch)
    }

    /// Gives `HEAD` another content, if it has this one, and logs that first: an entry for nothing is harmless.
    fn write(&self, from: &str, to: &str, log: &dyn Fn() -> Result<Unflushed>) -> Result<bool> {
        let head = self.holder.git_dir.join("HEAD");
        let lock = lock::acquire(self.common, &head, format!("{to}\n").as_bytes())?;
        let now = fs::read_to_string(&head).map_err(Error::git(format!("read {head:?}")))?;
        if now.trim_end() != from {
            return Ok(false);
        }
        lock.commit(log()?)?;
        Ok(true)
    }
}
