//! Stores the content of files and symlinks.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek};
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::{Kind, Write};
use rustix::fs::{FileType, Stat, fstat};

use super::beneath::{self, Dir};
use super::convert::Converter;
use super::{Keep, edit, fault, freshen, limits};
use crate::Result;

/// How often a file is read again that changes while it is read.
const TRIES: usize = 3;

/// What became of a file.
#[derive(Debug)]
pub(super) enum Stored {
    /// Its content has this id.
    As(ObjectId),
    /// It is gone by now.
    Gone,
    /// It could not be read, in words.
    Unreadable(String),
}

/// Stores what a path holds, as the kind of thing that it was found as.
pub(super) fn store(
    repo: &gix::Repository,
    root: &Dir,
    path: &BStr,
    found: &Stat,
    converter: Option<&mut Converter<'_>>,
    previous: Option<ObjectId>,
    keep: Keep,
) -> Result<Stored> {
    let read = if beneath::kind(found) == FileType::Symlink {
        target(root, path).map(Content::Bytes)
    } else {
        content(root, path, converter, previous)
    };
    match read {
        Ok(Content::Bytes(bytes)) => Ok(Stored::As(put(repo, &bytes, keep)?)),
        Ok(Content::Large(file, stat)) => stream(repo, &file, &stat, keep),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Stored::Gone),
        Err(e) => Ok(Stored::Unreadable(e.to_string())),
    }
}

fn put(repo: &gix::Repository, content: &[u8], keep: Keep) -> Result<ObjectId> {
    if keep == Keep::Nothing {
        let hash = gix::objs::compute_hash(repo.object_hash(), Kind::Blob, content);
        return hash.map_err(fault::git("hash a file"));
    }
    edit::put(repo, Kind::Blob, content)
}

enum Content {
    Bytes(Vec<u8>),
    Large(File, Stat),
}

fn target(root: &Dir, path: &BStr) -> std::io::Result<Vec<u8>> {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => root.dir(&path[..at])?.link(&path[at + 1..]),
        None => root.link(path),
    }
}

fn content(
    root: &Dir,
    path: &BStr,
    converter: Option<&mut Converter<'_>>,
    previous: Option<ObjectId>,
) -> std::io::Result<Content> {
    let most = if converter.is_some() { limits::CONVERTED_BYTES } else { limits::IN_MEMORY_BYTES };
    for _ in 0..TRIES {
        let (file, stat) = root.file(path)?;
        let size = size(&stat);
        if size > most {
            return Ok(Content::Large(file, stat));
        }
        let mut bytes = Vec::new();
        (&file).take(size + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == size && same(&stat, &fstat(&file)?) {
            return Ok(Content::Bytes(match converter {
                Some(converter) => converter.convert(path, bytes, previous),
                None => bytes,
            }));
        }
    }
    Err(Error::other("it changes all the time"))
}

/// Stores a file that is too large for memory.
fn stream(repo: &gix::Repository, file: &File, stat: &Stat, keep: Keep) -> Result<Stored> {
    if size(stat) > limits::FILE_BYTES {
        return Ok(Stored::Unreadable(format!("it has {} bytes, more than are stored", size(stat))));
    }
    // Hashed first: mostly it is there from an earlier capture, and packing it again would take far longer.
    let never = AtomicBool::new(false);
    let hashed = exactly(file, stat, |input| {
        let hash = repo.object_hash();
        gix::objs::compute_stream_hash(hash, Kind::Blob, input, size(stat), &mut gix::progress::Discard, &never)
    });
    let id = match hashed {
        Ok(id) => id.map_err(fault::git("hash a large file"))?,
        Err(why) => return Ok(Stored::Unreadable(why)),
    };
    if keep == Keep::Objects && !freshen::has(repo, id) {
        let write = || match exactly(file, stat, |input| repo.objects.write_stream(Kind::Blob, size(stat), input)) {
            Ok(written) => written.map(Ok),
            Err(why) => Ok(Err(why)),
        };
        match edit::stored("store a large file", write)? {
            Ok(written) if written == id => {}
            Ok(_) => return Ok(Stored::Unreadable(CHANGED.into())),
            Err(why) => return Ok(Stored::Unreadable(why)),
        }
    }
    let now = fstat(file).map_err(fault::io("look at", "a large file"))?;
    if same(stat, &now) { Ok(Stored::As(id)) } else { Ok(Stored::Unreadable(CHANGED.into())) }
}

/// Reads a file from its start, exactly as much as it had: its size is in the header of the object. The outer error says
/// why the file could not be read so.
fn exactly<T>(
    mut file: &File,
    stat: &Stat,
    read: impl FnOnce(&mut dyn Read) -> gix::Result<T>,
) -> std::result::Result<gix::Result<T>, String> {
    file.rewind().map_err(|e| e.to_string())?;
    let mut input = Exactly { inner: file, left: size(stat), failed: None };
    let done = read(&mut input);
    input.failed.map_or(Ok(done), |failed| Err(failed.to_string()))
}

const CHANGED: &str = "it changed while it was read";

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or_default()
}

fn same(a: &Stat, b: &Stat) -> bool {
    (a.st_size, a.st_mtime, a.st_mtime_nsec) == (b.st_size, b.st_mtime, b.st_mtime_nsec)
}

/// Reads exactly so many bytes, or fails.
struct Exactly<R> {
    inner: R,
    left: u64,
    failed: Option<Error>,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = match self.inner.read(&mut buffer[..most]) {
            Ok(0) => Err(Error::new(ErrorKind::UnexpectedEof, "it became shorter while it was read")),
            other => other,
        };
        match read {
            Ok(read) => {
                self.left -= read as u64;
                Ok(read)
            }
            Err(e) => {
                let kind = e.kind();
                self.failed = Some(e);
                Err(kind.into())
            }
        }
    }
}
