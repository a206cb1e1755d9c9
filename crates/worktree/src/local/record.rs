//! The durable record of one worktree: enough to finish or undo whatever its owner was doing when it died.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use super::departure;
use super::handover::Offer;
use super::home::{self, Home};
use super::layout::Layout;
use super::lease::{Holder, Lease};
use super::lock::Lock;
use super::pool::Origin;
use super::root::Root;
use crate::capture::fault;
use crate::disk::{self, Batch, Draft};
use crate::{CommitId, Error, Parts, Result, Seed, Sparse, Worktree, WorktreeId};

/// The format that this version writes and reads.
const VERSION: u32 = 1;

/// How large a record may be to be read, and written.
const MOST: usize = 1 << 20;
/// How large while it is being made: the later ones must find room for what they add.
const MOST_AT_FIRST: usize = MOST / 2;

/// What is written down about one worktree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    /// The repository in which it was made.
    #[serde(default)]
    pub(super) home: Option<Home>,
    /// What its handles are made of.
    pub(super) parts: Parts,
    /// How far it is.
    pub(super) stage: Stage,
    /// Who holds it, or held it last.
    pub(super) holder: Holder,
    /// The name of its admin directory, random so that neither git nor anybody else ever picks the same.
    pub(super) admin: String,
    /// The random part of the names of its hidden siblings.
    pub(super) token: String,
    /// Where its tree is made, then moved to its place.
    pub(super) temporary: PathBuf,
    /// Where its tree is moved to be deleted.
    pub(super) trash: PathBuf,
    /// Which ignored files were copied into it.
    #[serde(default)]
    pub(super) seed: Seed,
    /// Its tree, whatever its name; written before anything becomes visible.
    pub(super) root: Option<Root>,
    /// To whom the lease is on offer, if it was handed over.
    #[serde(default)]
    pub(super) offer: Option<Offer>,
    /// When this was written.
    #[serde(default)]
    written: Option<Moment>,
    /// What else its files depend on, if a pool made it.
    #[serde(default)]
    pub(super) origin: Option<Origin>,
    /// Which files of the base it was made of.
    #[serde(default)]
    pub(super) sparse: Sparse,
    /// Whether git is still to fill what only it can.
    #[serde(default)]
    pub(super) filling: bool,
    /// Submodules that were filled, by path, and a hash of what they were like.
    #[serde(default)]
    pub(super) modules: BTreeMap<String, String>,
}

/// How far a worktree is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Being made. Without a root nothing of it is visible yet.
    Creating,
    /// Complete and leased.
    Leased,
    /// Left in place on purpose.
    Kept,
    /// On its way out, everything in it rescued.
    Removing {
        /// What its branch must still name to be deleted.
        tip: Option<CommitId>,
    },
}

impl Record {
    /// The first record of a worktree: nothing of it exists.
    pub(super) fn new(layout: &Layout, parts: Parts) -> Result<Self> {
        let token = disk::token()?;
        Ok(Self {
            version: VERSION,
            home: Some(Home::of(layout)?),
            stage: Stage::Creating,
            holder: Holder::new(layout)?,
            admin: format!("{}-{}", parts.id, &token[..8]),
            temporary: layout.beside(&parts.id, &token, "tmp"),
            trash: layout.beside(&parts.id, &token, "trash"),
            token,
            parts,
            seed: Seed::default(),
            root: None,
            offer: None,
            written: None,
            origin: None,
            sparse: Sparse::default(),
            filling: false,
            modules: BTreeMap::new(),
        })
    }

    /// Reads the record of this id; none when there is none.
    ///
    /// A record that cannot be read is an error, never an absence: there may be work behind it. So is one that was copied
    /// with the repository: the work behind it is another's.
    pub(super) fn read(layout: &Layout, id: &WorktreeId) -> Result<Option<Self>> {
        Self::parse(layout, &layout.record(id), |record| record.parts.id == *id)
    }

    /// Reads the record of a worktree that has left, by the name of its admin directory.
    pub(super) fn read_leaving(layout: &Layout, admin: &str) -> Result<Option<Self>> {
        Self::parse(layout, &layout.leaving(admin), |record| record.admin == admin)
    }

    /// Has it say that it is being removed, in memory only.
    pub(super) fn depart(&mut self, tip: Option<CommitId>, since: Moment) {
        self.stage = Stage::Removing { tip };
        self.written = Some(since);
    }

    fn parse(layout: &Layout, path: &Path, is_meant: impl FnOnce(&Self) -> bool) -> Result<Option<Self>> {
        let text = match disk::read_bounded(path, MOST as u64) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fault::io("read", path)(e)),
        };
        let damaged = |problem: String| Error::Repository { path: path.to_owned(), problem };
        let mut record: Self = serde_json::from_slice(&text)
            .map_err(|e| damaged(format!("this record is damaged ({e}); its worktree is left alone")))?;
        if record.version != VERSION || !is_meant(&record) {
            return Err(damaged("this record was written by another version; its worktree is left alone".into()));
        }
        home::check(layout, record.home.as_ref(), path)?;
        departure::add_to(layout, &mut record)?;
        Ok(Some(record))
    }

    /// Writes the record; after a crash there is either the old or the new one.
    pub(super) fn write(&self, layout: &Layout) -> Result<()> {
        self.write_soon(layout)?;
        disk::sync_dir(&layout.records())
    }

    /// As [`write`](Self::write), but after a crash of the machine it may be the old one, until the next record is written
    /// durably. For the steps of a creation: file systems keep the order of renames, so that the world never shows a step
    /// whose record is lost.
    pub(super) fn write_soon(&self, layout: &Layout) -> Result<()> {
        let mut batch = Batch::default();
        let draft = self.draft(layout, &mut batch)?;
        batch.settle()?;
        draft.put()
    }

    /// Writes the record beside its place, as part of a batch.
    pub(super) fn draft(&self, layout: &Layout, batch: &mut Batch) -> Result<Draft> {
        let path = layout.record(&self.parts.id);
        self.draft_at(layout, disk::with_suffix(&path, ".tmp"), batch)
    }

    /// Writes the record of the next stage while that of this one is not in its place yet.
    pub(super) fn draft_next(&self, layout: &Layout, batch: &mut Batch) -> Result<Draft> {
        self.draft_at(layout, layout.staging().join(format!("{}.next", self.token)), batch)
    }

    /// What it will be when its creation has ended.
    pub(super) fn leased(&self) -> Self {
        Self { stage: Stage::Leased, filling: false, ..self.clone() }
    }

    fn draft_at(&self, layout: &Layout, draft: PathBuf, batch: &mut Batch) -> Result<Draft> {
        let path = layout.record(&self.parts.id);
        let stamped = Self { written: Some(Moment::now()), ..self.clone() };
        let text = serde_json::to_vec_pretty(&stamped).map_err(fault::git(format!("write the record {path:?}")))?;
        let most = if self.stage == Stage::Creating { MOST_AT_FIRST } else { MOST };
        if text.len() > most {
            let problem = format!("it would have {} bytes; the patterns of its seed are too long", text.len());
            return Err(fault::git(format!("write the record of {}", self.parts.id))(problem));
        }
        Draft::write(&path, draft, &text, batch)
    }

    /// Whether somebody has been given the right to accept it, and still can.
    pub(super) fn is_on_offer(&self) -> bool {
        self.stage == Stage::Leased && self.offer.as_ref().is_some_and(Offer::is_valid)
    }

    /// How long ago it was written, at least; an old version did not say, and is gone for long.
    pub(super) fn written(&self) -> Duration {
        self.written.as_ref().map_or(Duration::MAX, |at| at.age().unwrap_or(Duration::ZERO))
    }

    /// Moves the record to the trash and frees the id, the lease file last.
    pub(super) fn retire(&self, layout: &Layout) -> Result<()> {
        let id = &self.parts.id;
        // Before the record: whoever purges deletes what is there when the record is.
        let index = layout.index(id);
        match std::fs::rename(&index, layout.leaving_index(&self.admin)) {
            // What is large is deleted when nobody waits for it.
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(fault::io("retire", &index)(e)),
            _ => {}
        }
        let (record, leaving) = (layout.record(id), layout.leaving(&self.admin));
        match std::fs::rename(&record, &leaving) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(fault::io("retire", &record)(e)),
            _ => layout.left.store(true, Ordering::Relaxed),
        }
        disk::remove_file(&layout.lease(id))
    }

    /// Where its tree is moved to be deleted, unless a pool has named a slot for it.
    pub(super) fn own_trash(&self) -> PathBuf {
        self.temporary.with_extension("trash")
    }

    /// The handle of its holder, who has the lock of the lease.
    pub(super) fn handle(self, lock: Lock) -> Worktree {
        let lease = Lease { id: self.holder.lease, generation: self.holder.generation, _lock: lock };
        Worktree::new(self.parts, lease)
    }

    /// Whether the directory at this path is the tree that was made for this worktree.
    pub(super) fn is_tree(&self, path: &Path) -> bool {
        self.root.as_ref().is_some_and(|root| root.is_at(path))
    }

    /// Whether its tree is in its place.
    pub(super) fn has_tree(&self) -> bool {
        self.is_tree(&self.parts.path)
    }

    /// Its admin directory, in git's place.
    pub(super) fn admin_dir(&self, layout: &Layout) -> PathBuf {
        layout.admins().join(&self.admin)
    }

    /// Its admin directory while it is being made.
    pub(super) fn staging_dir(&self, layout: &Layout) -> PathBuf {
        layout.staging().join(&self.token)
    }
}

/// Whose an admin directory of this name would be.
pub(super) fn owner_of(admin: &str) -> Option<WorktreeId> {
    WorktreeId::new(admin.rsplit_once('-')?.0).ok()
}

/// The ids of all records; names that are no ids are not ours.
pub(super) fn ids(layout: &Layout) -> Result<Vec<WorktreeId>> {
    let dir = layout.records();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(fault::io("list", &dir))? {
        let name = entry.map_err(fault::io("list", &dir))?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
        found.extend(id.and_then(|id| WorktreeId::new(id).ok()));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GitAccess, Parts};

    #[test]
    fn a_purge_finds_no_record_whose_index_is_still_to_come() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout {
            common: dir.path().into(),
            main: None,
            state: dir.path().join("hedgerow"),
            trees: dir.path().join("trees"),
            owner: "test".into(),
            left: Default::default(),
            git: None,
            hidden: Default::default(),
            threads: 1,
            gate: Default::default(),
        };
        for dir in [layout.records(), layout.trash()] {
            std::fs::create_dir_all(dir).unwrap();
        }
        let (id, base) = (WorktreeId::new("fix").unwrap(), CommitId::new("1".repeat(40)).unwrap());
        let path = layout.tree(&id);
        let parts = Parts { id: id.clone(), path, branch: None, base, git: GitAccess::Direct, mounts: Vec::new() };
        let record = Record::new(&layout, parts).unwrap();
        record.write(&layout).unwrap();
        std::fs::write(layout.index(&id), "").unwrap();
        // As if it were killed right before the record moves.
        std::fs::create_dir_all(layout.leaving(&record.admin).join("in the way")).unwrap();
        record.retire(&layout).unwrap_err();
        assert!(layout.leaving_index(&record.admin).exists() && layout.record(&id).exists());
        std::fs::remove_dir_all(layout.leaving(&record.admin)).unwrap();
        record.retire(&layout).unwrap();
        assert!(layout.leaving(&record.admin).exists() && !layout.record(&id).exists());
    }
}
