//! The one place that opens a repository.
//!
//! Opening is exact: the path is taken as it is, parents are not searched, no environment variable and no
//! configuration outside of the repository is read. Of the repository's own configuration, nothing that names a
//! program ever reaches the merge: drivers and filters are left out where the engine is put together.

use std::path::{Path, PathBuf};

use gix::ThreadSafeRepository;

use crate::{Error, Result};

/// Settings that hold whatever the repository's configuration says.
const OVERRIDES: [&str; 1] = [
    // What lands is what is transferred, so a replacement object must not change what is merged.
    "core.useReplaceRefs=false",
];

/// Opens the repository at `path`.
pub(crate) fn open(path: &Path) -> Result<ThreadSafeRepository> {
    let git_dir = git_dir(path)?;
    let options = gix::open::Options::isolated()
        // The caller named this repository, and nothing in it can start a program.
        .with(gix::sec::Trust::Full)
        .open_path_as_is(true)
        .config_overrides(OVERRIDES);
    let repository = ThreadSafeRepository::open_opts(git_dir, options)
        .map_err(|error| refused(path, format!("git's files could not be read ({})", chain(&error))))?;
    let session = repository.to_thread_local();
    // Asked here, because another crate of the same program may have the library read other hashes too.
    if session.object_hash() != gix::hash::Kind::Sha1 {
        return Err(refused(path, "its object ids are not SHA-1, which is all that can be merged here".into()));
    }
    match session.config_snapshot().string("extensions.refStorage") {
        Some(format) if format.as_slice() != b"files" => Err(refused(
            path,
            format!("its refs are stored as {format:?}; migrate them with 'git refs migrate --ref-format=files'"),
        )),
        _ => Ok(repository),
    }
}

/// The git directory that belongs to `path`: its `.git` directory, or `path` itself.
fn git_dir(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| refused(path, error.to_string()))?;
    let dot_git = path.join(".git");
    if dot_git.is_file() {
        return Err(refused(&path, "its .git is a file; give the main checkout, or the git directory itself".into()));
    }
    if dot_git.is_dir() {
        return Ok(dot_git);
    }
    if path.join("commondir").exists() {
        return Err(refused(
            &path,
            "this is the administrative directory of a worktree; give the main checkout".into(),
        ));
    }
    if path.join("objects").is_dir() && path.join("HEAD").symlink_metadata().is_ok() {
        return Ok(path);
    }
    let problem = if path.is_dir() { "there is no git repository exactly here" } else { "it is not a directory" };
    Err(refused(&path, problem.into()))
}

fn refused(path: &Path, problem: String) -> Error {
    Error::Repository { path: path.to_path_buf(), problem }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
