//! A worktree from the name of its task to what is remembered of it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use hedgerow_worktree::{
    Base, BranchTemplate, Collision, Disposition, Error, Fate, Life, Milestone, Request, State, Taken, WorktreeManager,
};

use crate::child;
use crate::repo::{Repo, id, request, status, write};

fn template() -> BranchTemplate {
    BranchTemplate::new("agent/{task}").unwrap()
}

fn task(name: &str, collision: Collision) -> Request {
    Request { collision, ..Request::task(name, &template(), Base::Head).unwrap() }
}

fn lives(history: &[Milestone]) -> Vec<&Life> {
    history.iter().map(|milestone| &milestone.life).collect()
}

#[tokio::test]
async fn a_worktree_is_named_after_its_task_whatever_that_is_called() {
    let repo = Repo::new();
    let worktree = repo.manager().create(task("Fix: the [parser] (again)", Collision::Refuse)).await.unwrap();
    assert_eq!(worktree.id().as_str(), "Fix-the-parser-again");
    assert_eq!(
        repo.git(["branch", "--list", "agent/*", "--format=%(refname:short)"]),
        "agent/Fix--the--parser]-(again)"
    );
    assert_eq!(status(worktree.path()), "");
    repo.assert_sound();
}

#[tokio::test]
async fn tasks_of_one_name_are_numbered_if_that_is_asked_for_and_refused_if_not() {
    let repo = Repo::new();
    let manager = repo.manager();
    let creations = (0..4).map(|_| {
        let manager = repo.manager();
        tokio::spawn(async move { manager.create(task("fix", Collision::Number)).await.unwrap() })
    });
    let mut made = Vec::new();
    for creation in creations.collect::<Vec<_>>() {
        made.push(creation.await.unwrap());
    }
    let names: BTreeSet<_> = made.iter().map(|w| (w.id().to_string(), w.branch().unwrap().to_string())).collect();
    let expected = ["fix", "fix-2", "fix-3", "fix-4"].map(|name| (name.to_owned(), format!("agent/{name}")));
    assert_eq!(names, expected.into());

    let before = repo.traces();
    let refused = manager.create(task("fix", Collision::Refuse)).await;
    assert!(matches!(refused, Err(Error::Occupied { .. })), "{refused:?}");
    // No number helps against a branch where the directory of all these branches should be.
    repo.git(["branch", "wall"]);
    let walled = BranchTemplate::new("wall/{task}").unwrap();
    let wanted = Request { collision: Collision::Number, ..Request::task("x", &walled, Base::Head).unwrap() };
    match manager.create(wanted).await {
        Err(Error::Occupied { what: Taken::Branch, name, .. }) => assert_eq!(name, "wall/x"),
        other => panic!("{other:?}"),
    }
    repo.git(["branch", "-d", "wall"]);
    assert_eq!(repo.traces(), before);
    repo.assert_sound();
}

#[tokio::test]
async fn how_a_worktree_ended_is_found_long_after_it_is_gone() {
    let repo = Repo::new();
    let manager = repo.manager();

    let archived = manager.create(request("archived")).await.unwrap();
    let base = archived.base().clone();
    let branch = archived.branch().cloned();
    write(&archived.path().join("README"), "work\n");
    let released = manager.release(archived, Disposition::Archive).await.unwrap();
    assert!(!released.rescues.is_empty());

    let merged = manager.create(request("merged")).await.unwrap();
    manager.release(merged, Disposition::Merged { into: base.clone() }).await.unwrap();
    let gate = manager.create(Request::detached(id("gate"), base.clone())).await.unwrap();
    manager.release(gate, Disposition::Discard).await.unwrap();

    // By another process, as it were.
    let later = repo.manager();
    let found = later.history(&id("archived")).await.unwrap();
    let created = Life::Created { base: base.clone(), branch };
    assert_eq!(lives(&found), [&created, &Life::Archived { rescues: released.rescues.clone() }, &Life::Gone]);
    assert!(found.iter().all(|milestone| milestone.at > 1_700_000_000));
    assert_eq!(released.rescues, later.rescues(&id("archived")).await.unwrap());
    let merged = later.history(&id("merged")).await.unwrap();
    assert_eq!(lives(&merged)[1..], [&Life::Merged { into: base, rescues: Vec::new() }, &Life::Gone]);
    assert_eq!(lives(&later.history(&id("gate")).await.unwrap())[1..], [&Life::Discarded, &Life::Gone]);
    assert_eq!(later.history_all().await.unwrap().len(), 9);
    assert_eq!(later.history(&id("never")).await.unwrap(), []);
    let mode = manager.state_dir().join("history").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn two_worktrees_of_one_name_one_after_the_other_are_told_apart() {
    let repo = Repo::new();
    let manager = repo.manager();
    for _ in 0..2 {
        let worktree = manager.create(request("fix")).await.unwrap();
        manager.release(worktree, Disposition::Archive).await.unwrap();
    }
    let history = manager.history(&id("fix")).await.unwrap();
    let incarnations: BTreeSet<_> = history.iter().map(|milestone| &milestone.incarnation).collect();
    assert_eq!((history.len(), incarnations.len()), (6, 2));
}

#[tokio::test]
async fn keeping_and_adopting_and_losing_an_owner_are_steps_too() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    manager.release(worktree, Disposition::Keep).await.unwrap();
    drop(manager.adopt(&id("fix")).await.unwrap());
    let recovered = manager.recover().await.unwrap();
    assert_eq!(recovered.adopted.len(), 1);
    drop(recovered);
    std::fs::remove_dir_all(repo.root().join("repo.worktrees/fix")).unwrap();
    repo.git(["worktree", "prune"]);
    std::fs::remove_dir_all(repo.path().join(".git/worktrees")).unwrap();
    drop(manager.recover().await.unwrap());
    let history = manager.history(&id("fix")).await.unwrap();
    let kept = Life::Kept { why: None, rescues: Vec::new() };
    let [from_kept, orphaned] = [State::Kept, State::Orphaned].map(|from| Life::Adopted { from });
    assert_eq!(lives(&history)[1..], [&kept, &from_kept, &orphaned, &Life::Vanished, &Life::Gone]);
}

#[tokio::test]
async fn a_creation_that_fails_leaves_no_history_and_a_killed_one_at_most_what_became_of_it() {
    let repo = Repo::new();
    let manager = repo.manager();
    repo.git(["branch", "fix"]);
    assert!(manager.create(request("fix")).await.is_err());
    assert_eq!(manager.history_all().await.unwrap(), []);
    for delay in [5, 20, 40, 80] {
        let name = format!("killed-{delay}");
        let mut process = child::start("create-many", &[repo.path().to_str().unwrap(), &name, "1"]);
        std::thread::sleep(std::time::Duration::from_millis(delay));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let adopted = manager.recover().await.unwrap().adopted;
    let history = manager.history_all().await.unwrap();
    for worktree in &adopted {
        let mine: Vec<_> = history.iter().filter(|milestone| milestone.worktree == *worktree.id()).collect();
        assert!(matches!(mine[0].life, Life::Created { .. }), "{mine:?}");
    }
    let created = history.iter().filter(|milestone| matches!(milestone.life, Life::Created { .. })).count();
    assert_eq!(created, adopted.len(), "{history:?}");
}

#[tokio::test]
async fn a_damaged_history_never_stops_a_release() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = manager.state_dir().join("history");
    let mut text = std::fs::read(&path).unwrap();
    text.truncate(text.len() / 2);
    text.extend([0xff, 0, b'\n', b'{', 0]);
    std::fs::write(&path, text).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    let history = manager.history(&id("fix")).await.unwrap();
    assert_eq!(lives(&history), [&Life::Archived { rescues: Vec::new() }, &Life::Gone]);
}

#[tokio::test]
async fn the_hook_that_git_would_have_run_is_described_and_not_run() {
    let repo = Repo::new();
    let manager = repo.manager();
    let theirs = repo.root().join("theirs");
    let log = repo.root().join("log");
    let hook = |path: &std::path::Path| {
        write(
            path,
            &format!("#!/bin/sh\necho \"$@\" >> {0}; pwd >> {0}; env | grep ^GIT_DIR >> {0}\ntrue\n", log.display()),
        );
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let worktree = manager.create(request("none")).await.unwrap();
    assert_eq!(manager.setup(&worktree).await.unwrap(), []);

    let path = repo.path().join(".git/hooks/post-checkout");
    hook(&path);
    let worktree = manager.create(request("fix")).await.unwrap();
    assert!(!log.exists(), "a hook was run");
    let steps = manager.setup(&worktree).await.unwrap();
    let [step] = steps.as_slice() else { panic!("{steps:?}") };
    assert_eq!((&step.program, step.dir.as_path()), (&path, worktree.path()));
    let mut command = std::process::Command::new(&step.program);
    command.args(&step.args).current_dir(&step.dir).env("GIT_DIR", "/elsewhere");
    for name in &step.unset {
        command.env_remove(name);
    }
    assert!(command.status().unwrap().success());
    let ours = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
    let git = std::fs::read_to_string(&log).unwrap();
    let place = |text: String, tree: &std::path::Path| text.replace(tree.to_str().unwrap(), "TREE");
    assert_eq!(place(ours, worktree.path()), place(git, &theirs));

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(manager.setup(&worktree).await.unwrap(), [], "git does not run what is not executable");
    for (setting, program) in [
        ("hooks", worktree.path().join("hooks/post-checkout")),
        (repo.root().join("abs").to_str().unwrap(), repo.root().join("abs/post-checkout")),
    ] {
        repo.git(["config", "core.hooksPath", setting]);
        assert_eq!(manager.setup(&worktree).await.unwrap(), [], "it is not there");
        hook(&program);
        assert_eq!(manager.setup(&worktree).await.unwrap()[0].program, program);
    }
    repo.git(["config", "core.hooksPath", "~/hooks"]);
    let refused = manager.setup(&worktree).await.unwrap_err().to_string();
    assert!(refused.contains("make it absolute"), "{refused}");
}
