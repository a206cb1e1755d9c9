//! The process is killed before every single step by which it changes anything on the disk: whatever it was, everybody
//! else's git works on, a recovery brings it to an end, even one that is killed itself, and nothing that was written is
//! gone.
//!
//! The steps are system calls, found by watching the operation once. `HEDGEROW_KILLS=all` kills before each of them,
//! which takes minutes; otherwise a few are picked, evenly spread.

mod scene;
mod strace;

use std::path::Path;

use hedgerow_worktree::{Base, Disposition, Fate, GitAccess, LocalWorktrees, Request, WorktreeManager};

use crate::repo::{id, request, write};
use scene::{Scene, WORK};

/// How many steps of an operation are picked for an ordinary run of the tests.
const PICKED: usize = 7;

/// Does the operation once under observation, then again and again, killed before one step after another.
#[expect(clippy::print_stderr, reason = "a long run says what it did")]
async fn sweep(operation: &str) {
    if !strace::works() {
        return;
    }
    let scene = Scene::new();
    let steps = scene.steps(operation).await;
    assert!(steps.len() > 5, "hardly anything was seen of {operation}: {steps:?}");
    let all = std::env::var("HEDGEROW_KILLS").is_ok_and(|value| value == "all");
    let stride = if all { 1 } else { steps.len().div_ceil(PICKED) };
    let (mut killed, mut earlier) = (0, 0);
    // From the end backwards, so that the last steps are among them, too.
    for (number, step) in steps.iter().rev().step_by(stride).enumerate() {
        match hit(&scene, operation, step).await {
            Hit::There => killed += 1,
            Hit::Earlier => earlier += 1,
            Hit::Missed => {}
        }
        let moment = format!("{operation}, killed before {step:?}");
        scene.works_for_everyone(&moment);
        if number % 3 == 1 {
            scene.kill_a_recovery(number);
            scene.works_for_everyone(&format!("{moment}, then in the recovery"));
        }
        scene.converges(operation, &moment).await;
    }
    let tried = steps.iter().rev().step_by(stride).count();
    if all {
        eprintln!(
            "{operation}: of {} steps killed before {killed}, and before earlier ones {earlier} times",
            steps.len()
        );
    }
    // On a busy machine threads share the work in another way each time, and more kills come before an earlier call.
    let all_kills = killed + earlier;
    assert!(killed * 3 >= tried, "{operation} was killed only {killed} times of {tried} where it should be");
    assert!(all_kills * 10 >= tried * 7, "{operation} was killed only {all_kills} times of {tried}");
}

/// Where a process was killed.
enum Hit {
    /// Before the step.
    There,
    /// Before an earlier call of that name.
    Earlier,
    /// Nowhere: it had ended before.
    Missed,
}

/// Kills before this step, or else before an earlier call of that name: threads that share work do not always share it
/// alike, so this one may have made fewer calls than when it was watched, and ends without having been killed.
async fn hit(scene: &Scene, operation: &str, step: &strace::Step) -> Hit {
    // The same step again first: mostly it is there the next time.
    for (tried, back) in [0, 0, 1, 2, 4, 8, 16, 32].into_iter().enumerate() {
        if tried > 0 {
            scene.converges(operation, &format!("{operation}, not killed before {step:?}")).await;
        }
        scene.prepare(operation).await;
        if scene.kill(operation, &step.earlier(back)) {
            return if back == 0 { Hit::There } else { Hit::Earlier };
        }
    }
    Hit::Missed
}

/// What the child does, told by name; the preparation before anything is watched, then the operation itself.
pub(crate) async fn act(operation: &str, path: &str, begin: impl AsyncFn()) {
    let manager = LocalWorktrees::open(path).unwrap();
    let made = match operation {
        "create" | "create-private" | "purge" | "recover" | "accept" | "pool-create" | "pool-refill" => None,
        "pool-archive" => Some(scene::pool(&manager).await.create(request("victim")).await.unwrap()),
        "discard" => {
            let head = manager.list().await.unwrap().into_iter().find_map(|entry| entry.head).expect("there is a tree");
            Some(manager.create(Request::detached(id("victim"), head)).await.unwrap())
        }
        "capture-private" => Some(manager.create(private()).await.unwrap()),
        _ => Some(manager.create(request("victim")).await.unwrap()),
    };
    if let Some(worktree) = made.as_ref().filter(|worktree| worktree.branch().is_some()) {
        write(&worktree.path().join("work"), WORK);
    }
    let handover = Path::new(path).with_file_name("handover");
    begin().await;
    match (operation, made) {
        ("create", _) => drop(manager.create(request("victim")).await.unwrap()),
        ("create-private", _) => drop(manager.create(private()).await.unwrap()),
        ("pool-create", _) => drop(scene::pool(&manager).await.create(request("victim")).await.unwrap()),
        ("pool-refill", _) => drop(scene::pool(&manager).await.refill(&Base::Head).await.unwrap()),
        ("pool-archive", Some(worktree)) => {
            let released = scene::pool(&manager).await.release(worktree, Disposition::Archive).await.unwrap();
            assert_eq!(released.fate, Fate::Removed);
        }
        ("purge", _) => drop(scene::hasty(Path::new(path)).purge().await.unwrap()),
        ("recover", _) => drop(manager.recover().await.unwrap()),
        ("accept", _) => {
            let handover = serde_json::from_slice(&std::fs::read(handover).unwrap()).unwrap();
            drop(manager.accept(&handover).await.unwrap());
        }
        ("capture" | "capture-private", Some(worktree)) => {
            drop(manager.capture(&worktree, crate::capture::message()).await.unwrap());
        }
        ("hand-over", Some(worktree)) => {
            drop(manager.hand_over(worktree, std::time::Duration::ZERO).await.unwrap());
        }
        ("keep", Some(worktree)) => {
            let fate = manager.release(worktree, Disposition::Keep).await.unwrap().fate;
            assert!(matches!(fate, Fate::Kept { why: None, .. }));
        }
        (_, Some(worktree)) => {
            let disposition = match operation {
                "archive" => Disposition::Archive,
                "discard" => Disposition::Discard,
                "merged" => Disposition::Merged { into: worktree.base().clone() },
                other => panic!("no such operation: {other}"),
            };
            assert_eq!(manager.release(worktree, disposition).await.unwrap().fate, Fate::Removed);
        }
        (other, None) => panic!("no such operation: {other}"),
    }
}

fn private() -> Request {
    Request { git: GitAccess::Private, ..request("victim") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_creation_killed_before_any_step_is_a_worktree_or_nothing() {
    sweep("create").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_creation_with_a_view_killed_before_any_step_is_a_worktree_or_nothing() {
    sweep("create-private").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_capture_killed_before_any_step_loses_nothing() {
    sweep("capture").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_capture_through_a_view_killed_before_any_step_loses_nothing() {
    sweep("capture-private").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_capture_killed_between_the_index_and_the_branch_leaves_nothing_to_be_taken_back() {
    if !strace::works() {
        return;
    }
    // Before the index, after three objects, is put in its place, and before the lock of the branch is taken.
    for (step, locked, seen) in [(("renameat", 4), true, "?? work"), (("linkat", 2), false, "A  work")] {
        let repo = crate::repo::Repo::new();
        let manager = repo.manager();
        let step = strace::Step::new(step.0, step.1);
        assert!(strace::kill("capture", repo.path().to_str().unwrap(), &step));
        let tree = repo.root().join("repo.worktrees/victim");
        let status = || crate::repo::git_in(&tree, ["status", "--porcelain"]);
        let lock = crate::repo::git_in(&tree, ["rev-parse", "--absolute-git-dir"]) + "/index.lock";
        assert_eq!((Path::new(&lock).exists(), status()), (locked, seen.to_owned()), "{step:?}");
        let worktree = manager.recover().await.unwrap().adopted.pop().unwrap();
        assert_eq!((Path::new(&lock).exists(), status()), (false, seen.to_owned()), "{step:?}");
        let capture = manager.capture(&worktree, crate::capture::message()).await.unwrap();
        assert_eq!((capture.notices, status()), (Vec::new(), String::new()), "{step:?}");
        assert_eq!(repo.git(["show", "victim:work"]) + "\n", WORK);
        assert_eq!(std::fs::read_dir(manager.state_dir().join("staging")).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_archiving_release_killed_before_any_step_loses_nothing() {
    sweep("archive").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_written_after_a_release_was_killed_before_its_tree_went_is_not_deleted() {
    if !strace::works() {
        return;
    }
    let repo = crate::repo::Repo::new();
    let manager = repo.manager();
    assert!(strace::kill("archive", repo.path().to_str().unwrap(), &strace::Step::new("renameat2", 1)));
    let trash = std::fs::read_dir(manager.state_dir().join("trash")).unwrap().map(|entry| entry.unwrap().path());
    let begun: Vec<_> = trash.filter(|path| path.is_symlink()).collect();
    assert_eq!(begun.len(), 1, "it was killed at another moment: {begun:?}");
    write(&repo.root().join("repo.worktrees/victim/later"), "not captured\n");
    let worktree = manager.recover().await.unwrap().adopted.pop().expect("the tree is there, so it is adopted");
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    let rescues = manager.rescues(&id("victim")).await.unwrap();
    let last = rescues.last().expect("there was work");
    assert_eq!(repo.git(["show", &format!("{}:later", last.reference)]), "not captured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_release_of_merged_work_killed_before_any_step_loses_nothing() {
    sweep("merged").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_keeping_release_killed_before_any_step_loses_nothing() {
    sweep("keep").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_discarding_release_killed_before_any_step_leaves_no_half_of_it() {
    sweep("discard").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_purge_killed_before_any_step_is_gone_on_with() {
    sweep("purge").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_handover_killed_before_any_step_leaves_a_worktree_for_somebody() {
    sweep("hand-over").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_acceptance_killed_before_any_step_leaves_a_worktree_for_somebody() {
    sweep("accept").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_recovery_killed_before_any_step_is_gone_on_with() {
    sweep("recover").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_claim_of_a_slot_killed_before_any_step_is_a_worktree_or_nothing() {
    sweep("pool-create").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_release_into_the_pool_killed_before_any_step_loses_nothing() {
    sweep("pool-archive").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refill_killed_before_any_step_is_made_good_by_the_next() {
    sweep("pool-refill").await;
}
