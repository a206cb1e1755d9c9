//! Every limit on what is read from a place that an agent could write, each with its reason.
//!
//! They are far above what real work needs and low enough that a hostile tree costs minutes and some memory, not the host.

use std::fmt::Display;

/// Says that a limit on an agent's history was reached, and what to do about it.
pub(super) fn beyond(what: impl Display, limit: impl Display) -> String {
    format!(
        "{what} (the limit is {limit}; a history of that size is to be fetched into the repository from outside: what the \
         repository has is not taken over again)"
    )
}

/// Says that there are more refs than are looked at, and what to do about it.
pub(super) fn beyond_refs(what: impl Display, limit: impl Display) -> String {
    format!("{what} (the limit is {limit}; delete what is not needed, or expire the log)")
}

/// A limit in bytes, for people.
pub(super) fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Size of one object of the agent's history: it is held in memory while it is checked.
pub(super) const OBJECT_BYTES: u64 = 256 << 20;
/// Bytes that delta bases may hold in memory while the deltas of one chain are applied. Of a base of which one delta is left
/// nothing is held.
pub(super) const CHAIN_BYTES: u64 = 512 << 20;
/// Bytes of bases that are remembered, so that the next object of the same chain does not begin at its end.
pub(super) const BASES_BYTES: usize = 64 << 20;
/// Longest chain of deltas that is followed; git writes 50 and never more than 4095.
pub(super) const CHAIN_LENGTH: usize = 4096;
/// Compressed bytes of packs that are copied out of the view.
pub(super) const PACK_BYTES: u64 = 4 << 30;
/// Size up to which a pack may be smaller on the disk than it says.
pub(super) const WITHOUT_HOLES: u64 = 16 << 20;
/// Objects that are looked at in one capture, and objects in all packs of a view.
pub(super) const OBJECTS: usize = 2_000_000;
/// Bytes that may be inflated in one capture, repeated reads included: this bounds the time of a decompression bomb.
pub(super) const WORK_BYTES: u64 = 16 << 30;
/// What reading an object counts as beside its bytes: many small ones take time too.
pub(super) const OBJECT_WORK: u64 = 1 << 10;
/// Directories below one another; a deeper path cannot be opened by most programs.
pub(super) const TREE_DEPTH: usize = 1024;
/// Length of one path in an agent's tree, as in the kernel's `PATH_MAX`.
pub(super) const PATH_BYTES: usize = 4096;
/// Paths in one tree: a few small tree objects can name billions.
pub(super) const PATHS: usize = 2_000_000;
/// Sum of the lengths of these paths, which are held in memory.
pub(super) const ALL_PATH_BYTES: usize = if cfg!(test) { 1 << 20 } else { 512 << 20 };
/// Size of one loose ref, and of `HEAD`.
pub(super) const REF_BYTES: u64 = 4096;
/// Size of `packed-refs`: room for two hundred thousand refs.
pub(super) const PACKED_REFS_BYTES: u64 = 32 << 20;
/// Size of the log of the stash.
pub(super) const STASH_LOG_BYTES: u64 = 4 << 20;
/// Refs that are looked at.
pub(super) const REFS: usize = 100_000;
/// Files and directories among the refs, and the lengths of all their names.
pub(super) const REF_FILES: usize = if cfg!(test) { 500 } else { 2 * REFS };
pub(super) const REF_NAME_BYTES: usize = 64 << 20;
/// Symbolic refs that are followed, as in git.
pub(super) const SYMREF_DEPTH: usize = 5;
/// Rescue refs that one capture makes.
pub(super) const RESCUES: usize = 64;
/// Annotated tags that point to one another.
pub(super) const TAG_DEPTH: usize = 8;
/// Size of one `.gitignore`.
pub(super) const IGNORE_BYTES: u64 = 1 << 20;
/// Steps of matching patterns with paths, all in all: a few large files of patterns and many paths would take days.
pub(super) const PATTERN_WORK: u64 = 20_000_000_000;
/// Size of the worktree's `.git` file.
pub(super) const DOT_GIT_BYTES: u64 = 64 << 10;
/// Size of the agent's index that is still written anew: room for the [`PATHS`].
pub(super) const OWN_INDEX_BYTES: u64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// Size of the saved index.
pub(super) const INDEX_BYTES: u64 = 1 << 30;
/// Files up to this size are read into memory once, larger ones are streamed.
pub(super) const IN_MEMORY_BYTES: u64 = 16 << 20;
/// Size of one file: it is read as a whole to be stored, holes too, and is in memory as a whole when it is restored.
pub(super) const FILE_BYTES: u64 = 4 << 30;
/// Bytes of all files above [`IN_MEMORY_BYTES`] that are read in one capture.
pub(super) const LARGE_BYTES: u64 = 64 << 30;
/// Files above this size are stored without conversion of line ends, which needs them in memory.
pub(super) const CONVERTED_BYTES: u64 = 256 << 20;
/// Notices of one kind that a capture makes one by one; the rest is counted.
pub(super) const NOTICES: usize = 100;
/// Directories in all of what is ignored that are searched for repositories before they are deleted: more than the packages
/// and the build output of a large project have.
pub(crate) const IGNORED_DIRS: usize = if cfg!(test) { 50 } else { 200_000 };
/// Length of the reason in a notice, which may quote names of the agent's.
pub(super) const NOTICE_CHARS: usize = 1000;
/// Bytes of an agent's commits and trees that are held in memory while a worktree is only looked at.
pub(super) const MEMORY_BYTES: usize = 1 << 30;
/// Entries of a reflog that are looked at, the newest; more than most agents make, and what is beyond is unknown.
pub(super) const LOGGED: usize = 20_000;
