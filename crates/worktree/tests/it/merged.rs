//! Whether work is part of the main line is read from what it contains, and never believed from a name.

use hedgerow_worktree::{CommitId, Disposition, Fate, Integration, LocalWorktrees, Worktree, WorktreeManager};
use proptest::prelude::*;

use crate::repo::{Repo, git_in, id, request, try_git, write};

struct Work {
    repo: Repo,
    manager: LocalWorktrees,
    worktree: Worktree,
}

fn lines(changed: &[(usize, &str)]) -> String {
    let line =
        |n| changed.iter().find(|(at, _)| *at == n).map_or(format!("line {n}\n"), |(_, text)| format!("{text}\n"));
    (0..60).map(line).collect()
}

impl Work {
    async fn new() -> Self {
        let repo = Repo::new();
        repo.write("text", &lines(&[]));
        repo.commit("a text");
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        Self { repo, manager, worktree }
    }

    /// Two commits that change different places of one file.
    async fn two_commits() -> Self {
        let work = Self::new().await;
        work.commit("text", &lines(&[(5, "five")]));
        work.commit("text", &lines(&[(5, "five"), (40, "forty")]));
        work
    }

    fn commit(&self, path: &str, content: &str) -> CommitId {
        write(&self.worktree.path().join(path), content);
        git_in(self.worktree.path(), ["add", "-A"]);
        git_in(self.worktree.path(), ["commit", "-q", "-m", "work"]);
        CommitId::new(git_in(self.worktree.path(), ["rev-parse", "HEAD"])).unwrap()
    }

    /// Something else happens on the main line.
    fn elsewhere(&self) {
        self.repo.write("elsewhere", "something else\n");
        self.repo.commit("elsewhere");
    }

    async fn integration(&self) -> Integration {
        self.manager.integration(&id("fix"), &self.repo.head()).await.unwrap()
    }

    /// Releases as merged into the main line, and says how many refs that took.
    async fn release(self) -> (Repo, usize) {
        let into = self.repo.head();
        let released = self.manager.release(self.worktree, Disposition::Merged { into }).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        self.repo.assert_sound();
        (self.repo, released.rescues.len())
    }
}

#[tokio::test]
async fn a_branch_that_is_the_main_line_or_was_merged_into_it_is_integrated() {
    let work = Work::two_commits().await;
    work.repo.git(["merge", "-q", "--ff-only", "fix"]);
    assert_eq!(work.integration().await, Integration::SameCommit);
    work.elsewhere();
    assert_eq!(work.integration().await, Integration::Ancestor);

    let work = Work::two_commits().await;
    work.elsewhere();
    work.repo.git(["merge", "-q", "--no-ff", "-m", "merge", "fix"]);
    assert_eq!(work.integration().await, Integration::Ancestor);
    assert_eq!(work.release().await.1, 0);
}

#[tokio::test]
async fn a_squashed_branch_is_integrated_even_after_the_file_went_on() {
    let work = Work::two_commits().await;
    work.elsewhere();
    work.repo.git(["merge", "-q", "--squash", "fix"]);
    let squash = work.repo.commit("squashed");
    assert_eq!(work.integration().await, Integration::SameTree);
    work.repo.write("text", &lines(&[(5, "five"), (20, "somebody else"), (40, "forty and more")]));
    work.repo.commit("goes on");
    assert_eq!(work.integration().await, Integration::Patches { by: vec![squash] });
    assert_eq!(work.release().await.1, 0);
}

#[tokio::test]
async fn rebased_and_cherry_picked_commits_are_integrated() {
    for backwards in [["fix~1", "fix"], ["fix", "fix~1"]] {
        let work = Work::two_commits().await;
        work.repo.write("text", &lines(&[(20, "somebody else")]));
        work.repo.commit("other lines of the same file");
        for commit in backwards {
            work.repo.git(["cherry-pick", commit]);
        }
        work.repo.write("text", "all of it was replaced\n");
        work.repo.commit("goes on");
        assert!(!work.repo.git(["cherry", "main", "fix"]).contains('+'));
        let Integration::Patches { by } = work.integration().await else { panic!() };
        assert_eq!(by.len(), 2);
        assert_eq!(work.release().await.1, 0);
    }
}

#[tokio::test]
async fn half_of_it_is_not_integrated_and_is_rescued() {
    let work = Work::two_commits().await;
    work.elsewhere();
    work.repo.git(["cherry-pick", "fix"]);
    let missing = CommitId::new(work.repo.git(["rev-parse", "fix~1"])).unwrap();
    assert_eq!(work.integration().await, Integration::NotIntegrated { missing: vec![missing] });
    let tip = work.repo.git(["rev-parse", "fix"]);
    let (repo, rescues) = work.release().await;
    assert_eq!(rescues, 1);
    assert_ne!(repo.git(["for-each-ref", "--contains", &tip, "refs/hedgerow/rescue/fix"]), "");
}

#[tokio::test]
async fn a_branch_that_was_merged_by_name_and_went_on_is_not_integrated() {
    let work = Work::two_commits().await;
    work.repo.git(["merge", "-q", "--no-ff", "-m", "Merge branch 'fix'", "fix"]);
    let later = work.commit("later", "after the merge\n");
    assert_eq!(work.integration().await, Integration::NotIntegrated { missing: vec![later] });
    // A message is only a name, too.
    work.repo.git(["commit", "-q", "--allow-empty", "-m", "Merge branch 'fix'"]);
    assert!(!work.integration().await.is_integrated());
    assert_eq!(work.release().await.1, 1);
}

#[tokio::test]
async fn what_was_merged_and_then_reverted_is_not_integrated() {
    let merged = Work::two_commits().await;
    merged.elsewhere();
    merged.repo.git(["merge", "-q", "--no-ff", "-m", "merge", "fix"]);
    merged.repo.git(["revert", "-m", "1", "--no-edit", "HEAD"]);
    let squashed = Work::two_commits().await;
    squashed.repo.git(["merge", "-q", "--squash", "fix"]);
    squashed.repo.commit("squashed");
    squashed.repo.git(["revert", "--no-edit", "HEAD"]);
    let picked = Work::two_commits().await;
    picked.elsewhere();
    picked.repo.git(["cherry-pick", "main..fix"]);
    picked.repo.git(["revert", "--no-edit", "HEAD"]);
    let half = Work::two_commits().await;
    half.repo.git(["merge", "-q", "--ff-only", "fix"]);
    half.repo.git(["revert", "--no-edit", "HEAD~1"]);
    for work in [merged, squashed, picked, half] {
        let found = work.integration().await;
        assert!(matches!(&found, Integration::NotIntegrated { missing } if !missing.is_empty()), "{found}");
        assert_eq!(work.release().await.1, 1);
    }
}

#[tokio::test]
async fn a_revert_that_was_reverted_counts_again() {
    let work = Work::two_commits().await;
    work.repo.git(["merge", "-q", "--squash", "fix"]);
    work.repo.commit("squashed");
    work.repo.git(["revert", "--no-edit", "HEAD"]);
    work.repo.git(["revert", "--no-edit", "HEAD"]);
    work.repo.write("text", "all of it was replaced\n");
    work.repo.commit("goes on");
    assert!(matches!(work.integration().await, Integration::Patches { .. }));
}

#[tokio::test]
async fn a_patch_that_differs_in_white_space_only_is_not_the_same() {
    let work = Work::new().await;
    work.commit("text", &lines(&[(5, "    line 5")]));
    work.repo.write("text", &lines(&[(5, "\tline 5")]));
    work.repo.commit("tabs");
    work.repo.write("text", "all of it was replaced\n");
    work.repo.commit("goes on");
    // To git these are the same patch.
    assert!(work.repo.git(["cherry", "main", "fix"]).starts_with('-'));
    assert!(!work.integration().await.is_integrated());
    assert_eq!(work.release().await.1, 1);
}

#[tokio::test]
async fn commits_that_undo_one_another_are_kept() {
    let work = Work::new().await;
    work.commit("tried", "an idea\n");
    std::fs::remove_file(work.worktree.path().join("tried")).unwrap();
    work.commit("README", "hello\n");
    work.elsewhere();
    assert_eq!(work.integration().await, Integration::EmptyChange);
    let (repo, rescues) = work.release().await;
    assert_eq!(rescues, 1);
    assert_eq!(repo.git(["show", "refs/hedgerow/rescue/fix/1~1:tried"]), "an idea");
}

#[tokio::test]
async fn a_new_worktree_that_looks_merged_is_the_base_itself() {
    let work = Work::new().await;
    assert_eq!(work.integration().await, Integration::SameCommit);
    work.elsewhere();
    assert_eq!(work.integration().await, Integration::Ancestor);
    assert_eq!(work.release().await.1, 0);
}

#[tokio::test]
async fn an_unrelated_or_unknown_line_integrates_nothing() {
    let work = Work::two_commits().await;
    let tree = work.repo.git(["rev-parse", "main^{tree}"]);
    let orphan = CommitId::new(work.repo.git(["commit-tree", &tree, "-m", "orphan"])).unwrap();
    let found = work.manager.integration(&id("fix"), &orphan).await.unwrap();
    assert!(!found.is_integrated(), "{found}");
    let nothing = CommitId::new("0123456789012345678901234567890123456789").unwrap();
    let found = work.manager.integration(&id("fix"), &nothing).await.unwrap();
    assert!(matches!(found, Integration::Unknown { .. }), "{found}");
}

#[tokio::test]
async fn a_clock_that_runs_ahead_hides_no_merge() {
    let work = Work::new().await;
    write(&work.worktree.path().join("new"), "n\n");
    git_in(work.worktree.path(), ["add", "-A"]);
    let tree = git_in(work.worktree.path(), ["write-tree"]);
    let ahead = "A <a@b> 4000000000 +0000";
    let text = format!("tree {tree}\nparent {}\nauthor {ahead}\ncommitter {ahead}\n\nahead\n", work.repo.head());
    let file = work.repo.root().join("commit");
    std::fs::write(&file, text).unwrap();
    let commit = work.repo.git(["hash-object", "-t", "commit", "-w", file.to_str().unwrap()]);
    git_in(work.worktree.path(), ["update-ref", "HEAD", &commit]);
    work.repo.git(["merge", "-q", "--no-ff", "-m", "merge", "fix"]);
    assert_eq!(work.integration().await, Integration::Ancestor);
    assert_eq!(work.release().await.1, 0);
}

#[tokio::test]
async fn an_evil_merge_inside_is_not_taken_for_its_sides() {
    let work = Work::two_commits().await;
    work.elsewhere();
    git_in(work.worktree.path(), ["merge", "-q", "--no-ff", "--no-commit", "main"]);
    write(&work.worktree.path().join("slipped-in"), "in no other commit\n");
    git_in(work.worktree.path(), ["add", "-A"]);
    git_in(work.worktree.path(), ["commit", "-q", "-m", "merge"]);
    work.repo.git(["cherry-pick", "fix~2", "fix^1"]);
    assert!(!work.integration().await.is_integrated());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each commit of ours changes one place; main takes some of them over, in any order, and may take some back.
    #[test]
    fn git_cherry_agrees(
        places in prop::sample::subsequence((0..6).map(|n| n * 10).collect::<Vec<usize>>(), 1..4),
        taken in prop::collection::vec(any::<bool>(), 4),
        undone in prop::option::weighted(0.3, 0..4_usize),
        squash in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let work = Work::new().await;
            let mut changed = Vec::new();
            let mut commits = Vec::new();
            for place in &places {
                changed.push((*place, "ours"));
                commits.push(work.commit("text", &lines(&changed)));
            }
            work.repo.write("text", &lines(&[(55, "theirs")]));
            work.repo.commit("theirs");
            let mut landed = Vec::new();
            if squash && taken[0] {
                work.repo.git(["merge", "-q", "--squash", "fix"]);
                landed.push(work.repo.commit("squashed"));
            } else {
                for commit in commits.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(commit, _)| commit) {
                    assert!(try_git(work.repo.path(), ["cherry-pick", commit.as_str()]).status.success());
                    landed.push(work.repo.head());
                }
            }
            let back = undone.and_then(|n| landed.get(n)).cloned();
            if let Some(back) = &back {
                work.repo.git(["revert", "--no-edit", back.as_str()]);
            }
            let all_there = if squash && taken[0] { true } else { landed.len() == commits.len() };
            let found = work.integration().await;
            assert_eq!(found.is_integrated(), all_there && back.is_none(), "{found}");
            if let Integration::NotIntegrated { missing } = &found && !(squash && taken[0]) && back.is_none() {
                let cherry = work.repo.git(["cherry", "main", "fix"]);
                let mut plus: Vec<_> = cherry.lines().filter_map(|line| line.strip_prefix("+ ")).collect();
                let mut ours: Vec<_> = missing.iter().map(CommitId::as_str).collect();
                plus.sort_unstable();
                ours.sort_unstable();
                assert_eq!(ours, plus);
            }
        });
    }
}
