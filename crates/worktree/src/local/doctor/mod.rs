//! Finds out what is wrong with the worktrees of a repository, whoever made them, and mends what is certain.
//!
//! git leaves a dozen kinds of half an entry behind when it is killed; some of them keep everybody from working, and most
//! of them it cannot remove itself. Nothing here deletes anything: what is in the way is moved to the quarantine.

mod backlink;
mod busy;
mod cure;
mod entry;
mod facts;
mod finding;
mod records;
mod refs;
mod shared;
mod ward;
mod work;

use super::layout::Layout;
use super::manager::LocalWorktrees;
use crate::Result;
use busy::Processes;
use ward::Ward;

pub(super) use backlink::Backlinks;
pub(super) use facts::is_stray;
pub use finding::{Cure, Finding, Holds, Remedy, Severity, Trouble};

impl LocalWorktrees {
    /// Looks for everything that is wrong with the worktrees of the repository and what they share, the worst first.
    ///
    /// Entries that git, other tools or this crate left half-made, trees and records that lost each other, locks that
    /// nobody holds, and keys of the configuration that catch worktrees out. Nothing is changed. What is younger than
    /// some seconds, or used by a process that can be seen, may be somebody's work in progress, and is said to be.
    ///
    /// # Errors
    /// When our own records cannot be listed, or another process holds the lock of the repository for too long. Damage
    /// is a finding, never an error.
    pub async fn doctor(&self) -> Result<Vec<Finding>> {
        self.blocking(examine).await
    }

    /// Cures one finding, if it is still so: the entry is looked at again under the lock of the repository.
    ///
    /// Missing files of an entry are completed where it is certain what belongs into them, durably and each with one
    /// rename. What cannot be completed and holds no work is moved into the directory `quarantine` of
    /// [`state_dir`](Self::state_dir), with one rename, and a note beside it says from where and why; the commit of its
    /// `HEAD` is under a rescue ref by then. No tree is touched, nothing is deleted, and what somebody may be at work on
    /// is left alone. It can be killed or dropped at any point, and called again.
    ///
    /// # Errors
    /// When a file could not be written or moved; the entry is then as it was.
    pub async fn mend(&self, finding: &Finding) -> Result<Cure> {
        let finding = finding.clone();
        self.blocking(move |layout| cure::mend(layout, &finding)).await
    }
}

/// Everything that is wrong, the worst first.
fn examine(layout: &Layout) -> Result<Vec<Finding>> {
    let processes = Processes::look();
    // Entries, trees and records that belong together appear and leave under the lock. The long looks come after it.
    let turn = layout.turn()?;
    let ward = Ward::look(layout, processes, &turn)?;
    let entries = entry::all(layout);
    let strays = records::strays(&ward, &entries);
    let mut found = records::judge(&ward);
    drop(turn);
    found.extend(entries.iter().flat_map(|facts| entry::judge(&ward, facts, &entries)));
    found.extend(strays.into_iter().filter_map(|stray| stray.judge(&ward)));
    found.extend(shared::judge(layout, &entries));
    found.extend(shared::locks(&ward));
    found.extend(refs::judge(&ward));
    // What was on its way out has gone meanwhile.
    found.retain(|finding| finding.path.symlink_metadata().is_ok());
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}
