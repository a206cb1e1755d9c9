//! Which files of a commit a tree is made of, and how git is told the same.
//!
//! git reads whether a worktree is sparse from its configuration, which all worktrees share unless the repository has
//! `extensions.worktreeConfig`. The shared one is the user's and is never changed.

use std::collections::BTreeSet;

use gix::config::File;
use gix::glob::pattern::Case;

use crate::capture::fault;
use crate::{Error, GitAccess, NameKind, Request, Result, Sparse};

/// What `info/sparse-checkout` says.
pub(super) struct Patterns {
    cone: bool,
    pub(super) text: Vec<u8>,
}

/// Refuses what git could not be told, before anything is made.
pub(super) fn check(repo: &gix::Repository, request: &Request) -> Result<()> {
    let wanted = of(repo, &request.sparse)?;
    let told = match request.sparse {
        Sparse::Inherit | Sparse::Everything => true,
        Sparse::Cone(_) | Sparse::Patterns(_) => {
            // A view has a configuration of its own.
            request.git == GitAccess::Private || is_on(repo, "extensions.worktreeConfig") || is_sparse(repo)
        }
    };
    if wanted.is_none() || told {
        return Ok(());
    }
    let problem = "a sparse worktree needs a setting of its own, for which this repository has no place; turn on \
                   `git config extensions.worktreeConfig true` (see git-worktree, \"CONFIGURATION FILE\"), or use \
                   private git access";
    Err(Error::Repository { path: repo.common_dir().to_owned(), problem: problem.into() })
}

/// The patterns for a tree, if any file may be left out.
pub(super) fn of(repo: &gix::Repository, sparse: &Sparse) -> Result<Option<Patterns>> {
    match sparse {
        Sparse::Inherit => inherited(repo),
        Sparse::Everything => Ok(None),
        Sparse::Cone(dirs) => Ok(Some(Patterns { cone: true, text: cone(dirs)?.into_bytes() })),
        Sparse::Patterns(lines) => {
            for line in lines {
                let problem = "a pattern is one line";
                refuse_if(line.contains(['\n', '\0']), NameKind::SparsePattern, line, problem)?;
            }
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            Ok(Some(Patterns { cone: false, text: text.into_bytes() }))
        }
    }
}

/// The patterns of the main checkout, if it is sparse.
fn inherited(repo: &gix::Repository) -> Result<Option<Patterns>> {
    if !is_sparse(repo) {
        return Ok(None);
    }
    let cone = repo.config_snapshot().boolean("core.sparseCheckoutCone").unwrap_or(true);
    let dir = repo.common_dir();
    let text =
        gix::worktree::sparse::read_patterns(dir).map_err(fault::io("read", dir.join("info/sparse-checkout")))?;
    Ok(text.map(|text| Patterns { cone, text }))
}

/// Marks what the patterns leave out, as git does for its own new worktrees.
pub(super) fn leave_out(repo: &gix::Repository, index: &mut gix::index::State, sparse: &Sparse) -> Result<()> {
    let Some(Patterns { cone, text }) = of(repo, sparse)? else { return Ok(()) };
    let source = repo.common_dir().join("info/sparse-checkout");
    gix::worktree::sparse::apply_patterns(index, &text, &source, cone, Case::Sensitive)
        .map_err(fault::git("apply the sparse-checkout patterns"))
}

/// The repository with the configuration in memory that a tree of this kind has.
pub(super) fn configured(repo: &gix::Repository, sparse: &Sparse) -> Result<gix::Repository> {
    let mut repo = repo.clone();
    let mut config = repo.config_snapshot_mut();
    configure(&mut config, sparse)?;
    config.commit().map_err(fault::git("apply the sparse-checkout patterns"))?;
    Ok(repo)
}

/// Tells git of the patterns in a configuration, unless they are those of the main checkout.
pub(super) fn configure(config: &mut File, sparse: &Sparse) -> Result<()> {
    let values = match sparse {
        Sparse::Inherit => return Ok(()),
        Sparse::Everything => [("core.sparseCheckout", "false"), ("core.sparseCheckoutCone", "false")],
        Sparse::Cone(_) => [("core.sparseCheckout", "true"), ("core.sparseCheckoutCone", "true")],
        Sparse::Patterns(_) => [("core.sparseCheckout", "true"), ("core.sparseCheckoutCone", "false")],
    };
    for (key, value) in values {
        config.set_raw_value(key, value).map_err(fault::git(format!("set {key}")))?;
    }
    Ok(())
}

fn is_sparse(repo: &gix::Repository) -> bool {
    is_on(repo, "core.sparseCheckout")
}

fn is_on(repo: &gix::Repository, key: &str) -> bool {
    repo.config_snapshot().boolean(key) == Some(true)
}

/// The file that `git sparse-checkout set --cone` writes for these directories.
fn cone(dirs: &[String]) -> Result<String> {
    let mut whole = BTreeSet::new();
    for dir in dirs {
        let path = dir.trim_matches('/');
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let problem = "give the path of a directory in the tree, with `/` between the names and without `.` or `..`";
        refuse_if(!plain || path.contains(['\n', '\0']), NameKind::SparseDirectory, dir, problem)?;
        whole.insert(format!("/{}", escaped(path)));
    }
    let above =
        |path: &str| -> Vec<String> { path.match_indices('/').skip(1).map(|(at, _)| path[..at].into()).collect() };
    let covered = |path: &str| above(path).iter().any(|dir| whole.contains(dir));
    let tops: BTreeSet<&String> = whole.iter().filter(|path| !covered(path)).collect();
    let parents: BTreeSet<String> = tops.iter().flat_map(|path| above(path)).collect();
    let mut text = String::from("/*\n!/*/\n");
    for parent in parents {
        text.push_str(&format!("{parent}/\n!{parent}/*/\n"));
    }
    for top in tops {
        text.push_str(&format!("{top}/\n"));
    }
    Ok(text)
}

fn escaped(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn refuse_if(bad: bool, what: NameKind, name: &str, problem: &'static str) -> Result<()> {
    if bad { Err(Error::InvalidName { what, name: name.to_owned(), problem }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_become_the_patterns_that_git_writes() {
        let text = |dirs: &[&str]| cone(&dirs.iter().map(|dir| (*dir).to_owned()).collect::<Vec<_>>());
        assert_eq!(text(&[]).unwrap(), "/*\n!/*/\n");
        assert_eq!(text(&["docs/"]).unwrap(), "/*\n!/*/\n/docs/\n");
        assert_eq!(text(&["a/b", "a/b/c", "z*"]).unwrap(), "/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n/z\\*/\n");
        for bad in ["", "/", ".", "../x", "a//b", "a\nb"] {
            assert!(text(&[bad]).is_err(), "{bad:?}");
        }
    }
}
