//! The two crates that each have a type for a branch and a commit accept and refuse the same texts.

use hedgerow_orchestrator::{merge, worktree};
use proptest::prelude::*;

proptest! {
    #[test]
    fn branches_are_the_same_in_both_crates(text in "[a-zA-Z0-9./_@{~^:? *\\[\\\\-]{0,24}|\\PC{0,12}") {
        prop_assert_eq!(worktree::BranchName::new(&*text).is_ok(), merge::BranchName::new(&*text).is_ok());
    }

    #[test]
    fn commits_are_the_same_in_both_crates(text in "[0-9a-fA-Fg]{38,42}|[0-9a-f]{64}|\\PC{0,5}") {
        prop_assert_eq!(worktree::CommitId::new(&*text).is_ok(), merge::CommitId::new(&*text).is_ok());
    }
}
