//! Options for bubblewrap, handed over in a file in memory: command lines can be read by everybody, and secrets are among
//! the variables.

use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};
use zeroize::Zeroizing;

/// Room for the usual options, so that growing seldom leaves a copy behind.
const ROOM: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Options(Zeroizing<Vec<u8>>);

impl Options {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(ROOM)))
    }

    /// Adds an option with what belongs to it. None of them contains a NUL byte: they come from C strings and paths that
    /// were checked.
    pub(super) fn add(&mut self, words: &[&[u8]]) {
        for word in words {
            self.0.extend_from_slice(word);
            self.0.push(0);
        }
    }

    /// How much there is of them.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// A file with them, to be read from its beginning.
    pub(super) fn file(&self) -> io::Result<OwnedFd> {
        in_memory(&self.0)
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).replace('\0', " ")
    }
}

/// A file in memory with this content, to be read from its beginning.
pub(super) fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(memfd_create(c"hedgerow", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}
