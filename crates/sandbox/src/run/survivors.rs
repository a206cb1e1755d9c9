//! What of a command would not die in the time that it was given.

use std::sync::Arc;

use super::group::Group;
use super::marked;
use super::tree::{Sighting, Tree};

/// How many processes an error names.
const NAMED: usize = 5;

/// By what processes are found again that were killed and may still be there; mostly nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survivors {
    /// The variable that they carry.
    pub(crate) variable: Option<String>,
    /// The group that they are in.
    pub(crate) group: Option<Arc<Group>>,
}

impl Survivors {
    /// What there still is of them, in words; nothing when all are gone.
    pub(crate) fn now(&self) -> Option<String> {
        let mut pids = self.variable.as_deref().map_or_else(Vec::new, marked::carriers);
        let group = self.group.as_ref().filter(|group| group.is_populated());
        pids.extend(group.iter().flat_map(|group| group.members().pids().to_vec()));
        pids.sort_unstable();
        pids.dedup();
        let left: Vec<_> = Tree::of(pids).sightings().iter().filter_map(Sighting::now).collect();
        match (left.len(), group) {
            (0, None) => None,
            (0, Some(group)) => {
                Some(format!("processes that cannot be seen, in the control group {}", group.directory().display()))
            }
            (count, _) => Some(format!("{count} of its processes: {}", named(&left))),
        }
    }
}

/// The first of them.
pub(super) fn named(left: &[String]) -> String {
    left.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}
