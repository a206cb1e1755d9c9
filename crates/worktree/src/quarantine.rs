//! Where things are put that are in the way: moved by one rename, never deleted, with a note beside them.
//!
//! It lies in the directory of this crate's own state, `.git/hedgerow`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::capture::fault;
use crate::{Result, disk};

/// Moves an entry or a file here. The note is durable before it moves.
pub(crate) fn take(state: &Path, path: &Path, why: &str) -> Result<PathBuf> {
    const TRIES: u32 = 100;
    let place = dir(state)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut last = ErrorKind::AlreadyExists.into();
    for n in 0..TRIES {
        let more = if n == 0 { String::new() } else { format!(".{n}") };
        let to = place.join(format!("{name}-{time}{more}"));
        let note = place.join(format!("{name}-{time}{more}.note"));
        if to.symlink_metadata().is_ok() || note.symlink_metadata().is_ok() {
            continue;
        }
        let text = format!("from: {}\nwhy: {why}\nback: rename {} to that path\n", path.display(), to.display());
        disk::replace(&note, text.as_bytes())?;
        match disk::rename_new(path, &to) {
            Ok(()) => {
                disk::sync_dir(&place)?;
                return Ok(to);
            }
            Err(e) => {
                disk::remove_file(&note)?;
                if e.kind() != ErrorKind::AlreadyExists {
                    return Err(fault::io("move to the quarantine", path)(e));
                }
                last = e;
            }
        }
    }
    Err(fault::io("move to the quarantine", path)(last))
}

/// Puts a complete file where it is missing or damaged. What was there comes here first: after a crash in between it is
/// missing, which is found and completed like its damage.
pub(crate) fn put(state: &Path, path: &Path, content: &[u8], why: &str) -> Result<()> {
    let temporary = dir(state)?.join(format!(".{}", disk::token()?));
    disk::write_synced(&temporary, content)?;
    if path.symlink_metadata().is_ok_and(|meta| !meta.is_file() || meta.len() > 0) {
        take(state, path, why)?;
    }
    std::fs::rename(&temporary, path).map_err(fault::io("write", path))?;
    path.parent().map_or(Ok(()), disk::sync_dir)
}

/// The directory, made when it is first needed.
pub(crate) fn dir(state: &Path) -> Result<PathBuf> {
    let dir = state.join("quarantine");
    disk::private_dir(&dir)?;
    Ok(dir)
}
