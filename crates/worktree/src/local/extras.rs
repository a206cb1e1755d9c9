//! What only git's own program can put into a new tree.

use super::git::Git;
use super::layout::Layout;
use super::record::Record;
use super::{lfs, modules, touched};
use crate::{Error, FileUrls, Lfs, Request, Result, Submodules};

/// Whether the request asks for anything of the kind.
pub(super) fn are_wanted(request: &Request) -> bool {
    request.submodules != Submodules::Leave || request.lfs != Lfs::Pointers
}

/// Refuses, before anything is made, what could not be done later.
pub(super) fn check(layout: &Layout, request: &Request) -> Result<()> {
    match git(layout, request)? {
        Some(git) if request.lfs == Lfs::Fetch => lfs::check(layout, git),
        _ => Ok(()),
    }
}

/// Fills a tree that is in its place and that nobody was given yet.
pub(super) fn fill(
    repo: &gix::Repository,
    layout: &Layout,
    request: &Request,
    record: &mut Record,
    index: &gix::index::File,
) -> Result<()> {
    let Some(git) = git(layout, request)? else { return Ok(()) };
    if request.submodules != Submodules::Leave {
        modules::fill(repo, layout, record, git, index)?;
        record.modules = touched::fingerprint(layout, record, index)?;
    }
    match request.lfs {
        Lfs::Pointers => Ok(()),
        Lfs::Fetch => lfs::fetch(layout, record, git),
    }
}

/// The program, if the request needs it.
fn git<'a>(layout: &'a Layout, request: &Request) -> Result<Option<Git<'a>>> {
    let files = match request.submodules {
        _ if !are_wanted(request) => return Ok(None),
        Submodules::Leave => FileUrls::Refuse,
        Submodules::Fill(files) => files,
    };
    match &layout.git {
        Some(program) => Ok(Some(Git { program, files })),
        None => Err(Error::Program {
            program: "git".into(),
            problem: "submodules and files of Git LFS need git's own program; name it in `LocalOptions::git`".into(),
        }),
    }
}
