//! The floors: the same bytes, held in memory, written by nothing but `open`, `write` and `close`; and the few flushes
//! without which nothing is durable.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gix::objs::tree::EntryKind;

use super::sample::median;
use crate::Failure;

/// How long it takes to make a small file durable and to rename a directory and a file, for so many trees at once: what
/// a removal cannot do without that shall survive a crash. In seconds.
pub(crate) fn removal(place: &Path, count: usize) -> Result<f64, Failure> {
    timed(place, |dir| {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..count).map(|n| scope.spawn(move || leave(&dir.join(n.to_string())))).collect();
            let own = leave(&dir.join("0"));
            let others = others.into_iter().map(|other| other.join().unwrap_or(Err(std::io::ErrorKind::Other.into())));
            std::iter::once(own).chain(others).collect()
        })
    })
}

fn leave(place: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(place.join("tree"))?;
    durable(&place.join("record"))?;
    std::fs::rename(place.join("tree"), place.join("trash"))?;
    std::fs::rename(place.join("record"), place.join("gone"))
}

/// How long two threads take to list every directory of a clean checkout and to `lstat` every file, for so many trees:
/// whoever does less does not see whether there is work. In seconds.
pub(crate) fn scan(checkout: &Path, count: usize) -> Result<f64, Failure> {
    let mut dirs = vec![checkout.to_owned()];
    let mut next = 0;
    while let Some(dir) = dirs.get(next) {
        let found: Vec<_> = std::fs::read_dir(dir)?.collect::<Result<_, _>>()?;
        for entry in found {
            if entry.file_type()?.is_dir() && entry.file_name() != ".git" {
                dirs.push(entry.path());
            }
        }
        next += 1;
    }
    let look = |next: &AtomicUsize| -> std::io::Result<()> {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= dirs.len() * count {
                return Ok(());
            }
            for entry in std::fs::read_dir(&dirs[turn % dirs.len()])? {
                entry?.metadata()?;
            }
        }
    };
    let mut took = Vec::new();
    for _ in 0..3 {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| look(&next));
            look(&next).and(other.join().unwrap_or(Err(std::io::ErrorKind::Other.into())))
        })?;
        took.push(started.elapsed().as_secs_f64());
    }
    median(took).ok_or_else(|| "nothing was measured".into())
}

/// How long it takes to make three objects and a ref durable: a blob, a tree, a commit. In seconds.
pub(crate) fn capture(place: &Path) -> Result<f64, Failure> {
    timed(place, |dir| {
        ["a-blob", "a-tree", "a-commit", "a-ref"].iter().try_for_each(|name| durable(&dir.join(name)))?;
        File::open(dir)?.sync_all()
    })
}

fn durable(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(b"a few bytes\n")?;
    file.sync_all()
}

fn timed(place: &Path, work: impl Fn(&Path) -> std::io::Result<()>) -> Result<f64, Failure> {
    let mut took = Vec::new();
    for _ in 0..9 {
        let home = tempfile::tempdir_in(place)?;
        let started = Instant::now();
        work(home.path())?;
        took.push(started.elapsed().as_secs_f64());
    }
    median(took).ok_or_else(|| "nothing was measured".into())
}

/// A tree in memory.
#[derive(Debug)]
pub(crate) struct Contents {
    dirs: Vec<PathBuf>,
    files: Vec<(PathBuf, EntryKind, Vec<u8>)>,
}

impl Contents {
    /// Reads all files of `HEAD`.
    pub(crate) fn read(repo: &Path) -> Result<Self, Failure> {
        let repo = gix::open_opts(repo, gix::open::Options::isolated())?;
        let mut contents = Self { dirs: Vec::new(), files: Vec::new() };
        let mut waiting = vec![(PathBuf::new(), repo.head_tree_id()?.detach())];
        while let Some((dir, id)) = waiting.pop() {
            for entry in repo.find_tree(id)?.iter() {
                let entry = entry?;
                let path = dir.join(std::ffi::OsStr::from_bytes(entry.filename()));
                match entry.kind() {
                    EntryKind::Tree => waiting.push((path.clone(), entry.object_id())),
                    EntryKind::Commit => {}
                    kind => {
                        contents.files.push((path, kind, repo.find_blob(entry.object_id())?.take_data()));
                        continue;
                    }
                }
                contents.dirs.push(path);
            }
        }
        contents.dirs.sort();
        contents.files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(contents)
    }

    /// Writes a tree for each of these places.
    pub(crate) fn write(&self, places: &[PathBuf], threads: usize) -> Result<(), Failure> {
        for place in places {
            std::fs::create_dir(place)?;
            for dir in &self.dirs {
                std::fs::create_dir(place.join(dir))?;
            }
            let next = AtomicUsize::new(0);
            let work = || self.some(place, &next);
            std::thread::scope(|scope| {
                let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
                let own = work();
                let others =
                    others.into_iter().map(|other| other.join().unwrap_or(Err(std::io::ErrorKind::Other.into())));
                std::iter::once(own).chain(others).collect::<std::io::Result<()>>()
            })?;
        }
        Ok(())
    }

    fn some(&self, place: &Path, next: &AtomicUsize) -> std::io::Result<()> {
        const STRETCH: usize = 64;
        loop {
            let start = next.fetch_add(STRETCH, Ordering::Relaxed);
            let Some(files) = self.files.get(start..(start + STRETCH).min(self.files.len())).filter(|f| !f.is_empty())
            else {
                return Ok(());
            };
            for (path, kind, bytes) in files {
                one(&place.join(path), *kind, bytes)?;
            }
        }
    }
}

fn one(path: &Path, kind: EntryKind, bytes: &[u8]) -> std::io::Result<()> {
    if kind == EntryKind::Link {
        return symlink(std::ffi::OsStr::from_bytes(bytes), path);
    }
    let mode = if kind == EntryKind::BlobExecutable { 0o777 } else { 0o666 };
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)
}
