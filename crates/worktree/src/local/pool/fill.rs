//! Fills slots, and says when a tree is ready.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gix::ObjectId;

use super::kept::Rules;
use super::mode::Fresh;
use super::options::PoolOptions;
use super::recycle::Origin;
use super::setting;
use super::shelf::Held;
use super::slot::{self, Seal, Stage};
use super::write::Writing;
use crate::capture::fault;
use crate::disk;
use crate::local::fill::{self, CopyFrom, Order};
use crate::local::layout::Layout;
use crate::local::{admin, base, lease};
use crate::{LocalWorktrees, Result, Sparse};

/// What every work on slots needs.
pub(super) struct Tools<'a> {
    pub(super) layout: &'a Layout,
    pub(super) repo: &'a gix::Repository,
    pub(super) options: &'a PoolOptions,
    pub(super) rules: Rules,
    /// The settings that say how files are written now.
    pub(super) setting: String,
    pub(super) threads: usize,
    /// Where a tree that is filled from nothing may take files from.
    pub(super) copy_from: CopyFrom,
    pub(super) cancelled: &'a AtomicBool,
}

/// Longer than two files can be written without their times telling them apart.
const TICK: Duration = Duration::from_millis(20);

impl<'a> Tools<'a> {
    pub(super) fn new(
        layout: &'a Layout,
        repo: &'a gix::Repository,
        options: &'a PoolOptions,
        worktrees: &LocalWorktrees,
        cancelled: &'a AtomicBool,
    ) -> Result<Self> {
        let rules = Rules::new(repo, &options.keep)?;
        let (threads, copy_from) = (worktrees.threads(), worktrees.copy_from);
        Ok(Self { layout, repo, options, rules, setting: setting::digest(repo)?, threads, copy_from, cancelled })
    }

    /// What a tree that is filled now depends on.
    pub(super) fn origin(&self) -> Origin {
        Origin { setting: self.setting.clone(), seeded: Some(Vec::new()), boot: lease::boot() }
    }

    pub(super) fn writing(&self) -> Writing<'a> {
        Writing { repo: self.repo, threads: self.threads, cancelled: self.cancelled }
    }

    /// The owner and modes of a directory that is made now beside the trees.
    pub(super) fn fresh(&self, token: &str) -> Result<Fresh> {
        let mut probe = slot::tree(self.layout, token).into_os_string();
        probe.push(slot::PROBE);
        Fresh::probe(probe.as_ref())
    }

    /// Fills a slot of which nothing exists yet.
    pub(super) fn fill(&self, held: &mut Held, commit: ObjectId) -> Result<()> {
        let tree = held.slot.tree(self.layout);
        let index = self.write_all(commit, &tree, &Sparse::Inherit)?;
        held.slot.root = disk::identity(&tree);
        self.describe(held, commit, &index)?;
        self.seal(held)
    }

    /// Makes a directory with all files of a commit.
    pub(super) fn write_all(&self, commit: ObjectId, into: &Path, sparse: &Sparse) -> Result<gix::index::File> {
        let donor = self.copy_from.open(self.layout, self.repo);
        let order = Order { donor, sparse, threads: self.threads, cancelled: self.cancelled };
        fill::into_new(self.repo, commit, into, order).map(|(index, _)| index)
    }

    /// Writes down what a tree now is.
    pub(super) fn describe(&self, held: &mut Held, commit: ObjectId, index: &gix::index::File) -> Result<()> {
        // An index that is younger than every file tells a later change of any of them.
        std::thread::sleep(TICK);
        let mode = self.fresh(&held.slot.token)?.mode;
        let slot = &mut held.slot;
        slot.turn_to_next_index();
        admin::write_index(index, &slot.index(self.layout))?;
        slot.commit = base::commit_id(commit);
        slot.files = index.entries().len();
        slot.mode = mode;
        slot.origin = self.origin();
        slot.write(self.layout)
    }

    /// Closes the root of a proven tree and makes the slot ready.
    pub(super) fn seal(&self, held: &mut Held) -> Result<()> {
        let tree = held.slot.tree(self.layout);
        close(&tree)?;
        held.slot.seal = Some(Seal::of(&tree)?);
        held.slot.stage = Stage::Ready;
        held.slot.write(self.layout)
    }

    /// Reads the index of a slot, whose checksum must be right.
    pub(super) fn index(&self, held: &Held) -> Result<gix::index::File> {
        let path = held.slot.index(self.layout);
        gix::index::File::at(path, self.repo.object_hash(), false, Default::default())
            .map_err(fault::git("read the index of a slot"))
    }
}

/// What an idle tree lets others do: nothing.
pub(super) const CLOSED: u32 = 0o700;

/// Closes the root of a tree to other users.
pub(super) fn close(tree: &Path) -> Result<()> {
    let mode = || tree.symlink_metadata().map(|meta| meta.permissions().mode() & 0o7777);
    let closed = match mode() {
        Ok(CLOSED) => Ok(()),
        Ok(_) => std::fs::set_permissions(tree, Permissions::from_mode(CLOSED)),
        Err(e) => Err(e),
    };
    closed.map_err(fault::io("close", tree))
}
