//! Every kind of repository: as git does it, byte for byte, or refused with the way out.

mod content;
mod hash;
mod partial;
mod settings;
mod shapes;
mod sparse;

pub(crate) use content::sha256;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hedgerow_worktree::{Message, Request, Worktree};

use crate::repo::{Repo, git_in, status};

/// Every path of a tree with its kind, mode and content.
pub(crate) fn snapshot(root: &Path) -> Vec<(Vec<u8>, String)> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_owned();
            let meta = path.symlink_metadata().unwrap();
            if path.file_name().unwrap() == ".git" {
                continue;
            } else if meta.is_dir() {
                found.push((name, "directory".into()));
                dirs.push(path);
            } else if meta.is_symlink() {
                found.push((name, format!("symlink to {:?}", std::fs::read_link(&path).unwrap())));
            } else {
                let mode = meta.permissions().mode();
                found.push((name, format!("{mode:o} {:?}", std::fs::read(&path).unwrap())));
            }
        }
    }
    found.sort();
    found
}

/// The tree is what `git worktree add` makes of the same commit, and git sees no change in it.
pub(crate) fn assert_as_git(repository: &Path, worktree: &Worktree) {
    let theirs = repository.with_extension(format!("theirs-{}", worktree.id()));
    git_in(repository, ["worktree", "add", "-q", "--detach", theirs.to_str().unwrap(), worktree.base().as_str()]);
    assert_eq!(snapshot(worktree.path()), snapshot(&theirs));
    // With the bits that say what is left out of the tree.
    assert_eq!(git_in(worktree.path(), ["ls-files", "-s", "-t"]), git_in(&theirs, ["ls-files", "-s", "-t"]));
    assert_eq!(status(worktree.path()), status(&theirs));
    assert_eq!(status(worktree.path()), "");
    assert_eq!(git_in(worktree.path(), ["diff-files"]), "", "git would read files again");
    crate::repo::assert_sound(repository);
    git_in(repository, ["worktree", "remove", theirs.to_str().unwrap()]);
}

pub(crate) fn message() -> Message {
    Message { text: "Work".into(), name: "An Agent".into(), email: "agent@example.com".into() }
}

/// A request for the id `fix` on the branch `fix`.
fn request() -> Request {
    crate::repo::request("fix")
}

/// A repository of these files.
fn of(files: &[(&str, &[u8])]) -> Repo {
    let repo = Repo::empty();
    for (path, content) in files {
        let path = repo.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    repo
}
