//! What a capture of a small change costs, beside the `git status` that sees the same change.

use std::path::Path;
use std::time::Instant;

use super::child::Said;
use crate::{Failure, git};

/// Seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) capture: f64,
    pub(crate) status: f64,
}

/// Changes one file, adds another, and measures both.
pub(crate) fn change(tree: &Path, capture: impl FnOnce() -> Result<Said, Failure>) -> Result<Seen, Failure> {
    let files = git::lines(tree, &["ls-files"])?;
    let middle = files.get(files.len() / 2).ok_or("an empty repository")?;
    let mut content = std::fs::read(tree.join(middle))?;
    content.extend_from_slice(b"changed\n");
    std::fs::write(tree.join(middle), content)?;
    std::fs::write(tree.join("added-by-the-bench"), "added\n")?;
    // Some repositories ignore whatever is new.
    let ignored = git::command(tree).args(["check-ignore", "-q", "added-by-the-bench"]).status()?.success();
    let started = Instant::now();
    let status = git::lines(tree, &["status", "--porcelain"])?;
    let took = started.elapsed().as_secs_f64();
    if status.len() != 2 - usize::from(ignored) {
        return Err(format!("git sees {status:?}").into());
    }
    Ok(Seen { capture: capture()?.took.as_secs_f64(), status: took })
}
