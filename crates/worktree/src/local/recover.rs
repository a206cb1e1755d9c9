//! Finishes or undoes what dead owners had begun.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::clock::Moment;
use super::handover::Offer;
use super::history::{self, Lasting};
use super::home::Home;
use super::layout::Layout;
use super::lease::{self, Holder};
use super::lock::Lock;
use super::locked::write_reason;
use super::publish::{self, By, Progress};
use super::record::{self, Record, Stage};
use super::release::lost;
use super::remove::Tree;
use super::{base, fence, moved, outdated, refs, release, remove, stale, trash, unflushed};
use crate::capture::{self, fault};
use crate::disk;
use crate::{Life, Mended, Recovery, Result, State, Worktree, WorktreeId, repo, view};

/// Goes through all records whose lease nobody holds.
pub(super) fn recover(layout: &Layout) -> Result<Recovery> {
    let repo = repo::open(&layout.common)?;
    // Looked at before the records: whatever is here now and in no record then belongs to nobody.
    let staged = names(&layout.staging())?;
    let trashed = names(&layout.trash())?;
    stale::packed(layout)?;
    let mut recovery = Recovery::default();
    for id in record::ids(layout)? {
        // Its taker must not find it taken for the time of a look.
        if Record::read(layout, &id).is_ok_and(|record| record.is_some_and(|record| record.is_on_offer())) {
            continue;
        }
        let mended = match lease::claim(layout, &id) {
            Ok(Some(lock)) => mend(&repo, layout, &id, lock, &mut recovery),
            Ok(None) => Ok(()),
            Err(e) => Err(e),
        };
        if let Err(e) = mended {
            recovery.left.push(format!("worktree {id}: {e}"));
        }
    }
    if let Err(e) = capture::settle_rescues(&repo) {
        recovery.left.push(format!("refs that were in the way of rescue refs could not be made rescue refs: {e}"));
    }
    if let Err(e) = outdated::give_up(&repo, layout) {
        recovery
            .left
            .push(format!("refs of bases that no worktree has could not be given up: {}", fault::with_causes(&e)));
    }
    // What a dead process had not deleted yet.
    layout.left.store(true, Ordering::Relaxed);
    if let Err(e) = sweep(layout, &staged, &trashed) {
        recovery.left.push(format!("what belongs to no worktree any more could not be deleted: {e}"));
    }
    Ok(recovery)
}

/// Leases one worktree that nobody holds.
pub(super) fn adopt(layout: &Layout, id: &WorktreeId) -> Result<Worktree> {
    if layout.record(id).symlink_metadata().is_err() {
        return Err(lost(id, "there is no worktree of this id"));
    }
    let Some(lock) = lease::claim(layout, id)? else { return Err(lost(id, "a living process holds it")) };
    match Record::read(layout, id)? {
        Some(record) if record.is_on_offer() => Err(lost(id, "it is being handed over")),
        Some(record) if matches!(record.stage, Stage::Leased | Stage::Kept) => take(layout, record, lock),
        Some(_) => Err(lost(id, "it is half made or half removed; run a recovery first")),
        None => Err(lost(id, "there is no worktree of this id")),
    }
}

fn mend(repo: &gix::Repository, layout: &Layout, id: &WorktreeId, lock: Lock, recovery: &mut Recovery) -> Result<()> {
    let Some(mut record) = Record::read(layout, id)? else {
        return disk::remove_file(&layout.lease(id));
    };
    if record.is_on_offer() {
        return Ok(());
    }
    if record.stage != Stage::Kept {
        stale::clear(layout, &record)?;
    }
    if matches!(record.stage, Stage::Removing { .. }) {
        remove::take_back(layout, &mut record)?;
    } else if record.stage == Stage::Leased && !record.has_tree() && may_have_left(&record) {
        // A power failure has undone what was written down about that.
        record.depart(None, Moment::now());
    }
    match record.stage {
        Stage::Creating => finish_creation(repo, layout, record, lock, recovery),
        Stage::Removing { .. } if record.is_tree(&record.trash) => finish_removal(layout, &record, recovery),
        // Killed before it moved the tree, if not much later; then somebody else may have moved it.
        Stage::Removing { .. } => match moved::elsewhere(layout, &record)? {
            Some(why) => Err(fault::strange(&record.parts.path, &format!("it was being removed, but {why}"))),
            None => finish_removal(layout, &record, recovery),
        },
        Stage::Leased | Stage::Kept => survive(layout, record, lock, recovery),
    }
}

/// Whether a removal has moved its tree: nobody else moves it to its trash, or has the record name the slot of a pool,
/// which deletes it when it finds it after a reboot.
fn may_have_left(record: &Record) -> bool {
    record.is_tree(&record.trash) || record.trash != record.own_trash() && record.holder.boot != lease::boot()
}

fn finish_creation(
    repo: &gix::Repository,
    layout: &Layout,
    record: Record,
    lock: Lock,
    recovery: &mut Recovery,
) -> Result<()> {
    let id = record.parts.id.clone();
    let mut progress = Progress::default();
    if record.root.is_some() {
        if let Some(branch) = &record.parts.branch {
            // It cannot hold anything of anybody's: it names the base. But somebody may have made it since.
            let at_base = refs::branch_tip(repo, branch)? == Some(base::object_id(&record.parts.base)?);
            progress.branch_made = at_base && publish::is_branch_ours(layout, &record);
        }
        let visible = record.has_tree();
        // After a crash of the machine, files that nobody has flushed may be empty; until it is visible it can be remade.
        let whole = record.is_tree(&record.temporary) && record.holder.boot == lease::boot();
        if visible || whole {
            match publish::publish(repo, layout, &record, By::Recovery, &mut progress) {
                Ok(()) => {
                    if record.filling {
                        let problem = "its submodules or files of Git LFS may be incomplete; release it, or fill them";
                        recovery.left.push(format!("worktree {id}: {problem}"));
                    }
                    recovery.adopted.push(take(layout, record, lock)?);
                    recovery.mended.push(Mended::CreationFinished(id));
                    return Ok(());
                }
                // Whoever saw it may have worked in it.
                Err(e) if visible => return Err(e),
                Err(_) => {}
            }
        }
    }
    // Anew, because it tells when the entry left.
    record.write(layout)?;
    remove::undo(layout, &record, progress)?;
    recovery.mended.push(Mended::CreationUndone(id));
    Ok(())
}

fn finish_removal(layout: &Layout, record: &Record, recovery: &mut Recovery) -> Result<()> {
    // Anew, because it tells when the entry left.
    record.write(layout)?;
    // Whoever calls this has found no tree in its place.
    remove::go_on(layout, record, Tree::Absent)?;
    recovery.mended.push(Mended::RemovalFinished(record.parts.id.clone()));
    Ok(())
}

/// A worktree that was complete when its owner died or kept it.
fn survive(layout: &Layout, mut record: Record, lock: Lock, recovery: &mut Recovery) -> Result<()> {
    let tree = record.has_tree();
    let admin = disk::identity(&record.admin_dir(layout)).is_some();
    let view = disk::identity(&view::dir(&layout.common, &record.parts.id)).is_some();
    match (tree, admin) {
        (true, true) if record.stage == Stage::Kept => Ok(()),
        (true, true) => {
            recovery.adopted.push(take(layout, record, lock)?);
            Ok(())
        }
        (false, false) if !view && moved::near(layout, &record)?.is_none() => {
            // Somebody removed it by other means. Its branch, if any is left, stays.
            history::note(layout, &record, Life::Vanished, Lasting::Durable)?;
            record.stage = Stage::Removing { tip: None };
            record.write(layout)?;
            finish_removal(layout, &record, recovery)
        }
        (true, false) => {
            Err(fault::strange(&record.parts.path, "git does not know this tree any more; copy out what is needed"))
        }
        (false, _) => Err(fault::strange(&record.parts.path, &moved::problem(layout, &record))),
    }
}

/// Makes this process the holder.
pub(super) fn take(layout: &Layout, mut record: Record, lock: Lock) -> Result<Worktree> {
    if record.holder.boot != lease::boot() {
        unflushed::mend(layout, &record)?;
    }
    let life = match record.stage {
        Stage::Creating => {
            let (base, branch) = (record.parts.base.clone(), record.parts.branch.clone());
            Life::Created { base, branch }
        }
        Stage::Kept => Life::Adopted { from: State::Kept },
        Stage::Leased if record.offer.as_ref().is_some_and(Offer::is_valid) => Life::HandedOver,
        Stage::Leased | Stage::Removing { .. } => Life::Adopted { from: State::Orphaned },
    };
    history::note(layout, &record, life, Lasting::Written)?;
    let holder = Holder::new(layout)?;
    // An operation of the last holder that goes on in the background looks at the record and moves something under this
    // lock: it is either over, or will see that it is too late.
    let turn = fence::enter(layout, &record)?;
    // Its device may have another number since a reboot, and yet another after the next one.
    if let Some(root) = record.root.as_ref().and_then(|root| root.found_at(&record.parts.path)) {
        record.root = Some(root);
        // Of the same boot, so that both tell whether they share a file system.
        record.home = Some(Home::of(layout)?);
    }
    record.holder = holder;
    record.offer = None;
    // A pool may have named another place for it, which nobody keeps free any more.
    record.trash = record.own_trash();
    record.stage = Stage::Leased;
    record.write(layout)?;
    drop(turn);
    write_reason(layout, &record, &record.holder.reason(&record.parts.id))?;
    release::catch_up(layout, &record);
    Ok(record.handle(lock))
}

/// Deletes what no record names.
fn sweep(layout: &Layout, staged: &[String], trashed: &[String]) -> Result<()> {
    let mut records = Vec::new();
    for id in record::ids(layout)? {
        records.extend(Record::read(layout, &id)?);
    }
    let used = |name: &str| records.iter().any(|r| name.starts_with(&r.token) || Layout::whose(name) == r.admin);
    let garbage = |dir: &Path, names: &[String]| {
        for name in names.iter().filter(|name| !used(name)) {
            let path = dir.join(name);
            trash::delete(&path).map_err(fault::io("delete", &path))?;
        }
        Ok(())
    };
    garbage(&layout.staging(), staged)?;
    let leaves = |name: &str| name.ends_with(".json") || layout.leaving(Layout::whose(name)).symlink_metadata().is_ok();
    let trashed: Vec<_> = trashed.iter().filter(|name| !leaves(name)).cloned().collect();
    garbage(&layout.trash(), &trashed)?;
    sweep_leases(layout)
}

/// Deletes the lease files and unfinished records of ids that have no record.
fn sweep_leases(layout: &Layout) -> Result<()> {
    for name in names(&layout.records())? {
        let stem = [".lease", ".json.tmp", ".index"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let Some(id) = stem.and_then(|stem| WorktreeId::new(stem).ok()) else { continue };
        if layout.record(&id).symlink_metadata().is_ok() {
            continue;
        }
        let Some(_lock) = lease::claim(layout, &id)? else { continue };
        if layout.record(&id).symlink_metadata().is_err() {
            disk::remove_file(&layout.records().join(format!("{id}.json.tmp")))?;
            disk::remove_file(&layout.index(&id))?;
            disk::remove_file(&layout.lease(&id))?;
        }
    }
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fault::io("list", dir))? {
        let name = entry.map_err(fault::io("list", dir))?.file_name();
        found.extend(name.to_str().map(str::to_owned));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{CommitId, GitAccess, Parts};

    #[test]
    fn a_new_holder_does_not_write_over_what_happened_since_it_looked() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path().to_owned();
        let state = common.join("hedgerow");
        let (trees, owner, left) = (common.join("trees"), "test".into(), Arc::default());
        let layout = Layout {
            trees,
            main: None,
            state,
            common,
            owner,
            left,
            git: None,
            hidden: Default::default(),
            threads: 1,
            gate: Arc::default(),
        };
        std::fs::create_dir_all(layout.records()).unwrap();
        let (id, base) = (WorktreeId::new("fix").unwrap(), CommitId::new("1".repeat(40)).unwrap());
        let path = layout.tree(&id);
        let parts = Parts { id: id.clone(), path, branch: None, base, git: GitAccess::Direct, mounts: Vec::new() };
        let mut record = Record::new(&layout, parts).unwrap();
        record.stage = Stage::Leased;
        record.write(&layout).unwrap();
        let holder = || Record::read(&layout, &id).unwrap().unwrap().holder;
        let lease = || Lock::take(&layout.lease(&id)).unwrap().unwrap();

        let earlier = record.clone();
        drop(take(&layout, record, lease()).unwrap());
        let now = holder();
        assert!(now.generation > earlier.holder.generation);
        assert!(take(&layout, earlier, lease()).is_err(), "what it has seen is over");
        assert_eq!(holder(), now);
    }
}
