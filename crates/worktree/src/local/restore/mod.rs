//! Makes a new worktree in which everything is as it was in a rescued one.

mod index;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::create::{self, Dress, Fill};
use super::fill::{self, Order};
use super::layout::Layout;
use super::manager::{CancelOnDrop, LocalWorktrees, slot};
use super::record::Record;
use super::{admin, base};
use crate::{Base, GitAccess, Request, Rescue, Result, Worktree, capture, repo, view};

impl LocalWorktrees {
    /// The work behind [`restore`](crate::WorktreeManager::restore).
    pub(super) async fn restored(&self, rescue: &Rescue, request: Request) -> Result<Worktree> {
        let slot = slot(&self.creations).await;
        let cancel = CancelOnDrop(Arc::default());
        let cancelled = Arc::clone(&cancel.0);
        let (threads, rescue) = (self.threads(), rescue.clone());
        self.blocking(move |layout| {
            let _slot = slot;
            restore(layout, &rescue, request, threads, &cancelled)
        })
        .await
    }
}

fn restore(
    layout: &Layout,
    rescue: &Rescue,
    mut request: Request,
    threads: usize,
    cancelled: &AtomicBool,
) -> Result<Worktree> {
    let repo = repo::open(&layout.common)?;
    let commit = base::resolve(&repo, &Base::Commit(rescue.commit.clone()))?;
    let former = capture::former(&repo, commit)?;
    request.base = Base::Commit(base::commit_id(former.map_or(commit, |former| former.head)));
    let staged = RefCell::new(None);
    let fill: Fill<'_> = Box::new(|repo, head, record| {
        let order = Order { donor: None, sparse: &record.sparse, threads, cancelled };
        let (mut files, _) = fill::into_new(repo, commit, &record.temporary, order)?;
        let Some(former) = former else { return Ok(files) };
        capture::rewrite(repo, &layout.common, former.base, &record.temporary, &mut files)?;
        *staged.borrow_mut() = Some(index::staged(repo, &former, &files, &record.sparse)?);
        index::of_commit(repo, head, &files, &record.sparse)
    });
    // The saved index describes the commit; git's own gets what was staged, before anybody can see the worktree.
    let dress: Dress<'_> = Box::new(|record: &Record| {
        let Some(staged) = staged.take() else { return Ok(()) };
        admin::write_index(&staged, &record.staging_dir(layout).join("index"))?;
        if request.git == GitAccess::Private {
            admin::write_index(&staged, &view::git_dir(&layout.common, &record.parts.id).join("index"))?;
        }
        Ok(())
    });
    create::create_dressed(layout, &request, fill, dress, cancelled)
}
