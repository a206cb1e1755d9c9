//! Makes the admin directory of a worktree, complete before git can see it.

use std::path::Path;

use gix::config::Source;

use super::layout::Layout;
use super::record::Record;
use super::{base, refs, sparse};
use crate::capture::fault;
use crate::disk::{self, Batch};
use crate::{Result, Sparse, swap};

/// Makes the admin directory in staging, but for the index, every file of it durable: a `commondir` that a power failure
/// left empty would keep git from working in the whole repository.
pub(super) fn stage(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<()> {
    let dir = record.staging_dir(layout);
    let parts = &record.parts;
    std::fs::create_dir(&dir).map_err(fault::io("create", &dir))?;
    let head = match &parts.branch {
        Some(branch) => format!("ref: {}\n", refs::full(branch)),
        None => format!("{}\n", parts.base),
    };
    let mut batch = Batch::default();
    batch.write(&dir.join("HEAD"), head.as_bytes())?;
    batch.write(&dir.join("commondir"), b"../..\n")?;
    let git_file = parts.path.join(".git");
    batch.write(&dir.join("gitdir"), format!("{}\n", git_file.display()).as_bytes())?;
    batch.write(&dir.join("locked"), format!("{}\n", record.holder.reason(&parts.id)).as_bytes())?;
    if repo.config_snapshot().boolean("core.logAllRefUpdates") != Some(false) {
        let logs = dir.join("logs");
        std::fs::create_dir(&logs).map_err(fault::io("create", &logs))?;
        let at = base::object_id(&parts.base)?;
        let line = swap::line(at.kind().null(), at, swap::COMMITTER, "worktree: created");
        batch.write(&logs.join("HEAD"), line.as_bytes())?;
    }
    copy_config(repo, layout, &dir, &record.sparse, &mut batch)?;
    if let Some(patterns) = sparse::of(repo, &record.sparse)? {
        let info = dir.join("info");
        std::fs::create_dir(&info).map_err(fault::io("create", &info))?;
        batch.write(&info.join("sparse-checkout"), &patterns.text)?;
    }
    batch.settle()?;
    disk::sync_dir(&dir)
}

/// Writes an index file and makes it durable.
pub(super) fn write_index(index: &gix::index::File, path: &Path) -> Result<()> {
    disk::write_synced(path, &index_bytes(index)?)
}

/// Writes the index of a new tree twice: with a batch to `saved`, from which a recovery takes what a crash of the machine
/// tears of the tree, and as it comes into the staged admin directory, where only this one tree needs it.
pub(super) fn write_indexes(index: &gix::index::File, saved: &Path, staged: &Path, batch: &mut Batch) -> Result<()> {
    let bytes = index_bytes(index)?;
    disk::write_plain(staged, &bytes)?;
    batch.write(saved, &bytes)
}

fn index_bytes(index: &gix::index::File) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(index.entries().len() * 128);
    index.write_to(&mut bytes, gix::index::write::Options::default()).map_err(fault::git("write the index"))?;
    Ok(bytes)
}

/// Copies the main checkout's own configuration, without the keys that say where that checkout is, and with what is
/// different in this one.
fn copy_config(repo: &gix::Repository, layout: &Layout, dir: &Path, wanted: &Sparse, batch: &mut Batch) -> Result<()> {
    let source = layout.common.join("config.worktree");
    let copied = source.exists();
    if repo.config_snapshot().boolean("extensions.worktreeConfig") != Some(true)
        || !copied && *wanted == Sparse::Inherit
    {
        return Ok(());
    }
    let mut config = if copied {
        gix::config::File::from_path_no_includes(source, Source::Worktree)
            .map_err(fault::git("read config.worktree"))?
    } else {
        gix::config::File::default()
    };
    for key in ["core.bare", "core.worktree"] {
        if let Ok(mut values) = config.raw_values_mut(key) {
            values.delete_all();
        }
    }
    sparse::configure(&mut config, wanted)?;
    let mut text = Vec::new();
    config.write_to(&mut text).map_err(fault::io("copy", dir))?;
    batch.write(&dir.join("config.worktree"), &text)
}
