//! How much is there.

use std::ops::{Add, AddAssign};

/// A file system of the usual kind has one inode for so many bytes; so this is what an entry takes, however empty.
const ENTRY: u64 = 16 << 10;
/// Even a small limit leaves room for the directories of a build.
const FEWEST: u64 = 1000;

/// What lies in some trees, or by how much that grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Bytes that are allocated.
    pub(super) bytes: u64,
    /// Files, directories and whatever else has a name.
    pub(super) entries: u64,
    /// Directories that could not be looked into.
    pub(super) hidden: u64,
}

impl Tally {
    /// How much may come on top, for a limit in bytes.
    pub(super) fn limit(bytes: u64) -> Self {
        Self { bytes, entries: (bytes / ENTRY).max(FEWEST), hidden: u64::MAX }
    }

    /// What came on top of `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes),
            entries: self.entries.saturating_sub(before.entries),
            hidden: self.hidden.saturating_sub(before.hidden),
        }
    }

    /// Whether any part of it is more than `limit` has.
    pub(super) fn exceeds(self, limit: Self) -> bool {
        self.bytes > limit.bytes || self.entries > limit.entries || self.hidden > limit.hidden
    }
}

impl Add for Tally {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            entries: self.entries.saturating_add(other.entries),
            hidden: self.hidden.saturating_add(other.hidden),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
