//! Whether what was made is what git would have made.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::{Failure, clone, git};

/// A worktree has exactly the tree of `HEAD`, in its index and byte for byte in its files.
pub(crate) fn whole(tree: &Path) -> Result<(), Failure> {
    let place = clone::temporary()?;
    let index = place.path().join("index");
    // An index without stat data and without remembered trees: everything is computed and read again.
    let listed = git::bytes(tree, &["ls-files", "--stage", "-z"])?;
    let mut update = git::command(tree);
    update.env("GIT_INDEX_FILE", &index).args(["update-index", "-z", "--index-info"]).stdin(Stdio::piped());
    let mut update = update.spawn()?;
    if let Some(mut input) = update.stdin.take() {
        input.write_all(&listed)?;
    }
    if !update.wait()?.success() {
        return Err("git cannot read the listed index".into());
    }
    let say = |args: &[&str]| -> Result<String, Failure> {
        let output = git::command(tree).env("GIT_INDEX_FILE", &index).args(args).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let (made, wanted) = (say(&["write-tree"])?, git::git(tree, &["rev-parse", "HEAD^{tree}"])?);
    if made != wanted {
        return Err(format!("{} has the tree {made} instead of {wanted}", tree.display()).into());
    }
    let _refreshed = say(&["update-index", "-q", "--refresh"])?;
    let changed = say(&["diff-files", "--name-only"])?;
    if changed.is_empty() { Ok(()) } else { Err(format!("{} differs in {changed}", tree.display()).into()) }
}
