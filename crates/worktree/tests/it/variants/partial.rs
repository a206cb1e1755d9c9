//! Repositories that do not hold everything.

use hedgerow_worktree::{Base, CommitId, Error, GitAccess, LocalWorktrees, Request, WorktreeManager};

use super::{assert_as_git, message, request};
use crate::repo::{Repo, assert_sound, git_in, status, write};

fn clone(repo: &Repo, name: &str, args: &[&str]) -> std::path::PathBuf {
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let path = repo.root().join(name);
    let url = format!("file://{}", repo.path().display());
    git_in(&repo.root(), [&["clone", "-q"], args, &[&url, path.to_str().unwrap()]].concat());
    path
}

#[tokio::test]
async fn a_shallow_clone_gives_trees_and_takes_work() {
    let repo = Repo::new();
    repo.write("README", "second\n");
    repo.commit("second");
    let path = clone(&repo, "shallow", &["--depth=1"]);
    let manager = LocalWorktrees::open(&path).unwrap();
    let worktree = manager.create(request()).await.unwrap();
    assert_as_git(&path, &worktree);
    write(&worktree.path().join("README"), "third\n");
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!((capture.commits, capture.files), (1, 1));
    assert_sound(&path);
    let beyond = CommitId::new(repo.git(["rev-parse", "HEAD~"])).unwrap();
    let refused = manager.create(Request { base: Base::Commit(beyond), ..crate::repo::request("old") }).await;
    assert!(matches!(&refused, Err(Error::Base { problem, .. }) if problem.contains("fetch")), "{refused:?}");
}

#[tokio::test]
async fn a_partial_clone_that_has_the_files_gives_trees_and_one_that_lacks_them_says_how_to_get_them() {
    let repo = Repo::new();
    repo.write("later", "not in the clone's own checkout\n");
    repo.commit("second");
    let path = clone(&repo, "partial", &["--filter=blob:none"]);
    let manager = LocalWorktrees::open(&path).unwrap();
    let here = manager.create(request()).await.unwrap();
    assert_as_git(&path, &here);
    write(&here.path().join("README"), "work\n");
    assert_eq!(manager.capture(&here, message()).await.unwrap().files, 1);

    let bare = clone(&repo, "bare-partial.git", &["--filter=blob:none", "--bare"]);
    let manager = LocalWorktrees::open(&bare).unwrap();
    for git in [GitAccess::Direct, GitAccess::Private] {
        let refused = manager.create(Request { git, ..request() }).await.unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, Error::Base { .. }), "{text}");
        assert!(text.contains("partial clone") && text.contains("4 files") && text.contains("git backfill"), "{text}");
        assert!(!bare.join("worktrees").exists());
        assert_eq!(git_in(&bare, ["branch", "--list", "fix"]), "");
    }
    git_in(&bare, ["fetch", "-q", "--refetch", "--no-filter", "origin"]);
    let worktree = manager.create(request()).await.unwrap();
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn a_sparse_tree_of_a_partial_clone_needs_only_its_own_files() {
    let repo = Repo::new();
    repo.write("docs/guide", "x\n");
    repo.commit("second");
    let path = clone(&repo, "partial", &["--filter=blob:none", "--sparse"]);
    git_in(&path, ["sparse-checkout", "set", "docs"]);
    let manager = LocalWorktrees::open(&path).unwrap();
    let worktree = manager.create(request()).await.unwrap();
    assert!(worktree.path().join("docs/guide").exists() && !worktree.path().join("src").exists());
    assert!(manager.capture(&worktree, message()).await.unwrap().is_empty());
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn replaced_objects_are_checked_out_as_git_shows_them_and_captured_upon_the_real_ones() {
    let repo = Repo::new();
    let first = repo.head();
    repo.write("README", "second\n");
    let second = repo.commit("second");
    repo.git(["replace", "--graft", second.as_str()]);
    let manager = repo.manager();
    for (name, base) in [("new", &second), ("old", &first)] {
        let base = Base::Commit(base.clone());
        let worktree = manager.create(Request { base, ..crate::repo::request(name) }).await.unwrap();
        assert_as_git(repo.path(), &worktree);
        write(&worktree.path().join("added"), "work\n");
        let capture = manager.capture(&worktree, message()).await.unwrap();
        let plain = |args: &[&str]| repo.git([&["--no-replace-objects"], args].concat());
        assert_eq!(plain(&["rev-parse", &format!("{}^", capture.tip)]), capture.base.as_str());
        assert_eq!(plain(&["diff", "--name-only", capture.base.as_str(), capture.tip.as_str()]), "added");
    }
}

#[tokio::test]
async fn a_grafts_file_changes_no_tree() {
    let repo = Repo::new();
    repo.write("README", "second\n");
    let second = repo.commit("second");
    write(&repo.path().join(".git/info/grafts"), &format!("{second}\n"));
    let worktree = repo.manager().create(request()).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("README")).unwrap(), "second\n");
    assert_eq!(status(worktree.path()), "");
    write(&worktree.path().join("README"), "third\n");
    let capture = repo.manager().capture(&worktree, message()).await.unwrap();
    assert_eq!((capture.commits, capture.files), (1, 1));
}
