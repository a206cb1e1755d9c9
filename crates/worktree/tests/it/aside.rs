//! Work that no ref holds, and that only git's own files in the worktree's git directory name.

use std::fs;

use hedgerow_worktree::{CommitId, Disposition, Fate, GitAccess, Released, Request, WorktreeManager};

use crate::capture::{Lane, message};
use crate::repo::{Repo, id};
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

/// The refs that an agent made in the repository itself, where rescue refs belong, and whether somebody packed them.
const IN_THE_WAY: [(&[&str], bool); 6] = [
    (&["lane/1/2"], true),
    (&["lane/1/2", "lane/2", "lane/3/x/y"], false),
    (&["lane"], false),
    (&["lane"], true),
    (&[""], false),
    (&["lane/1", "lane/18446744073709551615"], false),
];

fn rescue_ref(name: &str) -> String {
    format!("refs/hedgerow/rescue/{name}").trim_end_matches('/').to_owned()
}

#[tokio::test]
async fn refs_that_an_agent_made_in_the_way_of_rescue_refs_neither_stop_the_release_nor_get_lost() {
    for (names, pack) in IN_THE_WAY {
        let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
        lane.write("work", "of the agent\n");
        lane.commit("of the agent");
        for name in names {
            lane.inside(["update-ref", &rescue_ref(name), "HEAD"]);
        }
        if pack {
            lane.repo.git(["pack-refs", "--all"]);
        }
        lane.write("work", "the only copy\n");
        let (repo, released) = archive(lane).await;
        let found = versions(&repo, &released, "work");
        assert!(["the only copy\n", "of the agent\n"].iter().all(|text| found.iter().any(|x| x == text)), "{names:?}");
        let held = repo.git(["for-each-ref", "--format=%(refname) %(contents:subject)", "refs/hedgerow"]);
        assert!(
            held.lines().filter(|line| line.ends_with(" of the agent")).count() >= names.len(),
            "{names:?}: {held}"
        );
        let moved = repo.git(["for-each-ref", "refs"]);
        assert!(!moved.contains("hedgerow-moved"), "{names:?}: {moved}");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn a_ref_that_was_being_moved_out_of_the_way_by_a_killed_process_becomes_a_rescue_ref() {
    for in_the_way in [None, Some("lane"), Some("")] {
        let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
        lane.write("work", "of the agent\n");
        let commit = lane.commit("of the agent");
        lane.repo.git(["update-ref", "refs/hedgerow-moved-0123456789abcdef-lane", &commit]);
        if let Some(name) = in_the_way {
            lane.repo.git(["update-ref", &rescue_ref(name), &commit]);
        }
        for _ in 0..2 {
            let recovery = lane.manager.recover().await.unwrap();
            assert!(recovery.adopted.is_empty() && recovery.left.is_empty(), "{recovery:?}");
            let held = lane.repo.git(["for-each-ref"]);
            assert!(!held.contains("hedgerow-moved"), "{held}");
            let rescues = lane.manager.rescues(&id("lane")).await.unwrap();
            let found: Vec<_> =
                rescues.iter().map(|rescue| (rescue.reference.as_str(), rescue.commit.as_str())).collect();
            assert_eq!(found, [("refs/hedgerow/rescue/lane/1", commit.as_str())]);
        }
    }
}

#[tokio::test]
async fn commits_that_were_amended_away_are_rescued_though_another_worktree_is_based_on_them() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("work", "the only copy\n");
        let work = lane.commit("work");
        lane.manager.capture(&lane.worktree, message()).await.unwrap();
        let work = CommitId::new(work).unwrap();
        let other = lane.manager.create(Request::detached(id("other"), work)).await.unwrap();
        lane.inside(["reset", "-q", "--hard", "HEAD~1"]);
        let manager = lane.repo.manager();
        let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{released:?}");
        assert_eq!(manager.release(other, Disposition::Discard).await.unwrap().fate, Fate::Removed);
        lane.repo.purge();
        lane.repo.git(["reflog", "expire", "--expire=now", "--all"]);
        lane.repo.git(["gc", "-q", "--prune=now"]);
        let found = versions(&lane.repo, &released, "work");
        assert!(found.contains(&"the only copy\n".to_owned()), "{git:?} {released:?}");
    }
}
