//! Reads `.git/worktrees` as it is, damaged entries included: one bad entry is never a reason to fail the others.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::capture::fault;
use crate::disk;
use crate::{BranchName, CommitId, Result};

/// One entry of `.git/worktrees`.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    /// The name of the directory.
    pub(super) name: String,
    /// Where its tree should be, if that can be read.
    pub(super) tree: Option<PathBuf>,
    /// What it stands on, if that can be read.
    pub(super) head: Option<Head>,
    /// The reason of its lock, if it is locked.
    pub(super) locked: Option<String>,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

/// What a `HEAD` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// On this branch.
    Branch(BranchName),
    /// On this commit.
    Commit(CommitId),
}

/// All entries, by name.
pub(super) fn all(admins: &Path) -> std::io::Result<Vec<Admin>> {
    let entries = match std::fs::read_dir(admins) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(one(&entry.path(), entry.file_name()));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn one(dir: &Path, name: OsString) -> Admin {
    let mut problems = Vec::new();
    let mut line = |file: &str| match disk::read_small(&dir.join(file)) {
        Ok(text) if text.trim_ascii().is_empty() => {
            problems.push(format!("its {file} is empty"));
            None
        }
        Ok(text) => Some(text.trim_ascii_end().to_vec()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            problems.push(format!("its {file} is missing"));
            None
        }
        Err(e) => {
            problems.push(format!("its {file} cannot be read ({e})"));
            None
        }
    };
    let (gitdir, head, _commondir) = (line("gitdir"), line("HEAD"), line("commondir"));
    let tree = gitdir.as_deref().and_then(|text| tree(dir, text));
    if gitdir.is_some() && tree.is_none() {
        problems.push("its gitdir does not name the .git of a tree".into());
    }
    if tree.as_ref().is_some_and(|tree| disk::identity(tree).is_none()) {
        problems.push("its tree is missing".into());
    }
    if tree.as_ref().is_some_and(|tree| disk::identity(tree).is_some()) && !dir.join("index").exists() {
        problems.push("its index is missing".into());
    }
    let parsed = head.as_deref().and_then(parse_head);
    if head.is_some() && parsed.is_none() {
        problems.push("its HEAD names neither a branch nor a commit".into());
    }
    let locked = match disk::read_small(&dir.join("locked")) {
        Ok(text) => Some(String::from_utf8_lossy(text.trim_ascii()).into_owned()),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(_) => Some(String::new()),
    };
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    Admin { name: name.to_string_lossy().into_owned(), tree, head: parsed, locked, problem }
}

fn tree(dir: &Path, gitdir: &[u8]) -> Option<PathBuf> {
    if gitdir.contains(&0) {
        return None;
    }
    let path = dir.join(OsStr::from_bytes(gitdir));
    if path.file_name()? != OsStr::new(".git") {
        return None;
    }
    let parent = path.parent()?.as_os_str().to_owned().into_vec();
    Some(PathBuf::from(OsString::from_vec(parent)))
}

pub(super) fn parse_head(text: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(name) = text.strip_prefix("ref: ") {
        return BranchName::new(name.trim().strip_prefix("refs/heads/")?).ok().map(Head::Branch);
    }
    let id = CommitId::new(text).ok()?;
    let null = id.as_str().bytes().all(|b| b == b'0');
    (!null).then_some(Head::Commit(id))
}

/// Which checkout other than `except` uses the branch, in words: it is on it, or rebases or bisects it.
///
/// A damaged entry uses none. That nobody could look, because there are too many open files or the disk fails, is an
/// error.
pub(super) fn user_of(common: &Path, branch: &BranchName, except: &str) -> Result<Option<String>> {
    let full = format!("refs/heads/{branch}");
    if uses(common, branch, &full)? {
        return Ok(Some("the main checkout is on it".into()));
    }
    let admins = common.join("worktrees");
    let entries = match std::fs::read_dir(&admins) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault::io("list", admins)(e)),
    };
    // Of a removed worktree there may be an entry for a while, which even git does not take for one.
    let leaves = |name: &OsStr| {
        let mut record = name.to_owned();
        record.push(".json");
        common.join("hedgerow/trash").join(record).symlink_metadata().is_ok()
    };
    for entry in entries {
        let name = entry.map_err(fault::io("list", &admins))?.file_name();
        if name != OsStr::new(except) && uses(&admins.join(&name), branch, &full)? && !leaves(&name) {
            return Ok(Some(format!("the worktree {name:?} is on it; see `git worktree list`")));
        }
    }
    Ok(None)
}

fn uses(dir: &Path, branch: &BranchName, full: &str) -> Result<bool> {
    let text = |file: &str| {
        let path = dir.join(file);
        match disk::read_small(&path) {
            Err(e) if !is_damage(&e) => Err(fault::io("read", path)(e)),
            text => Ok(text.unwrap_or_default()),
        }
    };
    if matches!(parse_head(text("HEAD")?.trim_ascii_end()), Some(Head::Branch(name)) if name == *branch) {
        return Ok(true);
    }
    for (file, wanted) in
        [("rebase-merge/head-name", full), ("rebase-apply/head-name", full), ("BISECT_START", branch.as_str())]
    {
        if text(file)?.trim_ascii() == wanted.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether it says something about the file, and not about who reads it.
fn is_damage(e: &std::io::Error) -> bool {
    const KINDS: [ErrorKind; 5] = [
        ErrorKind::NotFound,
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
        ErrorKind::InvalidData,
        ErrorKind::PermissionDenied,
    ];
    // A symlink, or a socket.
    KINDS.contains(&e.kind()) || matches!(Errno::from_io_error(e), Some(Errno::LOOP | Errno::NXIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_branches_commits_or_damage() {
        let commit = "0123456789012345678901234567890123456789";
        assert_eq!(parse_head(b"ref: refs/heads/a/b"), Some(Head::Branch(BranchName::new("a/b").unwrap())));
        assert_eq!(parse_head(commit.as_bytes()), Some(Head::Commit(CommitId::new(commit).unwrap())));
        for damaged in ["", "ref: ", "ref: refs/tags/x", "0000000000000000000000000000000000000000", "abc"] {
            assert_eq!(parse_head(damaged.as_bytes()), None, "{damaged:?}");
        }
    }

    #[test]
    fn that_nobody_could_look_for_users_of_a_branch_is_not_that_there_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let (common, name) = (dir.path(), BranchName::new("fix").unwrap());
        let user = || user_of(common, &name, "own");
        assert_eq!(user().unwrap(), None);
        let entry = common.join("worktrees/theirs");
        std::fs::create_dir_all(&entry).unwrap();
        std::os::unix::fs::symlink("/dev/null", entry.join("HEAD")).unwrap();
        assert_eq!(user().unwrap(), None, "one damaged entry fails the others");
        std::fs::create_dir(entry.join("rebase-merge")).unwrap();
        std::fs::write(entry.join("rebase-merge/head-name"), "refs/heads/fix\n").unwrap();
        assert!(user().unwrap().unwrap().contains("theirs"));
        std::fs::remove_dir_all(common.join("worktrees")).unwrap();
        std::fs::write(common.join("worktrees"), "").unwrap();
        user().unwrap_err();
        assert!(!is_damage(&Errno::MFILE.into()) && !is_damage(&Errno::IO.into()));
    }

    #[test]
    fn a_gitdir_names_the_git_file_of_a_tree() {
        let dir = Path::new("/r/.git/worktrees/x");
        assert_eq!(tree(dir, b"/t/x/.git"), Some(PathBuf::from("/t/x")));
        assert_eq!(tree(dir, b"/t/x"), None);
        assert_eq!(tree(dir, b"/t\0/.git"), None);
    }
}
