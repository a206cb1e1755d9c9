//! What reflogs are told.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gix::ObjectId;
use rustix::fs::OFlags;

use super::Value;
use crate::disk;

/// Who moves refs on this crate's own account.
pub(crate) const COMMITTER: &str = "hedgerow <hedgerow@localhost>";

/// Why a ref is moved, and by whom.
#[derive(Debug)]
pub(crate) struct Log {
    who: String,
    message: String,
    begin: Begin,
}

/// For which refs a log is begun; one that is there is always gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    None,
    Branches,
    All,
}

impl Log {
    /// What the logs of this repository shall say; `who` is a name and an address.
    pub(crate) fn new(repo: &gix::Repository, who: &str, message: &str) -> Self {
        let clean = |text: &str| text.replace(char::is_control, " ");
        Self { who: clean(who), message: clean(message), begin: begin(repo) }
    }

    /// Adds a line. A log that cannot be written, because one of a former ref is in its way, is no reason to do without
    /// the ref.
    pub(super) fn tell(&self, common: &Path, name: &str, from: Value, to: ObjectId) {
        let from = match from {
            Value::Id(id) => id,
            Value::Missing | Value::Other => to.kind().null(),
        };
        let _ = self.append(&common.join("logs").join(name), name, &line(from, to, &self.who, &self.message));
    }

    fn append(&self, path: &Path, name: &str, line: &str) -> io::Result<()> {
        // What is rescued must tell since when, whatever the configuration says.
        let always = name.starts_with("refs/hedgerow/rescue/");
        let begin =
            always || self.begin == Begin::All || (self.begin == Begin::Branches && name.starts_with("refs/heads/"));
        if begin {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        }
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        match OpenOptions::new().append(true).create(begin).custom_flags(flags).open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            file => file?.write_all(line.as_bytes()),
        }
    }
}

fn begin(repo: &gix::Repository) -> Begin {
    let config = repo.config_snapshot();
    match config.string("core.logAllRefUpdates") {
        Some(value) if value.eq_ignore_ascii_case(b"always") => Begin::All,
        _ if config.boolean("core.logAllRefUpdates").unwrap_or(!repo.is_bare()) => Begin::Branches,
        _ => Begin::None,
    }
}

/// When the log of this ref was told something the last time, in seconds since 1970.
pub(crate) fn last_told(common: &Path, name: &str) -> Option<u64> {
    let (who, _) = last_line(common, name)?;
    who.rsplit(' ').nth(1)?.parse().ok()
}

/// What the log of this ref was told the last time.
pub(crate) fn last_message(common: &Path, name: &str) -> Option<String> {
    last_line(common, name).map(|(_, message)| message)
}

/// The last line of a log, what is before its tab and what is after it. A log may be long, so only its end is read.
fn last_line(common: &Path, name: &str) -> Option<(String, String)> {
    const LONGEST: u64 = 8 << 10;
    let text = disk::read_end(&common.join("logs").join(name), LONGEST).ok()?;
    let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    let (who, message) = std::str::from_utf8(last).ok()?.split_once('\t')?;
    Some((who.to_owned(), message.to_owned()))
}

/// A line of a reflog.
pub(crate) fn line(from: ObjectId, to: ObjectId, who: &str, message: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    format!("{from} {to} {who} {seconds} +0000\t{message}\n")
}
