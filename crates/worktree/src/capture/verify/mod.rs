//! The rules that everything of an agent's must keep before it enters the repository: those of `git fsck --strict`, all
//! warnings taken for errors, and a few of ours. `docs/import.md` has each of them beside git's own name for it.
//!
//! Nothing here reads anything: bytes go in, and either what they refer to or the reason of a refusal comes out.

mod attributes;
mod commit;
mod config;
mod modules;
mod name;
mod tag;
mod tree;
mod url;

use gix::objs::tree::EntryKind;

pub(super) use commit::commit;
pub(super) use name::{problem as name_problem, settings};
pub(super) use tag::tag;
pub(super) use tree::tree;

/// A file that git itself reads in every tree, whatever file system's name for it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Settings {
    /// `.gitmodules`.
    Modules,
    /// `.gitattributes`.
    Attributes,
}

impl Settings {
    /// Why git must not read a file with this content, if so.
    pub(super) fn problem(self, content: &[u8]) -> Option<String> {
        let (name, why) = match self {
            Self::Modules => (".gitmodules", modules::problem(content)),
            Self::Attributes => (".gitattributes", attributes::problem(content)),
        };
        why.map(|why| format!("`{name}` {why}"))
    }

    /// Why git must not find an entry of this kind under this name, if so.
    pub(super) fn kind_problem(self, kind: EntryKind) -> Option<&'static str> {
        match (self, kind) {
            (_, EntryKind::Blob | EntryKind::BlobExecutable) => None,
            (Self::Modules, EntryKind::Link) => Some("`.gitmodules` must not be a symlink"),
            // git does not follow it, and says so without refusing it.
            (Self::Attributes, EntryKind::Link) => None,
            (Self::Modules, _) => Some("`.gitmodules` is not a file"),
            (Self::Attributes, _) => Some("`.gitattributes` is not a file"),
        }
    }
}
