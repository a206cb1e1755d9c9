//! One of the versions, as it is.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Answer, Case, File, Reply, Resolver};
use crate::{ConflictPath, Result};

/// Takes one of the versions of each path and drops the others, which the certificate then lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take(pub Version);

/// A version of a conflicting path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// The target's.
    Target,
    /// The change's.
    Change,
    /// What both come from.
    Base,
}

impl Version {
    /// The answer that takes it; where it does not exist, the path is deleted.
    pub(super) fn answer(self, path: &ConflictPath) -> Answer {
        let entry = match self {
            Self::Target => path.ours(),
            Self::Change => path.theirs(),
            Self::Base => path.base(),
        };
        match entry {
            Some(entry) => Answer { conflict: path.id.clone(), files: vec![(entry.path.clone(), File::of(entry))] },
            None => Answer::delete(path),
        }
    }
}

#[async_trait]
impl Resolver for Take {
    fn name(&self) -> &str {
        match self.0 {
            Version::Target => "take-target",
            Version::Change => "take-change",
            Version::Base => "take-base",
        }
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        // Two trees as a whole are no file that could be taken.
        let paths = case.open.iter().filter(|path| !path.path.is_empty());
        Ok(paths.map(|path| self.0.answer(path)).collect::<Vec<_>>().into())
    }
}
