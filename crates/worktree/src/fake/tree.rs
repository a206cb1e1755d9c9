//! Directories as values.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// All files of a tree by their paths in it.
pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A regular file.
    File {
        /// Its content.
        content: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symlink to this.
    Link(PathBuf),
}

/// A tree as it was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What a capture takes.
    pub(super) tree: Tree,
    /// Directories that hold a repository of their own.
    pub(super) nested: Vec<PathBuf>,
    /// What is neither a file, a directory nor a symlink, or cannot be read.
    pub(super) strange: Vec<(PathBuf, String)>,
}

/// Makes a directory with these files.
pub(super) fn write(dir: &Path, tree: &Tree) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    for (path, node) in tree {
        let path = dir.join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        match node {
            Node::Link(target) => symlink(target, &path)?,
            Node::File { content, executable } => {
                std::fs::write(&path, content)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

/// Reads a directory, without what is ignored and not in `tracked`.
pub(super) fn read(dir: &Path, tracked: &Tree) -> Result<Found> {
    let ignored = Ignored::read(dir);
    let mut found = Found::default();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let entries = match std::fs::read_dir(dir.join(&below)) {
            Ok(entries) => entries,
            Err(e) if below.as_os_str().is_empty() => return Err(e),
            Err(e) => {
                found.strange.push((below, e.to_string()));
                continue;
            }
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if entry.file_name() == ".git" {
                found.nested.extend((!below.as_os_str().is_empty()).then(|| below.clone()));
            } else if ignored.covers(&path, kind.is_dir()) && !tracked.keys().any(|known| known.starts_with(&path)) {
            } else if kind.is_dir() {
                waiting.push(path);
            } else {
                match node(&entry.path(), kind) {
                    Ok(Some(node)) => drop(found.tree.insert(path, node)),
                    Ok(None) => found.strange.push((path, "it is no regular file".into())),
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => found.strange.push((path, e.to_string())),
                }
            }
        }
    }
    Ok(found)
}

fn node(path: &Path, kind: std::fs::FileType) -> Result<Option<Node>> {
    if kind.is_symlink() {
        return std::fs::read_link(path).map(|target| Some(Node::Link(target)));
    }
    if !kind.is_file() {
        return Ok(None);
    }
    let executable = path.metadata()?.permissions().mode() & 0o100 != 0;
    Ok(Some(Node::File { content: std::fs::read(path)?, executable }))
}

/// The patterns of the `.gitignore` at the root: names and paths with `*`, without exceptions.
struct Ignored(Vec<String>);

impl Ignored {
    fn read(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join(".gitignore")).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
        Self(lines.map(str::to_owned).collect())
    }

    fn covers(&self, path: &Path, is_dir: bool) -> bool {
        let whole = path.to_string_lossy();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.0.iter().any(|line| {
            let pattern = line.trim_end_matches('/');
            let anchored = pattern.contains('/');
            let text = if anchored { &whole } else { &name };
            (is_dir || pattern.len() == line.len()) && matches(pattern.trim_start_matches('/'), text)
        })
    }
}

/// Whether the text is like the pattern, in which `*` stands for anything but a slash.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            let mut ends = ends.take_while(|end| !text[..*end].contains('/'));
            ends.any(|end| matches(rest, &text[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        let ignored = Ignored(["/build", "*.log", "deep/*.tmp", "cache/"].map(str::to_owned).into());
        let covers = |path: &str| ignored.covers(Path::new(path), false);
        assert!(covers("build") && covers("a.log") && covers("x/y/a.log") && covers("deep/a.tmp"));
        assert!(!covers("x/build") && !covers("deep/er/a.tmp") && !covers("a.logs") && !covers("cache"));
        assert!(ignored.covers(Path::new("x/cache"), true));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = |text: &str, executable| Node::File { content: text.into(), executable };
        let nodes = [("a/b", file("x", false)), ("run", file("y", true)), ("link", Node::Link("a/b".into()))];
        let tree: Tree = nodes.into_iter().map(|(path, node)| (PathBuf::from(path), node)).collect();
        write(dir.path(), &tree).unwrap();
        assert_eq!(read(dir.path(), &Tree::new()).unwrap().tree, tree);
    }
}
