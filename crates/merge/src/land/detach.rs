//! Lets a checkout go of its branch: `HEAD` names a commit instead. Files and index stay as they are.

use std::fs::{self, File};
use std::path::Path;

use gix::ObjectId;
use gix::actor::Signature;

use super::checkouts::Holder;
use super::forward::UNDERWAY;
use crate::refs::{lock, reflog};
use crate::{BranchName, Error, Result};

/// A checkout that names the commit where its branch was.
pub(super) struct Detached<'a> {
    holder: &'a Holder,
    branch: &'a BranchName,
    at: ObjectId,
}

impl<'a> Detached<'a> {
    /// Detaches a checkout, or says why not; then nothing was touched.
    pub(super) fn at(
        holder: &'a Holder,
        branch: &'a BranchName,
        at: ObjectId,
        who: &Signature,
    ) -> Result<std::result::Result<Self, String>> {
        if let Some((_, why)) = UNDERWAY.iter().find(|(name, _)| holder.git_dir.join(name).exists()) {
            return Ok(Err((*why).to_owned()));
        }
        let detached = Self { holder, branch, at };
        if !detached.write(&detached.attached(), &at.to_string())? {
            return Ok(Err("somebody switched to another branch here just now; land again".into()));
        }
        // In the words of git, by which `git switch -` finds the way back.
        let message = format!("checkout: moving from {branch} to {at}");
        reflog::append(&holder.git_dir.join("logs").join("HEAD"), at, at, &message, who)?;
        Ok(Ok(detached))
    }

    /// Goes back to the branch, which did not move. If that fails, the checkout stays detached where it is, and nothing is lost.
    pub(super) fn undo(self) {
        let _ = self.write(&self.at.to_string(), &self.attached());
    }

    fn attached(&self) -> String {
        format!("ref: refs/heads/{}", self.branch)
    }

    /// Gives `HEAD` another content, if it has this one.
    fn write(&self, from: &str, to: &str) -> Result<bool> {
        let head = self.holder.git_dir.join("HEAD");
        let lock = lock::acquire(&head, format!("{to}\n").as_bytes())?;
        let now = fs::read_to_string(&head).map_err(Error::git(format!("read {head:?}")))?;
        if now.trim_end() != from {
            return Ok(false);
        }
        lock.commit()?;
        flush(&self.holder.git_dir)?;
        Ok(true)
    }
}

fn flush(directory: &Path) -> Result<()> {
    let flushed = File::open(directory).and_then(|directory| directory.sync_all());
    flushed.map_err(Error::git(format!("flush {directory:?} to the disk")))
}
