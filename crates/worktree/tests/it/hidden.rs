//! Repositories in ignored directories: nothing of them is captured, and their histories would go with the tree.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hedgerow_worktree::{
    Disposition, Fate, HiddenRepositories, LocalOptions, LocalWorktrees, Notice, Released, WorktreeManager,
    usage::Budget,
};

use crate::another_user::unprivileged;
use crate::capture::message;
use crate::repo::{Repo, git_in, request};

/// A repository in which `build` is ignored, and a manager that does this with repositories in there.
fn ignoring(hidden: HiddenRepositories) -> (Repo, LocalWorktrees) {
    let repo = Repo::new();
    repo.write(".gitignore", "/build\n");
    repo.commit("ignore");
    let options = LocalOptions::default().hidden(hidden);
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    (repo, manager)
}

fn init(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    git_in(dir, ["init", "-q"]);
}

fn commit(dir: &Path) {
    init(dir);
    git_in(dir, ["commit", "-q", "--allow-empty", "-m", "the only copy"]);
}

fn why(released: &Released) -> &str {
    match &released.fate {
        Fate::Kept { why: Some(why), .. } => why,
        fate => panic!("{fate:?}"),
    }
}

#[tokio::test]
async fn a_repository_with_commits_in_an_ignored_directory_keeps_the_tree() {
    // Where an empty repository is around it, which git makes of any directory in which somebody says `git init`.
    for around in ["build", "build/deep", "elsewhere"] {
        let (_repo, manager) = ignoring(HiddenRepositories::Keep);
        let worktree = manager.create(request("fix")).await.unwrap();
        if around != "elsewhere" {
            init(&worktree.path().join(around));
        }
        let nested = worktree.path().join("build/deep/er");
        commit(&nested);
        let capture = manager.capture(&worktree, message()).await.unwrap();
        assert_eq!(capture.notices, [], "{around}: only what deletes it has to search");
        let plan = manager.plan(&worktree, Disposition::Archive).await.unwrap();
        assert!(plan.obstacles.iter().any(|why| why.contains("build/deep/er")), "{around}: {plan}");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert!(why(&released).contains("build/deep/er"), "{around}: {released:?}");
        assert_eq!(released.notices, [Notice::HiddenRepository { path: "build/deep/er".into() }], "{around}");
        assert_eq!(git_in(&nested, ["log", "--format=%s"]), "the only copy");
    }
}

#[tokio::test]
async fn ignored_clones_of_packages_go_with_the_tree_where_the_options_say_so() {
    let (repo, manager) = ignoring(HiddenRepositories::Remove);
    let worktree = manager.create(request("fix")).await.unwrap();
    commit(&worktree.path().join("build/package"));
    let plan = manager.plan(&worktree, Disposition::Archive).await.unwrap();
    assert_eq!(plan.obstacles, [""; 0]);
    assert!(plan.report.to_string().contains("build/package"), "it is lost without a word: {plan}");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!((released.fate, released.notices), (Fate::Removed, Vec::new()));
    repo.assert_sound();
}

#[tokio::test]
async fn repositories_without_objects_in_an_ignored_directory_keep_no_tree() {
    let (_repo, manager) = ignoring(HiddenRepositories::Keep);
    let worktree = manager.create(request("fix")).await.unwrap();
    init(&worktree.path().join("build"));
    init(&worktree.path().join("build/inner"));
    let plan = manager.plan(&worktree, Disposition::Archive).await.unwrap();
    assert_eq!(plan.obstacles, [""; 0]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!((released.fate, released.notices), (Fate::Removed, Vec::new()));
}

#[tokio::test]
async fn a_large_build_directory_is_searched_and_keeps_no_tree() {
    let (_repo, manager) = ignoring(HiddenRepositories::Keep);
    let worktree = manager.create(request("fix")).await.unwrap();
    for n in 0..6_000 {
        fs::create_dir_all(worktree.path().join(format!("build/{n}"))).unwrap();
    }
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!((released.fate, released.notices), (Fate::Removed, Vec::new()));
}

#[tokio::test]
async fn a_repository_far_below_an_ignored_directory_keeps_the_tree() {
    let (_repo, manager) = ignoring(HiddenRepositories::Keep);
    let worktree = manager.create(request("fix")).await.unwrap();
    let nested = worktree.path().join("build").join(["d"; 40].join("/"));
    commit(&nested);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(why(&released).contains("d/d/d/d/d"), "{released:?}");
    assert_eq!(git_in(&nested, ["log", "--format=%s"]), "the only copy");
}

#[tokio::test]
async fn a_path_too_long_to_be_searched_keeps_the_tree_and_hides_no_repository_beside_it() {
    let (_repo, manager) = ignoring(HiddenRepositories::Keep);
    let worktree = manager.create(request("fix")).await.unwrap();
    let mut dir = fs::File::open(worktree.path()).unwrap();
    for name in std::iter::once("build".to_owned()).chain(vec!["x".repeat(250); 17]) {
        // No path may be as long as what is made here.
        let at = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
        fs::create_dir(&at).unwrap();
        dir = fs::File::open(at).unwrap();
    }
    let beside =
        ["build", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y", "y"];
    commit(&worktree.path().join(beside.join("/")));
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let hidden = |one: &Notice| matches!(one, Notice::HiddenRepository { path } if path.starts_with("build/y"));
    let unread = |one: &Notice| matches!(one, Notice::HiddenUnreadable { path, .. } if path.starts_with("build"));
    assert!(released.notices.iter().any(hidden), "{released:?}");
    assert!(released.notices.iter().any(unread), "{released:?}");
    assert!(matches!(released.fate, Fate::Kept { .. }), "{released:?}");
}

#[test]
fn an_ignored_directory_that_cannot_be_read_keeps_the_tree() {
    unprivileged("unprivileged-hidden", "");
}

pub(crate) async fn unreadable() {
    let (_repo, manager) = ignoring(HiddenRepositories::Keep);
    let worktree = manager.create(request("fix")).await.unwrap();
    let closed = worktree.path().join("build/closed");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    assert!(why(&released).contains("build/closed"), "{released:?}");
}

#[tokio::test]
async fn ignored_clones_of_packages_spare_a_tree_from_eviction_only_where_they_would_keep_it() {
    for (hidden, goes) in [(HiddenRepositories::Remove, true), (HiddenRepositories::Keep, false)] {
        let (_repo, manager) = ignoring(hidden);
        let worktree = manager.create(request("fix")).await.unwrap();
        commit(&worktree.path().join("build/package"));
        let path = worktree.path().to_owned();
        manager.release(worktree, Disposition::Keep).await.unwrap();
        let plan = manager.plan_eviction(&Budget { most: 0, least_free: 0 }).await.unwrap();
        assert_eq!((plan.evictions.len(), plan.spared.len()), if goes { (1, 0) } else { (0, 1) }, "{plan:?}");
        manager.evict(&Budget { most: 0, least_free: 0 }).await.unwrap();
        assert_eq!(path.exists(), !goes, "{hidden:?}");
    }
}
