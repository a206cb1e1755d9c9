//! What a change touches, as whoever enqueues it says.

use serde::{Deserialize, Serialize};

/// What a change touches, relative to the commit that it was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Footprint {
    /// The files that it changes, adds or deletes.
    pub files: Vec<Touch>,
    /// The directories that it moves: whatever others do below them goes along.
    pub moved: Vec<String>,
    /// The packages, owners or whatever else tells related work from unrelated.
    pub scopes: Vec<String>,
    /// How many lines it changes.
    pub lines: u32,
}

/// A file that a change touches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Touch {
    /// Its path, with `/`.
    pub path: String,
    /// Where, in the lines of the commit that the change was made on. None means all of it.
    pub hunks: Vec<Hunk>,
}

/// Some lines of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hunk {
    /// The first line.
    pub first: u32,
    /// How many lines; none where lines are only inserted before the first.
    pub lines: u32,
}

impl Hunk {
    /// Whether two changes of these lines conflict: they overlap, or nothing lies between them.
    pub(super) fn meets(self, other: Self) -> bool {
        self.first <= other.first.saturating_add(other.lines) && other.first <= self.first.saturating_add(self.lines)
    }
}

/// Why two changes are related, the weakest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Relation {
    /// They are about the same scope.
    Scope,
    /// They touch the same file, in different places.
    Path,
    /// One moves a directory that the other works in.
    MovedDirectory,
    /// Changes of their scopes broke each other before.
    Learned,
    /// They touch the same lines, or lines that adjoin, or one has a file where the other has a directory.
    Hunk,
    /// One needs the other, or they are variants of one task.
    Declared,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_adjoin_meet_and_lines_with_one_between_do_not() {
        let hunk = |first, lines| Hunk { first, lines };
        assert!(hunk(1, 3).meets(hunk(4, 1)));
        assert!(!hunk(1, 3).meets(hunk(5, 1)));
        assert!(hunk(5, 0).meets(hunk(5, 0)), "two insertions at one place");
        assert!(hunk(1, u32::MAX).meets(hunk(9, 1)));
    }
}
