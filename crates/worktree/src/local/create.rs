//! Makes a worktree: checked out privately, published with two renames, or nothing at all.

use std::sync::atomic::{AtomicBool, Ordering};

use gix::ObjectId;

use super::history::{self, Lasting, Pen};
use super::layout::Layout;
use super::lease;
use super::lock::Lock;
use super::publish::{self, By, Progress};
use super::record::{Record, Stage};
use super::root::Root;
use super::{admin, base, extras, refs, remove, seed, shared, sparse};
use crate::capture::way;
use crate::disk::{self, Batch};
use crate::swap::Staged;
use crate::{Access, Error, GitAccess, Head, Life, Mount, Parts, Request, Result, Taken, Worktree, repo, view};

/// Where the files of a new worktree come from: makes the directory `record.temporary` with the content of the commit
/// in it, and returns the index that describes it.
pub(super) type Fill<'a> = Box<dyn FnOnce(&gix::Repository, ObjectId, &mut Record) -> Result<gix::index::File> + 'a>;

/// What is still to be done when the admin directory and the view are made and nobody has seen them.
pub(super) type Dress<'a> = Box<dyn FnOnce(&Record) -> Result<()> + 'a>;

/// Creates what the request asks for, with the files that `fill` makes.
pub(super) fn create(layout: &Layout, request: &Request, fill: Fill<'_>, cancelled: &AtomicBool) -> Result<Worktree> {
    create_dressed(layout, request, fill, Box::new(|_| Ok(())), cancelled)
}

/// As [`create`], with a last step before it is published.
pub(super) fn create_dressed(
    layout: &Layout,
    request: &Request,
    fill: Fill<'_>,
    dress: Dress<'_>,
    cancelled: &AtomicBool,
) -> Result<Worktree> {
    let repo = repo::open(&layout.common)?;
    let base = base::resolve(&repo, &request.base)?;
    let branch = match &request.head {
        Head::Branch(name) => Some(name.clone()),
        Head::Detached => None,
    };
    if layout.record(&request.id).symlink_metadata().is_ok() {
        // Its branch is taken as well, mostly, and says less.
        drop(claim(layout, request)?);
    }
    if let Some(name) = &branch
        && let Some(problem) = refs::conflict(&repo, name)?
    {
        return Err(refs::taken(layout, name, problem));
    }
    sparse::check(&repo, request)?;
    extras::check(layout, request)?;
    disk::private_dir(&layout.staging())?;
    disk::top_dir(&layout.trees)?;

    let lock = claim(layout, request)?;
    let tree = Mount { source: layout.tree(&request.id), target: layout.tree(&request.id), access: Access::ReadWrite };
    let parts = Parts {
        id: request.id.clone(),
        path: tree.source.clone(),
        branch,
        base: base::commit_id(base),
        git: request.git,
        mounts: vec![tree],
    };
    let mut record = Record::new(layout, parts)?;
    record.seed.clone_from(&request.seed);
    record.sparse = request.sparse.clone();
    let mut progress = Progress::default();
    let done = make(&repo, layout, request, &mut record, fill, dress, cancelled, &mut progress);
    if let Err(e) = done {
        if record.stage == Stage::Leased {
            let _ = history::note(layout, &record, Life::Gone, Lasting::Written);
        }
        // What cannot be taken back now is found by the next recovery; the first error says more.
        let _ = remove::undo(layout, &record, progress);
        return Err(e);
    }
    Ok(record.handle(lock))
}

fn claim(layout: &Layout, request: &Request) -> Result<Lock> {
    let id = &request.id;
    let Some(lock) = lease::claim(layout, id)? else {
        return Err(lease::occupied(id, "a living process holds it; choose another id, or release that worktree"));
    };
    if layout.record(id).symlink_metadata().is_ok() {
        let problem = "a worktree of this id was kept or left behind; adopt and release it, run a recovery, or choose \
                       another id";
        return Err(lease::occupied(id, problem));
    }
    if layout.tree(id).symlink_metadata().is_ok() {
        disk::remove_file(&layout.lease(id))?;
        let name = layout.tree(id).display().to_string();
        let problem = "something is there already; move it away, or choose another id".to_owned();
        return Err(Error::Occupied { what: Taken::Path, name, problem });
    }
    Ok(lock)
}

/// The fallible part of [`create`], split off so that it can be undone.
#[expect(clippy::too_many_arguments, reason = "each is one thing of the caller's that is needed once")]
fn make(
    repo: &gix::Repository,
    layout: &Layout,
    request: &Request,
    record: &mut Record,
    fill: Fill<'_>,
    dress: Dress<'_>,
    cancelled: &AtomicBool,
    progress: &mut Progress,
) -> Result<()> {
    let base = base::object_id(&record.parts.base)?;
    let mut batch = Batch::default();
    let first = record.draft(layout, &mut batch)?;
    let mut stage = |what| Staged::write(layout.staging().join(format!("{}.{what}", record.token)), base, &mut batch);
    let pin = stage("pin");
    let branch = record.parts.branch.as_ref().map(|_| stage("ref"));
    let history = Pen::take_first(layout)?;
    batch.settle()?;
    history.map(Pen::put_down).transpose()?;
    first.put()?;
    refs::pin_base(repo, &request.id, way::pin(&record.admin), &pin)?;
    drop(pin);

    let index = fill_and_stage(repo, layout, record, base, fill)?;
    let tree = record.temporary.clone();
    // Written before anybody can edit the tree: a later copy would make a quick edit look like the original.
    let saved = layout.index(&request.id);
    let mut batch = Batch::default();
    admin::write_indexes(&index, &saved, &record.staging_dir(layout).join("index"), &mut batch)?;
    shared::apply(repo, &record.staging_dir(layout))?;
    if let Some(main) = &layout.main {
        let seeded = seed::copy(repo, main, &request.seed, &tree)?;
        if let Some(origin) = &mut record.origin {
            origin.note_seeded(seeded);
        }
    }
    if request.git == GitAccess::Private {
        let parts = &record.parts;
        let admin = record.staging_dir(layout);
        let common = &layout.common;
        let repo = &sparse::configured(repo, &request.sparse)?;
        let view = view::build(repo, common, &parts.id, &parts.path, parts.branch.as_ref(), base, &saved, &admin)?;
        record.parts.mounts.extend(view.mounts);
    }
    dress(record)?;
    if cancelled.load(Ordering::Relaxed) {
        return Err(Error::Git { action: format!("create {}", request.id), source: "it was cancelled".into() });
    }
    record.root = Root::of(&tree);
    record.filling = extras::are_wanted(request);
    if record.filling {
        // What git fills is not what a pool expects in a tree.
        record.origin = None;
    }
    let visible = record.draft(layout, &mut batch)?;
    // What is filled afterwards is noted in the record then.
    let leased = if record.filling { None } else { Some(record.leased().draft_next(layout, &mut batch)?) };
    batch.settle()?;
    visible.put()?;
    publish::publish(repo, layout, record, By::Creator(branch.as_ref()), progress)?;
    drop(branch);
    if let Some(branch) = &record.parts.branch {
        let (heads, name) = (layout.common.join("refs/heads"), branch.as_str());
        shared::apply_above(repo, &heads, &heads.join(name))?;
        let logs = layout.common.join("logs/refs/heads");
        shared::apply_above(repo, &logs, &logs.join(name))?;
    }
    extras::fill(repo, layout, request, record, &index)?;
    let (base, branch) = (record.parts.base.clone(), record.parts.branch.clone());
    history::note(layout, record, Life::Created { base, branch }, Lasting::Written)?;
    *record = record.leased();
    match leased {
        Some(leased) => leased.put()?,
        None => record.write_soon(layout)?,
    }
    disk::sync_dir(&layout.records())
}

/// Makes the tree and, while its files are being written, the admin directory, which mostly waits for the disk.
fn fill_and_stage(
    repo: &gix::Repository,
    layout: &Layout,
    record: &mut Record,
    base: ObjectId,
    fill: Fill<'_>,
) -> Result<gix::index::File> {
    let (own, known) = (repo.clone(), record.clone());
    std::thread::scope(|scope| {
        let known = &known;
        let thread = std::thread::Builder::new().spawn_scoped(scope, move || admin::stage(&own, layout, known));
        let index = fill(repo, base, record);
        let staged = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // No thread is to be had.
            Err(_) => admin::stage(repo, layout, known),
        };
        let index = index?;
        staged.map(|()| index)
    })
}
