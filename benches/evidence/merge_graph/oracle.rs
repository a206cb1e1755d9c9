//! What git says of pairs.

use std::path::Path;

use crate::Failure;
use crate::topics::{Topic, trees};

/// Whether each pair conflicts.
pub(crate) fn conflicts(repo: &Path, pairs: &[(usize, usize)], topics: &[Topic]) -> Result<Vec<bool>, Failure> {
    let line = |(one, other): &(usize, usize)| format!("{} {}\n", topics[*one].tip, topics[*other].tip);
    Ok(trees(repo, pairs.iter().map(line).collect())?.iter().map(Option::is_none).collect())
}
