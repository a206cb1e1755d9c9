//! A branch that another checkout is on, so that what is captured cannot be put onto it.

use hedgerow_worktree::{Disposition, Fate, Notice, WorktreeManager};

use crate::capture::message;
use crate::repo::{Repo, git_in, id, request, write};

/// The rescue refs, and how many versions of the file all of them hold.
fn held(repo: &Repo) -> (usize, usize) {
    let refs = repo.git(["for-each-ref", "--format=%(refname)", "refs/hedgerow/rescue"]);
    let commits = repo.git(["rev-list", "--glob=refs/hedgerow/rescue/*"]);
    let shown = |commit: &&str| crate::repo::try_git(repo.path(), ["show", &format!("{commit}:work")]).status.success();
    (refs.lines().count(), commits.lines().filter(shown).count())
}

#[tokio::test]
async fn captures_of_a_branch_in_use_do_not_pile_up_refs_and_keep_every_version() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    for version in 1..=10 {
        write(&worktree.path().join("work"), &format!("{version}\n"));
        let capture = manager.capture(&worktree, message()).await.unwrap();
        assert!(capture.notices.iter().any(|notice| matches!(notice, Notice::BranchInUse { .. })), "{capture:?}");
        assert_eq!(capture.rescued.len(), 1, "{capture:?}");
        assert_eq!(capture.rescued[0].commit, capture.tip);
        assert_eq!(held(&repo), (1, version));
    }
    // A garbage collection packs the ref.
    repo.git(["pack-refs", "--all"]);
    write(&worktree.path().join("work"), "packed\n");
    manager.capture(&worktree, message()).await.unwrap();
    assert_eq!(held(&repo), (1, 11));
    let log = repo.git(["reflog", "show", "refs/hedgerow/rescue/fix/1"]);
    assert_eq!(log.lines().count(), 11, "{log}");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    let last = &released.rescues.last().unwrap().reference;
    assert_eq!(repo.git(["show", &format!("{last}:work")]), "packed");
    assert!(held(&repo).1 >= 11);
    repo.assert_sound();
}

#[tokio::test]
async fn what_an_older_capture_held_stays_held_when_the_agent_has_committed_since() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    write(&worktree.path().join("work"), "only in the first capture\n");
    let first = manager.capture(&worktree, message()).await.unwrap().tip;
    write(&worktree.path().join("work"), "committed\n");
    git_in(worktree.path(), ["add", "-A"]);
    git_in(worktree.path(), ["commit", "-q", "-m", "of the agent"]);
    write(&worktree.path().join("work"), "after that\n");
    let second = manager.capture(&worktree, message()).await.unwrap().tip;
    let rescues = manager.rescues(&id("fix")).await.unwrap();
    let held: Vec<_> = rescues.iter().map(|rescue| &rescue.commit).collect();
    assert_eq!(held, [&first, &second]);
    write(&worktree.path().join("work"), "and after that\n");
    let third = manager.capture(&worktree, message()).await.unwrap().tip;
    let rescues = manager.rescues(&id("fix")).await.unwrap();
    let held: Vec<_> = rescues.iter().map(|rescue| &rescue.commit).collect();
    assert_eq!(held, [&first, &third], "the last one went on");
}

#[tokio::test]
async fn a_branch_that_is_free_again_goes_on_from_what_was_captured_meanwhile() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    write(&worktree.path().join("work"), "while it was in use\n");
    let meanwhile = manager.capture(&worktree, message()).await.unwrap().tip;
    repo.git(["checkout", "-q", "main"]);
    write(&worktree.path().join("work"), "now\n");
    let tip = manager.capture(&worktree, message()).await.unwrap().tip;
    assert_eq!(repo.git(["rev-parse", "fix"]), tip.as_str());
    assert_eq!(repo.git(["rev-parse", "fix~1"]), meanwhile.as_str());
}

#[tokio::test]
async fn a_rescue_ref_of_an_earlier_release_is_never_moved() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "of the first\n");
    let rescue = manager.release(worktree, Disposition::Archive).await.unwrap().rescues.pop().unwrap();
    let worktree = manager.restore(&rescue, request("fix")).await.unwrap();
    repo.git(["checkout", "-q", "--ignore-other-worktrees", "fix"]);
    for version in ["of the second\n", "again\n"] {
        write(&worktree.path().join("work"), version);
        manager.capture(&worktree, message()).await.unwrap();
    }
    let rescues = manager.rescues(&id("fix")).await.unwrap();
    assert_eq!((rescues.len(), &rescues[0]), (2, &rescue));
}
