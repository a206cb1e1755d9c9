//! What is too large or too old to be relied upon.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use hedgerow_worktree::usage::Budget;
use hedgerow_worktree::{Disposition, Fate, GitAccess, WorktreeManager};

use crate::capture::Lane;
use crate::repo::{Repo, git_in, request};

#[tokio::test]
async fn a_sparse_file_of_a_terabyte_keeps_the_tree_and_is_not_read() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.write("work", "w");
    let huge = lane.tree().join("huge");
    File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let capture = lane.capture().await;
    assert!(format!("{:?}", capture.notices).contains("more than are stored"), "{capture:?}");
    assert_eq!(lane.repo.git(["show", "lane:work"]), "w");
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("huge")), "{released:?}");
    assert!(huge.exists());
}

#[tokio::test]
async fn an_old_object_that_nothing_named_is_made_young_before_it_is_relied_upon() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.write("work", "content of its own\n");
    let id = git_in(lane.tree(), ["hash-object", "work"]);
    lane.repo.write("work", "content of its own\n");
    assert_eq!(lane.repo.git(["hash-object", "-w", "work"]), id);
    let object = lane.repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    let old = SystemTime::now() - Duration::from_secs(90 * 24 * 60 * 60);
    fs::set_permissions(&object, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    File::options().write(true).open(&object).unwrap().set_modified(old).unwrap();
    lane.capture().await;
    let age = fs::metadata(&object).unwrap().modified().unwrap().elapsed().unwrap_or_default();
    assert!(age < Duration::from_secs(24 * 60 * 60), "{age:?}");
}

#[tokio::test]
async fn an_object_among_those_that_nothing_names_is_written_anew() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.write("work", "content of its own\n");
    lane.repo.write("work", "content of its own\n");
    let id = lane.repo.git(["hash-object", "-w", "work"]);
    lane.repo.git(["repack", "-q", "-a", "-d", "--cruft"]);
    let object = lane.repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    assert!(!object.exists());
    lane.capture().await;
    assert!(object.exists());
}

#[tokio::test]
async fn a_plan_to_evict_writes_no_object() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    fs::write(worktree.path().join("work"), "w").unwrap();
    manager.release(worktree, Disposition::Keep).await.unwrap();
    let before = repo.git(["count-objects", "-v"]);
    let plan = manager.plan_eviction(&Budget { most: 0, ..Budget::default() }).await.unwrap();
    assert_eq!(plan.spared.len(), 1, "{plan:?}");
    assert_eq!(repo.git(["count-objects", "-v"]), before);
}

#[tokio::test]
async fn a_plan_says_that_somebody_has_locked_the_worktree() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = worktree.path().display().to_string();
    repo.git(["worktree", "unlock", &path]);
    repo.git(["worktree", "lock", "--reason", "on a stick", &path]);
    let plan = manager.plan(&worktree, Disposition::Archive).await.unwrap();
    assert!(plan.obstacles.iter().any(|why| why.contains("on a stick")), "{plan}");
}
