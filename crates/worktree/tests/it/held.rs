//! Work goes only when something that stays holds it, and only what a loss of power would leave counts as held.

use std::fs;
use std::os::unix::fs::symlink;

use hedgerow_worktree::{Base, Disposition, Fate, GitAccess, Released, Request, WorktreeManager};

use crate::capture::Lane;
use crate::repo::{Repo, request};

const BOTH: [GitAccess; 2] = [GitAccess::Direct, GitAccess::Private];

fn commits(released: &Released) -> Vec<&str> {
    released.rescues.iter().map(|rescue| rescue.commit.as_str()).collect()
}

#[tokio::test]
async fn work_that_was_merged_into_a_commit_which_no_ref_holds_is_rescued() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("work", "w");
        let tip = lane.capture().await.tip;
        // A candidate whose landing failed: nothing but this worktree's own branch reaches it.
        let released = lane.manager.release(lane.worktree, Disposition::Merged { into: tip.clone() }).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        assert!(!released.rescues.is_empty(), "{released:?}");
        lane.repo.git(["gc", "-q", "--prune=now"]);
        let rescue = &released.rescues[0].reference;
        assert_eq!(lane.repo.git(["show", &format!("{rescue}:work")]), "w");
    }
}

#[tokio::test]
async fn work_that_was_merged_into_what_a_branch_holds_or_held_before_it_went_on_needs_no_rescue() {
    for goes_on in [false, true] {
        let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
        lane.write("work", "w");
        let tip = lane.capture().await.tip;
        lane.repo.git(["merge", "-q", "--ff-only", tip.as_str()]);
        if goes_on {
            lane.repo.write("more", "m");
            lane.repo.commit("more");
        }
        lane.repo.git(["pack-refs", "--all"]);
        let released = lane.manager.release(lane.worktree, Disposition::Merged { into: tip }).await.unwrap();
        assert_eq!((released.fate, released.rescues), (Fate::Removed, vec![]), "{goes_on}");
    }
}

#[tokio::test]
async fn a_base_whose_branch_somebody_deleted_meanwhile_is_rescued() {
    let repo = Repo::new();
    let manager = repo.manager();
    repo.git(["switch", "-q", "-c", "short-lived"]);
    repo.write("work", "w");
    let base = repo.commit("work");
    repo.git(["switch", "-q", "main"]);
    let asked = Request { base: Base::Commit(base.clone()), ..request("fix") };
    let worktree = manager.create(asked).await.unwrap();
    repo.git(["branch", "-q", "-D", "short-lived"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_eq!(commits(&released), [base.as_str()]);
}

/// Puts a symlink to itself in the place of an object, which nobody can open then.
fn spoil(repo: &Repo, object: &str) {
    let path = repo.path().join(".git/objects").join(&object[..2]).join(&object[2..]);
    fs::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
}

#[tokio::test]
async fn what_the_agent_committed_itself_is_flushed_before_it_counts_as_captured() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("passing", "only in the first commit");
    lane.commit("one");
    let blob = lane.inside(["rev-parse", "HEAD:passing"]);
    fs::remove_file(lane.tree().join("passing")).unwrap();
    lane.commit("two");
    // The tree is clean and the branch is there already, so nothing but flushing looks at this object.
    spoil(&lane.repo, &blob);
    let captured = lane.manager.capture(&lane.worktree, crate::capture::message()).await;
    assert!(captured.is_err(), "{captured:?}");
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { .. }), "{released:?}");
}

#[tokio::test]
async fn what_is_left_of_a_tree_that_somebody_deleted_is_flushed_before_it_is_rescued() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("passing", "only in the first commit");
    lane.commit("one");
    let blob = lane.inside(["rev-parse", "HEAD:passing"]);
    fs::remove_dir_all(lane.tree()).unwrap();
    spoil(&lane.repo, &blob);
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { .. }), "{released:?}");
    assert_eq!(released.rescues, []);
}
