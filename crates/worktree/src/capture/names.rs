//! The names in one directory, all of them read before the first is looked at.

use std::mem::MaybeUninit;
use std::ops::Range;

use rustix::fs::{FileType, RawDir};

use super::beneath::Dir;
use crate::Result;

/// Room for the names of one directory after the other.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    found: Vec<(Range<usize>, FileType)>,
    /// Whether patterns of ignored files are among them.
    pub(super) ignores: bool,
}

/// How many names are read before somebody is told.
const STRETCH: usize = 1024;

impl Names {
    /// Reads the names of a directory in place of those of the last one, and tells again and again how many more there are
    /// and how many bytes they have. An error of whoever is told ends it; so does that the directory cannot be read.
    pub(super) fn read(
        &mut self,
        dir: &Dir,
        mut told: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<std::io::Result<()>> {
        self.text.clear();
        self.found.clear();
        self.ignores = false;
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
        let mut since = (0, 0);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return Ok(Err(e.into())),
            };
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            self.ignores |= name == b".gitignore";
            let start = self.text.len();
            self.text.extend_from_slice(name);
            self.found.push((start..self.text.len(), entry.file_type()));
            if self.found.len() - since.0 == STRETCH {
                told(STRETCH, self.text.len() - since.1)?;
                since = (self.found.len(), self.text.len());
            }
        }
        told(self.found.len() - since.0, self.text.len() - since.1)?;
        Ok(Ok(()))
    }

    /// How many bytes they have together.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The names, and what lies there as far as the file system tells.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], FileType)> {
        self.found.iter().map(|(range, kind)| (&self.text[range.clone()], *kind))
    }
}
