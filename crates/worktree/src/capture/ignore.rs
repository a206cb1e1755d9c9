//! Which untracked paths are left where they are.

use std::path::PathBuf;
use std::rc::Rc;

use gix::bstr::{BStr, ByteSlice};
use gix::glob::pattern::Case;
use gix::glob::search::pattern::List;
use gix::ignore::search::{Ignore as Patterns, pattern_matching_relative_path};

use super::beneath::Dir;
use super::limits;
use super::notices::path_of;

/// The patterns that hold in one directory: its own before those of the directories around it.
#[derive(Clone, Debug)]
pub(super) struct Ignore {
    lists: Option<Rc<Node>>,
    case: Case,
}

#[derive(Debug)]
struct Node {
    list: List<Patterns>,
    around: Option<Rc<Node>>,
}

const PARSE: Patterns = Patterns { support_precious: false };

impl Ignore {
    /// The patterns of `info/exclude` in the common directory. A file of the user is not asked: what is captured must not
    /// depend on who captures it.
    pub(super) fn new(common: &Dir, case: Case) -> Self {
        let none = Self { lists: None, case };
        none.with(common, b"info/exclude", PathBuf::from("exclude"))
    }

    /// These patterns, and those of the `.gitignore` in `dir`, whose path in the tree is `path`.
    pub(super) fn inside(&self, dir: &Dir, path: &BStr) -> Self {
        let source = path_of(path).join(".gitignore");
        self.with(dir, b".gitignore", source)
    }

    /// A file that is missing, is not a regular one, or is too large has no patterns: then nothing is left out.
    fn with(&self, dir: &Dir, name: &[u8], source: PathBuf) -> Self {
        let list = dir.read(name, limits::IGNORE_BYTES).and_then(|bytes| {
            let root = Some(std::path::Path::new(""));
            List::from_bytes(&bytes, source, root, PARSE)
        });
        let Ok(list) = list else { return self.clone() };
        Self { lists: Some(Rc::new(Node { list, around: self.lists.clone() })), case: self.case }
    }

    /// Whether this path is ignored; directories around it must have been asked before.
    pub(super) fn covers(&self, path: &BStr, is_dir: bool) -> bool {
        let basename = path.rfind_byte(b'/').map(|at| at + 1);
        let mut node = self.lists.as_deref();
        while let Some(Node { list, around }) = node {
            if let Some(found) = pattern_matching_relative_path(list, path, basename, Some(is_dir), self.case) {
                return !found.pattern.is_negative();
            }
            node = around.as_deref();
        }
        false
    }
}
