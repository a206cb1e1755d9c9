//! The commits that an agent made itself.

use hedgerow_worktree::{Capture, Disposition, Fate, GitAccess, Notice, Rescue, WorktreeManager};

use super::Lane;
use crate::repo::{self, Repo};

async fn lane() -> Lane {
    Lane::new(Repo::new(), GitAccess::Private).await
}

/// Whether some ref of the repository leads to this commit.
fn is_held(lane: &Lane, commit: &str) -> bool {
    let refs = lane.repo.git(["for-each-ref", "--format=%(refname)", "--contains", commit]);
    !refs.is_empty()
}

fn refused(capture: &Capture) -> Vec<&str> {
    let mut found = Vec::new();
    for notice in &capture.notices {
        if let Notice::HistoryRefused { why } = notice {
            found.push(why.as_str());
        }
    }
    found
}

#[tokio::test]
async fn commits_stashes_branches_and_tags_are_all_held_afterwards() {
    let lane = lane().await;
    lane.write("one", "1");
    let first = lane.commit("one");
    lane.inside(["switch", "-q", "-c", "topic"]);
    lane.write("two", "2");
    let topic = lane.commit("two");
    lane.inside(["switch", "-q", "--detach"]);
    lane.write("three", "3");
    let tagged = lane.commit("three");
    lane.inside(["tag", "-m", "a note", "v1"]);
    lane.inside(["switch", "-q", "lane"]);
    let mut stashes = Vec::new();
    for n in ["a", "b"] {
        lane.write("one", n);
        lane.write(&format!("untracked-{n}"), n);
        lane.inside(["stash", "-u"]);
        stashes.push(lane.inside(["rev-parse", "stash@{0}"]));
    }
    lane.write("README", "dirty\n");

    let capture = lane.capture().await;
    lane.assert_captured(&capture, &first);
    assert_eq!(lane.repo.git(["rev-parse", &format!("{}^", capture.tip)]), first);
    assert_eq!((capture.commits, capture.files, capture.notices.len()), (2, 2, 0));
    for commit in stashes.iter().chain([&tagged, &topic]) {
        assert!(is_held(&lane, commit), "{commit} is lost");
    }
    // The tagged commit contains the topic, so one ref holds both.
    assert_eq!(capture.rescued.len(), 3, "{:#?}", capture.rescued);
    for rescue in &capture.rescued {
        assert!(rescue.reference.starts_with("refs/hedgerow/rescue/lane/"), "{rescue:?}");
        assert_eq!(lane.repo.git(["rev-parse", &rescue.reference]), rescue.commit.as_str());
    }
    let untracked = lane.repo.git(["show", &format!("{}^3:untracked-a", stashes[0])]);
    assert_eq!(untracked, "a");

    assert_eq!(lane.capture().await, capture, "nothing is rescued twice");
}

/// Makes commits that git stores as deltas.
fn work(lane: &Lane) -> String {
    let mut text: Vec<String> = (0..400).map(|n| format!("line {n} of a file that changes little\n")).collect();
    let mut tip = String::new();
    for n in 0..30 {
        text[n * 7] = format!("changed in step {n}\n");
        lane.write("src/big", text.concat());
        lane.write(&format!("src/{n}"), format!("{n}\n"));
        tip = lane.commit("step");
    }
    tip
}

#[tokio::test]
async fn after_git_gc_inside_the_commits_come_from_packs() {
    for offsets in ["true", "false"] {
        let lane = lane().await;
        let tip = work(&lane);
        lane.inside(["config", "repack.useDeltaBaseOffset", offsets]);
        lane.inside(["gc", "-q", "--prune=now"]);
        lane.inside(["repack", "-q", "-a", "-d", "-f", "-l", "--depth=50", "--window=50"]);
        assert!(lane.inside(["count-objects", "-v"]).starts_with("count: 0"));
        let stat = lane.inside(["verify-pack", "-s", &pack(&lane)]);
        assert!(stat.contains("chain length = 2"), "there are no deltas: {stat}");
        let capture = lane.capture().await;
        assert_eq!((capture.tip.as_str(), capture.commits, capture.notices.len()), (tip.as_str(), 30, 0));
        std::fs::rename(lane.view(), lane.view().with_extension("gone")).unwrap();
        lane.assert_captured(&capture, &tip);
        lane.repo.git(["rev-list", "--objects", "refs/heads/lane"]);
    }
}

fn pack(lane: &Lane) -> String {
    let packs = lane.view().join("objects/pack");
    let names = std::fs::read_dir(packs).unwrap().map(|e| e.unwrap().path());
    names.into_iter().find(|p| p.extension().is_some_and(|x| x == "idx")).unwrap().display().to_string()
}

#[tokio::test]
async fn a_merge_inside_is_taken_with_both_sides() {
    let lane = lane().await;
    lane.inside(["switch", "-q", "-c", "side"]);
    lane.write("side", "s");
    lane.commit("side");
    lane.inside(["switch", "-q", "lane"]);
    lane.write("main", "m");
    lane.commit("main");
    lane.inside(["merge", "-q", "--no-edit", "side"]);
    let tip = lane.inside(["rev-parse", "HEAD"]);
    let capture = lane.capture().await;
    assert_eq!((capture.tip.as_str(), capture.commits, capture.files), (tip.as_str(), 3, 2));
    assert_eq!(capture.rescued, []);
    lane.assert_captured(&capture, &tip);
}

#[tokio::test]
async fn a_head_on_no_branch_or_on_another_one_is_where_the_work_is() {
    let lane = lane().await;
    lane.inside(["switch", "-q", "--detach"]);
    lane.write("one", "1");
    let detached = lane.commit("one");
    let capture = lane.capture().await;
    assert_eq!(capture.tip.as_str(), detached);
    lane.inside(["switch", "-q", "-c", "other"]);
    lane.write("two", "2");
    let other = lane.commit("two");
    let capture = lane.capture().await;
    assert_eq!((capture.tip.as_str(), capture.commits), (other.as_str(), 2));
    lane.assert_captured(&capture, &other);
    assert_eq!(lane.repo.git(["branch", "--format=%(refname:short)"]), "lane\nmain");
}

#[tokio::test]
async fn an_unrelated_history_is_rescued_and_the_files_stand_on_the_base() {
    let lane = lane().await;
    lane.inside(["switch", "-q", "--orphan", "fresh"]);
    lane.write("fresh", "f");
    let tip = lane.commit("fresh");
    let capture = lane.capture().await;
    let named = |notice: &Notice| matches!(notice, Notice::HistoryNotFromBase { tip: found } if found.as_str() == tip);
    assert!(capture.notices.iter().any(named), "{capture:#?}");
    assert_eq!(capture.rescued.len(), 1);
    assert_eq!(capture.rescued[0].commit.as_str(), tip);
    assert_eq!(lane.repo.git(["rev-parse", &format!("{}^", capture.tip)]), lane.base());
    lane.assert_captured(&capture, lane.base());
}

#[tokio::test]
async fn a_head_without_a_commit_still_leaves_the_files() {
    let lane = lane().await;
    lane.inside(["switch", "-q", "--orphan", "fresh"]);
    lane.write("fresh", "f");
    let capture = lane.capture().await;
    assert_eq!(refused(&capture), ["HEAD names refs/heads/fresh, which has no commit"]);
    lane.assert_captured(&capture, lane.base());
}

#[tokio::test]
async fn work_that_was_captured_and_then_rewritten_is_kept_aside() {
    let lane = lane().await;
    lane.write("one", "1");
    lane.commit("one");
    lane.write("dirty", "d");
    let first = lane.capture().await;
    lane.inside(["reset", "-q", "--hard", lane.base()]);
    lane.write("one", "rewritten");
    let rewritten = lane.commit("rewritten");
    let second = lane.capture().await;
    assert_eq!(second.tip.as_str(), rewritten);
    assert_eq!(second.rescued.iter().map(|r| &r.commit).collect::<Vec<_>>(), [&first.tip]);
    lane.assert_captured(&second, &rewritten);
}

#[tokio::test]
async fn a_commit_that_somebody_else_put_on_the_branch_is_not_undone() {
    let lane = lane().await;
    let tree = lane.repo.git(["rev-parse", "HEAD^{tree}"]);
    let foreign = lane.repo.git(["commit-tree", &tree, "-p", lane.base(), "-m", "foreign"]);
    lane.repo.git(["update-ref", "refs/heads/lane", &foreign]);
    let untouched = lane.capture().await;
    assert_eq!((untouched.tip.as_str(), untouched.snapshot, untouched.commits), (foreign.as_str(), None, 1));
    lane.write("new", "n");
    let capture = lane.capture().await;
    assert!(is_held(&lane, &foreign));
    lane.assert_captured(&capture, lane.base());
}

#[tokio::test]
async fn a_branch_that_was_deleted_is_made_again() {
    let lane = lane().await;
    lane.write("one", "1");
    let tip = lane.commit("one");
    lane.repo.git(["update-ref", "-d", "refs/heads/lane"]);
    let capture = lane.capture().await;
    assert_eq!(capture.tip.as_str(), tip);
    assert_eq!(lane.repo.git(["rev-parse", "refs/heads/lane"]), tip);
}

#[tokio::test]
async fn without_isolation_the_commits_are_on_the_branch_already() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("one", "1");
    let tip = lane.commit("one");
    let capture = lane.capture().await;
    assert_eq!((capture.tip.as_str(), capture.commits, capture.snapshot.is_none()), (tip.as_str(), 1, true));
    lane.inside(["switch", "-q", "-c", "other", lane.base()]);
    lane.write("two", "2");
    let capture = lane.capture().await;
    assert_eq!((capture.commits, capture.rescued.len()), (1, 1));
    assert_eq!(capture.rescued[0].commit.as_str(), tip);
    lane.assert_captured(&capture, lane.base());
}

#[tokio::test]
async fn a_detached_worktree_has_a_tip_and_moves_no_branch() {
    let repo = Repo::new();
    let manager = repo.manager();
    let request = hedgerow_worktree::Request::detached(repo::id("lane"), repo.head());
    let worktree = manager.create(request).await.unwrap();
    let lane = Lane { repo, manager, worktree };
    let before = lane.repo.git(["for-each-ref", "refs/heads"]);
    lane.write("new", "n");
    let capture = lane.capture().await;
    assert_eq!(lane.tree_of(capture.tip.as_str()), lane.expected(lane.base()));
    assert_eq!(lane.repo.git(["for-each-ref", "refs/heads"]), before);
}

#[tokio::test]
async fn a_lock_that_somebody_forgot_on_the_branch_is_reported_as_transient() {
    let lane = lane().await;
    lane.write("new", "n");
    let lock = lane.repo.path().join(".git/refs/heads/lane.lock");
    std::fs::write(&lock, "").unwrap();
    let error = lane.manager.capture(&lane.worktree, super::message()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    std::fs::remove_file(&lock).unwrap();
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
}

/// An agent that left a stash and a branch beside its own; the stash and the branch, in no order.
async fn with_side_work() -> (Lane, Vec<String>) {
    let lane = lane().await;
    lane.write("side", "1");
    lane.inside(["switch", "-q", "-c", "side"]);
    let side = lane.commit("on a branch that nobody merges");
    lane.inside(["switch", "-q", "lane"]);
    lane.write("README", "not yet\n");
    lane.inside(["stash"]);
    let stash = lane.inside(["rev-parse", "stash@{0}"]);
    lane.write("work", "done");
    lane.commit("the work");
    (lane, vec![side, stash])
}

#[tokio::test]
async fn a_release_names_stashes_and_branches_beside_the_work() {
    let (lane, mut side) = with_side_work().await;
    let work = lane.inside(["rev-parse", "HEAD"]);
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_eq!(released.rescues.last().unwrap().commit.as_str(), work, "{released:#?}");
    side.push(work);
    assert_named(&lane.repo, &released.rescues, side);
    assert_eq!(lane.manager.rescues(&repo::id("lane")).await.unwrap(), released.rescues);
}

#[tokio::test]
async fn a_release_of_merged_work_names_what_was_not_merged() {
    let (lane, side) = with_side_work().await;
    lane.capture().await;
    lane.repo.git(["merge", "-q", "--ff-only", "lane"]);
    let into = lane.repo.head();
    let released = lane.manager.release(lane.worktree, Disposition::Merged { into }).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    assert_named(&lane.repo, &released.rescues, side);
}

#[tokio::test]
async fn a_release_that_keeps_the_tree_names_what_it_rescued() {
    let (lane, side) = with_side_work().await;
    let nested = lane.tree().join("nested");
    std::fs::create_dir(&nested).unwrap();
    repo::git_in(&nested, ["init", "-q"]);
    repo::git_in(&nested, ["commit", "-q", "--allow-empty", "-m", "history of its own"]);
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    assert_named(&lane.repo, &released.rescues, side);
}

#[tokio::test]
async fn a_release_whose_branch_is_locked_names_what_it_rescued() {
    let (lane, side) = with_side_work().await;
    std::fs::write(lane.repo.path().join(".git/refs/heads/lane.lock"), "of a git that was killed").unwrap();
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
    assert_named(&lane.repo, &released.rescues, side);
}

/// Exactly these commits, each under the ref that is said to hold it.
fn assert_named(repo: &Repo, rescues: &[Rescue], mut commits: Vec<String>) {
    for rescue in rescues {
        assert_eq!(repo.git(["rev-parse", &rescue.reference]), rescue.commit.as_str());
    }
    let mut named: Vec<_> = rescues.iter().map(|rescue| rescue.commit.as_str().to_owned()).collect();
    named.sort();
    commits.sort();
    assert_eq!(named, commits);
}
