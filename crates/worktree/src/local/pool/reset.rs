//! Proves that an idle tree is what its index says, and makes it so where it is not.

use std::ffi::CString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice};
use gix::index::entry::Flags;

use super::fill::{self, Tools};
use super::options::Unseen;
use super::scan::{Findings, Scan};
use super::shelf::Held;
use super::slot::Stage;
use crate::capture::beneath::Dir;
use crate::capture::fault;
use crate::disk;
use crate::local::processes::{self, Members, Own, Place, Reach};
use crate::local::{base, sparse, trash};
use crate::{Result, Sparse};

impl Tools<'_> {
    /// Leaves the slot ready and proven, or fails; then it must not be used.
    pub(super) fn prove(&self, held: &mut Held) -> Result<()> {
        let tree = held.slot.tree(self.layout);
        if held.slot.root.is_none() || disk::identity(&tree) != held.slot.root {
            return Err(fault::strange(&tree, "the tree of the slot was moved or replaced"));
        }
        // As it was while somebody had it: who could enter then may still be inside.
        let reach = match (self.options.unseen, held.slot.stage) {
            (Unseen::Elsewhere, _) => Reach::nobody(),
            (Unseen::Inside, Stage::Ready) => Reach::of(&tree).map_err(fault::io("look at", &tree))?,
            (Unseen::Inside, _) => Reach::of(&tree).map_err(fault::io("look at", &tree))?.or(held.slot.mode),
        };
        fill::close(&tree)?;
        // Whoever is inside could write while all is looked at, or lead astray what is written. Nobody comes in any more.
        self.nobody_uses(held, &reach, &Members::new())?;
        let mut index = self.index(held)?;
        let left_out = self.leave_out(&mut index)?;
        let found = self.scan(held, &index, &tree)?;
        self.nobody_uses(held, &reach, &found.members)?;
        let settled = held.slot.origin.setting == self.setting && !left_out;
        if found.is_clean() && settled && held.slot.stage == Stage::Ready {
            held.slot.kept = found.kept.then(|| self.rules.digest.clone());
            return self.seal(held);
        }
        held.slot.stage = Stage::Dirty;
        held.slot.write(self.layout)?;
        let root = Dir::open(&tree).map_err(fault::io("open", &tree))?;
        self.take_back(&root, &found)?;
        self.writing().write(&mut index, &tree, &found.write)?;
        let commit = base::object_id(&held.slot.commit)?;
        self.describe(held, commit, &index)?;
        let found = self.scan(held, &self.index(held)?, &tree)?;
        if !found.is_clean() {
            return Err(fault::strange(&tree, "it could not be brought back to the state of its commit"));
        }
        held.slot.kept = found.kept.then(|| self.rules.digest.clone());
        self.seal(held)
    }

    fn scan(&self, held: &Held, index: &gix::index::File, tree: &Path) -> Result<Findings> {
        let fresh = self.fresh(&held.slot.token)?;
        let seeded = held.slot.origin.seeded.as_deref();
        let scan = Scan { repo: self.repo, index, fresh: &fresh, rules: &self.rules, seeded };
        scan.run(&Dir::open(tree).map_err(fault::io("open", tree))?)
    }

    fn nobody_uses(&self, held: &Held, reach: &Reach, members: &Members) -> Result<()> {
        let tree = held.slot.tree(self.layout);
        let name = tree.file_name().and_then(|name| name.to_str());
        let place = Place { path: &tree, name, members, reach, own: Own::Everything };
        let told = |why: String| Err(fault::strange(&tree, &why));
        match processes::look(&place) {
            Ok(found) => found.first().map_or(Ok(()), told),
            Err(e) => told(format!("it cannot be told whether a process is at work in it: {e}")),
        }
    }

    /// Leaves out what the repository's sparse-checkout patterns say now, and says whether that changed anything.
    fn leave_out(&self, index: &mut gix::index::File) -> Result<bool> {
        let left_out = |index: &gix::index::File| -> Vec<bool> {
            index.entries().iter().map(|entry| entry.flags.contains(Flags::SKIP_WORKTREE)).collect()
        };
        let before = left_out(index);
        for entry in index.entries_mut() {
            entry.flags.remove(Flags::SKIP_WORKTREE);
        }
        sparse::leave_out(self.repo, index, &Sparse::Inherit)?;
        Ok(left_out(index) != before)
    }

    /// Deletes what is not of the commit, and gives directories the permissions of new ones.
    fn take_back(&self, root: &Dir, found: &Findings) -> Result<()> {
        let fail = |path: &BStr| fault::io("take back", root.path().join(path.to_path_lossy()));
        for path in &found.remove {
            let path = path.as_bstr();
            let (dir, name) = split(path);
            let deleted =
                root.dir(dir).and_then(|dir| trash::delete_at(dir.fd(), &CString::new(name)?, self.cancelled));
            deleted.map_err(fail(path))?;
        }
        let fresh = &found.fresh_mode;
        for path in &found.modes {
            let set = |dir: Dir| {
                let file = std::fs::File::from(dir.fd().try_clone()?);
                file.set_permissions(Permissions::from_mode(*fresh))
            };
            root.dir(path).and_then(set).map_err(fail(path.as_bstr()))?;
        }
        Ok(())
    }
}

/// A path as its directory and its name in there.
pub(super) fn split(path: &BStr) -> (&[u8], &[u8]) {
    match path.rfind_byte(b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}
