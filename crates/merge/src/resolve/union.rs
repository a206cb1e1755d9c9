//! The lines of both sides.

use async_trait::async_trait;

use super::{Answer, Case, Content, File, Reply, Resolver};
use crate::conflict::versions;
use crate::text::{self, Texts};
use crate::{ConflictPath, Repository, Result};

/// Keeps the lines of both sides where they conflict, the target's first, as git's `merge=union` does.
///
/// For files in which the order of lines does not matter much, such as changelogs; never for code that nobody gates. Files
/// that are not text on both sides are left to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Union;

#[async_trait]
impl Resolver for Union {
    fn name(&self) -> &str {
        "union"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        let mut reply = Reply::default();
        for path in case.open {
            match union(case.repository, case.conflict, path)? {
                Some(file) => reply.answers.push(Answer::file(path, file)),
                None => reply.why = Some(format!("{}: not text on both sides, or of two modes", path.path)),
            }
        }
        Ok(reply)
    }
}

fn union(repository: &Repository, conflict: &crate::Conflict, path: &ConflictPath) -> Result<Option<File>> {
    let (Some(ours), Some(theirs)) = (path.ours(), path.theirs()) else { return Ok(None) };
    let Some(mode) = one_mode(path) else { return Ok(None) };
    // Under two names there is more to decide than lines.
    if ours.path != path.path && theirs.path != path.path {
        return Ok(None);
    }
    let found = repository.in_memory(|session| versions(session, conflict, path))?;
    Ok(found.map(|found| {
        let texts = Texts::new(&found.base, &found.ours, &found.theirs);
        File { mode, content: Content::Bytes(text::union(&texts)) }
    }))
}

/// The mode that a three-way merge gives, if it gives one.
pub(super) fn one_mode(path: &ConflictPath) -> Option<u32> {
    let (ours, theirs) = (path.ours()?.mode, path.theirs()?.mode);
    match path.base().map(|base| base.mode) {
        _ if ours == theirs => Some(ours),
        Some(base) if base == ours => Some(theirs),
        Some(base) if base == theirs => Some(ours),
        _ => None,
    }
}
