//! The repository as this crate sees it: objects, and the refs that land.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::commit::By;
use crate::engine::Rules;
use crate::refs::{self, RefName};
use crate::{
    BranchName, Candidate, Change, Checkout, CommitId, Error, Fallback, Landing, Names, Result, Signer, graph, land,
    open,
};

/// How many handles are kept for later; each holds up to the size of its cache.
const IDLE: usize = 4;
/// Bytes of decoded objects that a handle has at hand.
const CACHE: usize = 16 << 20;

/// A repository, opened once, from which changes are prepared and landed.
///
/// Clones share what was opened and cost next to nothing. All methods block; in async code, call them where blocking
/// is allowed. No program that the repository's configuration, attributes or hooks name is ever run, except as
/// [`Checkout::FastForwardClean`] and [`Checkout::FastForwardCarrying`] describe. Replacement refs are not followed.
#[derive(Clone)]
pub struct Repository {
    shared: Arc<Shared>,
    fallback: Option<Fallback>,
    signer: Option<Arc<dyn Signer>>,
    names: Names,
}

struct Shared {
    path: PathBuf,
    gix: gix::ThreadSafeRepository,
    /// Handles that nobody uses just now, with what they have read at hand.
    idle: Mutex<Vec<gix::Repository>>,
    /// Two landings that bring the same checkout forward would see each other's half-done work as changes.
    checkout: Mutex<()>,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens the repository whose main checkout or git directory is exactly at `path`; parents are not searched.
    ///
    /// # Errors
    /// [`Error::Repository`](crate::Error::Repository) when there is none, or none that can be used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let gix = open::open(path)?;
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_path_buf(),
                gix,
                idle: Mutex::default(),
                checkout: Mutex::new(()),
            }),
            fallback: None,
            signer: None,
            names: Names::Exact,
        })
    }

    /// Leaves merges that cost too much to git. Without this they are a conflict of the whole.
    ///
    /// It counts for [`trial`](Self::trial) and for every strategy; git is lent what exists in memory only, such as the commits
    /// of a series that are done again one after the other. A [`Forecast`](crate::Forecast) does without, because it must be
    /// quick. An octopus that needs it to be made needs it to land and to be verified too.
    #[must_use]
    pub fn with_fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = Some(fallback);
        self
    }

    /// Says which names may be beside each other in the result of a merge; without this, [`Names::Exact`].
    ///
    /// It counts for [`trial`](Self::trial) and for every strategy that merges. A [`Forecast`](crate::Forecast) foresees what
    /// git would find.
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Has every commit signed that a strategy makes. Without this, none is.
    #[must_use]
    pub fn with_signer(mut self, signer: impl Signer) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// A commit of a candidate for this change.
    pub(crate) fn by<'a>(&'a self, change: &'a Change) -> By<'a> {
        By { change, signer: self.signer.as_deref() }
    }

    /// What its merges are made by.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { fallback: self.fallback.as_ref(), names: self.names }
    }

    /// The commit that a branch names now.
    ///
    /// # Errors
    /// [`Error::NoBranch`](crate::Error::NoBranch) when it does not exist, is not yet born, or is only another name
    /// for a branch (a symbolic ref); [`Error::Object`](crate::Error::Object) when it does not name a commit.
    pub fn tip(&self, branch: &BranchName) -> Result<CommitId> {
        self.in_memory(|session| {
            let id = refs::read(session, &RefName::branch(branch))?.ok_or_else(|| Error::NoBranch {
                branch: branch.to_string(),
                problem: "it does not exist; create it, or make its first commit".into(),
            })?;
            graph::tree_of(session, id)?;
            graph::public(id)
        })
    }

    /// The branch that `HEAD` of the repository names, if it names one. The branch need not be born.
    ///
    /// # Errors
    /// When `HEAD` cannot be read.
    pub fn head_branch(&self) -> Result<Option<BranchName>> {
        let session = self.session();
        let Some(name) = session.head_name().map_err(Error::git("read HEAD"))? else { return Ok(None) };
        match name.as_bstr().strip_prefix(b"refs/heads/") {
            Some(short) => BranchName::new(String::from_utf8_lossy(short)).map(Some),
            None => Ok(None),
        }
    }

    /// Whether `commit` is `ancestor` or descends from it.
    ///
    /// # Errors
    /// [`Error::Object`](crate::Error::Object) when an object is missing or is no commit.
    pub fn contains(&self, commit: &CommitId, ancestor: &CommitId) -> Result<bool> {
        self.in_memory(|session| {
            let (commit, ancestor) = (graph::commit(session, commit)?, graph::commit(session, ancestor)?);
            graph::contains(session, commit, ancestor)
        })
    }

    /// Moves the candidate's target from the commit that it was prepared on to the candidate, and nothing else.
    ///
    /// A compare-and-swap: the target is only ever moved forward, only from the expected commit, with a reflog entry
    /// (in bare repositories too). Landing a candidate that has landed already is [`Landing::Landed`], so a caller
    /// that was interrupted lands again.
    ///
    /// When this returns [`Landing::Landed`], the ref, its directory and its reflog entry were flushed to the disk. The
    /// objects that a strategy of this crate made were flushed when it prepared them; the objects of the change
    /// itself are as durable as whoever made them saw to.
    ///
    /// # Errors
    /// [`Error::Locked`](crate::Error::Locked) when another process holds the ref for seconds;
    /// [`Error::Object`](crate::Error::Object) when the candidate is missing or does not descend from the expected
    /// commit; others when the repository could not be read or the ref not be written. The target is then as it was,
    /// unless only what follows the move failed, the flush or a checkout's reflog entry: land again, and it is
    /// flushed again.
    pub fn land(&self, candidate: &Candidate, checkout: Checkout) -> Result<Landing> {
        let fallback = self.fallback.as_ref();
        self.in_memory(|session| land::land(session, candidate, checkout, &self.shared.checkout, fallback))
    }

    /// Where the branch is checked out, or in use by a rebase or a bisection, if it is anywhere.
    ///
    /// [`land`](Self::land) finds out for itself; this is for asking before any work is done.
    ///
    /// # Errors
    /// When the list of worktrees cannot be read.
    pub fn checked_out(&self, branch: &BranchName) -> Result<Option<PathBuf>> {
        let holders = land::checkouts::holders(&self.session(), branch)?;
        Ok(holders.into_iter().next().map(|holder| holder.work_tree))
    }

    /// Works with a handle whose new objects stay in memory, unless the work takes them out, and are forgotten afterwards.
    ///
    /// The handle has at hand what was read before, which makes a merge beside an earlier one several times cheaper.
    pub(crate) fn in_memory<T>(&self, work: impl FnOnce(&mut gix::Repository) -> Result<T>) -> Result<T> {
        let idle = || self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = idle().pop();
        let mut session = earlier.unwrap_or_else(|| self.session());
        session.objects.set_object_memory(Default::default());
        let done = work(&mut session);
        session.objects.take_object_memory();
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(session);
        }
        done
    }

    /// A handle for the work of one thread.
    pub(crate) fn session(&self) -> gix::Repository {
        let mut session = self.shared.gix.to_thread_local();
        session.object_cache_size_if_unset(CACHE);
        session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_piece_of_work_made_in_memory_is_not_there_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        gix::init_bare(dir.path()).unwrap();
        let repository = Repository::open(dir.path()).unwrap();
        let made = repository.in_memory(|session| {
            let id = session.write_blob("made").unwrap().detach();
            assert!(session.has_object(id));
            Ok(id)
        });
        let made = made.unwrap();
        assert_eq!(repository.shared.idle.lock().unwrap().len(), 1, "the handle is used again");
        assert!(!repository.in_memory(|session| Ok(session.has_object(made))).unwrap());
    }
}
