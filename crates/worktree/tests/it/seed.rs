//! Which untracked files of the main checkout come along.

use std::fs::{Permissions, read_to_string, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use hedgerow_worktree::{Error, Seed, WorktreeManager};

use crate::repo::{Repo, request, status, write};

/// A repository that ignores environment files, with some of them lying around.
fn repo() -> Repo {
    let repo = Repo::new();
    repo.write(".gitignore", ".env*\n!.env.example\n/local/\n/node_modules/\n*.key\n");
    repo.write(".env.example", "tracked\n");
    repo.commit("ignore");
    repo
}

fn seed(patterns: &[&str]) -> Seed {
    Seed { patterns: patterns.iter().map(|p| (*p).to_owned()).collect(), lists: Vec::new() }
}

#[tokio::test]
async fn ignored_and_listed_files_come_along_and_nothing_else() {
    let repo = repo();
    repo.write(".env", "SECRET=1\n");
    repo.write("src/.env.local", "SUB=1\n");
    repo.write("plain.txt", "untracked, not ignored\n");
    repo.write("signing.key", "ignored, not listed\n");
    repo.write("local/.env", "below an ignored directory\n");
    repo.write("node_modules/pkg/.env", "somebody else's\n");
    repo.write(".worktreeinclude", "plain.txt\n/local/\n");
    set_permissions(repo.path().join(".env"), Permissions::from_mode(0o640)).unwrap();

    let mut wanted = request("fix");
    wanted.seed = Seed::environment();
    let worktree = repo.manager().create(wanted).await.unwrap();
    let at = |path: &str| worktree.path().join(path);
    assert_eq!(read_to_string(at(".env")).unwrap(), "SECRET=1\n");
    assert_eq!(at(".env").metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(read_to_string(at("src/.env.local")).unwrap(), "SUB=1\n");
    assert_eq!(read_to_string(at("local/.env")).unwrap(), "below an ignored directory\n");
    assert_eq!(read_to_string(at(".env.example")).unwrap(), "tracked\n");
    for absent in ["plain.txt", "signing.key", "node_modules", ".worktreeinclude"] {
        assert!(!at(absent).exists(), "{absent} came along");
    }
    assert_eq!(status(worktree.path()), "");
    repo.assert_sound();
}

#[tokio::test]
async fn nothing_comes_along_unasked_or_from_a_bare_repository() {
    let repo = repo();
    repo.write(".env", "SECRET=1\n");
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert!(!worktree.path().join(".env").exists());

    let manager = hedgerow_worktree::LocalWorktrees::open(repo.bare()).unwrap();
    let mut wanted = request("bare");
    wanted.seed = Seed::environment();
    let worktree = manager.create(wanted).await.unwrap();
    assert!(!worktree.path().join(".env").exists());
}

#[tokio::test]
async fn tracked_files_are_those_of_the_commit() {
    let repo = repo();
    repo.write("forced.key", "committed\n");
    repo.git(["add", "-f", "forced.key"]);
    repo.commit("track an ignored file");
    repo.write("forced.key", "unfinished\n");
    let mut wanted = request("fix");
    wanted.seed = seed(&["*.key"]);
    let worktree = repo.manager().create(wanted).await.unwrap();
    assert_eq!(read_to_string(worktree.path().join("forced.key")).unwrap(), "committed\n");
}

#[tokio::test]
async fn what_the_commit_has_is_never_overwritten() {
    let repo = repo();
    repo.write("forced.key", "committed\n");
    repo.git(["add", "-f", "forced.key"]);
    repo.commit("track an ignored file");
    repo.git(["rm", "-q", "--cached", "forced.key"]);
    repo.write("forced.key", "local\n");
    let mut wanted = request("fix");
    wanted.seed = seed(&["*.key"]);
    let worktree = repo.manager().create(wanted).await.unwrap();
    assert_eq!(read_to_string(worktree.path().join("forced.key")).unwrap(), "committed\n");
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn symlinks_are_followed_neither_out_of_the_checkout_nor_out_of_the_tree() {
    let repo = repo();
    let outside = repo.root().join("outside");
    write(&outside.join("inner.key"), "outside\n");
    symlink(outside.join("inner.key"), repo.path().join("link.key")).unwrap();
    symlink(&outside, repo.path().join("dir")).unwrap();
    // In the commit `trap` is a symlink to a directory outside; in the checkout it is a directory.
    symlink(&outside, repo.path().join("trap")).unwrap();
    repo.git(["add", "trap"]);
    repo.git(["commit", "-q", "-m", "trap"]);
    std::fs::remove_file(repo.path().join("trap")).unwrap();
    repo.write("trap/planted.key", "planted\n");

    let mut wanted = request("fix");
    wanted.seed = Seed { patterns: vec!["*.key".into()], lists: vec!["dir/inner.key".into()] };
    let refused = repo.manager().create(wanted.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Io { .. }), "a list was read through a symlink: {refused:?}");
    wanted.seed.lists.clear();
    let worktree = repo.manager().create(wanted).await.unwrap();
    assert!(worktree.path().join("link.key").symlink_metadata().is_err());
    assert!(worktree.path().join("dir").symlink_metadata().is_err());
    assert!(!outside.join("planted.key").exists(), "written through a symlink of the commit");
}

#[tokio::test]
async fn nested_repositories_and_fifos_are_left_alone() {
    let repo = repo();
    repo.write("local/clone/.git/HEAD", "ref: refs/heads/main\n");
    repo.write("local/clone/.env", "SECRET=1\n");
    let fifo = repo.path().join("pipe.key");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut wanted = request("fix");
    wanted.seed = seed(&["local/", "*.key"]);
    let worktree = repo.manager().create(wanted).await.unwrap();
    assert!(!worktree.path().join("local").exists());
    assert!(!worktree.path().join("pipe.key").exists());
}

#[tokio::test]
async fn a_listed_file_that_is_far_too_large_is_named() {
    let repo = repo();
    let large = std::fs::File::create(repo.path().join("huge.key")).unwrap();
    large.set_len(64 << 20).unwrap();
    let before = repo.traces();
    let mut wanted = request("fix");
    wanted.seed = seed(&["*.key"]);
    match repo.manager().create(wanted).await {
        Err(Error::Seed { path, problem }) => {
            assert_eq!(path, std::path::Path::new("huge.key"));
            assert!(problem.contains("limit"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn lists_outside_of_the_checkout_are_refused() {
    let repo = repo();
    for list in ["../list", "/etc/passwd", "a/../b"] {
        let mut wanted = request("fix");
        wanted.seed = Seed { patterns: Vec::new(), lists: vec![list.into()] };
        let refused = repo.manager().create(wanted).await;
        assert!(matches!(refused, Err(Error::Seed { .. })), "{list}: {refused:?}");
    }
}
