//! Small file operations that are durable, or safe against what others put in the way.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, IFlags, OFlags, RenameFlags, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::capture::fault;

/// Which directory a path leads to, independent of its name.
///
/// File systems give the inode of a deleted directory to the next one that is made, so the time of birth counts too. Some
/// file systems have none; there the rest must do. So it must for what was written down before it was looked at.
///
/// The device counts as well, although its number may be another one after a reboot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    #[serde(default)]
    born: Option<(i64, u32)>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.device == other.device && self.is_alike(other)
    }
}

impl Identity {
    /// Whether both are the same but for the number of the device.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let born = self.born.zip(other.born).is_none_or(|(one, two)| one == two);
        self.inode == other.inode && born
    }
}

impl Identity {
    /// The number that both of two equal ones have.
    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether the file system knows when it was made.
    pub(crate) fn has_birth(&self) -> bool {
        self.born.is_some()
    }

    /// Whether both directories are on the same file system.
    pub(crate) fn is_beside(self, other: Self) -> bool {
        self.device == other.device
    }
}

/// The identity of a directory; none when there is no directory, or only a symlink to one.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::BTIME;
    let found = match rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted) {
        Ok(found) => found,
        // Old kernels do not have it, and some sandboxes forbid it.
        Err(Errno::NOSYS | Errno::PERM) => {
            let meta = path.symlink_metadata().ok()?;
            return meta.is_dir().then(|| Identity { device: meta.dev(), inode: meta.ino(), born: None });
        }
        Err(_) => return None,
    };
    let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    let is_dir = FileType::from_raw_mode(found.stx_mode.into()) == FileType::Directory;
    is_dir.then(|| Identity {
        device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        born: has_birth.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
    })
}

/// Creates a directory that only its owner may enter, and its parents.
pub(crate) fn private_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault::io("create", path))
}

/// Creates a directory, and its parents, for trees that have nothing to do with each other.
///
/// ext4 does not use an inode again for some minutes after its file was deleted, and looks at each such one in the block
/// group whenever it makes a file there. A new tree beside one that was just deleted takes several times as long for that
/// reason, unless the file system is told to put each somewhere else. Where it cannot be told, nothing is lost but time.
pub(crate) fn top_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(fault::io("create", path))?;
    if let Ok(dir) = File::open(path)
        && let Ok(flags) = rustix::fs::ioctl_getflags(&dir)
    {
        let _ = rustix::fs::ioctl_setflags(&dir, flags | IFlags::TOPDIR);
    }
    Ok(())
}

/// Writes a file, never through a symlink that was put there, and makes its content durable; the directory entry is not.
pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    write_open(path, content).and_then(|file| file.sync_all()).map_err(fault::io("write", path))
}

/// Files that are written one after the other and made durable together: a file system with a journal has to write that
/// once then, and not for each of them.
#[derive(Debug, Default)]
#[must_use = "nothing of it is durable before it is settled"]
pub(crate) struct Batch(Vec<(PathBuf, File)>);

impl Batch {
    /// Writes a file, never through a symlink that was put there.
    pub(crate) fn write(&mut self, path: &Path, content: &[u8]) -> Result<()> {
        let file = write_open(path, content).map_err(fault::io("write", path))?;
        self.add(path, file);
        Ok(())
    }

    /// Adds a file that was just written.
    pub(crate) fn add(&mut self, path: &Path, file: File) {
        // Has the kernel begin to write it, or its blocks would be chosen, and journaled, when it is waited for.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        self.0.push((path.to_owned(), file));
    }

    /// Makes the content of all of them durable; their directory entries are not.
    pub(crate) fn settle(self) -> Result<()> {
        let flush = |files: &[(PathBuf, File)]| {
            files.iter().try_for_each(|(path, file)| file.sync_all().map_err(fault::io("write", path)))
        };
        let (one, other) = self.0.split_at(self.0.len() / 2);
        if one.is_empty() {
            return flush(other);
        }
        // Two wait at the same time, because one after the other misses what was just written for the one before.
        std::thread::scope(|scope| {
            let Ok(thread) = std::thread::Builder::new().spawn_scoped(scope, || flush(one)) else {
                return flush(&self.0);
            };
            let flushed = flush(other);
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(flushed)
        })
    }
}

/// Writes a file in place, never through a symlink that was put there.
pub(crate) fn write_plain(path: &Path, content: &[u8]) -> Result<()> {
    write_open(path, content).map(drop).map_err(fault::io("write", path))
}

fn write_open(path: &Path, content: &[u8]) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).custom_flags(flags).open(path)?;
    file.write_all(content)?;
    Ok(file)
}

/// Replaces a file so that after any crash it has either its old or its new content, and makes that durable.
///
/// Only one writer at a time may do this for one path.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let mut batch = Batch::default();
    let draft = Draft::write(path, with_suffix(path, ".tmp"), content, &mut batch)?;
    batch.settle()?;
    draft.put()?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// The next content of a file, which is written and not in its place yet.
#[derive(Debug)]
#[must_use = "it replaces nothing before it is put in its place"]
pub(crate) struct Draft {
    draft: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Writes what shall replace the file at `path` to `draft`, as part of a batch.
    pub(crate) fn write(path: &Path, draft: PathBuf, content: &[u8], batch: &mut Batch) -> Result<Self> {
        batch.write(&draft, content)?;
        Ok(Self { draft, path: path.to_owned() })
    }

    /// Replaces the file. The batch must be settled by then, or a crash of the machine may leave an empty file; which of
    /// the two contents it leaves is open until the directory was flushed.
    pub(crate) fn put(self) -> Result<()> {
        std::fs::rename(&self.draft, &self.path).map_err(fault::io("write", &self.path))
    }
}

/// A path with something at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Makes the entries of a directory durable. A pipe in its place is an error, and nobody waits for its other end.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    let open = || OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(path);
    open().and_then(|dir| dir.sync_all()).map_err(fault::io("flush", path))
}

/// Opens whatever is there to be flushed, and never waits for who writes into a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

/// Removes a file that may be missing.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(fault::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Reads a small regular file where others may have put anything: never through a symlink, never blocking.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(path, 64 << 10)
}

/// As [`read_small`], for files of another size.
pub(crate) fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "not a regular file"));
    }
    let mut content = room(found.len(), most);
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::InvalidData, "far larger than git writes it"));
    }
    Ok(content)
}

/// Reads a whole regular file, through symlinks, and never waits for who writes into a pipe in its place.
pub(crate) fn read_any_size(path: &Path) -> io::Result<Vec<u8>> {
    read_open(path).map(|(_, content)| content)
}

/// As [`read_any_size`], and returns the file as well, as long as which is open no other one gets its number.
pub(crate) fn read_open(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "not a regular file"));
    }
    let mut content = room(found.len(), u64::MAX);
    file.read_to_end(&mut content)?;
    Ok((file, content))
}

/// Reads at most so much of the end of a regular file, as [`read_small`] reads a whole one.
pub(crate) fn read_end(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidData, "not a regular file"));
    }
    file.seek(io::SeekFrom::Start(meta.len().saturating_sub(most)))?;
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Room for a file of this size and one byte more, by which the reader sees its end at once.
pub(crate) fn room(size: u64, most: u64) -> Vec<u8> {
    Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or_default().saturating_add(1))
}

/// Renames without ever replacing anything.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            // Some file systems cannot promise it. What is left open is what is made in between: a directory is only
            // ever replaced by a directory, and only while it is empty, but a file would be.
            if to.symlink_metadata().is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        done => done.map_err(Into::into),
    }
}

/// Sixteen random hexadecimal digits.
pub(crate) fn token() -> Result<String> {
    let mut bytes = [0_u8; 8];
    let source = Path::new("/dev/urandom");
    File::open(source).and_then(|mut f| f.read_exact(&mut bytes)).map_err(fault::io("read", source))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_given_the_inode_of_a_deleted_one_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let now = identity(dir.path()).unwrap();
        let meta = dir.path().symlink_metadata().unwrap();
        assert_eq!((now.device, now.inode), (meta.dev(), meta.ino()));
        let at = |born| Identity { born, ..now };
        assert_ne!(at(Some((7, 1))), at(Some((7, 2))));
        assert_eq!(at(Some((7, 1))), at(Some((7, 1))));
        assert_eq!(at(None), at(Some((7, 1))), "where nobody knows, the rest must do");
        assert_ne!(now, Identity { device: now.device + 1, ..now });
        assert_eq!(identity(&dir.path().join("absent")), None);
    }

    #[test]
    fn only_a_directory_that_is_made_here_is_marked_as_one_of_trees() {
        let dir = tempfile::tempdir().unwrap();
        let flags = |path: &Path| rustix::fs::ioctl_getflags(File::open(path).unwrap());
        let before = flags(dir.path());
        top_dir(dir.path()).unwrap();
        assert_eq!(flags(dir.path()), before);
        let new = dir.path().join("a/new");
        top_dir(&new).unwrap();
        assert!(new.is_dir());
        if rustix::fs::statfs(&new).unwrap().f_type == 0xef53 {
            assert!(flags(&new).unwrap().contains(IFlags::TOPDIR));
        }
    }

    #[test]
    fn the_identity_of_an_earlier_version_is_still_read() {
        let read: Identity = serde_json::from_str(r#"{"device":1,"inode":2}"#).unwrap();
        assert_eq!((read.device, read.inode, read.born), (1, 2, None));
    }
}
