//! Trees that somebody moved with `mv`, of which git knows nothing.

use std::fs::File;
use std::time::Duration;

use hedgerow_worktree::{
    Disposition, Fate, GitAccess, Head, Keeper, LocalOptions, LocalWorktrees, Mended, Notice, Owner, Request,
    WorktreeManager,
};
use serde_json::{Value, json};

use crate::repo::{Repo, id, request, status, try_git, write};

#[tokio::test]
async fn a_tree_that_was_moved_with_mv_is_named_and_kept_with_its_branch_until_it_is_back() {
    for to in ["repo.worktrees/fix-saved", "saved", "repo.worktrees/.hidden"] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let (path, away) = (worktree.path().to_owned(), repo.root().join(to));
        write(&path.join("work"), "not committed\n");
        std::fs::rename(&path, &away).unwrap();
        let name = away.to_str().unwrap();

        let entries = manager.list().await.unwrap();
        let ours = entries.iter().find(|e| matches!(&e.owner, Owner::Hedgerow { id: x, .. } if *x == id("fix")));
        let problem = ours.unwrap().problem.clone().unwrap();
        assert!(problem.contains(name), "{to}: {problem}");
        let findings = manager.doctor().await.unwrap();
        assert!(findings.iter().any(|finding| finding.says.contains(name)), "{to}: {findings:?}");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else {
            panic!("{to}: {:?}", released.fate)
        };
        assert!(why.contains(name), "{to}: {why}");
        let worktree = manager.adopt(&id("fix")).await.unwrap();
        drop(worktree);
        let recovery = manager.recover().await.unwrap();
        assert!(recovery.adopted.is_empty() && recovery.left[0].contains(name), "{to}: {:?}", recovery.left);
        assert_ne!(repo.git(["branch", "--list", "fix"]), "", "{to}");

        // Where git has forgotten it as well, which it does after some time with what is not locked.
        let admin = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().next().unwrap().unwrap().path();
        let aside = repo.root().join("aside");
        std::fs::rename(&admin, &aside).unwrap();
        let recovery = manager.recover().await.unwrap();
        assert!(recovery.mended.is_empty() && recovery.left[0].contains(name), "{to}: {:?}", recovery.left);
        std::fs::rename(&aside, &admin).unwrap();

        std::fs::rename(&away, &path).unwrap();
        assert_eq!(status(&path), "?? work", "{to}");
        let [worktree] = <[_; 1]>::try_from(manager.recover().await.unwrap().adopted).unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{to}");
        let rescue = &released.rescues.last().unwrap().reference;
        assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "not committed", "{to}");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn a_tree_that_was_moved_with_mv_after_its_removal_had_begun_keeps_its_entry_and_its_branch() {
    // What says that the removal had begun is the link, and where there can be none, the record.
    for linked in [true, false] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let (path, away) = (worktree.path().to_owned(), repo.root().join("repo.worktrees/saved"));
        write(&path.join("work"), "not committed\n");
        drop(worktree);
        let file = repo.path().join(".git/hedgerow/worktrees/fix.json");
        let mut record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let tip = repo.git(["rev-parse", "fix"]);
        if linked {
            let since = json!({ "boot": "before", "millis": 1 });
            let text = json!({
                "lease": record["holder"]["lease"], "tip": tip, "since": since, "trash": record["trash"],
            });
            let link = format!("trash/{}.left", record["admin"].as_str().unwrap());
            std::os::unix::fs::symlink(text.to_string(), manager.state_dir().join(link)).unwrap();
        } else {
            record["stage"] = json!({ "Removing": { "tip": tip } });
            std::fs::write(&file, record.to_string()).unwrap();
        }
        std::fs::rename(&path, &away).unwrap();

        let recovery = manager.recover().await.unwrap();
        assert_eq!((recovery.mended.len(), recovery.left.len()), (0, 1), "{linked}: {recovery:?}");
        assert!(recovery.left[0].contains(away.to_str().unwrap()), "{linked}: {:?}", recovery.left);
        assert_ne!(repo.git(["branch", "--list", "fix"]), "", "{linked}");
        assert_eq!(status(&away), "?? work", "{linked}: its entry is gone");

        std::fs::rename(&away, &path).unwrap();
        let [worktree] = <[_; 1]>::try_from(manager.recover().await.unwrap().adopted).unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{linked}");
        let rescue = &released.rescues.last().unwrap().reference;
        assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "not committed", "{linked}");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn a_release_that_finds_no_tree_says_so_and_leaves_it_alone_wherever_it_is() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let (path, away) = (worktree.path().to_owned(), repo.root().join("far/away/saved"));
    write(&path.join("work"), "not committed\n");
    std::fs::create_dir_all(away.parent().unwrap()).unwrap();
    std::fs::rename(&path, &away).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(released.notices.contains(&Notice::TreeMissing { path }), "{released:?}");
    assert_eq!(std::fs::read_to_string(away.join("work")).unwrap(), "not committed\n");
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_is_put_back_during_a_release_is_not_deleted_with_what_nobody_captured() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let (path, away) = (worktree.path().to_owned(), repo.root().join("far/away/saved"));
    write(&path.join("work"), "not committed\n");
    std::fs::create_dir_all(away.parent().unwrap()).unwrap();
    std::fs::rename(&path, &away).unwrap();
    // The release has looked for the tree when it comes to this lock, and goes on once it is free.
    let lock = File::open(repo.path().join(".git/hedgerow/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let releasing = tokio::spawn({
        let manager = manager.clone();
        async move { manager.release(worktree, Disposition::Archive).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    std::fs::rename(&away, &path).unwrap();
    drop(lock);
    let released = releasing.await.unwrap().unwrap();
    // On a busy machine it may not have looked before; it has captured everything then.
    let held = released.rescues.iter().any(|rescue| {
        let found = try_git(repo.path(), ["cat-file", "-p", &format!("{}:work", rescue.reference)]);
        found.stdout == b"not committed\n"
    });
    assert!(held || path.join("work").exists(), "{released:?}");
    if let Fate::Kept { by, .. } = released.fate {
        assert_eq!(by, Keeper::Failure);
        assert_ne!(repo.git(["branch", "--list", "fix"]), "");
        let [worktree] = <[_; 1]>::try_from(manager.recover().await.unwrap().adopted).unwrap();
        assert_eq!(status(worktree.path()), "?? work");
        assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    }
    repo.assert_sound();
}

#[tokio::test]
async fn a_tree_that_was_deleted_before_a_reboot_which_renumbers_the_disks_can_be_released() {
    let number = |value: &mut Value| *value = (value.as_u64().unwrap() + 1).into();
    // The tree was on the disk of the repository, on another one, or it is not known.
    for (shared, known) in [(true, true), (false, true), (true, false)] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let path = worktree.path().to_owned();
        drop(worktree);
        std::fs::remove_dir_all(&path).unwrap();
        let file = repo.path().join(".git/hedgerow/worktrees/fix.json");
        let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        record["root"]["boot"] = "another".into();
        number(&mut record["root"]["device"]);
        if known {
            record["home"]["boot"] = "another".into();
        }
        if shared && known {
            number(&mut record["home"]["common"]["device"]);
        }
        std::fs::write(&file, record.to_string()).unwrap();

        let worktree = manager.adopt(&id("fix")).await.unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        if shared {
            assert_eq!(released.fate, Fate::Removed, "{known}");
            assert!(released.notices.contains(&Notice::TreeMissing { path }), "{known}: {released:?}");
        } else {
            let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else { panic!("{released:?}") };
            assert!(why.contains("may not be mounted"), "{why}");
        }
        repo.assert_sound();
    }
}

#[tokio::test]
async fn a_tree_is_not_taken_for_deleted_where_it_cannot_be_told_whether_it_was_moved() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    std::fs::remove_dir_all(worktree.path()).unwrap();
    let trees = worktree.path().parent().unwrap();
    let crowd: Vec<_> = (0..10_001).map(|n| trees.join(format!("file-{n}"))).collect();
    crowd.iter().for_each(|file| drop(File::create(file).unwrap()));
    let told = "too many to find a tree";

    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else { panic!("{released:?}") };
    assert!(why.contains(told), "{why}");
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");
    let entries = manager.list().await.unwrap();
    assert!(entries.iter().any(|e| e.problem.as_ref().is_some_and(|problem| problem.contains(told))), "{entries:?}");
    let admin = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_dir_all(admin).unwrap();
    let findings = manager.doctor().await.unwrap();
    assert!(findings.iter().any(|finding| finding.says.contains(told)), "{findings:?}");
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.mended.is_empty() && recovery.left[0].contains(told), "{recovery:?}");

    crowd.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.mended, [Mended::RemovalFinished(id("fix"))]);
    repo.assert_sound();
}

#[tokio::test]
async fn a_tree_that_was_moved_beside_a_bare_repository_is_found() {
    let repo = Repo::new();
    let bare = repo.bare();
    let options = LocalOptions::default().trees(Some(repo.root().join("far/trees")));
    let manager = LocalWorktrees::open_with(&bare, options).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    let away = repo.root().join("saved");
    std::fs::rename(worktree.path(), &away).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else { panic!("{released:?}") };
    assert!(why.contains(away.to_str().unwrap()), "{why}");
}

#[tokio::test]
async fn every_release_without_a_tree_says_that_it_found_none() {
    for (disposition, git) in [
        (Disposition::Discard, GitAccess::Direct),
        (Disposition::Archive, GitAccess::Private),
        (Disposition::Archive, GitAccess::Direct),
    ] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(Request { head: Head::Detached, git, ..request("fix") }).await.unwrap();
        let path = worktree.path().to_owned();
        std::fs::remove_dir_all(&path).unwrap();
        let released = manager.release(worktree, disposition.clone()).await.unwrap();
        assert_eq!(released.notices, [Notice::TreeMissing { path }], "{disposition:?}, {git:?}: {released:?}");
        assert_eq!(released.fate == Fate::Removed, git == GitAccess::Direct, "{released:?}");
    }
}

#[tokio::test]
async fn a_moved_tree_whose_git_file_cannot_be_read_is_not_taken_for_deleted() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let (path, away) = (worktree.path().to_owned(), repo.root().join("saved"));
    write(&path.join("work"), "not committed\n");
    std::fs::rename(&path, &away).unwrap();
    std::fs::rename(away.join(".git"), away.join("git")).unwrap();
    std::os::unix::fs::symlink("git", away.join(".git")).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { by: Keeper::Moved, why: Some(why), .. } = released.fate else { panic!("{released:?}") };
    assert!(why.contains("cannot be read"), "{why}");
    assert_ne!(repo.git(["branch", "--list", "fix"]), "");
    let entries = manager.list().await.unwrap();
    let problem = entries[0].problem.clone().unwrap();
    assert!(problem.contains("could not be told whether it was moved"), "{problem}");
}

#[tokio::test]
async fn a_directory_of_somebody_elses_that_cannot_be_read_keeps_no_tree_that_is_gone() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let other = repo.root().join("other");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink("/dev/null", other.join(".git")).unwrap();
    std::fs::remove_dir_all(worktree.path()).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "it was another directory: {released:?}");
}
