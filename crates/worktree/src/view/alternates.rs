//! The object databases that a view borrows from.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::capture::fault;
use crate::{Error, Result};

/// How many databases may be chained; git itself follows five levels.
const MOST: usize = 64;

/// The real object database and everything that it borrows from, as canonical paths, each once.
///
/// They are resolved here because git takes a relative alternate of an alternate differently from version to version.
pub(super) fn all(objects: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut queue = VecDeque::from([canonical(objects)?]);
    while let Some(dir) = queue.pop_front() {
        if found.contains(&dir) {
            continue;
        }
        let list = dir.join("info/alternates");
        match std::fs::read(&list) {
            Ok(text) => {
                let named = gix::odb::alternate::parse(&text)
                    .map_err(|e| refuse(&list, format!("its lines cannot be read ({e}); mend or remove it")))?;
                for path in named {
                    queue.push_back(canonical(&dir.join(path))?);
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(fault::io("read", &list)(e)),
        }
        found.push(dir);
        if found.len() > MOST {
            return Err(refuse(
                objects,
                "it borrows from too many other object databases; repack it with `git repack -a`",
            ));
        }
    }
    Ok(found)
}

/// The text of an `info/alternates` file that names these directories.
pub(super) fn file(dirs: &[PathBuf]) -> Vec<u8> {
    let mut text = Vec::new();
    for dir in dirs {
        quote(dir.as_os_str(), &mut text);
        text.push(b'\n');
    }
    text
}

/// Writes a path the way git reads it back, in C's notation where a plain line would be misread.
fn quote(path: &OsStr, text: &mut Vec<u8>) {
    let bytes = path.as_bytes();
    let plain = !bytes.iter().any(|b| matches!(b, b'\n' | b'\r' | b'"' | b'\\' | b'#'));
    if plain {
        text.extend_from_slice(bytes);
        return;
    }
    text.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            _ => text.push(byte),
        }
    }
    text.push(b'"');
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(fault::io("find the object database", path))
}

fn refuse(path: &Path, problem: impl Into<String>) -> Error {
    Error::Repository { path: path.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_paths_are_read_back_as_they_were() {
        for path in ["/plain/objects", "/a b/objects", "/with\nnewline", "/\"quoted\"/\\x", "/#hash"] {
            let text = file(&[PathBuf::from(path)]);
            let back = gix::odb::alternate::parse(&text).unwrap();
            assert_eq!(back, [PathBuf::from(path)], "{path:?} became {:?}", String::from_utf8_lossy(&text));
        }
    }
}
