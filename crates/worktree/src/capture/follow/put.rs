//! Replaces an index as git does, under git's own lock.
//!
//! The lock is a second name of the file that becomes the index, which is written before. So it is held for a moment only,
//! and one that a killed process left is known to be ours: nobody else has that file.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use gix::bstr::BString;
use rustix::fs::{AtFlags, CWD, FlockOperation, Stat, flock, linkat, renameat, unlinkat};
use rustix::io::Errno;

use super::super::beneath::Dir;
use super::super::{Input, limits};
use super::Next;
use super::splice::{Steps, splice};
use crate::{disk, swap};

const INDEX: &[u8] = b"index";
const LOCK: &str = "index.lock";

/// The next index, under the name by which our lock is known.
#[derive(Debug)]
pub(super) struct Put<'a> {
    input: &'a Input,
    /// Held locked for as long as we live.
    file: File,
    /// What the index was when it was read.
    seen: Stat,
}

/// Writes the index that these steps lead to; in words why that is not possible.
pub(super) fn prepare<'a>(
    own: &Dir,
    input: &'a Input,
    steps: &Steps,
    otherwise: &mut Vec<BString>,
) -> Result<Next<'a>, String> {
    let about = |e: &dyn std::fmt::Display| format!("the index {e}");
    let (file, seen) = own.file(INDEX).map_err(|e| about(&e))?;
    let most = limits::OWN_INDEX_BYTES;
    let size = u64::try_from(seen.st_size).unwrap_or_default();
    if size > most {
        return Err(format!("the index is larger than {}", limits::mib(most)));
    }
    let mut bytes = disk::room(size, most);
    file.take(most).read_to_end(&mut bytes).map_err(|e| about(&e))?;
    let spliced = splice(&bytes, input.base.kind(), steps).map_err(|why| about(&why))?;
    *otherwise = spliced.otherwise;
    let Some(next) = spliced.bytes else { return Ok(Next::Nothing) };
    let failed = |e: std::io::Error| format!("a new index could not be written to {}: {e}", input.sign.display());
    let mut put = Put { input, file: make(&input.sign).map_err(failed)?, seen };
    put.file.write_all(&next).map_err(failed)?;
    put.file.set_permissions(Permissions::from_mode(seen.st_mode & 0o777)).map_err(failed)?;
    // Who runs git there may be somebody else; where it cannot be given to them, they can replace it all the same.
    if put.file.metadata().is_ok_and(|made| (made.uid(), made.gid()) != (seen.st_uid, seen.st_gid)) {
        let _ = std::os::unix::fs::fchown(&put.file, Some(seen.st_uid), Some(seen.st_gid));
    }
    Ok(Next::Put(put))
}

/// Makes the file, in the place of one that a dead process left.
fn make(sign: &Path) -> std::io::Result<File> {
    let file = match File::create_new(sign) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_left(sign) => {
            std::fs::remove_file(sign)?;
            File::create_new(sign)?
        }
        made => made?,
    };
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Whether nobody living has this file.
fn is_left(sign: &Path) -> bool {
    File::open(sign).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

impl Put<'_> {
    /// Puts it in the place of the index, if that is what was read; in words why not.
    pub(super) fn put(self, own: &Dir) -> Result<(), String> {
        let link = || linkat(CWD, &self.input.sign, own.fd(), LOCK, AtFlags::empty());
        let locked = match link() {
            Err(Errno::EXIST) if unlock(self.input) => link(),
            locked => locked,
        };
        match locked {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let path = own.path().join(LOCK);
                return Err(format!("{} is held: a git is at work there, or was killed and left it", path.display()));
            }
            Err(e) => return Err(format!("its lock could not be taken: {e}")),
        }
        let stamp = |stat: &Stat| (stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime_nsec);
        let put = match own.stat(INDEX) {
            Ok(now) if stamp(&now) == stamp(&self.seen) => renameat(own.fd(), LOCK, own.fd(), OsStr::from_bytes(INDEX))
                .map_err(|e| format!("it could not be replaced: {e}")),
            _ => Err("somebody changed it meanwhile".to_owned()),
        };
        if put.is_err() {
            let _ = unlinkat(own.fd(), LOCK, AtFlags::empty());
        }
        put
    }
}

impl Drop for Put<'_> {
    fn drop(&mut self) {
        // Last: the lock is never without it.
        let _ = std::fs::remove_file(&self.input.sign);
    }
}

/// Takes away the lock if it is one that a dead process of ours left, and says whether it was.
fn unlock(input: &Input) -> bool {
    let lock = input.admin.join(LOCK);
    let staging = input.sign.parent().unwrap_or(&input.sign);
    swap::is_abandoned(&lock, staging) && std::fs::remove_file(&lock).is_ok()
}

/// Takes away what a dead process of ours left.
pub(super) fn clear(input: &Input) {
    unlock(input);
    if is_left(&input.sign) {
        let _ = std::fs::remove_file(&input.sign);
    }
}
