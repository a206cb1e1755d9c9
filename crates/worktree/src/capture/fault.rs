//! Short ways to make this crate's errors, and to say them.

use std::path::{Path, PathBuf};

use crate::Error;

/// For `map_err`: a failed file operation.
pub(crate) fn io<E: Into<std::io::Error>>(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(E) -> Error {
    let path = path.into();
    move |source| Error::Io { action, path, source: source.into() }
}

/// For `map_err`: a failed operation of the git library.
pub(crate) fn git<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    action: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    let action = action.into();
    move |source| Error::Git { action, source: source.into() }
}

/// Something that is not as this crate left it.
pub(crate) fn strange(path: &Path, problem: &str) -> Error {
    Error::Repository { path: path.to_owned(), problem: problem.to_owned() }
}

/// An error and everything that caused it, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
