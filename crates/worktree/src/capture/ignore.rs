//! Which untracked paths are left where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gix::bstr::{BStr, ByteSlice};
use gix::glob::Pattern;
use gix::glob::pattern::{Case, Mode};

use super::beneath::Dir;
use super::glob::Glob;
use super::limits;

/// The patterns that hold in one directory: its own before those of the directories around it.
#[derive(Clone, Debug)]
pub(super) struct Ignore {
    lists: Option<Arc<Node>>,
    case: Case,
    /// How much work may still be done; then nothing is ignored any more, so that nothing is lost.
    work: Arc<AtomicU64>,
}

/// The patterns of one file, the last first.
#[derive(Debug)]
struct Node {
    patterns: Vec<(Pattern, Glob)>,
    /// The length of the path of its directory, with the slash.
    base: usize,
    around: Option<Arc<Node>>,
}

impl Ignore {
    /// The patterns of `info/exclude` in the common directory. A file of the user is not asked: what is captured must not
    /// depend on who captures it.
    pub(super) fn new(common: &Dir, case: Case) -> Self {
        let none = Self { lists: None, case, work: Arc::new(AtomicU64::new(limits::PATTERN_WORK)) };
        none.with(common, b"info/exclude", 0)
    }

    /// These patterns, and those of the `.gitignore` in `dir`, whose path in the tree is `path`.
    pub(super) fn inside(&self, dir: &Dir, path: &BStr) -> Self {
        self.with(dir, b".gitignore", if path.is_empty() { 0 } else { path.len() + 1 })
    }

    /// A file that is missing, is not a regular one, or is too large has no patterns: then nothing is left out.
    fn with(&self, dir: &Dir, name: &[u8], base: usize) -> Self {
        let Ok(bytes) = dir.read(name, limits::IGNORE_BYTES) else { return self.clone() };
        let fold = self.case == Case::Fold;
        let glob = |pattern: Pattern| {
            let glob = Glob::new(&pattern.text, fold);
            (pattern, glob)
        };
        let parsed = gix::ignore::parse(&bytes, false).filter(|(p, ..)| p.text.len() <= limits::PATH_BYTES);
        let mut patterns: Vec<_> = parsed.map(|(pattern, ..)| glob(pattern)).collect();
        patterns.reverse();
        Self { lists: Some(Arc::new(Node { patterns, base, around: self.lists.clone() })), ..self.clone() }
    }

    /// Whether this path is ignored; directories around it must have been asked before.
    pub(super) fn covers(&self, path: &BStr, is_dir: bool) -> bool {
        let basename = &path[path.rfind_byte(b'/').map_or(0, |at| at + 1)..];
        let mut node = self.lists.as_deref();
        while let Some(Node { patterns, base, around }) = node {
            for (pattern, glob) in patterns {
                let anywhere = pattern.mode.contains(Mode::NO_SUB_DIR) && !pattern.mode.contains(Mode::ABSOLUTE);
                let text = if anywhere { basename } else { &path[*base..] };
                let cost = if pattern.first_wildcard_pos.is_some() { glob.cost(text.len()) } else { 1 };
                // Threads that ask at once may each take a little more than is left; the bound is only for the hostile.
                let Some(left) = self.work.load(Ordering::Relaxed).checked_sub(cost) else { return false };
                self.work.store(left, Ordering::Relaxed);
                let applies = is_dir || !pattern.mode.contains(Mode::MUST_BE_DIR);
                if applies && self.matches(pattern, glob, text) {
                    return !pattern.is_negative();
                }
            }
            node = around.as_deref();
        }
        false
    }

    fn matches(&self, pattern: &Pattern, glob: &Glob, text: &[u8]) -> bool {
        let fold = self.case == Case::Fold;
        let same = |a: &[u8], b: &[u8]| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
        match pattern.first_wildcard_pos {
            None => same(&pattern.text, text),
            Some(at) if pattern.mode.contains(Mode::ENDS_WITH) && !text.contains(&b'/') => {
                let end = &pattern.text[at + 1..];
                text.len().checked_sub(end.len()).is_some_and(|start| same(&text[start..], end))
            }
            Some(at) => text.get(..at).is_some_and(|start| same(start, &pattern.text[..at])) && glob.matches(text),
        }
    }
}
