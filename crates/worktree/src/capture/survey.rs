//! Looks through a whole tree, or through what is ignored in it, without following anything out of it.

use std::collections::VecDeque;
use std::ffi::CString;
use std::fmt;
use std::io::{ErrorKind, Result};
use std::ops::ControlFlow;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use rustix::fs::{FileType, Stat};

use super::beneath::{self, Dir};
use super::ignore::Ignore;
use super::{limits, nested};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent<'a> {
    /// Everything, inside of ignored directories and nested repositories too.
    Everything,
    /// What git would look at: neither ignored directories nor nested repositories.
    Visible,
    /// Only directories: these, which are ignored, and all of those in them, up to this number.
    Ignored { dirs: &'a [BString], most: usize },
}

/// A thing that was found.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Its path in the tree.
    pub(crate) path: &'a BStr,
    /// What it is, itself if it is a symlink.
    pub(crate) stat: &'a Stat,
    /// Whether a pattern says that git ignores it, or a directory around it.
    pub(crate) ignored: bool,
    /// Whether a directory around it is ignored.
    pub(crate) within_ignored: bool,
    /// The directory around it, if this is what makes that a repository of its own.
    pub(crate) repository: Option<Repository<'a>>,
}

/// Where a repository of its own lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repository<'a> {
    /// In what is captured, but for its history.
    Visible(&'a BStr),
    /// In what is ignored.
    Hidden(&'a BStr),
}

impl Found<'_> {
    /// Whether it is a directory; what is in it follows, if it is looked into.
    pub(crate) fn is_dir(&self) -> bool {
        beneath::kind(self.stat) == FileType::Directory
    }
}

/// What was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// It could not be, and perhaps more.
    Unreadable { path: BString, why: String },
    /// There is more than is ever looked at.
    TooMuch(&'static str),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(f, "{path:?}: {why}"),
            Self::TooMuch(what) => write!(f, "it has more {what} than are looked at"),
        }
    }
}

struct Step {
    path: BString,
    ignore: Ignore,
    ignored: bool,
    depth: usize,
}

/// Looks through the tree at `root`, with the ignore patterns of the repository at `common`, and shows what it finds,
/// level by level, and what is in one directory in the order of the names.
///
/// Returns what was not looked at. It ends early when `visit` breaks, or at the limits of this crate. Other file systems
/// are not entered.
pub(crate) fn survey(
    root: &Path,
    common: &Path,
    case: Case,
    extent: Extent<'_>,
    visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
) -> Result<Option<Unseen>> {
    look(&Dir::open(root)?, &Ignore::new(&Dir::open(common)?, case), extent, visit)
}

/// As [`survey`], in a directory that is open.
pub(super) fn look(
    root: &Dir,
    ignore: &Ignore,
    extent: Extent<'_>,
    visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
) -> Result<Option<Unseen>> {
    let first = |path, ignored| Step { path, ignore: ignore.clone(), ignored, depth: 0 };
    let (waiting, most) = match extent {
        Extent::Ignored { dirs, most } => {
            // One more than are opened tells that there are more.
            (dirs.iter().take(most.saturating_add(1)).map(|dir| first(dir.clone(), true)).collect(), most)
        }
        Extent::Everything | Extent::Visible => (VecDeque::from([first(BString::default(), false)]), limits::PATHS),
    };
    let device = root.own_stat()?.st_dev;
    let mut survey = Survey { root, device, extent, waiting, around: None, seen: 0, waits: 0, problem: None };
    let mut opened = 0;
    while let Some(step) = survey.waiting.pop_front() {
        if opened == most {
            survey.problem.get_or_insert(Unseen::TooMuch("directories"));
            break;
        }
        opened += 1;
        if survey.directory(&step, visit)?.is_break() {
            break;
        }
    }
    Ok(survey.problem)
}

/// The names in a directory, and what lies there as far as the file system tells.
type Names = Vec<(CString, FileType)>;

struct Survey<'a> {
    root: &'a Dir,
    device: u64,
    extent: Extent<'a>,
    waiting: VecDeque<Step>,
    /// The directory around the last one that was opened, and its path: those in it follow one another.
    around: Option<(BString, Dir)>,
    /// How many things were shown.
    seen: usize,
    /// How long the paths are together of all directories that were put among those that wait.
    waits: usize,
    problem: Option<Unseen>,
}

impl Survey<'_> {
    fn directory(
        &mut self,
        step: &Step,
        visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let path = step.path.as_bstr();
        let (dir, entries) = match self.open(path) {
            Ok(Some(open)) => open,
            Ok(None) => return Ok(self.unreadable(path, "another file system is mounted there".into())),
            Err(e) if path.is_empty() => return Err(e),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(ControlFlow::Continue(())),
            Err(e) => return Ok(self.unreadable(path, format!("it cannot be read: {e}"))),
        };
        let has_git = !path.is_empty() && entries.iter().any(|(name, _)| name.to_bytes() == b".git");
        if has_git && self.extent == Extent::Visible {
            return Ok(ControlFlow::Continue(()));
        }
        // One that is not ignored is one in any case: a capture names it, too.
        let repository = has_git && (!step.ignored || nested::has_objects(&dir));
        let ignore = if step.ignored { step.ignore.clone() } else { step.ignore.inside(&dir, path) };
        for (name, kind) in entries.iter().map(|(name, kind)| (name.to_bytes(), *kind)) {
            let is_git = name == b".git";
            let passed_by = match self.extent {
                // A repository is told by its `.git` alone: what else is in it goes and stays with it.
                Extent::Ignored { .. } if is_git || repository => is_git != repository,
                Extent::Ignored { .. } => !matches!(kind, FileType::Directory | FileType::Unknown),
                Extent::Everything | Extent::Visible => is_git && path.is_empty(),
            };
            if passed_by {
                continue;
            }
            let inner = joined(&step.path, name);
            if inner.len() > limits::PATH_BYTES || step.depth >= limits::TREE_DEPTH {
                let _ = self.unreadable(inner.as_bstr(), "its path is longer than is looked at".into());
                continue;
            }
            let stat = match dir.stat(name) {
                Ok(stat) => stat,
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => {
                    let _ = self.unreadable(inner.as_bstr(), format!("it cannot be looked at: {e}"));
                    continue;
                }
            };
            let is_dir = beneath::kind(&stat) == FileType::Directory;
            let ignored = step.ignored || ignore.covers(inner.as_bstr(), is_dir);
            self.seen += 1;
            if self.seen > limits::PATHS {
                return Ok(self.too_much("files"));
            }
            let whose = if step.ignored { Repository::Hidden(path) } else { Repository::Visible(path) };
            let repository = (is_git && repository).then_some(whose);
            let (path, within_ignored) = (inner.as_bstr(), step.ignored);
            if visit(&Found { path, stat: &stat, ignored, within_ignored, repository }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let enters = match self.extent {
                Extent::Everything => true,
                Extent::Visible => !ignored,
                Extent::Ignored { .. } => !is_git,
            };
            if is_dir && enters {
                self.waits += inner.len();
                if self.waits > limits::ALL_PATH_BYTES {
                    return Ok(self.too_much("directories"));
                }
                self.waiting.push_back(Step { path: inner, ignore: ignore.clone(), ignored, depth: step.depth + 1 });
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Opens a directory and reads its names, unless it lies on another file system.
    fn open(&mut self, path: &BStr) -> Result<Option<(Dir, Names)>> {
        let dir = match path.rfind_byte(b'/') {
            None => self.root.dir(path)?,
            Some(at) => {
                let above = &path[..at];
                let around = match self.around.take().filter(|(path, _)| path == above) {
                    Some(around) => around,
                    None => (above.into(), self.root.dir(above)?),
                };
                self.around.insert(around).1.child(&path[at + 1..])?
            }
        };
        if dir.own_stat()?.st_dev != self.device {
            return Ok(None);
        }
        let mut entries = dir.entries(limits::PATHS)?;
        entries.sort_by(|one, two| one.0.cmp(&two.0));
        Ok(Some((dir, entries)))
    }

    fn unreadable(&mut self, path: &BStr, why: String) -> ControlFlow<()> {
        if !matches!(self.problem, Some(Unseen::Unreadable { .. })) {
            self.problem = Some(Unseen::Unreadable { path: path.to_owned(), why });
        }
        ControlFlow::Continue(())
    }

    fn too_much(&mut self, what: &'static str) -> ControlFlow<()> {
        self.problem.get_or_insert(Unseen::TooMuch(what));
        ControlFlow::Break(())
    }
}

fn joined(dir: &BString, name: &[u8]) -> BString {
    let mut path = dir.clone();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(root: &Path, extent: Extent<'_>) -> Vec<String> {
        let mut found = Vec::new();
        let mut visit = |one: &Found<'_>| {
            found.push(format!("{}{}", if one.ignored { "!" } else { "" }, one.path));
            ControlFlow::Continue(())
        };
        assert_eq!(survey(root, root, Case::Sensitive, extent, &mut visit).unwrap(), None);
        found.sort();
        found
    }

    #[test]
    fn a_tree_of_many_directories_with_long_paths_is_given_up_before_it_fills_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join(vec!["x".repeat(250); 12].join("/"));
        std::fs::create_dir_all(&long).unwrap();
        for n in 0..400 {
            std::fs::create_dir(long.join(n.to_string())).unwrap();
        }
        let mut seen = 0;
        let mut visit = |_: &Found<'_>| {
            seen += 1;
            ControlFlow::Continue(())
        };
        let problem = survey(dir.path(), dir.path(), Case::Sensitive, Extent::Everything, &mut visit).unwrap();
        assert_eq!(problem, Some(Unseen::TooMuch("directories")));
        assert!(seen < 400, "{seen}");
    }

    #[test]
    fn symlinks_are_shown_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("build/deep")).unwrap();
        std::fs::create_dir_all(tree.join("vendor/.git")).unwrap();
        std::fs::write(tree.join(".gitignore"), "/build\n").unwrap();
        std::fs::write(tree.join("build/deep/out"), "x").unwrap();
        std::fs::write(tree.join("vendor/file"), "x").unwrap();
        std::os::unix::fs::symlink("/", tree.join("everything")).unwrap();
        assert_eq!(paths(&tree, Extent::Visible), ["!build", ".gitignore", "everything", "vendor"]);
        let all = paths(&tree, Extent::Everything);
        assert!(all.contains(&"!build/deep/out".to_owned()) && all.contains(&"vendor/file".to_owned()), "{all:?}");
        assert!(all.iter().all(|path| !path.starts_with("everything/")), "{all:?}");
    }
}
