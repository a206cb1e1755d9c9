//! What worktrees take of the disk, and what goes when it is too much: never anything that holds work.

use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

use hedgerow_worktree::{
    Disposition, GitAccess, LocalOptions, LocalWorktrees, Message, Request, State, WorktreeManager,
    usage::{Budget, TreeUsage},
};

use crate::repo::{Repo, git_in, id, request, write};

const NOTHING: Budget = Budget { most: 0, least_free: 0 };
const KILO: u64 = 1 << 10;

/// Makes a worktree with a file of this size in a commit of its own, which is kept and was last used so many days
/// before a certain day.
async fn kept(manager: &LocalWorktrees, name: &str, kilobytes: usize, days: u64) {
    let worktree = manager.create(request(name)).await.unwrap();
    write(&worktree.path().join("large"), &"x".repeat(kilobytes << 10));
    git_in(worktree.path(), ["add", "-A"]);
    git_in(worktree.path(), ["commit", "-q", "-m", "large"]);
    manager.release(worktree, Disposition::Keep).await.unwrap();
    used(manager, name, days);
}

/// Lets the last use of a worktree be so many days before a certain day.
fn used(manager: &LocalWorktrees, name: &str, days: u64) {
    let record = manager.state_dir().join(format!("worktrees/{name}.json"));
    let time = UNIX_EPOCH + Duration::from_secs((20_000 - days) * 24 * 60 * 60);
    std::fs::File::options().append(true).open(record).unwrap().set_modified(time).unwrap();
}

fn names<'a>(ids: impl IntoIterator<Item = &'a hedgerow_worktree::WorktreeId>) -> Vec<&'a str> {
    ids.into_iter().map(|id| id.as_str()).collect()
}

#[tokio::test]
async fn trees_are_measured_without_leaving_them() {
    let repo = Repo::new();
    repo.write(".gitignore", "/target\n");
    repo.commit("ignore");
    let manager = repo.manager();
    assert_eq!(manager.usage().await.unwrap().bytes, 0);
    let outside = repo.root().join("outside");
    write(&outside.join("huge"), &"x".repeat(1 << 20));
    let worktree = manager.create(request("fix")).await.unwrap();
    let before = manager.usage().await.unwrap().trees[0].clone();
    write(&worktree.path().join("target/deep/cache"), &"x".repeat(100 << 10));
    write(&worktree.path().join("work"), &"x".repeat(20 << 10));
    symlink(&outside, worktree.path().join("link")).unwrap();
    let usage = manager.usage().await.unwrap();
    let [tree] = &usage.trees[..] else { panic!("{usage:?}") };
    assert_eq!((tree.files, tree.state), (before.files + 3, State::Leased));
    assert!((100 * KILO..200 * KILO).contains(&tree.ignored), "{tree:?}");
    assert!((120 * KILO..300 * KILO).contains(&(tree.bytes - before.bytes)), "{tree:?}");
    assert!(usage.free > 0 && usage.bytes == tree.bytes && tree.problem.is_none());
    if tree.exclusive.is_some() {
        assert_eq!(tree.exclusive, Some(tree.bytes));
        std::fs::hard_link(outside.join("huge"), worktree.path().join("shared")).unwrap();
        let tree = manager.usage().await.unwrap().trees[0].clone();
        assert_eq!(tree.exclusive, None, "what another name holds does not become free");
    }
}

#[tokio::test]
async fn hard_links_count_once_and_a_private_git_directory_counts() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(Request { git: GitAccess::Private, ..request("fix") }).await.unwrap();
    let tree = || async { manager.usage().await.unwrap().trees[0].clone() };
    let at_first: TreeUsage = tree().await;
    write(&worktree.path().join("one"), &"x".repeat(64 << 10));
    std::fs::hard_link(worktree.path().join("one"), worktree.path().join("two")).unwrap();
    let linked = tree().await;
    assert!((64 * KILO..128 * KILO).contains(&(linked.bytes - at_first.bytes)), "{linked:?}");
    let view = manager.state_dir().join("views/fix/git");
    write(&view.join("objects/pack/new"), &"x".repeat(64 << 10));
    let viewed = tree().await;
    assert!(viewed.bytes - linked.bytes >= 64 * KILO && viewed.ignored == linked.ignored, "{viewed:?}");
}

#[tokio::test]
async fn only_as_much_goes_as_must_and_the_oldest_goes_first() {
    let repo = Repo::new();
    let manager = repo.manager();
    kept(&manager, "new", 400, 1).await;
    kept(&manager, "old-small", 100, 5).await;
    kept(&manager, "old-large", 200, 5).await;
    kept(&manager, "oldest", 100, 9).await;
    let all = manager.usage().await.unwrap();
    let order = manager.plan_eviction(&NOTHING).await.unwrap();
    let planned = names(order.evictions.iter().map(|one| &one.id));
    assert_eq!(planned, ["oldest", "old-large", "old-small", "new"]);
    assert_eq!(manager.usage().await.unwrap().trees, all.trees, "a plan changed something");
    assert!(manager.plan_eviction(&Budget::default()).await.unwrap().evictions.is_empty());

    let budget = Budget { most: all.bytes - 250 * KILO, ..Budget::default() };
    let evicted = manager.evict(&budget).await.unwrap();
    assert_eq!(names(evicted.removed.iter().map(|one| &one.id)), ["oldest", "old-large"], "{:#?}", evicted.spared);
    assert_eq!((evicted.missing, evicted.spared.len(), evicted.rescues.len()), (0, 0, 2));
    for rescue in &evicted.rescues {
        assert_eq!(repo.git(["rev-parse", &rescue.reference]), rescue.commit.as_str());
        repo.git(["cat-file", "-e", &format!("{}:large", rescue.reference)]);
    }
    assert!(manager.usage().await.unwrap().bytes <= budget.most);
    let full = Budget { least_free: u64::MAX, ..Budget::default() };
    assert!(!manager.plan_eviction(&full).await.unwrap().evictions.is_empty(), "a full disk is no reason");
    repo.assert_sound();
}

/// F6: a sweeper that deletes what somebody still needs.
#[tokio::test]
async fn nothing_that_somebody_holds_or_that_holds_work_is_evicted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let held = manager.create(request("held")).await.unwrap();
    let foreign = repo.root().join("foreign");
    repo.git(["worktree", "add", "-q", "--detach", foreign.to_str().unwrap()]);
    for name in ["changed", "untracked", "deleted", "nested", "stashless", "replaced", "clean"] {
        drop(manager.create(request(name)).await.unwrap());
    }
    let private = manager.create(Request { git: GitAccess::Private, ..request("private") }).await.unwrap();
    write(&private.path().join("work"), "x\n");
    drop(private);
    let tree = |name: &str| manager.trees().join(name);
    write(&tree("changed").join("README"), "work\n");
    write(&tree("untracked").join("work"), "x\n");
    std::fs::remove_file(tree("deleted").join("README")).unwrap();
    std::fs::create_dir(tree("nested").join("inner")).unwrap();
    git_in(&tree("nested").join("inner"), ["init", "-q"]);
    git_in(&tree("stashless"), ["checkout", "-q", "--detach"]);
    git_in(&tree("stashless"), ["commit", "-q", "--allow-empty", "-m", "on no branch"]);
    std::fs::rename(tree("replaced"), repo.root().join("moved")).unwrap();
    write(&tree("replaced").join("mine"), "x\n");

    let evicted = manager.evict(&NOTHING).await.unwrap();
    assert_eq!(names(evicted.removed.iter().map(|one| &one.id)), ["clean"]);
    let mut spared = names(evicted.spared.iter().map(|one| &one.id));
    spared.sort_unstable();
    let wanted = ["changed", "deleted", "nested", "private", "replaced", "stashless", "untracked"];
    assert_eq!(spared, wanted, "{:#?}", evicted.spared);
    assert!(evicted.missing > 0 && evicted.rescues.is_empty());
    for name in wanted {
        assert!(tree(name).exists(), "{name}");
        assert_eq!(repo.git(["rev-parse", name]), repo.head().as_str(), "{name} was touched");
    }
    assert!(held.path().join("README").exists() && foreign.join("README").exists());
    assert_eq!(manager.rescues(&id("untracked")).await.unwrap(), []);
    drop(held);
}

#[tokio::test]
async fn what_no_commit_holds_although_the_files_are_clean_is_a_reason_to_stay() {
    let repo = Repo::new();
    repo.write(".gitignore", ".env\n");
    repo.commit("ignore");
    let options = LocalOptions::default().precious([".env"]);
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    for name in ["staged", "precious", "rewritten", "bisecting", "busy", "free"] {
        drop(manager.create(request(name)).await.unwrap());
    }
    let tree = |name: &str| manager.trees().join(name);
    write(&tree("staged").join("README"), "staged\n");
    git_in(&tree("staged"), ["add", "README"]);
    write(&tree("staged").join("README"), "hello\n");
    write(&tree("precious").join(".env"), "SECRET=1\n");
    git_in(&tree("rewritten"), ["commit", "-q", "--allow-empty", "-m", "first"]);
    git_in(&tree("rewritten"), ["commit", "-q", "--amend", "--allow-empty", "-m", "second"]);
    git_in(&tree("bisecting"), ["bisect", "start"]);
    let mut inside = std::process::Command::new("sleep").arg("1000").current_dir(tree("busy")).spawn().unwrap();
    let evicted = manager.evict(&NOTHING).await;
    inside.kill().unwrap();
    inside.wait().unwrap();
    let evicted = evicted.unwrap();
    assert_eq!(names(evicted.removed.iter().map(|one| &one.id)), ["free"], "{:#?}", evicted.spared);
    let why = |name: &str| &evicted.spared.iter().find(|one| one.id.as_str() == name).unwrap().why;
    for (name, part) in [
        ("staged", "staged"),
        ("precious", ".env"),
        ("rewritten", "reflog"),
        ("bisecting", "bisection"),
        ("busy", "sleep"),
    ] {
        assert!(why(name).contains(part), "{name}: {}", why(name));
    }
}

#[tokio::test]
async fn what_was_captured_may_go() {
    let repo = Repo::new();
    let manager = repo.manager();
    for git in [GitAccess::Direct, GitAccess::Private] {
        let worktree = manager.create(Request { git, ..request("fix") }).await.unwrap();
        write(&worktree.path().join("work"), "x\n");
        let message = Message { text: "work".into(), name: "A".into(), email: "a@example.com".into() };
        let capture = manager.capture(&worktree, message).await.unwrap();
        drop(worktree);
        let evicted = manager.evict(&NOTHING).await.unwrap();
        assert_eq!(names(evicted.removed.iter().map(|one| &one.id)), ["fix"], "{:?}", evicted.spared);
        let rescue = evicted.rescues.last().unwrap();
        repo.git(["merge-base", "--is-ancestor", capture.tip.as_str(), rescue.commit.as_str()]);
    }
    repo.assert_sound();
}

/// F6, the other way round: what was kept for a person is handed to the next agent.
#[tokio::test]
async fn an_eviction_that_fails_half_way_leaves_what_was_kept_kept() {
    let repo = Repo::new();
    let manager = repo.manager();
    kept(&manager, "fix", 4, 3).await;
    // A symbolic ref in the place of the directory of its rescue refs, which cannot be put aside, so that the work cannot
    // be put under one.
    repo.git(["symbolic-ref", "refs/hedgerow/rescue/fix", "refs/heads/main"]);
    write(&manager.state_dir().join("quarantine"), "in the way\n");
    let evicted = manager.evict(&NOTHING).await.unwrap();
    assert_eq!((evicted.removed.len(), evicted.spared.len()), (0, 1), "{evicted:#?}");
    assert_eq!(manager.usage().await.unwrap().trees[0].state, State::Kept);
    assert_eq!(manager.recover().await.unwrap().adopted.len(), 0, "nobody gave it back");
    repo.git(["symbolic-ref", "-d", "refs/hedgerow/rescue/fix"]);
    assert_eq!(manager.evict(&NOTHING).await.unwrap().removed.len(), 1);
    repo.assert_sound();
}

#[tokio::test]
async fn an_eviction_leaves_no_trace_in_what_it_spares() {
    let repo = Repo::new();
    let manager = repo.manager();
    kept(&manager, "fix", 4, 3).await;
    write(&manager.trees().join("fix/untracked"), "work\n");
    let record = manager.state_dir().join("worktrees/fix.json");
    let before = std::fs::read(&record).unwrap();
    assert_eq!(manager.evict(&NOTHING).await.unwrap().spared.len(), 1);
    assert_eq!(std::fs::read(&record).unwrap(), before);
}

#[tokio::test]
async fn ignored_files_that_only_an_index_tracks_are_a_reason_to_stay() {
    let repo = Repo::new();
    repo.write(".gitignore", "ignored\n");
    repo.commit("ignore");
    let manager = repo.manager();
    for (name, git) in [("direct", GitAccess::Direct), ("private", GitAccess::Private), ("damaged", GitAccess::Direct)]
    {
        let worktree = manager.create(Request { git, ..request(name) }).await.unwrap();
        write(&worktree.path().join("ignored"), "v1\n");
        let view = manager.state_dir().join(format!("views/{name}/git"));
        let own = [format!("--git-dir={}", view.display()), format!("--work-tree={}", worktree.path().display())];
        let own = if git == GitAccess::Private { &own[..] } else { &[] };
        let add = ["add", "-f", "-N", "ignored"].map(str::to_owned);
        git_in(worktree.path(), own.iter().chain(&add));
    }
    let index = git_in(&manager.trees().join("damaged"), ["rev-parse", "--git-path", "index"]);
    std::fs::write(index, "no index").unwrap();
    let evicted = manager.evict(&NOTHING).await.unwrap();
    assert_eq!(names(evicted.removed.iter().map(|one| &one.id)), Vec::<&str>::new(), "{:#?}", evicted.spared);
    for name in ["direct", "private", "damaged"] {
        assert!(manager.trees().join(name).join("ignored").exists(), "{name}");
    }
}
