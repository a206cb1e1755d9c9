//! Everybody at once: threads and processes of ours, and git's own commands in loops beside them.

use std::path::Path;
use std::time::{Duration, Instant};

use hedgerow_worktree::{Base, Disposition, Error, Fate, LocalOptions, LocalWorktrees, Request, WorktreeManager};

use crate::capture::message;
use crate::child;
use crate::concurrent::Loop;
use crate::repo::{Repo, branch, id, request, status, write};

/// What several tasks do, one worktree after the other: make, write, capture, remove.
pub(crate) async fn load(manager: &LocalWorktrees, prefix: &str, tasks: usize, rounds: usize) {
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let (manager, prefix) = (manager.clone(), prefix.to_owned());
        running.spawn(async move {
            for round in 0..rounds {
                let name = format!("{prefix}-{task}-{round}");
                let worktree = manager.create(request(&name)).await.expect("a creation failed");
                assert_eq!(status(worktree.path()), "", "{name}");
                write(&worktree.path().join("work"), &format!("the work of {name}\n"));
                manager.capture(&worktree, message()).await.expect("a capture failed");
                let released = manager.release(worktree, Disposition::Archive).await.expect("a release failed");
                assert_eq!(released.fate, Fate::Removed, "{name}");
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_processes_and_git_at_once_disturb_nobody_and_lose_nothing() {
    const THREADS: usize = 12;
    const PROCESSES: usize = 3;
    let repo = Repo::new();
    repo.git(["remote", "add", "self", "."]);
    repo.git(["worktree", "add", "-q", "--detach", repo.root().join("bystander").to_str().unwrap()]);
    let lock = repo.path().join(".git/config.lock");
    write(&lock, "");
    let loops = [
        Loop::start(repo.path(), &["fetch", "-q", "self"]),
        Loop::start(repo.path(), &["worktree", "prune"]),
        Loop::start(repo.path(), &["gc", "-q"]),
        Loop::start(repo.path(), &["pack-refs", "--all"]),
        Loop::start(repo.path(), &["worktree", "list", "--porcelain"]),
        Loop::start(repo.path(), &["branch", "-f", "spare", "main"]),
    ];
    let path = repo.path().to_str().unwrap();
    let mut children: Vec<_> =
        (0..PROCESSES).map(|n| child::start("load", &[path, &format!("process-{n}"), "1"])).collect();
    let manager = repo.manager();
    load(&manager, "thread", THREADS, 2).await;
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "a process failed");
    }
    assert!(lock.exists(), "somebody took away a lock that was not theirs");
    std::fs::remove_file(&lock).unwrap();
    for other in loops {
        // git's own programs lock each other out when two of them pack the refs.
        other.finish_except(&["packed-refs.lock"]);
    }
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.mended.is_empty() && recovery.left.is_empty(), "{recovery:?}");
    let names = (0..THREADS).flat_map(|n| (0..2).map(move |round| format!("thread-{n}-{round}")));
    for name in names.chain((0..PROCESSES).flat_map(|n| (0..2).map(move |t| format!("process-{n}-{t}-0")))) {
        let rescues = manager.rescues(&id(&name)).await.unwrap();
        let last = &rescues.last().unwrap_or_else(|| panic!("the work of {name} is lost")).commit;
        assert_eq!(repo.git(["cat-file", "-p", &format!("{last}:work")]), format!("the work of {name}"));
    }
    let listed = manager.list().await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(status(&repo.root().join("bystander")), "", "a bystander was pruned");
    // It is deleted in the background, and this machine has enough to do.
    let purged = manager.purge().await.unwrap();
    assert_eq!(purged.left, Vec::<String>::new());
    assert_eq!(std::fs::read_dir(repo.root().join("repo.worktrees")).unwrap().count(), 0);
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_does_not_fail_because_a_collection_removes_empty_directories_of_objects() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let objects = repo.path().join(".git/objects");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // As `git gc` does, only more of it.
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for n in 0..=255 {
                    let _ = std::fs::remove_dir(objects.join(format!("{n:02x}")));
                }
            }
        });
        let captured = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for n in 0..400 {
                    write(&worktree.path().join(format!("file-{n}")), &format!("{n}\n"));
                }
                manager.capture(&worktree, message()).await
            })
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(captured.expect("a capture failed").files, 400);
    });
}

/// Waits for the gate, then tries to get what all others want, too, and says what came of it.
pub(crate) async fn race(path: &str, trees: &str, name: &str, on: &str, gate: &str) {
    let options = LocalOptions::default().trees(std::path::PathBuf::from(trees));
    let manager = LocalWorktrees::open_with(path, options).unwrap();
    let started = Instant::now();
    while !Path::new(gate).exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "nobody opened the gate");
        std::thread::sleep(Duration::from_millis(1));
    }
    match manager.create(Request::new(id(name), branch(on), Base::Head)).await {
        Ok(worktree) => child::say(&format!("won {}", worktree.id())),
        Err(Error::Occupied { what, .. }) => child::say(&format!("lost {what}")),
        Err(other) => panic!("{other:?}"),
    }
}

/// Lets one process for each contender loose at once: where it works, its id and its branch. Says who won and what the
/// others were told.
fn processes(repo: &Repo, contenders: &[(&Path, String, String)]) -> (Vec<String>, Vec<String>) {
    let gate = repo.root().join("gate");
    let trees = repo.root().join("repo.worktrees");
    let start = |(path, name, on): &(&Path, String, String)| {
        let args = [path.to_str().unwrap(), trees.to_str().unwrap(), name, on, gate.to_str().unwrap()];
        child::start("race", &args)
    };
    let children: Vec<_> = contenders.iter().map(start).collect();
    std::thread::sleep(Duration::from_millis(300));
    write(&gate, "");
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "a process failed");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            won.extend(line.strip_prefix("won ").map(str::to_owned));
            lost.extend(line.strip_prefix("lost ").map(str::to_owned));
        }
    }
    std::fs::remove_file(&gate).unwrap();
    (won, lost)
}

fn assert_nothing_of_losers(repo: &Repo, winner: &str, on: &str) {
    for trace in repo.traces() {
        let known =
            trace.contains(winner) || ["refs/heads/main", &format!("refs/heads/{on}")].contains(&trace.as_str());
        assert!(known, "{trace} is left of a loser");
    }
    assert_eq!(status(&repo.root().join("repo.worktrees").join(winner)), "");
    repo.assert_sound();
}

#[test]
fn of_several_processes_that_want_one_name_or_one_branch_exactly_one_gets_it() {
    for same_name in [true, false] {
        let repo = Repo::new();
        let contender = |n: usize| match same_name {
            true => (repo.path(), "same".to_owned(), format!("branch-{n}")),
            false => (repo.path(), format!("tree-{n}"), "same".to_owned()),
        };
        let contenders: Vec<_> = (0..6).map(contender).collect();
        let (won, lost) = processes(&repo, &contenders);
        assert_eq!((won.len(), lost.len()), (1, 5), "{won:?} {lost:?}");
        let told = if same_name { "worktree id" } else { "branch" };
        assert!(lost.iter().all(|what| what == told), "{lost:?}");
        let on = if same_name {
            repo.git(["for-each-ref", "--format=%(refname:short)", "refs/heads/branch-*"])
        } else {
            "same".into()
        };
        assert_nothing_of_losers(&repo, &won[0], &on);
    }
}

#[test]
fn of_two_processes_of_different_repositories_that_want_one_path_exactly_one_gets_it() {
    let repo = Repo::new();
    let other = repo.bare();
    let contenders = [repo.path(), other.as_path(), repo.path(), other.as_path()]
        .map(|path| (path, "same".to_owned(), "same".to_owned()));
    let (won, lost) = processes(&repo, &contenders);
    assert_eq!((won.len(), lost.len()), (1, 3), "{won:?} {lost:?}");
    let branches = [repo.path(), &other]
        .map(|dir| crate::repo::try_git(dir, ["rev-parse", "-q", "--verify", "same"]).status.success());
    assert_eq!(branches.iter().filter(|there| **there).count(), 1, "a loser's branch is left");
    repo.assert_sound();
}
