//! Object ids of 64 digits.

use std::ffi::OsStr;

use hedgerow_worktree::{
    Base, CommitId, Disposition, Error, Fate, GitAccess, LocalWorktrees, Request, WorktreeManager,
};

use super::{assert_as_git, message};
use crate::repo::{Repo, assert_sound, branch, git_in, id, request, status, write};

/// A repository with SHA-256 and a commit.
fn repo() -> (Repo, std::path::PathBuf) {
    let repo = Repo::new();
    let path = repo.root().join("wide");
    git_in(&repo.root(), ["init", "-q", "-b", "main", "--object-format=sha256", path.to_str().unwrap()]);
    write(&path.join("README"), "hello\n");
    write(&path.join("src/main.rs"), "fn main() {}\n");
    git_in(&path, ["add", "-A"]);
    git_in(&path, ["commit", "-q", "-m", "first"]);
    (repo, path)
}

#[tokio::test]
async fn a_sha256_repository_goes_through_its_whole_life_in_both_kinds_of_access() {
    let (_dir, path) = repo();
    let manager = LocalWorktrees::open(&path).unwrap();
    for git in [GitAccess::Direct, GitAccess::Private] {
        let worktree = manager.create(Request { git, ..request("fix") }).await.unwrap();
        assert_eq!(worktree.base().as_str().len(), 64);
        assert_as_git(&path, &worktree);
        write(&worktree.path().join("README"), "changed\n");
        std::fs::remove_file(worktree.path().join("src/main.rs")).unwrap();
        write(&worktree.path().join("new/file"), "new\n");
        let capture = manager.capture(&worktree, message()).await.unwrap();
        assert_eq!((capture.commits, capture.files), (1, 3));
        let tree = git_in(&path, ["ls-tree", "-r", "--name-only", capture.tip.as_str()]);
        assert_eq!(tree, "README\nnew/file");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        let rescue = released.rescues.last().unwrap();
        assert_eq!(git_in(&path, ["rev-parse", &rescue.reference]), rescue.commit.as_str());
        assert_eq!(git_in(&path, ["diff", "--name-only", capture.tip.as_str(), &rescue.reference]), "");
        assert_sound(&path);
        git_in(&path, ["update-ref", "-d", &rescue.reference]);
    }
}

#[tokio::test]
async fn commits_made_inside_a_sha256_view_come_from_loose_objects_and_from_packs() {
    let (_dir, path) = repo();
    let manager = LocalWorktrees::open(&path).unwrap();
    let worktree = manager.create(Request { git: GitAccess::Private, ..request("fix") }).await.unwrap();
    let view = worktree.mounts()[1].source.clone();
    let inside = |args: &[&str]| {
        let dirs = [OsStr::new("--git-dir"), view.as_os_str(), OsStr::new("--work-tree"), worktree.path().as_os_str()];
        git_in(worktree.path(), dirs.into_iter().chain(args.iter().map(OsStr::new)))
    };
    assert_eq!(inside(&["rev-parse", "--show-object-format"]), "sha256");
    assert_eq!(inside(&["status", "--porcelain"]), "");
    for round in 0..6 {
        write(&worktree.path().join("README"), &format!("{}\nround {round}\n", "the same line\n".repeat(200)));
        inside(&["commit", "-q", "-a", "-m", "inside"]);
        if round == 3 {
            inside(&["gc", "-q"]);
        }
    }
    inside(&["tag", "-a", "-m", "tag", "aside", "HEAD~2"]);
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!((capture.commits, capture.snapshot), (6, None));
    assert_eq!(capture.notices, []);
    assert_eq!(git_in(&path, ["rev-parse", "fix"]), capture.tip.as_str());
    assert_sound(&path);
}

#[tokio::test]
async fn ids_of_the_other_kind_name_nothing_and_disturb_nothing() {
    let repo = Repo::new();
    let manager = repo.manager();
    let wide = "1".repeat(64);
    let base = Base::Commit(CommitId::new(wide.as_str()).unwrap());
    let refused = manager.create(Request::new(id("x"), branch("x"), base)).await.unwrap_err();
    assert!(matches!(&refused, Error::Base { problem, .. } if problem.contains("sha1")), "{refused}");

    let worktree = manager.create(Request { git: GitAccess::Private, ..request("fix") }).await.unwrap();
    let view = worktree.mounts()[1].source.clone();
    write(&worktree.path().join("README"), "work\n");
    write(&view.join("refs/heads/odd"), &format!("{wide}\n"));
    write(&view.join("logs/refs/stash"), &format!("{wide} {wide} a <a@b> 1 +0000\tWIP\n"));
    write(&view.join("HEAD"), &format!("{wide}\n"));
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!(capture.files, 1, "the files were captured although HEAD names nothing");
    let into = CommitId::new(wide).unwrap();
    let released = manager.release(worktree, Disposition::Merged { into }).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { .. }), "the history inside could not be read");
    assert_eq!(status(repo.path()), "");
    repo.assert_sound();
}
