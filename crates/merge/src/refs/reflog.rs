//! Reflog entries: of the branch, and of a checkout's `HEAD`, which moves with its branch.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use gix::ObjectId;
use gix::actor::Signature;

use crate::flush::Unflushed;
use crate::{Error, Result};

/// Appends an entry to a log, whether or not there is one yet. The message must be one line.
pub(crate) fn append(log: &Path, old: ObjectId, new: ObjectId, message: &str, who: &Signature) -> Result<Unflushed> {
    let mut line = format!("{old} {new} ").into_bytes();
    let mut time = gix::date::parse::TimeBuf::default();
    let signed = who.to_ref(&mut time).write_to(&mut line).map_err(std::io::Error::other);
    line.extend_from_slice(format!("\t{message}\n").as_bytes());
    let write = || {
        if let Some(directory) = log.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(log)?;
        // In one piece, so that entries of two writers do not mix.
        file.write_all(&line)
    };
    signed.and_then(|()| write()).map_err(Error::git(format!("write an entry to {log:?}")))?;
    let mut written = Unflushed::default();
    written.add_named(log);
    Ok(written)
}
