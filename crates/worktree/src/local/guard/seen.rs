//! What lies at one path of the repository, remembered well enough to put it back.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// Files up to this size are remembered whole.
const REMEMBERED: usize = 64 << 10;
/// Files up to this size are told apart by their content, larger ones by size and time.
const HASHED: u64 = 16 << 20;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Seen {
    /// A regular file.
    File(File),
    /// A symlink to this, which was not followed.
    Link(String),
    /// Something else, in words.
    Other(String),
}

/// A regular file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    /// The permissions.
    pub(super) mode: u32,
    /// Which content it has.
    pub(super) print: String,
    /// The content, unless it is large.
    pub(super) content: Option<Content>,
}

/// Bytes that are text nearly always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    /// Text.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        (self.mode, &self.print) == (other.mode, &other.print)
    }
}

impl Eq for File {}

impl Content {
    fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| Self::Bytes(e.into_bytes()), Self::Text)
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Seen {
    /// What is at this path now; none when nothing is. Nothing is followed, and nothing but a regular file is opened.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let found = path.symlink_metadata().and_then(|meta| Self::of(path, &meta));
        match found {
            Ok(seen) => Some(seen),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(e) => Some(Self::Other(format!("it cannot be read: {e}"))),
        }
    }

    fn of(path: &Path, meta: &Metadata) -> io::Result<Self> {
        if meta.is_symlink() {
            return Ok(Self::Link(std::fs::read_link(path)?.to_string_lossy().into_owned()));
        }
        if !meta.is_file() {
            return Ok(Self::Other(if meta.is_dir() { "a directory" } else { "no regular file" }.into()));
        }
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(Self::Other("no regular file".into()));
        }
        let mode = meta.permissions().mode() & 0o7777;
        let mut bytes = Vec::new();
        file.take(HASHED + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > HASHED {
            let print = format!("{} bytes of {:?}", meta.len(), meta.modified().ok());
            return Ok(Self::File(File { mode, print, content: None }));
        }
        let print = print(&bytes);
        let content = (bytes.len() <= REMEMBERED).then(|| Content::new(bytes));
        Ok(Self::File(File { mode, print, content }))
    }

    /// The bytes of a file that was remembered whole.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File(File { content: Some(content), .. }) => Some(content.bytes()),
            _ => None,
        }
    }
}

/// The name of this content: its id as a blob of git's.
pub(super) fn print(bytes: &[u8]) -> String {
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, bytes);
    id.map_or_else(|e| format!("cannot be hashed: {e}"), |id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_seen_and_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink("/etc/passwd", at("link")).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        std::fs::write(at("file"), "text\n").unwrap();
        assert_eq!(Seen::at(&at("nothing")), None);
        assert_eq!(Seen::at(&at("link")), Some(Seen::Link("/etc/passwd".into())));
        assert_eq!(Seen::at(&at("dir")), Some(Seen::Other("a directory".into())));
        let file = Seen::at(&at("file")).unwrap();
        assert_eq!(file.bytes(), Some(&b"text\n"[..]));
        std::fs::write(at("file"), "other\n").unwrap();
        assert_ne!(Seen::at(&at("file")).unwrap(), file);
        std::fs::write(at("file"), vec![b'x'; REMEMBERED + 1]).unwrap();
        assert_eq!(Seen::at(&at("file")).unwrap().bytes(), None);
    }
}
