//! Removing groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::NESTED;

/// Removes a group with all below it, as far as they are empty.
pub(in crate::run) fn remove(group: &Path) {
    for directory in with_nested(group).iter().rev() {
        // The kernel takes a moment to see that the last process is gone.
        for _ in 0..20 {
            match fs::remove_dir(directory) {
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(Duration::from_millis(1)),
                _ => break,
            }
        }
    }
}

/// A group and those below it, each before its own.
pub(super) fn with_nested(group: &Path) -> Vec<PathBuf> {
    let mut found = vec![group.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).filter(|_| found.len() < NESTED) {
        // Nobody can make a link there.
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let nested: Vec<_> =
            entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect();
        found.extend(nested);
        next += 1;
    }
    found
}
