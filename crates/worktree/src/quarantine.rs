//! Where things are put that are in the way: moved by one rename, never deleted, with a note beside them.
//!
//! It lies in the directory of this crate's own state, `.git/hedgerow`.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::capture::fault;
use crate::{Result, disk};

/// Moves an entry or a file here. The note is durable before it moves, and the move when this returns.
pub(crate) fn take(state: &Path, path: &Path, why: &str) -> Result<PathBuf> {
    enter(state, path, why, "move to the quarantine", |to| disk::rename_new(path, to))
}

/// Keeps a copy of what is about to be replaced at this path; it is durable when this returns.
pub(crate) fn keep(state: &Path, path: &Path, content: &[u8], why: &str) -> Result<PathBuf> {
    enter(state, path, why, "keep in the quarantine", |to| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        file.write_all(content)?;
        file.sync_all()
    })
}

/// Moves what was taken back to where it was, where nothing is now.
pub(crate) fn give_back(taken: &Path, path: &Path) -> Result<()> {
    disk::rename_new(taken, path).map_err(fault::io("put back", path))?;
    disk::remove_file(&note_of(taken))?;
    [path, taken].into_iter().filter_map(Path::parent).try_for_each(disk::sync_dir)
}

/// Has something come to a free name here, beside its note.
fn enter(
    state: &Path,
    path: &Path,
    why: &str,
    action: &'static str,
    come: impl Fn(&Path) -> io::Result<()>,
) -> Result<PathBuf> {
    const TRIES: u32 = 100;
    let place = dir(state)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = shortened(&name);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut last = ErrorKind::AlreadyExists.into();
    for n in 0..TRIES {
        let more = if n == 0 { String::new() } else { format!(".{n}") };
        let to = place.join(format!("{name}-{time}{more}"));
        let note = note_of(&to);
        if to.symlink_metadata().is_ok() || note.symlink_metadata().is_ok() {
            continue;
        }
        let text = format!("from: {}\nwhy: {why}\nback: rename {} to that path\n", path.display(), to.display());
        disk::replace(&note, text.as_bytes())?;
        match come(&to) {
            Ok(()) => {
                disk::sync_dir(&place)?;
                return Ok(to);
            }
            Err(e) => {
                disk::remove_file(&note)?;
                if e.kind() != ErrorKind::AlreadyExists {
                    return Err(fault::io(action, path)(e));
                }
                last = e;
            }
        }
    }
    Err(fault::io(action, path)(last))
}

/// As much of a name as leaves room for what is added to it here; the note has all of it.
fn shortened(name: &str) -> &str {
    const MOST: usize = 200;
    let end = (0..=MOST.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or_default()]
}

fn note_of(taken: &Path) -> PathBuf {
    disk::with_suffix(taken, ".note")
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
    if !dir.is_dir() {
        disk::private_dir(&dir)?;
        disk::sync_dir(state)?;
    }
    Ok(dir)
}
