//! Creations that say where their files came from.

use std::sync::Arc;

use super::{Donor, Order, into_new};
use crate::local::create::{self, Fill};
use crate::local::layout::Layout;
use crate::local::manager::{CancelOnDrop, LocalWorktrees, slot};
use crate::{Request, Result, Worktree};

/// A tree whose files are copied into new worktrees, each one only if it provably is what the commit has in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyFrom {
    /// The main checkout, where there is one. Nothing of what was edited in it gets into a new worktree.
    #[default]
    MainCheckout,
    /// None: every file is inflated from its object.
    Nothing,
}

impl CopyFrom {
    /// The tree that it names, if there is one.
    pub(in crate::local) fn open(self, layout: &Layout, repo: &gix::Repository) -> Option<Donor> {
        match (self, &layout.main) {
            (Self::MainCheckout, Some(main)) => Donor::open(main, &layout.common.join("index"), repo.object_hash()),
            _ => None,
        }
    }
}

/// Where the files of a new worktree came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filled {
    /// Written from the objects of the repository.
    pub inflated: usize,
    /// Copied from another tree that had them already.
    pub copied: usize,
    /// Shared with another tree by the file system, until one of the two is changed.
    pub reflinked: usize,
}

impl std::ops::AddAssign for Filled {
    fn add_assign(&mut self, other: Self) {
        self.inflated += other.inflated;
        self.copied += other.copied;
        self.reflinked += other.reflinked;
    }
}

impl LocalWorktrees {
    /// Creates a worktree as [`create`](crate::WorktreeManager::create) does, and says where its files came from.
    ///
    /// # Errors
    /// As [`create`](crate::WorktreeManager::create).
    pub async fn create_reporting(&self, request: Request) -> Result<(Worktree, Filled)> {
        let slot = slot(&self.creations).await;
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let (threads, copy_from) = (self.threads(), self.copy_from);
        self.blocking(move |layout| {
            let mut filled = Filled::default();
            let fill: Fill<'_> = Box::new(|repo, commit, record| {
                // Given back when the part that uses the processor is over.
                let _slot = slot;
                let donor = copy_from.open(layout, repo);
                let order = Order { donor, sparse: &record.sparse, threads, cancelled: &cancelled };
                let (index, came) = into_new(repo, commit, &record.temporary, order)?;
                filled = came;
                Ok(index)
            });
            let worktree = create::create(layout, &request, fill, &cancelled)?;
            Ok((worktree, filled))
        })
        .await
    }
}
