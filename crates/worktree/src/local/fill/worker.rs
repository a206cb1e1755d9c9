//! What one thread does: it makes the files of one stretch of the index after another.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::bstr::{BStr, ByteSlice};
use gix::index::entry::{Flags, Mode, Stat};
use gix::index::{Entry, PathStorageRef};
use gix::objs::{Find, FindHeader, Kind};
use rustix::fs::Timespec;
use rustix::io::Errno;

use super::Filled;
use super::convert::Converter;
use super::dirs::Dirs;
use super::donor::Donor;
use super::file::{self, Came, New};
use super::packed::Reader;
use super::stored::{Piece, Store};
use crate::capture::fault;
use crate::{Error, Result};

/// A buffer that once held a large file is given back.
const BUFFER: usize = 4 << 20;

/// What all threads share.
pub(super) struct Job<'a> {
    pub(super) target: &'a OwnedFd,
    pub(super) donor: Option<&'a Donor>,
    pub(super) paths: &'a PathStorageRef,
    pub(super) chunks: Mutex<std::vec::IntoIter<Chunk<'a>>>,
    pub(super) settled: Timespec,
    pub(super) reflinks: AtomicBool,
    pub(super) cancelled: &'a AtomicBool,
    /// Set when one thread has failed, so that the others do not go on in vain.
    pub(super) failed: AtomicBool,
}

/// A stretch of the index, and for each entry the donor's entry of the same content.
pub(super) struct Chunk<'a> {
    pub(super) entries: &'a mut [Entry],
    pub(super) sources: &'a [Option<u32>],
}

/// What a thread has done, and what it leaves for the end.
#[derive(Default)]
pub(super) struct Done<'a> {
    pub(super) filled: Filled,
    /// Symlinks are made when all files are, so that none is ever written through one.
    pub(super) links: Vec<&'a mut Entry>,
    /// What was not copied.
    pub(super) waiting: Vec<Waiting<'a>>,
}

/// A file that is to be inflated.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    pub(super) entry: &'a mut Entry,
    /// Whether it is written as it is stored.
    plain: bool,
}

pub(super) struct Worker<'a> {
    job: &'a Job<'a>,
    objects: gix::OdbHandleArc,
    converter: Option<Converter>,
    dirs: Dirs<'a>,
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(job: &'a Job<'a>, objects: gix::OdbHandleArc, converter: Option<Converter>) -> Result<Self> {
        let dirs = Dirs::new(job.target, job.donor).map_err(fault::io("enter", "the new tree"))?;
        Ok(Self { job, objects, converter, dirs, buffer: Vec::new() })
    }

    /// Copies what can be copied, until nothing is left to look at.
    pub(super) fn copy_all(&mut self) -> Result<Done<'a>> {
        let mut done = Done::default();
        while let Some(chunk) = self.job.chunks.lock().ok().and_then(|mut chunks| chunks.next()) {
            for (entry, source) in chunk.entries.iter_mut().zip(chunk.sources) {
                if self.is_over() {
                    return Ok(done);
                }
                if entry.flags.contains(Flags::SKIP_WORKTREE) {
                    continue;
                }
                let path = entry.path_in(self.job.paths);
                match entry.mode {
                    Mode::SYMLINK => done.links.push(entry),
                    // A submodule is an empty directory until somebody fills it.
                    Mode::COMMIT => self.dirs.enter(path).map_err(|e| failed(path, e.into()))?,
                    _ => self.file(entry, *source, path, &mut done)?,
                }
            }
        }
        Ok(done)
    }

    /// Inflates what waits, until nothing does.
    pub(super) fn inflate_all(&mut self, store: &Store<'_>) -> Result<()> {
        let mut reader = store.packs.as_ref().map(Reader::new);
        while let Some(piece) = store.pieces.lock().ok().and_then(|mut pieces| pieces.next()) {
            let (trees, mut single) = match piece {
                Piece::Trees(trees) => (trees, Vec::new()),
                Piece::Single(single) => (Vec::new(), single),
            };
            for tree in trees {
                match &mut reader {
                    Some(reader) => single.extend(reader.read(tree, |waiting, content| self.make(waiting, content))?),
                    None => single.extend(tree.into_wanted()),
                }
            }
            for waiting in single {
                if self.is_over() {
                    return Ok(());
                }
                let mut buffer = std::mem::take(&mut self.buffer);
                let path = waiting.entry.path_in(self.job.paths);
                let blob = find_blob(&self.objects, waiting.entry, path, &mut buffer)?;
                self.make(waiting, blob)?;
                if buffer.capacity() <= BUFFER {
                    self.buffer = buffer;
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.job.cancelled.load(Ordering::Relaxed) || self.job.failed.load(Ordering::Relaxed)
    }

    fn file(&mut self, entry: &'a mut Entry, source: Option<u32>, path: &BStr, done: &mut Done<'a>) -> Result<()> {
        let io = |e: IoError| failed(path, e);
        let plain = match &mut self.converter {
            Some(converter) => converter.is_plain(path, entry.mode, &self.objects).map_err(io)?,
            None => true,
        };
        let Some(number) = source.filter(|_| plain) else {
            done.waiting.push(Waiting { entry, plain });
            return Ok(());
        };
        let (dir, name) = split(path);
        self.dirs.enter(dir).map_err(|e| failed(path, e.into()))?;
        let Some((source, recorded)) = self.source(number, name, entry.id) else {
            done.waiting.push(Waiting { entry, plain });
            return Ok(());
        };
        let mut new = New::create(self.dirs.target(), name, entry.mode).map_err(io)?;
        match new.copy(&source, &recorded, &self.job.reflinks, &mut self.buffer).map_err(io)? {
            Some(Came::Reflinked) => done.filled.reflinked += 1,
            Some(Came::Copied) => done.filled.copied += 1,
            None => {
                // It changed while it was copied; what was written of it is gone.
                let blob = find_blob(&self.objects, entry, path, &mut self.buffer)?;
                new.write(blob).map_err(io)?;
                done.filled.inflated += 1;
            }
        }
        entry.stat = new.settle(self.job.settled).map_err(io)?;
        Ok(())
    }

    /// The donor's file of this entry, and what is recorded of it; none when it has to be inflated.
    fn source(&mut self, number: u32, name: &[u8], id: gix::ObjectId) -> Option<(File, Stat)> {
        let dir = self.dirs.source()?;
        let entry = self.job.donor?.unchanged(number, dir, name)?;
        // A conversion that is not known here, by the user's own settings or by attributes that are gone, makes another
        // size of it.
        let header = self.objects.try_header(&id).ok().flatten();
        header.filter(|header| header.kind == Kind::Blob && header.size == u64::from(entry.stat.size))?;
        Some((file::open(dir, name).ok()?, entry.stat))
    }

    fn make(&mut self, waiting: Waiting<'_>, blob: &[u8]) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let Waiting { entry, plain } = waiting;
        let path = entry.path_in(self.job.paths);
        let io = |e: IoError| failed(path, e);
        let content = match &mut self.converter {
            Some(converter) if !plain => {
                converter.convert(blob, path, entry, &self.objects).map_err(fault::git(format!("convert {path:?}")))?
            }
            _ => Cow::Borrowed(blob),
        };
        let mut new = self.dirs.create(path, entry.mode).map_err(io)?;
        new.write(&content).map_err(io)?;
        entry.stat = new.settle(self.job.settled).map_err(io)?;
        Ok(())
    }
}

/// The content of an entry.
pub(super) fn find_blob<'b>(
    objects: &dyn Find,
    entry: &Entry,
    path: &BStr,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8]> {
    let action = || format!("read the object {} of {path:?}", entry.id);
    match present(objects, &entry.id, buffer).map_err(|e| fault::git(action())(e))? {
        Some(Kind::Blob) => Ok(buffer),
        Some(_) => Err(Error::Git { action: action(), source: "it is not a file".into() }),
        None => Err(Error::Git { action: action(), source: "it is missing (a partial clone?); fetch it first".into() }),
    }
}

/// Reads an object into the buffer. What is not found is looked for again: while somebody repacks, the library may see
/// the old pack no more and the new one not yet.
pub(super) fn present(objects: &dyn Find, id: &gix::oid, buffer: &mut Vec<u8>) -> gix::Result<Option<Kind>> {
    const TRIES: u32 = 6;
    for tries in 1..=TRIES {
        if let Some(found) = objects.try_find(id, buffer)? {
            return Ok(Some(found.kind));
        }
        if tries < TRIES {
            std::thread::sleep(std::time::Duration::from_millis(1 << tries));
        }
    }
    Ok(None)
}

/// The directory and the name of a path.
pub(in crate::local) fn split(path: &BStr) -> (&[u8], &[u8]) {
    path.rfind_byte(b'/').map_or((&[], path), |at| (&path[..at], &path[at + 1..]))
}

/// The error for a path that could not be written.
pub(super) fn failed(path: &BStr, error: IoError) -> Error {
    let blocked = matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error());
    if blocked {
        let problem = format!("{path:?} collides with another path of the commit");
        return Error::Git { action: "check out the commit".into(), source: problem.into() };
    }
    use std::os::unix::ffi::OsStrExt;
    fault::io("write", std::path::Path::new(std::ffi::OsStr::from_bytes(path)))(error)
}
