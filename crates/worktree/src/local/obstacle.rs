//! What keeps a tree, of what its capture has noticed.

use std::path::Path;

use crate::Notice;

/// Why a tree with this notice must not be deleted, if so.
pub(super) fn obstacle(tree: &Path, notice: &Notice) -> Option<String> {
    match notice {
        Notice::NestedRepository { path } => Some(format!("{path:?} is a repository of its own, with its own history")),
        Notice::HistoryRefused { why } => Some(format!("the history made inside could not be taken over: {why}")),
        // A socket or a device holds no work. A file or a directory does, and what cannot be looked at may.
        Notice::Unstorable { path, why } => match tree.join(path).symlink_metadata() {
            Ok(meta) if !(meta.is_file() || meta.is_dir() || meta.is_symlink()) => None,
            Ok(meta) if meta.is_file() && meta.len() == 0 => None,
            _ => Some(format!("{path:?} could not be stored: {why}")),
        },
        // Said by what keeps the index, which says as well whether anything is lost with it.
        Notice::NotStaged { .. } | Notice::Conflict { .. } => None,
        Notice::HiddenRepository { path } => {
            Some(format!("{path:?} is a repository of its own in an ignored directory, of which nothing is captured"))
        }
        Notice::HiddenUnreadable { path, why } => {
            Some(format!("the ignored {path:?} could not be searched for repositories: {why}"))
        }
        // What was not looked at counts as work.
        Notice::HiddenUnsearched { most } => Some(format!(
            "it has more ignored directories than the {most} that are searched for repositories; \
             HiddenRepositories::Remove lets it go without a search"
        )),
        Notice::GitFileReplaced | Notice::HistoryNotFromBase { .. } => None,
        Notice::BranchInUse { .. } | Notice::TreeMissing { .. } => None,
        Notice::StagedOtherwise { .. } | Notice::IndexBehind { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_ended_at_its_limit_keeps_the_tree_and_names_the_way_out() {
        let why = obstacle(Path::new("/"), &Notice::HiddenUnsearched { most: 7 }).unwrap();
        assert!(why.contains('7') && why.contains("HiddenRepositories::Remove"), "{why}");
    }
}
