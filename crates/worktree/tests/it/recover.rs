//! What a dead process left is finished or undone, and nothing that somebody wrote is lost on the way.

use std::time::{Duration, Instant};

use hedgerow_worktree::{Disposition, Error, Fate, Keeper, Mended, Owner, Recovery, State, WorktreeManager};

use crate::child;
use crate::repo::{Repo, git_in, id, request, status, write};

/// A repository with enough files that creating a worktree takes a while.
fn large() -> Repo {
    let repo = Repo::new();
    for n in 0..400 {
        repo.write(&format!("dir-{}/file-{n}", n % 20), &format!("{n}\n").repeat(50));
    }
    repo.commit("many files");
    repo
}

/// Kills a process in this role, after a part of the time that the whole operation takes.
fn kill_after(role: &str, repo: &Repo, name: &str, delay: Duration) {
    let mut child = child::start(role, &[repo.path().to_str().unwrap(), name]);
    child::wait_until_it_begins(&mut child);
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Nothing is left to do after a recovery, except for what it adopted.
async fn recovered(repo: &Repo) -> Recovery {
    let manager = repo.manager();
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.left, Vec::<String>::new());
    let again = manager.recover().await.unwrap();
    assert_eq!(again.left, Vec::<String>::new());
    assert_eq!(again.mended, Vec::new(), "a second recovery found something to do");
    assert!(again.adopted.is_empty(), "a second recovery took over what the first one holds");
    repo.assert_sound();
    recovery
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_killed_at_any_moment_leaves_a_worktree_or_nothing() {
    let repo = large();
    let manager = repo.manager();
    let started = Instant::now();
    let whole = manager.create(request("measure")).await.unwrap();
    let whole = (started.elapsed(), manager.release(whole, Disposition::Archive).await.unwrap()).0;
    let clean = repo.traces();
    const KILLS: u32 = 20;
    let (mut finished, mut undone) = (0, 0);
    for n in 0..KILLS {
        kill_after("create", &repo, "victim", whole * n / (KILLS - 5));
        // Whatever moment it was, git is not disturbed, even before anybody recovers.
        repo.git(["worktree", "prune"]);
        repo.assert_sound();
        for worktree in recovered(&repo).await.adopted {
            finished += 1;
            assert_eq!(worktree.id(), &id("victim"));
            assert_eq!(status(worktree.path()), "");
            let released = manager.release(worktree, Disposition::Archive).await.unwrap();
            assert_eq!(released.fate, Fate::Removed);
        }
        assert_eq!(repo.traces(), clean, "kill {n} left something");
        let retry = manager.create(request("victim")).await.unwrap();
        assert_eq!(status(retry.path()), "");
        manager.release(retry, Disposition::Archive).await.unwrap();
        undone += 1;
    }
    assert!(finished < undone, "no kill came early enough to interrupt anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_killed_at_any_moment_loses_no_work() {
    let repo = large();
    let manager = repo.manager();
    let worktree = manager.create(request("measure")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let started = Instant::now();
    manager.release(worktree, Disposition::Archive).await.unwrap();
    let whole = started.elapsed();
    const KILLS: u32 = 20;
    for n in 0..KILLS {
        let name = format!("victim-{n}");
        kill_after("release", &repo, &name, whole * n / (KILLS - 5));
        repo.git(["worktree", "prune"]);
        repo.assert_sound();
        for worktree in recovered(&repo).await.adopted {
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        }
        let rescues = manager.rescues(&id(&name)).await.unwrap();
        let rescued = rescues.iter().any(|r| {
            let file = format!("{}:work", r.commit);
            repo.git(["cat-file", "-p", &file]) == format!("the work of {name}")
        });
        assert!(rescued, "the work of {name} is lost; there are {rescues:?}");
        assert!(!repo.root().join("repo.worktrees").join(&name).exists());
    }
    let listed = manager.list().await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    repo.purge();
    assert_eq!(std::fs::read_dir(repo.root().join("repo.worktrees")).unwrap().count(), 0);
}

#[tokio::test]
async fn locks_of_refs_that_a_dead_owner_left_do_not_block_for_ever() {
    let repo = Repo::new();
    let manager = repo.manager();
    drop(manager.create(request("fix")).await.unwrap());
    repo.git(["pack-refs", "--all"]);
    let pin = format!("{}.lock", repo.pin("fix"));
    let locks = ["refs/heads/fix.lock", &pin, "refs/hedgerow/rescue/fix/1.lock", "packed-refs.lock"];
    let locks = locks.map(|lock| repo.path().join(".git").join(lock));
    for lock in &locks {
        write(lock, "");
    }
    // Those of the packed refs have a second name, by which they can be told from git's.
    std::fs::hard_link(&locks[3], repo.path().join(".git/hedgerow/staging/0123456789abcdef.sign")).unwrap();
    let unrelated = repo.path().join(".git/refs/heads/main.lock");
    write(&unrelated, "");
    let worktree = recovered(&repo).await.adopted.pop().unwrap();
    for lock in &locks {
        assert!(!lock.exists(), "{lock:?} is still there");
    }
    assert!(unrelated.exists(), "a lock of somebody else was taken away");
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
}

#[tokio::test]
async fn a_living_git_that_holds_the_packed_refs_for_long_keeps_its_lock() {
    let repo = Repo::new();
    let manager = repo.manager();
    repo.git(["branch", "other"]);
    repo.git(["pack-refs", "--all"]);
    drop(manager.create(request("fix")).await.unwrap());
    let (held, go) = (repo.root().join("held"), repo.root().join("go"));
    let hook = repo.path().join(".git/hooks/reference-transaction");
    // It reads nothing, and holds everything up.
    write(
        &hook,
        &format!(
            "#!/bin/sh\n[ \"$1\" = prepared ] || exit 0\n: > '{}'\nwhile [ ! -e '{}' ]; do sleep 0.05; done\n",
            held.display(),
            go.display()
        ),
    );
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, executable).unwrap();
    let path = repo.path().to_owned();
    let git = std::thread::spawn(move || crate::repo::try_git(&path, ["update-ref", "-d", "refs/heads/other"]));
    while !held.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let lock = repo.path().join(".git/packed-refs.lock");
    assert!(lock.exists(), "git does not hold the packed refs, so there is nothing to see");
    let recovery = manager.recover().await.unwrap();
    let there = lock.exists();
    write(&go, "");
    let output = git.join().unwrap();
    assert!(there, "the lock of a living git was taken away");
    assert!(output.status.success(), "{output:?}");
    assert_eq!((recovery.left, recovery.adopted.len()), (Vec::<String>::new(), 1));
    assert!(!lock.exists() && !repo.git(["for-each-ref"]).contains("heads/other"));
}

#[tokio::test]
async fn a_living_owner_is_never_disturbed() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("mine")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let recovery = repo.manager().recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.mended.is_empty() && recovery.left.is_empty(), "{recovery:?}");
    assert!(matches!(repo.manager().adopt(&id("mine")).await, Err(Error::LeaseLost { .. })));
    assert_eq!(manager.release(worktree, Disposition::Keep).await.unwrap().fate, kept(&repo, "mine"));
}

fn kept(repo: &Repo, name: &str) -> Fate {
    Fate::kept(repo.root().join("repo.worktrees").join(name), Keeper::Request, None)
}

#[tokio::test]
async fn a_dropped_handle_is_found_again_with_everything_in_it() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let (path, mounts) = (worktree.path().to_owned(), worktree.mounts().to_vec());
    drop(worktree);
    let entries = manager.list().await.unwrap();
    assert_eq!(entries[0].owner, Owner::Hedgerow { id: id("fix"), state: State::Orphaned });
    let mut recovery = recovered(&repo).await;
    let worktree = recovery.adopted.pop().unwrap();
    assert_eq!((worktree.path(), worktree.mounts()), (path.as_path(), &mounts[..]));
    assert_eq!(status(worktree.path()), "?? work");
    assert_eq!(manager.list().await.unwrap()[0].owner, Owner::Hedgerow { id: id("fix"), state: State::Leased });
}

#[tokio::test]
async fn a_kept_worktree_can_be_adopted_and_then_released_for_good() {
    let repo = Repo::new();
    let manager = repo.manager();
    let before = repo.traces();
    let worktree = manager.create(request("fix")).await.unwrap();
    manager.release(worktree, Disposition::Keep).await.unwrap();
    assert!(recovered(&repo).await.adopted.is_empty(), "what was kept on purpose is not adopted unasked");
    let worktree = manager.adopt(&id("fix")).await.unwrap();
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    assert_eq!(repo.traces(), before);
    assert!(matches!(manager.adopt(&id("fix")).await, Err(Error::LeaseLost { .. })));
}

#[tokio::test]
async fn a_worktree_that_git_removed_is_forgotten_and_its_commits_stay() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    git_in(worktree.path(), ["commit", "-q", "--allow-empty", "-m", "work"]);
    let tip = git_in(worktree.path(), ["rev-parse", "HEAD"]);
    let path = worktree.path().to_owned();
    drop(worktree);
    repo.git(["worktree", "remove", "-f", "-f", path.to_str().unwrap()]);
    let recovery = recovered(&repo).await;
    assert_eq!(recovery.mended, [Mended::RemovalFinished(id("fix"))]);
    assert_eq!(repo.git(["rev-parse", "refs/heads/fix"]), tip);
    assert!(manager.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tree_that_is_missing_is_reported_and_nothing_is_deleted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let (path, away) = (worktree.path().to_owned(), repo.root().join("moved"));
    drop(worktree);
    std::fs::rename(&path, &away).unwrap();
    let before = repo.traces();
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.mended.is_empty());
    assert!(recovery.left[0].contains("fix"), "{:?}", recovery.left);
    assert_eq!(repo.traces(), before);
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(recovered(&repo).await.adopted.len(), 1);
}

#[tokio::test]
async fn a_damaged_record_never_makes_a_worktree_free() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "x\n");
    let path = worktree.path().to_owned();
    drop(worktree);
    for damage in ["", "{", "{\"version\": 99}", "\0\0\0"] {
        std::fs::write(manager.state_dir().join("worktrees/fix.json"), damage).unwrap();
        let recovery = manager.recover().await.unwrap();
        assert!(recovery.adopted.is_empty() && recovery.mended.is_empty());
        assert!(recovery.left[0].contains("fix"), "{:?}", recovery.left);
        let entries = manager.list().await.unwrap();
        assert!(entries.iter().any(|e| e.problem.is_some() && e.path == path), "{entries:?}");
        assert!(matches!(manager.create(request("fix")).await, Err(Error::Occupied { .. })));
        assert_eq!(std::fs::read(path.join("work")).unwrap(), b"x\n");
    }
}

#[tokio::test]
async fn a_cancelled_creation_is_undone_or_found() {
    let repo = large();
    let manager = repo.manager();
    let clean = repo.traces();
    for n in 0..10_u64 {
        let creation = manager.create(request("fix"));
        let _ = tokio::time::timeout(Duration::from_millis(n * 4), creation).await;
        // It may still be at work in the background: then its lease is held and the recovery leaves it alone.
        let gone = Instant::now();
        loop {
            for worktree in manager.recover().await.unwrap().adopted {
                manager.release(worktree, Disposition::Archive).await.unwrap();
            }
            if repo.traces() == clean {
                break;
            }
            assert!(gone.elapsed() < Duration::from_secs(60), "left: {:?}", repo.traces());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
