//! Work that no ref holds, and that only git's own files in the worktree's git directory name.

use std::fs;

use hedgerow_worktree::{Disposition, Fate, GitAccess, Released, WorktreeManager};

use crate::capture::Lane;
use crate::repo::Repo;
use crate::safety::try_inside;

const BOTH: [GitAccess; 2] = [GitAccess::Direct, GitAccess::Private];

/// Archives the worktree, and has everything go that nothing holds.
async fn archive(lane: Lane) -> (Repo, Released) {
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    lane.repo.purge();
    lane.repo.git(["reflog", "expire", "--expire=now", "--all"]);
    lane.repo.git(["gc", "-q", "--prune=now"]);
    lane.repo.assert_sound();
    (lane.repo, released)
}

/// The versions of a file in all that the rescue refs hold.
fn versions(repo: &Repo, released: &Released, file: &str) -> Vec<String> {
    let named = released.rescues.iter().map(|rescue| rescue.reference.as_str());
    let commits = repo.git(["rev-list"].into_iter().chain(named));
    let shown = commits.lines().map(|commit| crate::repo::try_git(repo.path(), ["show", &format!("{commit}:{file}")]));
    shown.filter(|shown| shown.status.success()).map(|shown| String::from_utf8(shown.stdout).unwrap()).collect()
}

/// Two lines that both change a file.
fn diverged(lane: &Lane) {
    lane.inside(["switch", "-q", "-c", "side"]);
    lane.write("src/main.rs", "side\n");
    lane.commit("side");
    lane.inside(["switch", "-q", "lane"]);
    lane.write("src/main.rs", "lane\n");
    lane.commit("lane");
}

#[tokio::test]
async fn an_edit_that_a_stopped_rebase_has_put_away_is_rescued() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        diverged(&lane);
        lane.write("README", "the only copy\n");
        try_inside(&lane, &["rebase", "--autostash", "side"]);
        assert_eq!(fs::read_to_string(lane.tree().join("README")).unwrap(), "hello\n");
        let (repo, released) = archive(lane).await;
        let found = versions(&repo, &released, "README");
        assert!(found.contains(&"the only copy\n".to_owned()), "{git:?} {released:?}");
    }
}

#[tokio::test]
async fn an_edit_that_a_stopped_merge_has_put_away_is_rescued() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        diverged(&lane);
        lane.write("README", "the only copy\n");
        try_inside(&lane, &["merge", "--autostash", "side"]);
        assert_eq!(fs::read_to_string(lane.tree().join("README")).unwrap(), "hello\n");
        let (repo, released) = archive(lane).await;
        let found = versions(&repo, &released, "README");
        assert!(found.contains(&"the only copy\n".to_owned()), "{git:?} {released:?}");
    }
}

#[tokio::test]
async fn commits_that_were_reset_or_amended_away_are_rescued_under_one_ref() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        let mut gone = Vec::new();
        for n in 0..70 {
            lane.write("work", format!("{n}\n"));
            lane.inside(["add", "-A"]);
            lane.inside(["commit", "-q", "-m", "work"]);
            gone.push(format!("{n}\n"));
            lane.inside(["reset", "-q", "--hard", "HEAD~1"]);
        }
        let (repo, released) = archive(lane).await;
        assert_eq!(released.rescues.len(), 1, "{released:?}");
        let mut found = versions(&repo, &released, "work");
        found.sort();
        found.dedup();
        gone.sort();
        assert_eq!(found, gone);
    }
}

#[tokio::test]
async fn commits_under_a_ref_that_belongs_to_the_worktree_alone_are_rescued() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        let tree = lane.inside(["rev-parse", "HEAD~0^{tree}"]);
        let commit = lane.inside(["commit-tree", "-p", "HEAD", "-m", "kept aside", &tree]);
        lane.inside(["update-ref", "refs/worktree/aside", &commit]);
        let (repo, released) = archive(lane).await;
        assert!(released.rescues.iter().any(|rescue| rescue.commit.as_str() == commit), "{git:?} {released:?}");
        repo.git(["cat-file", "-e", &commit]);
    }
}

#[tokio::test]
async fn a_tree_that_somebody_deleted_leaves_what_its_rebase_has_put_away() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    diverged(&lane);
    lane.write("README", "the only copy\n");
    try_inside(&lane, &["rebase", "--autostash", "side"]);
    fs::remove_dir_all(lane.tree()).unwrap();
    let (repo, released) = archive(lane).await;
    assert!(versions(&repo, &released, "README").contains(&"the only copy\n".to_owned()), "{released:?}");
}

#[tokio::test]
async fn a_file_of_git_that_cannot_be_read_keeps_the_worktree() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    fs::create_dir_all(lane.view().join("rebase-merge/autostash")).unwrap();
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("autostash")), "{released:?}");
}
