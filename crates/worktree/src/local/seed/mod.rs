//! Copies files that git does not track, such as `.env`, from the main checkout into a new tree.
//!
//! A file is copied when it is ignored *and* listed. Tracked files come from the commit, and what is neither ignored nor
//! tracked is somebody's unfinished work.

mod copy;
mod rules;
mod walk;

use std::fs::File;
use std::path::{Path, PathBuf};

pub(super) use copy::open_file;
pub(super) use rules::Rules;

use crate::capture::fault;
use crate::{Result, Seed};

/// Copies what the seed asks for from `main` into `tree`, and returns what it copied.
pub(super) fn copy(repo: &gix::Repository, main: &Path, seed: &Seed, tree: &Path) -> Result<Vec<PathBuf>> {
    if seed.patterns.is_empty() && seed.lists.is_empty() {
        return Ok(Vec::new());
    }
    let source = File::open(main).map_err(fault::io("open", main))?.into();
    let target = File::open(tree).map_err(fault::io("open", tree))?.into();
    let rules = Rules::read(&source, seed)?;
    let mut copier = copy::Copier::new(&source, &target);
    walk::walk(repo, main, &source, &rules, &mut copier)?;
    Ok(copier.copied)
}
