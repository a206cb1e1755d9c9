//! Where a repository may lie.

use std::os::unix::fs::symlink;

use hedgerow_worktree::{Disposition, Error, Fate, LocalOptions, LocalWorktrees, WorktreeManager};

use super::{assert_as_git, message, request};
use crate::repo::{Repo, assert_sound, git_in, write};

/// Creates, captures, releases.
async fn works(manager: &LocalWorktrees) {
    let worktree = manager.create(request()).await.unwrap();
    assert_as_git(manager.repository(), &worktree);
    write(&worktree.path().join("README"), "work\n");
    assert_eq!(manager.capture(&worktree, message()).await.unwrap().files, 1);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!((released.fate, released.rescues.len()), (Fate::Removed, 1));
    assert_sound(manager.repository());
}

#[tokio::test]
async fn a_bare_repository_in_a_directory_of_its_own_below_a_git_file_works() {
    let repo = Repo::new();
    let project = repo.root().join("project");
    std::fs::create_dir(&project).unwrap();
    let bare = project.join(".bare");
    repo.git(["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    std::fs::write(project.join(".git"), "gitdir: ./.bare\n").unwrap();
    let manager = LocalWorktrees::open(&project).unwrap();
    assert_eq!((manager.repository(), manager.trees()), (bare.as_path(), project.join(".bare.worktrees").as_path()));
    works(&manager).await;

    let hidden = repo.root().join("hidden");
    std::fs::create_dir(&hidden).unwrap();
    repo.git(["clone", "-q", "--bare", ".", hidden.join(".git").to_str().unwrap()]);
    works(&LocalWorktrees::open(&hidden).unwrap()).await;
}

#[tokio::test]
async fn a_git_directory_behind_a_symlink_or_elsewhere_works() {
    let repo = Repo::new();
    let moved = repo.root().join("moved.git");
    std::fs::rename(repo.path().join(".git"), &moved).unwrap();
    symlink(&moved, repo.path().join(".git")).unwrap();
    let manager = repo.manager();
    assert_eq!(manager.trees(), repo.root().join("repo.worktrees"));
    works(&manager).await;
    let link = repo.root().join("link");
    symlink(repo.path(), &link).unwrap();
    assert_eq!(LocalWorktrees::open(&link).unwrap().trees(), manager.trees(), "one repository by two names");
}

#[tokio::test]
async fn a_submodule_is_a_repository_of_its_own_whose_trees_must_not_lie_in_the_one_around_it() {
    let (outer, inner) = (Repo::new(), Repo::new());
    outer.git([
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner.path().to_str().unwrap(),
        "lib",
    ]);
    outer.commit("with a submodule");
    let path = outer.path().join("lib");
    match LocalWorktrees::open(&path) {
        Err(Error::Repository { problem, .. }) => assert!(problem.contains("`LocalOptions::trees`"), "{problem}"),
        other => panic!("{other:?}"),
    }
    let trees = outer.root().join("lib.worktrees");
    let options = LocalOptions::default().trees(Some(trees.clone()));
    let manager = LocalWorktrees::open_with(&path, options).unwrap();
    assert_eq!(manager.repository(), outer.path().join(".git/modules/lib"));
    let worktree = manager.create(request()).await.unwrap();
    assert_eq!(worktree.path(), trees.join("fix"));
    write(&worktree.path().join("README"), "work\n");
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!(git_in(&path, ["rev-parse", "fix"]), capture.tip.as_str());
    assert_eq!(git_in(outer.path(), ["status", "--porcelain"]), "");
    assert_sound(&path);
}

#[tokio::test]
async fn refs_kept_by_other_means_are_refused_in_a_repository_made_by_git() {
    let repo = Repo::new();
    let tables = repo.root().join("tables");
    git_in(&repo.root(), ["init", "-q", "--ref-format=reftable", tables.to_str().unwrap()]);
    write(&tables.join("README"), "x\n");
    git_in(&tables, ["add", "-A"]);
    // Not every git that is in use migrates reflogs.
    git_in(&tables, ["config", "core.logAllRefUpdates", "false"]);
    git_in(&tables, ["commit", "-q", "-m", "first"]);
    match LocalWorktrees::open(&tables) {
        Err(Error::Repository { problem, .. }) => {
            assert!(problem.contains("git refs migrate --ref-format=files"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    git_in(&tables, ["refs", "migrate", "--ref-format=files"]);
    works(&LocalWorktrees::open(&tables).unwrap()).await;
}
