//! Trees that somebody moved with `mv`, of which git knows nothing.

use hedgerow_worktree::{Disposition, Fate, Keeper, Notice, Owner, WorktreeManager};

use crate::repo::{Repo, id, request, status, write};

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
