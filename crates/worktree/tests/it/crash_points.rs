//! Every point at which a process can die, made by hand: the steps of a finished operation are taken back one by one.

use std::path::{Path, PathBuf};

use hedgerow_worktree::{Disposition, Fate, LocalWorktrees, Mended, WorktreeManager};
use serde_json::{Value, json};

use crate::repo::{Repo, id, request, status, write};

/// The record of `fix`, whose owner is dead.
struct Dead<'a> {
    repo: &'a Repo,
    record: Value,
}

impl<'a> Dead<'a> {
    async fn leave(repo: &'a Repo, manager: &LocalWorktrees) -> Self {
        drop(manager.create(request("fix")).await.unwrap());
        let text = std::fs::read(repo.path().join(".git/hedgerow/worktrees/fix.json")).unwrap();
        Self { repo, record: serde_json::from_slice(&text).unwrap() }
    }

    fn set(&mut self, key: &str, value: Value) {
        self.record[key] = value;
        write(&self.repo.path().join(".git/hedgerow/worktrees/fix.json"), &self.record.to_string());
    }

    fn path(&self, key: &str) -> PathBuf {
        PathBuf::from(self.record[key].as_str().unwrap())
    }

    fn tree(&self) -> PathBuf {
        PathBuf::from(self.record["parts"]["path"].as_str().unwrap())
    }

    fn admin(&self) -> PathBuf {
        self.repo.path().join(".git/worktrees").join(self.path("admin"))
    }

    fn pin(&self) -> String {
        format!("refs/hedgerow/base/{}", self.path("admin").display())
    }

    fn ours(&self, dir: &str, key: &str) -> PathBuf {
        self.repo.path().join(".git/hedgerow").join(dir).join(self.path(key))
    }
}

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap_or_else(|e| panic!("{from:?} to {to:?}: {e}"));
}

/// What says that the branch may have been made.
fn announcement(dead: &Dead<'_>) -> PathBuf {
    dead.ours("staging", "token").with_extension("branch")
}

/// Takes the steps of a creation back, as many as asked for.
fn wind_back(dead: &mut Dead<'_>, steps: usize) {
    if steps > 0 {
        dead.set("stage", json!("Creating"));
    }
    if steps > 1 {
        rename(&dead.tree(), &dead.path("temporary"));
    }
    if steps > 2 {
        std::fs::remove_file(dead.path("temporary").join(".git")).unwrap();
    }
    if steps > 3 {
        rename(&dead.admin(), &dead.ours("staging", "token"));
        std::fs::write(announcement(dead), "").unwrap();
    }
    if steps > 4 {
        std::fs::remove_file(announcement(dead)).unwrap();
        dead.repo.git(["update-ref", "-d", "refs/heads/fix"]);
    }
    if steps > 5 {
        dead.set("root", Value::Null);
    }
    if steps > 6 {
        std::fs::remove_file(dead.repo.path().join(".git/hedgerow/worktrees/fix.index")).unwrap();
        std::fs::remove_file(dead.ours("staging", "token").join("commondir")).unwrap();
    }
    if steps > 7 {
        std::fs::remove_dir_all(dead.ours("staging", "token")).unwrap();
        std::fs::remove_file(dead.path("temporary").join("README")).unwrap();
    }
    if steps > 8 {
        std::fs::remove_dir_all(dead.path("temporary")).unwrap();
    }
    if steps > 9 {
        dead.repo.git(["update-ref", "-d", &dead.pin()]);
    }
    if steps > 10 {
        let records = dead.repo.path().join(".git/hedgerow/worktrees");
        rename(&records.join("fix.json"), &records.join("fix.json.tmp"));
    }
}

#[tokio::test]
async fn a_creation_is_finished_or_undone_from_every_step() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for steps in 0..=11 {
        let mut dead = Dead::leave(&repo, &manager).await;
        wind_back(&mut dead, steps);
        repo.git(["worktree", "prune"]);
        repo.git(["gc", "-q"]);
        repo.assert_sound();
        let mut recovery = manager.recover().await.unwrap();
        assert_eq!(recovery.left, Vec::<String>::new(), "after {steps} steps back");
        let expected = match steps {
            0 | 11 => vec![],
            1..=5 => vec![Mended::CreationFinished(id("fix"))],
            _ => vec![Mended::CreationUndone(id("fix"))],
        };
        assert_eq!(recovery.mended, expected, "after {steps} steps back");
        if steps <= 5 {
            let worktree = recovery.adopted.pop().expect("what was finished is adopted");
            assert_eq!(status(worktree.path()), "", "after {steps} steps back");
            repo.assert_sound();
            assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        }
        repo.git(["pack-refs", "--all"]);
        assert_eq!(repo.traces(), clean, "after {steps} steps back");
    }
}

#[tokio::test]
async fn a_creation_that_a_crash_of_the_machine_may_have_torn_is_undone_unless_it_was_visible() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for (steps, expected) in [(1, Mended::CreationFinished(id("fix"))), (2, Mended::CreationUndone(id("fix")))] {
        let mut dead = Dead::leave(&repo, &manager).await;
        wind_back(&mut dead, steps);
        let mut holder = dead.record["holder"].clone();
        holder["boot"] = json!("another boot");
        dead.set("holder", holder);
        let recovery = manager.recover().await.unwrap();
        assert_eq!(recovery.mended, [expected]);
        for worktree in recovery.adopted {
            manager.release(worktree, Disposition::Archive).await.unwrap();
        }
        assert_eq!(repo.traces(), clean);
    }
}

#[tokio::test]
async fn a_branch_that_somebody_made_at_the_base_of_a_dead_creation_is_theirs() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for steps in [5, 6] {
        let mut dead = Dead::leave(&repo, &manager).await;
        wind_back(&mut dead, steps);
        repo.git(["branch", "fix"]);
        let recovery = manager.recover().await.unwrap();
        assert_eq!((recovery.left, recovery.mended), (vec![], vec![Mended::CreationUndone(id("fix"))]));
        assert_eq!(repo.git(["branch", "--list", "fix"]).trim(), "fix", "it was deleted");
        repo.git(["branch", "-D", "fix"]);
        assert_eq!(repo.traces(), clean);
    }
}

#[tokio::test]
async fn a_creation_whose_place_or_branch_somebody_took_meanwhile_is_undone_and_theirs_stays() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut dead = Dead::leave(&repo, &manager).await;
    wind_back(&mut dead, 5);
    write(&dead.tree().join("mine"), "theirs\n");
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.mended, [Mended::CreationUndone(id("fix"))]);
    assert_eq!(std::fs::read(dead.tree().join("mine")).unwrap(), b"theirs\n");
    std::fs::remove_dir_all(dead.tree()).unwrap();

    let mut dead = Dead::leave(&repo, &manager).await;
    wind_back(&mut dead, 5);
    repo.commit("theirs");
    repo.git(["branch", "fix"]);
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.mended, [Mended::CreationUndone(id("fix"))]);
    assert_eq!(repo.git(["rev-parse", "fix"]), repo.head().as_str());
    repo.assert_sound();
}

#[tokio::test]
async fn a_removal_is_finished_from_every_step() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for steps in 1..=6 {
        let mut dead = Dead::leave(&repo, &manager).await;
        dead.set("stage", json!({ "Removing": { "tip": repo.head() } }));
        rename(&dead.tree(), &dead.path("trash"));
        if steps > 1 {
            rename(&dead.admin(), &dead.ours("trash", "admin"));
        }
        if steps > 2 {
            repo.git(["update-ref", "-d", "refs/heads/fix"]);
        }
        if steps > 3 {
            repo.git(["update-ref", "-d", &dead.pin()]);
        }
        if steps > 4 {
            std::fs::remove_file(dead.path("trash").join("README")).unwrap();
        }
        if steps > 5 {
            std::fs::remove_dir_all(dead.path("trash")).unwrap();
            std::fs::remove_dir_all(dead.ours("trash", "admin")).unwrap();
            std::fs::remove_file(repo.path().join(".git/hedgerow/worktrees/fix.index")).unwrap();
        }
        repo.git(["worktree", "prune"]);
        repo.assert_sound();
        let recovery = manager.recover().await.unwrap();
        assert_eq!(recovery.left, Vec::<String>::new(), "after {steps} steps");
        assert_eq!(recovery.mended, [Mended::RemovalFinished(id("fix"))], "after {steps} steps");
        assert_eq!(repo.traces(), clean, "after {steps} steps");
    }
}

#[tokio::test]
async fn what_is_written_into_a_tree_whose_removal_died_before_it_went_is_not_deleted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let clean = repo.traces();
    for pool in [false, true] {
        let mut dead = Dead::leave(&repo, &manager).await;
        if pool {
            dead.set("trash", json!(dead.tree().with_file_name(".pool.0123456789abcdef")));
        }
        dead.set("stage", json!({ "Removing": { "tip": repo.head() } }));
        write(&dead.tree().join("later"), "not captured\n");
        let mut recovery = manager.recover().await.unwrap();
        assert_eq!((recovery.left, recovery.mended), (vec![], vec![]));
        let worktree = recovery.adopted.pop().expect("a worktree that did not go is adopted");
        assert_eq!(std::fs::read(worktree.path().join("later")).unwrap(), b"not captured\n");
        assert_eq!(status(worktree.path()), "?? later");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        let rescue = released.rescues.last().unwrap();
        assert_eq!(repo.git(["show", &format!("{}:later", rescue.reference)]), "not captured");
        manager.forget(rescue).await.unwrap();
        repo.git(["pack-refs", "--all"]);
        assert_eq!(repo.traces(), clean);
    }
}

#[tokio::test]
async fn a_removal_never_touches_what_took_the_place_of_tree_trash_or_branch() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut dead = Dead::leave(&repo, &manager).await;
    dead.set("stage", json!({ "Removing": { "tip": repo.head() } }));
    rename(&dead.tree(), &repo.root().join("moved"));
    write(&dead.tree().join("mine"), "theirs\n");
    write(&dead.path("trash").join("mine"), "theirs\n");
    repo.commit("theirs");
    repo.git(["update-ref", "refs/heads/fix", "HEAD"]);
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.left[0].contains("fix"), "{recovery:?}");
    for theirs in [dead.tree(), dead.path("trash")] {
        assert_eq!(std::fs::read(theirs.join("mine")).unwrap(), b"theirs\n");
    }
    assert_eq!(repo.git(["rev-parse", "fix"]), repo.head().as_str(), "a branch that moved on was deleted");
    assert!(repo.root().join("moved/README").exists());
}

#[tokio::test]
async fn garbage_of_no_record_is_swept_and_work_of_no_record_is_not() {
    let repo = Repo::new();
    let manager = repo.manager();
    let state = manager.state_dir().to_owned();
    let clean = repo.traces();
    write(&state.join("staging/0123456789abcdef/HEAD"), "x\n");
    write(&state.join("trash/old-01234567/HEAD"), "x\n");
    write(&state.join("worktrees/gone.lease"), "");
    write(&state.join("worktrees/gone.json.tmp"), "{");
    let living = manager.create(request("living")).await.unwrap();
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.left.is_empty() && recovery.mended.is_empty(), "{recovery:?}");
    manager.release(living, Disposition::Archive).await.unwrap();
    assert_eq!(repo.traces(), clean);

    write(&state.join("views/lost/git/HEAD"), "ref: refs/heads/lost\n");
    write(&repo.root().join("repo.worktrees/unknown/work"), "x\n");
    drop(manager.recover().await.unwrap());
    assert!(state.join("views/lost/git/HEAD").exists());
    assert!(repo.root().join("repo.worktrees/unknown/work").exists());
}
