//! Finds repositories in ignored directories: nothing in there is captured, and their histories would go with the tree.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

use gix::bstr::{BString, ByteSlice};
use gix::glob::pattern::Case;

use super::beneath::Dir;
use super::ignore::Ignore;
use super::limits;
use super::notices::Notices;
use super::survey::{self, Extent, Repository, Unseen};
use crate::{Notice, Result};

/// Whether anything was ever stored in the repository whose `.git` is in this directory. What cannot be told was.
pub(super) fn has_objects(dir: &Dir) -> bool {
    match dir.stat(b".git") {
        Ok(stat) if super::beneath::kind(&stat) == rustix::fs::FileType::Directory => {}
        // A file that names a git directory elsewhere, and what git would not know either.
        _ => return true,
    }
    let names = |place: &[u8]| match dir.dir(place).and_then(|dir| dir.names(limits::PATHS)) {
        Ok(names) => Some(names),
        Err(e) if e.kind() == ErrorKind::NotFound => Some(Vec::new()),
        Err(_) => None,
    };
    let Some(objects) = names(b".git/objects") else { return true };
    let loose = objects.iter().any(|name| !matches!(name.to_bytes(), b"info" | b"pack"));
    loose || names(b".git/objects/pack").is_none_or(|packs| !packs.is_empty())
}

/// Makes a notice of each repository in these directories of the tree, and of what could not be looked at.
///
/// The number of directories is bounded, because an agent can make any number of them; that there are more is a notice, too.
pub(super) fn search(root: &Dir, ignore: &Ignore, mut dirs: Vec<BString>, notices: &mut Notices) -> Result<()> {
    // Whichever thread has found them first.
    dirs.sort_unstable();
    let extent = Extent::Ignored { dirs: &dirs, most: limits::IGNORED_DIRS };
    let mut visit = |found: &survey::Found<'_>| {
        if let Some(Repository::Hidden(path)) = found.repository {
            notices.hidden(path);
        }
        ControlFlow::Continue(())
    };
    let unseen =
        survey::look(root, ignore, extent, &mut visit).map_err(super::fault::io("look through", root.path()))?;
    match unseen {
        None => {}
        Some(Unseen::Unreadable { path, why }) => {
            notices.unsearched(path.as_bstr(), why);
        }
        Some(Unseen::TooMuch(_)) => notices.push(Notice::HiddenUnsearched { most: limits::IGNORED_DIRS }),
    }
    Ok(())
}

/// As [`search`] would: the notice that there are more directories than are searched, if that is so.
///
/// # Errors
/// When the tree or the repository's own patterns cannot be opened.
pub(crate) fn ends_early(tree: &Path, common: &Path, case: Case, dirs: Vec<BString>) -> Result<Option<Notice>> {
    let root = Dir::open(tree).map_err(super::fault::io("open", tree))?;
    let patterns = Dir::open(common).map_err(super::fault::io("open", common))?;
    let mut notices = Notices::default();
    search(&root, &Ignore::new(&patterns, case), dirs, &mut notices)?;
    Ok(notices.into_list().into_iter().find(|notice| matches!(notice, Notice::HiddenUnsearched { .. })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tree: &Path, dirs: &[&str]) -> Vec<String> {
        let root = Dir::open(tree).unwrap();
        let mut notices = Notices::default();
        let dirs = dirs.iter().map(|dir| BString::from(*dir)).collect();
        search(&root, &Ignore::new(&root, Case::Sensitive), dirs, &mut notices).unwrap();
        let shown = |notice: Notice| match notice {
            Notice::HiddenRepository { path } => path.display().to_string(),
            other => format!("{other:?}"),
        };
        notices.into_list().into_iter().map(shown).collect()
    }

    fn repository(at: &Path, objects: &str) {
        std::fs::create_dir_all(at.join(".git/objects/pack")).unwrap();
        std::fs::create_dir_all(at.join(".git/objects").join(objects)).unwrap();
    }

    #[test]
    fn a_repository_is_found_below_one_without_a_history() {
        let dir = tempfile::tempdir().unwrap();
        repository(&dir.path().join("build"), "info");
        repository(&dir.path().join("build/x"), "ab");
        repository(&dir.path().join("build/x/y"), "ab");
        assert_eq!(found(dir.path(), &["build"]), ["build/x"]);
    }

    #[test]
    fn what_cannot_be_read_counts_as_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link, objects, packs) = ("out/file", "out/link", "out/objects", "out/packs");
        for name in [file, link, objects, packs] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join(file).join(".git"), "gitdir: /elsewhere\n").unwrap();
        std::os::unix::fs::symlink("/elsewhere", dir.path().join(link).join(".git")).unwrap();
        std::fs::create_dir(dir.path().join(objects).join(".git")).unwrap();
        std::os::unix::fs::symlink("/elsewhere", dir.path().join(objects).join(".git/objects")).unwrap();
        std::fs::create_dir_all(dir.path().join(packs).join(".git/objects")).unwrap();
        std::fs::write(dir.path().join(packs).join(".git/objects/pack"), "").unwrap();
        std::fs::create_dir_all(dir.path().join("out/none/.git")).unwrap();
        assert_eq!(found(dir.path(), &["out"]), [file, link, objects, packs]);
    }

    #[test]
    fn what_is_more_than_is_looked_at_is_told_after_as_many_in_a_fixed_order() {
        let dir = tempfile::tempdir().unwrap();
        let deep = format!("b{}", "/d".repeat(20));
        repository(&dir.path().join(&deep), "ab");
        assert_eq!(found(dir.path(), &["b"]), [deep.as_str()], "no depth is too deep");

        let all = limits::IGNORED_DIRS;
        for n in 0..all {
            std::fs::create_dir_all(dir.path().join(format!("a/{n:05}"))).unwrap();
        }
        repository(&dir.path().join(format!("a/{:05}", all - 3)), "ab");
        repository(&dir.path().join(format!("a/{:05}", all - 2)), "ab");
        let more = format!("HiddenUnsearched {{ most: {all} }}");
        // Both roots come first, and then as many of those in the first one as are left.
        assert_eq!(found(dir.path(), &["b", "a"]), [format!("a/{:05}", all - 3), more.clone()]);
        let roots: Vec<String> = (0..all + 2).map(|n| format!("a/{n:05}")).collect();
        let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
        assert_eq!(found(dir.path(), &roots).last(), Some(&more), "as many as these are ignored themselves");
    }
}
