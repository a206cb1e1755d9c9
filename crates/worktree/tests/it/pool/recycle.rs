//! What a released tree is worth to the next one.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Child, Command};

use hedgerow_worktree::{
    Base, Disposition, Fate, Released, Seed, Worktree, WorktreeManager,
    pool::{Keep, Pool},
};

use super::{by_git, chmod, content, filled, open, options, slot, slots};
use crate::repo::{Repo, git_in, request, status, write};

/// Archives a worktree in which something was left, and returns what that came to.
async fn archive(pool: &Pool, worktree: Worktree) -> Released {
    let released = pool.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    released
}

/// A repository that ignores build output, and a pool with one slot that keeps some of it.
async fn with_caches(repo: &Repo) -> Pool {
    repo.write(".gitignore", "target/\n*.log\n.env*\nconfig/local\n");
    repo.commit("ignore");
    let mut options = options(1);
    options.keep = Keep::caches(["target/"]);
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    pool.refill(&Base::Head).await.unwrap();
    pool
}

#[tokio::test]
async fn whatever_an_agent_leaves_the_next_one_finds_a_clean_tree_and_no_work_is_lost() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let expected = by_git(&repo, "HEAD");
    let worktree = pool.create(request("first")).await.unwrap();
    let tree = worktree.path();
    write(&tree.join("README"), "edited\n");
    std::fs::remove_file(tree.join("src/main.rs")).unwrap();
    chmod(&tree.join("src/deep/er/mod.rs"), 0o755);
    write(&tree.join("src/deep/new/file"), "new\n");
    symlink("/etc/passwd", tree.join("link")).unwrap();
    git_in(tree, ["add", "README"]);
    git_in(tree, ["commit", "-qm", "agent's own"]);
    let released = archive(&pool, worktree).await;
    assert_eq!(pool.status().await.unwrap().dirty, 1);
    assert_eq!(slots(pool.worktrees()).len(), 1, "the tree was not deleted");

    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!((done.recycled, done.made, done.dropped.len()), (1, 0, 0), "{done:?}");
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 2);
    assert_eq!(content(second.path()), expected);
    assert_eq!(status(second.path()), "");
    let rescue = &released.rescues.last().unwrap().commit;
    let shown = |path: &str| repo.git(["show", &format!("{rescue}:{path}")]);
    assert_eq!((shown("README"), shown("src/deep/new/file")), ("edited".into(), "new".into()));
    assert_eq!(shown("link"), "/etc/passwd");
    repo.assert_sound();
}

#[tokio::test]
async fn what_git_cannot_store_is_scrubbed_as_well() {
    let repo = Repo::new();
    repo.write(".gitignore", "ignored/\n");
    repo.commit("ignore");
    let pool = filled(&repo, 1).await;
    let expected = by_git(&repo, "HEAD");
    let outside = repo.root().join("outside");
    let worktree = pool.create(request("first")).await.unwrap();
    let tree = worktree.path();
    std::fs::hard_link(tree.join("README"), &outside).unwrap();
    let made = Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap();
    assert!(made.success());
    write(&tree.join("ignored/locked/inner"), "x\n");
    chmod(&tree.join("ignored/locked"), 0o500);
    chmod(&tree.join("src/deep"), 0o2777);
    write(&tree.join("ignored/secret"), "hunter2\n");
    git_in(tree, ["init", "-q", "ignored/nested"]);
    // A file that looks untouched to a careless look: the old size and the old time.
    let main = tree.join("src/main.rs");
    let time = main.metadata().unwrap().modified().unwrap();
    std::fs::write(&main, "fn evil() {}\n").unwrap();
    std::fs::File::options().write(true).open(&main).unwrap().set_modified(time).unwrap();
    archive(&pool, worktree).await;

    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!(done.recycled, 1, "{done:?}");
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(content(second.path()), expected);
    std::fs::write(&outside, "written from outside\n").unwrap();
    assert_eq!(std::fs::read(second.path().join("README")).unwrap(), b"hello\n", "the name outside leads elsewhere");
}

#[tokio::test]
async fn secrets_of_one_task_are_not_there_for_the_next() {
    let repo = Repo::new();
    let pool = with_caches(&repo).await;
    repo.write(".env", "TOKEN=seeded\n");
    repo.write("config/local", "seeded too\n");
    repo.write("target/release/notes.txt", "seeded into what is kept\n");
    let mut wanted = request("first");
    wanted.seed = Seed::environment();
    wanted.seed.patterns.extend(["config/local".into(), "/target/release/notes.txt".into()]);
    let worktree = pool.create(wanted).await.unwrap();
    let tree = worktree.path().to_owned();
    assert!(tree.join("config/local").exists() && tree.join("target/release/notes.txt").exists());
    write(&tree.join("target/debug/app"), "a build\n");
    write(&tree.join("target/.env.local"), "TOKEN=copied\n");
    write(&tree.join("target/debug/server.key"), "secret\n");
    write(&tree.join("target/id_rsa/also"), "secret\n");
    write(&tree.join("run.log"), "secret\n");
    archive(&pool, worktree).await;

    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 2);
    let mut left = content(second.path());
    for path in by_git(&repo, "HEAD").keys() {
        left.remove(path);
    }
    let left: Vec<_> = left.into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(left, ["target", "target/debug", "target/debug/app", "target/release"]);
    assert_eq!(status(second.path()), "");
}

#[tokio::test]
async fn by_default_nothing_that_is_ignored_stays() {
    let repo = Repo::new();
    repo.write(".gitignore", "target/\n");
    repo.commit("ignore");
    let pool = filled(&repo, 1).await;
    let expected = by_git(&repo, "HEAD");
    let worktree = pool.create(request("first")).await.unwrap();
    write(&worktree.path().join("target/debug/app"), "a build\n");
    archive(&pool, worktree).await;
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(content(second.path()), expected);
}

#[tokio::test]
async fn of_a_kept_cache_nothing_stays_that_reaches_out_of_the_tree() {
    let repo = Repo::new();
    let pool = with_caches(&repo).await;
    let outside = repo.root().join("outside");
    write(&outside, "theirs\n");
    let worktree = pool.create(request("first")).await.unwrap();
    let target = worktree.path().join("target");
    write(&target.join("deps/lib"), "a build\n");
    std::fs::hard_link(target.join("deps/lib"), target.join("lib")).unwrap();
    std::fs::hard_link(&outside, target.join("shared")).unwrap();
    write(&target.join("suid"), "x\n");
    chmod(&target.join("suid"), 0o4755);
    git_in(worktree.path(), ["init", "-q", "target/checkout"]);
    archive(&pool, worktree).await;
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    let kept = slot(&pool).join("target");
    assert!(kept.join("lib").exists() && kept.join("deps/lib").exists(), "a link within the cache is harmless");
    for gone in ["shared", "suid", "checkout"] {
        assert!(kept.join(gone).symlink_metadata().is_err(), "{gone}");
    }
    assert_eq!(std::fs::read(&outside).unwrap(), b"theirs\n");
}

#[tokio::test]
async fn a_cache_stays_only_where_and_as_long_as_the_commit_ignores_it() {
    let repo = Repo::new();
    let pool = with_caches(&repo).await;
    let worktree = pool.create(request("first")).await.unwrap();
    write(&worktree.path().join("target/app"), "a build\n");
    archive(&pool, worktree).await;
    pool.refill(&Base::Head).await.unwrap();
    repo.write(".gitignore", "*.log\n");
    repo.commit("no longer ignored");
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 1, "the slot with the cache does not suit");
    assert_eq!(content(second.path()), by_git(&repo, "HEAD"));
    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!(done.moved, 1, "{done:?}");
    let third = pool.create(request("third")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 2);
    assert_eq!(content(third.path()), by_git(&repo, "HEAD"));
}

#[tokio::test]
async fn a_cache_kept_by_one_pool_is_not_handed_out_by_a_stricter_one() {
    let repo = Repo::new();
    let pool = with_caches(&repo).await;
    let worktree = pool.create(request("first")).await.unwrap();
    write(&worktree.path().join("target/app"), "a build\n");
    archive(&pool, worktree).await;
    pool.refill(&Base::Head).await.unwrap();
    let strict = open(&repo, 1).await;
    let second = strict.create(request("second")).await.unwrap();
    assert_eq!(strict.status().await.unwrap().claims.hits, 0);
    assert!(!second.path().join("target").exists());
    strict.refill(&Base::Head).await.unwrap();
    let third = strict.create(request("third")).await.unwrap();
    assert_eq!(strict.status().await.unwrap().claims.hits, 1);
    assert!(!third.path().join("target").exists());
}

#[tokio::test]
async fn an_edited_ignore_file_does_not_make_anything_stay() {
    let repo = Repo::new();
    let mut options = options(1);
    options.keep = Keep::caches(["mine/"]);
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    pool.refill(&Base::Head).await.unwrap();
    let worktree = pool.create(request("first")).await.unwrap();
    write(&worktree.path().join(".gitignore"), "mine/\n");
    write(&worktree.path().join("mine/left"), "x\n");
    archive(&pool, worktree).await;
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    assert!(!slot(&pool).join("mine").exists());
}

/// A process with its working directory in a tree.
fn linger(tree: &Path) -> Child {
    Command::new("sleep").arg("600").current_dir(tree).spawn().unwrap()
}

#[tokio::test]
async fn a_tree_in_which_a_process_still_works_is_replaced() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let worktree = pool.create(request("first")).await.unwrap();
    let mut inside = linger(&worktree.path().join("src"));
    archive(&pool, worktree).await;
    let done = pool.refill(&Base::Head).await.unwrap();
    inside.kill().unwrap();
    inside.wait().unwrap();
    assert_eq!((done.recycled, done.made), (0, 1), "{done:?}");
    assert!(done.dropped[0].why.contains(&inside.id().to_string()), "{done:?}");
    let second = pool.create(request("second")).await.unwrap();
    assert_eq!(content(second.path()), by_git(&repo, "HEAD"));
}

#[tokio::test]
async fn a_pool_that_is_full_lets_released_trees_go() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let worktree = pool.create(request("first")).await.unwrap();
    pool.refill(&Base::Head).await.unwrap();
    archive(&pool, worktree).await;
    let status = pool.status().await.unwrap();
    assert_eq!((status.ready.len(), status.dirty), (1, 0));
    assert_eq!(slots(pool.worktrees()).len(), 1);
}

#[tokio::test]
async fn a_kept_worktree_stays_with_its_owner_and_a_foreign_one_goes_to_the_trash() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let worktree = pool.create(request("kept")).await.unwrap();
    let path = worktree.path().to_owned();
    pool.release(worktree, Disposition::Keep).await.unwrap();
    assert!(path.join("README").exists());
    assert_eq!(slots(pool.worktrees()).len(), 0);
    let other = pool.worktrees().create(request("other")).await.unwrap();
    archive(&pool, other).await;
    assert_eq!(slots(pool.worktrees()).len(), 0, "nobody wrote down how it was filled");
}

#[tokio::test]
async fn purging_the_removed_does_not_touch_what_went_back_into_the_pool() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let worktree = pool.create(request("first")).await.unwrap();
    let inode = worktree.path().metadata().unwrap().ino();
    archive(&pool, worktree).await;
    assert_eq!(pool.worktrees().purge().await.unwrap().left, Vec::<String>::new());
    assert_eq!(slot(&pool).metadata().unwrap().ino(), inode);
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
}
