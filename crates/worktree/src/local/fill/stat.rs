//! Stat data as the index keeps it.

/// What an index entry keeps of a file's stat.
pub(in crate::local) use crate::capture::cache::of as kept;
