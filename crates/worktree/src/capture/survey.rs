//! Looks through a whole tree without following anything out of it.

use std::io::{ErrorKind, Result};
use std::ops::ControlFlow;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use rustix::fs::{FileType, Stat};

use super::beneath::{self, Dir};
use super::ignore::Ignore;
use super::limits;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything, inside of ignored directories and nested repositories too.
    Everything,
    /// What git would look at: neither ignored directories nor nested repositories.
    Visible,
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
}

impl Found<'_> {
    /// Whether it is a directory; what is in it follows, if it is looked into.
    pub(crate) fn is_dir(&self) -> bool {
        beneath::kind(self.stat) == FileType::Directory
    }
}

struct Step {
    path: BString,
    ignore: Ignore,
    ignored: bool,
    depth: usize,
}

/// Looks through the tree at `root`, with the ignore patterns of the repository at `common`, and shows what it finds.
///
/// Returns what could not be looked at, in words; then something of the tree is unknown. It ends early when `visit`
/// breaks, or at the limits of this crate. Other file systems are not entered.
pub(crate) fn survey(
    root: &Path,
    common: &Path,
    case: Case,
    extent: Extent,
    visit: &mut dyn FnMut(&Found<'_>) -> ControlFlow<()>,
) -> Result<Option<String>> {
    let root = Dir::open(root)?;
    let device = root.own_stat()?.st_dev;
    let ignore = Ignore::new(&Dir::open(common)?, case);
    let mut waiting = vec![Step { path: BString::default(), ignore, ignored: false, depth: 0 }];
    let mut problem = None;
    let (mut seen, mut waits) = (0, 0);
    while let Some(step) = waiting.pop() {
        let open = root.dir(&step.path).and_then(|dir| {
            let same = dir.own_stat()?.st_dev == device;
            let names = if same { dir.names(limits::PATHS)? } else { Vec::new() };
            Ok((dir, names, same))
        });
        let (dir, names, same) = match open {
            Ok(open) => open,
            Err(e) if e.kind() == ErrorKind::NotFound && !step.path.is_empty() => continue,
            Err(e) if step.path.is_empty() => return Err(e),
            Err(e) => {
                problem.get_or_insert_with(|| format!("{:?} cannot be read: {e}", step.path));
                continue;
            }
        };
        if !same {
            problem.get_or_insert_with(|| format!("another file system is mounted at {:?}", step.path));
            continue;
        }
        let nested = !step.path.is_empty() && names.iter().any(|name| name.to_bytes() == b".git");
        if nested && extent == Extent::Visible {
            continue;
        }
        let inside = step.ignore.inside(&dir, step.path.as_bstr());
        for name in names.iter().map(|name| name.to_bytes()) {
            if step.path.is_empty() && name == b".git" {
                continue;
            }
            let path = joined(&step.path, name);
            let Ok(stat) = dir.stat(name) else { continue };
            let is_dir = beneath::kind(&stat) == FileType::Directory;
            let ignored = step.ignored || inside.covers(path.as_bstr(), is_dir);
            seen += 1;
            if seen > limits::PATHS || path.len() > limits::PATH_BYTES || step.depth >= limits::TREE_DEPTH {
                return Ok(Some("it has more files, or deeper ones, than are looked at".into()));
            }
            if visit(&Found { path: path.as_bstr(), stat: &stat, ignored }).is_break() {
                return Ok(problem);
            }
            if is_dir && (extent == Extent::Everything || !ignored) {
                waits += path.len();
                if waits > limits::ALL_PATH_BYTES {
                    return Ok(Some("it has more directories, or longer paths, than are looked at".into()));
                }
                waiting.push(Step { path, ignore: inside.clone(), ignored, depth: step.depth + 1 });
            }
        }
    }
    Ok(problem)
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

    fn paths(root: &Path, extent: Extent) -> Vec<String> {
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
        assert!(problem.is_some_and(|problem| problem.contains("directories")));
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
