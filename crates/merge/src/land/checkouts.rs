//! Who uses a branch: the main checkout, worktrees, and what is underway in them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{BranchName, Error, Landing, Result};

/// A checkout that uses the branch.
pub(crate) struct Holder {
    /// Its own git directory, with its `HEAD` and index.
    pub(super) git_dir: PathBuf,
    /// Its files.
    pub(crate) work_tree: PathBuf,
    pub(super) hold: Hold,
}

/// How a checkout uses a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// `HEAD` names the branch.
    Head,
    /// `HEAD` names the branch, and the files are not where they should be.
    Lost,
    /// A rebase will move the branch when it ends.
    Rebase,
    /// A bisection will return to the branch.
    Bisect,
}

impl Holder {
    /// The refusal to land, with what to do about it.
    pub(super) fn refusal(&self, why: &str) -> Landing {
        let why = match (self.hold, why) {
            (_, why) if !why.is_empty() => why,
            (Hold::Head, _) => {
                "the branch is checked out here; switch to another one, or allow a fast-forward of clean checkouts"
            }
            (Hold::Lost, _) => {
                "the branch is checked out in files that are gone; run 'git worktree prune' or repair them"
            }
            (Hold::Rebase, _) => "a rebase of the branch is underway here; finish or abort it",
            (Hold::Bisect, _) => "a bisection that started on the branch is underway here; run 'git bisect reset'",
        };
        Landing::CheckedOut { path: self.work_tree.clone(), why: why.to_owned() }
    }
}

/// Every checkout that uses the branch. Entries too damaged to tell what they use are passed over, as git does.
pub(crate) fn holders(session: &gix::Repository, branch: &BranchName) -> Result<Vec<Holder>> {
    let common = session.common_dir();
    let full = format!("refs/heads/{branch}");
    let mut holders = Vec::new();
    match session.workdir() {
        Some(files) => holders.extend(holder(common, Some(files.to_path_buf()), &full)?),
        None if session.config_snapshot().boolean("core.bare") == Some(false) => {
            holders.extend(holder(common, None, &full)?);
        }
        None => {}
    }
    let entries = match fs::read_dir(common.join("worktrees")) {
        Ok(entries) => entries,
        Err(error) if absent(&error) => return Ok(holders),
        Err(error) => return Err(Error::git("list the worktrees")(error)),
    };
    for entry in entries {
        let admin = entry.map_err(Error::git("list the worktrees"))?.path();
        // The file names the `.git` file of the worktree.
        let Some(link) = read(&admin.join("gitdir"))? else { continue };
        let files = admin.join(link.trim_end_matches(['\n', '\r'])).parent().map(Path::to_path_buf);
        holders.extend(holder(&admin, files, &full)?);
    }
    Ok(holders)
}

fn holder(git_dir: &Path, files: Option<PathBuf>, full: &str) -> Result<Option<Holder>> {
    let Some(mut hold) = hold(git_dir, full)? else { return Ok(None) };
    if hold == Hold::Head && !files.as_ref().is_some_and(|files| files.join(".git").exists()) {
        hold = Hold::Lost;
    }
    let work_tree = files.unwrap_or_else(|| git_dir.to_path_buf());
    Ok(Some(Holder { git_dir: git_dir.to_path_buf(), work_tree, hold }))
}

fn hold(git_dir: &Path, full: &str) -> Result<Option<Hold>> {
    let short = full.trim_start_matches("refs/heads/");
    let head = read_head(&git_dir.join("HEAD"))?;
    if head.is_some_and(|head| head == full) {
        return Ok(Some(Hold::Head));
    }
    for file in ["rebase-merge/head-name", "rebase-apply/head-name", "rebase-merge/update-refs"] {
        let names = read(&git_dir.join(file))?;
        if names.is_some_and(|names| names.lines().any(|line| line.trim_end() == full)) {
            return Ok(Some(Hold::Rebase));
        }
    }
    let start = read(&git_dir.join("BISECT_START"))?;
    Ok(start.is_some_and(|start| start.trim_end() == short).then_some(Hold::Bisect))
}

/// What a `HEAD` names, in its usual form or as the symbolic link that it once was.
fn read_head(path: &Path) -> Result<Option<String>> {
    if let Ok(target) = fs::read_link(path) {
        return Ok(Some(target.to_string_lossy().into_owned()));
    }
    let text = read(path)?;
    Ok(text.and_then(|text| text.strip_prefix("ref:").map(|name| name.trim().to_owned())))
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::git(format!("read {path:?}"))(error)),
    }
}

fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}
