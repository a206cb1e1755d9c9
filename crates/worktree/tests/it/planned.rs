//! A removal is planned, shown, looked at again and only then done; what was rescued is given up by wish alone.

use hedgerow_worktree::{
    CommitId, Disposition, Error, Fate, GitAccess, Keeper, Request, Rescue, Seed, WorktreeManager,
    removal::{Removal, Step},
};

use crate::capture::Lane;
use crate::repo::{Repo, git_in, id, request, write};

/// Why it was kept.
fn kept(fate: &Fate) -> &str {
    match fate {
        Fate::Kept { by: Keeper::Plan, why: Some(why), .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_plan_says_what_is_done_and_then_it_is_done() {
    for git in [GitAccess::Direct, GitAccess::Private] {
        let repo = Repo::new();
        repo.write(".gitignore", "/target\n");
        repo.commit("ignore");
        let lane = Lane::new(repo, git).await;
        lane.write("committed", "c");
        lane.commit("work");
        lane.write("README", "changed\n");
        lane.write("target/out", "12345");
        let plan = lane.manager.plan(&lane.worktree, Disposition::Archive).await.unwrap();
        assert_eq!(plan.obstacles, [""; 0]);
        let path = lane.tree().display().to_string();
        let text = format!(
            "commit what is not committed, in 1 paths\n\
             rescue its commits, its files under refs/hedgerow/rescue/lane/\n\
             delete {path:?}, with 1 ignored files of 5 bytes\n\
             delete the branch lane\n"
        );
        assert_eq!(plan.to_string(), text);
        let stored = serde_json::to_string(&plan).unwrap();
        let plan: Removal = serde_json::from_str(&stored).unwrap();
        assert_eq!(lane.repo.git(["for-each-ref", "refs/hedgerow/rescue"]), "", "a plan has done something");
        let Lane { repo, manager, worktree } = lane;
        let released = manager.apply(worktree, plan).await.unwrap();
        assert_eq!((&released.fate, released.rescues.len()), (&Fate::Removed, 1));
        assert!(released.rescues[0].reference.starts_with("refs/hedgerow/rescue/lane/"));
        repo.assert_sound();
    }
}

#[tokio::test]
async fn a_worktree_without_work_is_planned_to_go_without_a_ref() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    let plan = lane.manager.plan(&lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(&plan.steps[..], [Step::DeleteTree { ignored: 0, .. }, Step::DeleteBranch { .. }]), "{plan:?}");
    let released = lane.manager.apply(lane.worktree, plan).await.unwrap();
    assert_eq!((released.fate, released.rescues), (Fate::Removed, vec![]));
}

#[tokio::test]
async fn whatever_changes_between_the_plan_and_the_removal_keeps_the_worktree() {
    type Change = fn(&Lane);
    let changes: [(&str, Change); 6] = [
        ("the files", |lane| lane.write("work", "the same length, other content: b")),
        ("what is staged", |lane| drop(lane.inside(["add", "work"]))),
        ("the commits", |lane| drop(lane.inside(["commit", "-q", "--allow-empty", "-m", "late"]))),
        ("the commits", |lane| {
            let commit = lane.repo.git(["commit-tree", "HEAD^{tree}", "-p", "lane", "-m", "by somebody else"]);
            lane.repo.git(["update-ref", "refs/heads/lane", &commit]);
        }),
        ("ignored files", |lane| lane.write("target/out", "longer than before")),
        ("the files", |lane| std::fs::remove_file(lane.tree().join("README")).unwrap()),
    ];
    for git in [GitAccess::Direct, GitAccess::Private] {
        for (what, change) in changes {
            let repo = Repo::new();
            repo.write(".gitignore", "/target\n");
            repo.commit("ignore");
            let lane = Lane::new(repo, git).await;
            lane.write("work", "the same length, other content: a");
            lane.write("target/out", "short");
            let plan = lane.manager.plan(&lane.worktree, Disposition::Archive).await.unwrap();
            change(&lane);
            let Lane { repo, manager, worktree } = lane;
            let path = worktree.path().to_owned();
            let released = manager.apply(worktree, plan).await.unwrap();
            let why = kept(&released.fate);
            assert!(why.starts_with("changed since it was planned: ") && why.contains(what), "{git:?} {what}: {why}");
            assert!(path.join("work").exists());
            assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/rescue"]), "");

            let again = manager.adopt(&id("lane")).await.unwrap();
            let plan = manager.plan(&again, Disposition::Archive).await.unwrap();
            assert_eq!(manager.apply(again, plan).await.unwrap().fate, Fate::Removed, "{git:?} {what}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_rescued_or_is_in_use_keeps_the_worktree() {
    type Damage = fn(&Lane) -> Option<std::process::Child>;
    let damages: [(&str, Damage); 4] = [
        ("repository of its own", |lane| {
            let nested = lane.tree().join("target/lib");
            std::fs::create_dir_all(&nested).unwrap();
            git_in(&nested, ["init", "-q"]);
            git_in(&nested, ["commit", "-q", "--allow-empty", "-m", "history of its own"]);
            None
        }),
        ("ignored but listed", |lane| {
            lane.write(".env", "TOKEN=2\n");
            None
        }),
        ("unknown", |lane| {
            std::fs::remove_file(lane.tree().join(".git")).unwrap();
            None
        }),
        ("at work inside", |lane| {
            Some(std::process::Command::new("sleep").arg("600").current_dir(lane.tree()).spawn().unwrap())
        }),
    ];
    for (what, damage) in damages {
        let repo = Repo::new();
        repo.write(".gitignore", "/target\n.env\n");
        repo.commit("ignore");
        let manager = repo.manager();
        let request = Request { seed: Seed::environment(), ..request("lane") };
        let worktree = manager.create(request).await.unwrap();
        let lane = Lane { repo, manager, worktree };
        let child = damage(&lane);
        let plan = lane.manager.plan(&lane.worktree, Disposition::Archive).await.unwrap();
        assert!(plan.to_string().starts_with("keep "), "{plan}");
        let path = lane.tree().to_owned();
        let released = lane.manager.apply(lane.worktree, plan).await.unwrap();
        if let Some(mut child) = child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(kept(&released.fate).contains(what), "{what}: {released:?}");
        assert!(path.join("README").exists());
    }
}

#[tokio::test]
async fn squashed_work_is_planned_to_go_without_a_ref_and_reverted_work_is_not() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("work", "w\n");
    lane.commit("work");
    lane.repo.git(["merge", "-q", "--squash", "lane"]);
    let squashed = lane.repo.commit("squashed");
    let rescues = |plan: &Removal| plan.steps.iter().any(|step| matches!(step, Step::Rescue { .. }));
    let merged = |into: CommitId| Disposition::Merged { into };
    assert!(!rescues(&lane.manager.plan(&lane.worktree, merged(squashed)).await.unwrap()));
    lane.repo.git(["revert", "--no-edit", "HEAD"]);
    let reverted = lane.repo.head();
    assert!(rescues(&lane.manager.plan(&lane.worktree, merged(reverted)).await.unwrap()));
}

#[tokio::test]
async fn a_plan_for_another_worktree_does_nothing() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    let other = lane.manager.create(request("other")).await.unwrap();
    let plan = lane.manager.plan(&other, Disposition::Archive).await.unwrap();
    let path = lane.tree().to_owned();
    let released = lane.manager.apply(lane.worktree, plan).await.unwrap();
    assert!(kept(&released.fate).contains("another worktree"), "{released:?}");
    assert!(path.exists() && other.path().exists());
}

#[tokio::test]
async fn what_was_rescued_is_found_by_worktree_and_forgotten_by_wish_alone() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut expected = Vec::new();
    for name in ["b", "a"] {
        let worktree = manager.create(request(name)).await.unwrap();
        write(&worktree.path().join("work"), name);
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        expected.insert(0, (id(name), released.rescues[0].clone()));
    }
    repo.git(["update-ref", "refs/hedgerow/rescue/strange", "HEAD"]);
    let all = manager.all_rescues().await.unwrap();
    let found: Vec<_> = all.iter().map(|one| (one.id.clone(), one.rescue.clone())).collect();
    assert_eq!(found, expected);
    let seconds: i64 = repo.git(["show", "-s", "--format=%ct", &all[0].rescue.reference]).parse().unwrap();
    let time = all[0].time.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(i64::try_from(time.as_secs()).unwrap() >= seconds, "rescued before it was made");

    let rescue = &all[0].rescue;
    let moved = Rescue::new(rescue.reference.clone(), repo.head());
    assert!(matches!(manager.forget(&moved).await, Err(Error::RefMoved { .. })));
    for reference in ["refs/heads/main", "refs/hedgerow/rescue/../../heads/main", "refs/hedgerow/rescue/strange"] {
        let foreign = Rescue::new(reference, repo.head());
        assert!(matches!(manager.forget(&foreign).await, Err(Error::InvalidName { .. })), "{reference}");
    }
    assert_eq!(manager.all_rescues().await.unwrap().len(), 2);
    manager.forget(rescue).await.unwrap();
    manager.forget(rescue).await.unwrap();
    assert_eq!(manager.all_rescues().await.unwrap().len(), 1);
    repo.git(["rev-parse", "--verify", "main"]);
}
