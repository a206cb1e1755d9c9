//! The reflog entry of a checkout's `HEAD`, which moves with its branch.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use gix::ObjectId;
use gix::actor::Signature;

use crate::{Error, Result};

/// Appends an entry to the log of the `HEAD` in `git_dir`.
pub(super) fn head(git_dir: &Path, old: ObjectId, new: ObjectId, message: &str, who: &Signature) -> Result<()> {
    let mut line = format!("{old} {new} ").into_bytes();
    let mut time = gix::date::parse::TimeBuf::default();
    let path = git_dir.join("logs").join("HEAD");
    // In one piece, so that entries of two writers do not mix.
    let write = || -> std::io::Result<()> {
        who.to_ref(&mut time).write_to(&mut line).map_err(std::io::Error::other)?;
        line.extend_from_slice(format!("\t{message}\n").as_bytes());
        fs::create_dir_all(git_dir.join("logs"))?;
        let mut log = OpenOptions::new().create(true).append(true).open(&path)?;
        log.write_all(&line)?;
        log.sync_all()
    };
    let mut write = write;
    write().map_err(Error::git(format!("write an entry to {path:?}")))
}
