//! Fills a private directory with the files of a commit, as fast as the file system makes them.
//!
//! The files are split among threads. Each comes from a donor, another tree that provably has the same content in that
//! place, or is inflated from its object: the former by directories, the latter by where they lie in the packs. Every file's time lies a little in the past: git then needs not
//! read it to know that it was not changed in the very moment in which the index was written.

mod again;
mod convert;
mod dirs;
mod donor;
mod file;
mod link;
mod packed;
mod report;
mod stat;
mod stored;
mod tree;
mod worker;

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gix::ObjectId;
use gix::index::{Entry, PathStorageRef, State};
use gix::worktree::stack::state::attributes::Source;
use rustix::fs::{CWD, Mode, OFlags, Timespec, openat};

pub(super) use donor::Donor;
pub use report::{CopyFrom, Filled};
pub(super) use stat::kept;
pub(super) use worker::split;

use self::convert::Converter;
use self::stored::Store;
use self::worker::{Chunk, Job, Worker};
use crate::capture::fault;
use crate::{Error, Result, Sparse};

/// How a tree is filled.
pub(super) struct Order<'a> {
    pub(super) donor: Option<Donor>,
    pub(super) sparse: &'a Sparse,
    pub(super) threads: usize,
    pub(super) cancelled: &'a AtomicBool,
}

/// How far in the past the files' times lie. git compares whole seconds.
const SETTLED: Duration = Duration::from_secs(2);
/// How many entries a thread takes at a time.
const CHUNK: usize = 64;

/// Writes the files of a commit into a directory that this creates, and returns the index that describes the result.
///
/// Line endings, encodings and `ident` are converted as the attributes of the commit say; filter programs are not run.
pub(super) fn into_new(
    repo: &gix::Repository,
    commit: ObjectId,
    into: &Path,
    order: Order<'_>,
) -> Result<(gix::index::File, Filled)> {
    std::fs::create_dir(into).map_err(fault::io("create", into))?;
    let mut index = list(repo, commit)?;
    let mut options = options(repo)?;
    super::encoding::check(repo, &index)?;
    super::sparse::leave_out(repo, &mut index, order.sparse)?;
    super::promised::check(repo, commit, &index)?;
    let converter = Converter::new(repo, &index, into, &mut options)?;
    let filled = fill(repo, &mut index, into, converter, options.fs.symlink, order)?;
    Ok((gix::index::File::from_state(index, into.join(".git/index")), filled))
}

/// Writes those files of an index that it does not leave out into a tree that has nothing in their places.
pub(super) fn into(repo: &gix::Repository, index: &mut State, tree: &Path, order: Order<'_>) -> Result<()> {
    let mut options = options(repo)?;
    let converter = Converter::new(repo, index, tree, &mut options)?;
    fill(repo, index, tree, converter, options.fs.symlink, order).map(drop)
}

/// The index of a commit, without stat data.
pub(super) fn list(repo: &gix::Repository, commit: ObjectId) -> Result<State> {
    let tree = repo.find_commit(commit).map_err(fault::git(format!("read commit {commit}")))?;
    let tree = tree.tree_id().map_err(fault::git(format!("read commit {commit}")))?.detach();
    tree::list(repo, tree, options(repo)?.validate)
}

/// Writes the files of these entries again from their objects, in the place of what is there.
pub(super) fn again(repo: &gix::Repository, index: &mut State, tree: &Path, entries: &[usize]) -> Result<()> {
    let converter = Converter::new(repo, index, tree, &mut options(repo)?)?;
    let objects = repo.objects.clone().into_arc().map_err(fault::git("open the object database"))?;
    again::write(index, tree, entries, converter, &objects, settled())
}

fn options(repo: &gix::Repository) -> Result<gix::worktree::state::checkout::Options> {
    repo.checkout_options(Source::IdMapping).map_err(fault::git("read the checkout options"))
}

fn fill(
    repo: &gix::Repository,
    index: &mut State,
    into: &Path,
    converter: Option<Converter>,
    symlinks: bool,
    mut order: Order<'_>,
) -> Result<Filled> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(CWD, into, flags, Mode::empty()).map_err(fault::io("enter", into))?;
    let sources = match &mut order.donor {
        Some(donor) => donor.prepare(index),
        None => vec![None; index.entries().len()],
    };
    let objects = repo.objects.clone().into_arc().map_err(fault::git("open the object database"))?;
    let paths = index.take_path_backing();
    let chunks = chunks(index.entries_mut(), &sources, &paths);
    let threads = order.threads.min(chunks.len()).max(1);
    let job = Job {
        target: &target,
        donor: order.donor.as_ref(),
        paths: &paths,
        chunks: Mutex::new(chunks.into_iter()),
        settled: settled(),
        reflinks: AtomicBool::new(true),
        cancelled: order.cancelled,
        failed: AtomicBool::new(false),
    };
    let job = &job;
    let workers = (0..threads).map(|_| Worker::new(job, objects.clone(), converter.clone()));
    let mut workers = workers.collect::<Result<Vec<_>>>()?;
    let mut filled = Filled::default();
    let (mut links, mut waiting) = (Vec::new(), Vec::new());
    for done in all(&mut workers, job, Worker::copy_all)? {
        filled += done.filled;
        links.extend(done.links);
        waiting.extend(done.waiting);
    }
    filled.inflated += waiting.len();
    let store = Store::new(repo, waiting);
    workers.truncate(store.width().max(1));
    all(&mut workers, job, |worker| worker.inflate_all(&store))?;
    filled.inflated += links.len();
    link::make(&target, links, &paths, &objects, symlinks, job.settled)?;
    index.return_path_backing(paths);
    if order.cancelled.load(Ordering::Relaxed) {
        return Err(Error::Git { action: "check out the commit".into(), source: "it was cancelled".into() });
    }
    Ok(filled)
}

/// Has all workers do something, each in a thread of its own.
fn all<'a, T: Send>(
    workers: &mut [Worker<'a>],
    job: &Job<'a>,
    work: impl Fn(&mut Worker<'a>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let work = |worker| {
        let result = work(worker);
        if result.is_err() {
            job.failed.store(true, Ordering::Relaxed);
        }
        result
    };
    let work = &work;
    std::thread::scope(|scope| {
        let Some((own, others)) = workers.split_first_mut() else { return Ok(Vec::new()) };
        // Where no thread is to be had, the others do what it would have done.
        let threads = others.iter_mut().map(|worker| Builder::new().spawn_scoped(scope, move || work(worker)));
        let others: Vec<_> = threads.filter_map(std::result::Result::ok).collect();
        let own = work(own);
        let joined = |other: ScopedJoinHandle<'_, _>| other.join().unwrap_or_else(|panic| resume_unwind(panic));
        std::iter::once(own).chain(others.into_iter().map(joined)).collect()
    })
}

/// Cuts the index into stretches that end with a directory, so that two threads rarely write into the same one.
fn chunks<'a>(mut entries: &'a mut [Entry], mut sources: &'a [Option<u32>], paths: &PathStorageRef) -> Vec<Chunk<'a>> {
    let mut chunks = Vec::new();
    while !entries.is_empty() {
        let dir = |entry: &Entry| split(entry.path_in(paths)).0.len();
        let mut end = CHUNK.min(entries.len());
        while end < entries.len() && end < 4 * CHUNK && dir(&entries[end]) == dir(&entries[end - 1]) {
            end += 1;
        }
        let (now, later) = entries.split_at_mut(end);
        let (now_sources, later_sources) = sources.split_at(end);
        chunks.push(Chunk { entries: now, sources: now_sources });
        (entries, sources) = (later, later_sources);
    }
    chunks
}

/// The time that all files of a tree get.
fn settled() -> Timespec {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(SETTLED);
    Timespec { tv_sec: now.as_secs().cast_signed(), tv_nsec: now.subsec_nanos().into() }
}
