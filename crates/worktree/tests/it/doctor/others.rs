//! What became of other people's worktrees: moved, replaced, doubled, on a disk that is not there, or just being made.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use hedgerow_worktree::{
    WorktreeManager,
    doctor::{Cure, Holds, Remedy, Trouble},
};

use super::{about, broken, mend_all, plant};
use crate::repo::{Repo, git_in, request, status, write};

#[tokio::test]
async fn a_tree_that_was_moved_is_found_by_its_git_file_and_repaired() {
    let repo = Repo::new();
    let manager = repo.manager();
    let (entry, tree) = plant::add(&repo, "old");
    let moved = repo.root().join("moved");
    std::fs::rename(&tree, &moved).unwrap();
    write(&moved.join("work"), "x\n");
    plant::age(&entry);
    plant::age(&moved);
    let findings = manager.doctor().await.unwrap();
    let finding = about(&findings, &entry)[0];
    assert_eq!(finding.trouble, Trouble::TreeMoved { to: moved.clone() });
    assert_eq!((finding.remedy, finding.holds), (Remedy::Complete, Holds::Work));
    assert_eq!(manager.mend(finding).await.unwrap(), Cure::Completed);
    assert!(repo.git(["worktree", "list", "--porcelain"]).contains(&format!("worktree {}\n", moved.display())));
    assert_eq!(status(&moved), "?? work");
    repo.assert_sound();
}

#[tokio::test]
async fn a_tree_on_a_disk_that_is_not_mounted_is_never_unregistered() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mount = repo.root().join("mount");
    std::fs::create_dir_all(&mount).unwrap();
    let tree = mount.join("bystander");
    repo.git(["worktree", "add", "-q", "-b", "bystander", tree.to_str().unwrap()]);
    let entry = repo.path().join(".git/worktrees/bystander");
    // What the mount point looks like without the disk.
    let disk = repo.root().join("elsewhere/disk");
    std::fs::create_dir_all(disk.parent().unwrap()).unwrap();
    std::fs::rename(&tree, &disk).unwrap();
    plant::age(&entry);
    // Something of ours is removed at the same time, and something else is mended.
    let removed = plant::plant(&repo, 10);
    let findings = manager.doctor().await.unwrap();
    let finding = about(&findings, &entry)[0];
    assert_eq!((&finding.trouble, finding.remedy), (&Trouble::TreeMissing, Remedy::ByHand));
    assert!(matches!(manager.mend(finding).await.unwrap(), Cure::LeftAlone { .. }));
    mend_all(&manager).await;
    let worktree = manager.create(request("ours")).await.unwrap();
    manager.release(worktree, hedgerow_worktree::Disposition::Archive).await.unwrap();
    assert!(entry.join("index").exists() && !removed.entry.unwrap().exists());
    std::fs::rename(&disk, &tree).unwrap();
    assert_eq!(status(&tree), "");
    repo.assert_sound();
}

#[tokio::test]
async fn an_entry_whose_tree_is_gone_keeps_its_commit_and_its_staged_work() {
    let repo = Repo::new();
    let manager = repo.manager();
    write(&repo.root().join("repo.worktrees/.keep"), "");
    let (entry, tree) = plant::add(&repo, "committed");
    git_in(&tree, ["commit", "-q", "--allow-empty", "-m", "only here"]);
    let commit = git_in(&tree, ["rev-parse", "HEAD"]);
    std::fs::remove_dir_all(&tree).unwrap();
    plant::age(&entry);
    let (staged, tree) = plant::add(&repo, "staged");
    write(&tree.join("work"), "staged\n");
    git_in(&tree, ["add", "work"]);
    std::fs::remove_dir_all(&tree).unwrap();
    plant::age(&staged);

    let findings = manager.doctor().await.unwrap();
    assert_eq!(about(&findings, &staged)[0].remedy, Remedy::ByHand, "staged work would be lost");
    assert!(matches!(manager.mend(about(&findings, &entry)[0]).await.unwrap(), Cure::Quarantined { .. }));
    assert!(staged.exists() && !entry.exists());
    let rescues = manager.rescues(&crate::repo::id("committed")).await.unwrap();
    assert_eq!(rescues.last().unwrap().commit.as_str(), commit, "a commit that only the entry named is lost");
}

#[tokio::test]
async fn what_took_the_place_of_a_tree_is_never_touched() {
    let repo = Repo::new();
    let manager = repo.manager();
    // Another clone, another worktree's tree, and a directory without anything of git's.
    let mut entries = Vec::new();
    for (name, kind) in [("clone", 0), ("sibling", 1), ("plain", 2)] {
        let (entry, tree) = plant::add(&repo, name);
        std::fs::remove_dir_all(&tree).unwrap();
        match kind {
            0 => drop(repo.git(["clone", "-q", ".", tree.to_str().unwrap()])),
            1 => {
                let (_, other) = plant::add(&repo, "other");
                std::fs::rename(&other, &tree).unwrap();
            }
            _ => write(&tree.join("file"), "x\n"),
        }
        write(&tree.join("precious"), "x\n");
        plant::age(&entry);
        entries.push((entry, tree));
    }
    let before: Vec<_> = entries.iter().map(|(_, tree)| super::content(tree)).collect();
    let findings = manager.doctor().await.unwrap();
    for ((entry, _), remedy) in entries.iter().zip([Remedy::Quarantine, Remedy::Quarantine, Remedy::ByHand]) {
        let finding = about(&findings, entry)[0];
        assert_eq!((&finding.trouble, finding.remedy), (&Trouble::TreeReplaced, remedy), "{finding:#?}");
    }
    mend_all(&manager).await;
    assert_eq!(entries.iter().map(|(_, tree)| super::content(tree)).collect::<Vec<_>>(), before);
    assert_eq!(broken(repo.path()), Vec::<&str>::new());
}

#[tokio::test]
async fn of_two_entries_for_one_tree_the_one_that_it_names_stays() {
    let repo = Repo::new();
    let manager = repo.manager();
    let (entry, tree) = plant::add(&repo, "twice");
    let copy = entry.with_file_name("copy");
    assert!(Command::new("cp").arg("-a").arg(&entry).arg(&copy).status().unwrap().success());
    plant::age(&entry);
    plant::age(&copy);
    plant::age(&tree);
    let findings = manager.doctor().await.unwrap();
    assert_eq!(about(&findings, &entry), Vec::<&hedgerow_worktree::doctor::Finding>::new());
    let finding = about(&findings, &copy)[0];
    assert_eq!((&finding.trouble, finding.remedy), (&Trouble::Duplicate, Remedy::Quarantine));
    assert!(matches!(manager.mend(finding).await.unwrap(), Cure::Quarantined { .. }));
    assert_eq!(status(&tree), "");
    repo.assert_sound();
}

#[tokio::test]
async fn locks_are_taken_away_from_the_dead_and_never_from_the_living() {
    let repo = Repo::new();
    let manager = repo.manager();
    let (entry, tree) = plant::add(&repo, "theirs");
    let locks = [entry.join("index.lock"), entry.join("HEAD.lock"), repo.path().join(".git/config.lock")];
    for lock in &locks {
        write(lock, "");
        plant::age(lock);
    }
    plant::age(&entry);
    plant::age(&tree);
    // A process stands in the tree, and another one has the configuration locked.
    let hold = |cwd: &Path, open: &Path| -> Child {
        let file = std::fs::File::open(open).unwrap();
        Command::new("cat").current_dir(cwd).stdin(Stdio::piped()).stderr(file).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut child = hold(&tree, &locks[2]);
    let findings = manager.doctor().await.unwrap();
    assert!(findings.iter().all(|f| f.trouble != Trouble::StaleLock), "{findings:#?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let findings = manager.doctor().await.unwrap();
    assert_eq!(findings.iter().filter(|f| f.trouble == Trouble::StaleLock).count(), 3, "{findings:#?}");
    mend_all(&manager).await;
    assert!(locks.iter().all(|lock| !lock.exists()));
    git_in(&tree, ["commit", "-q", "--allow-empty", "-m", "works again"]);
    repo.git(["config", "some.key", "value"]);
}

#[tokio::test]
async fn a_git_that_waits_for_its_hook_keeps_its_lock_although_it_has_it_not_open() {
    let repo = Repo::new();
    let manager = repo.manager();
    repo.git(["branch", "other"]);
    repo.git(["pack-refs", "--all"]);
    let (held, go) = (repo.root().join("held"), repo.root().join("go"));
    let hook = repo.path().join(".git/hooks/reference-transaction");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = prepared ] || exit 0\n: > '{}'\nwhile [ ! -e '{}' ]; do sleep 0.05; done\n",
        held.display(),
        go.display()
    );
    write(&hook, &script);
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = repo.path().to_owned();
    let git = std::thread::spawn(move || crate::repo::try_git(&path, ["update-ref", "-d", "refs/heads/other"]));
    while !held.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let lock = repo.path().join(".git/packed-refs.lock");
    plant::age(&lock);
    let findings = manager.doctor().await.unwrap();
    write(&go, "");
    assert!(git.join().unwrap().status.success());
    assert!(findings.iter().all(|f| f.trouble != Trouble::StaleLock), "{findings:#?}");
    write(&lock, "");
    plant::age(&lock);
    let findings = manager.doctor().await.unwrap();
    assert_eq!(findings.iter().filter(|f| f.trouble == Trouble::StaleLock).count(), 1, "{findings:#?}");
}

/// A real `git worktree add` that has come to writing the files and stays there until it is killed.
fn stuck(repo: &Repo, tree: &Path) -> Child {
    let gate = repo.root().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    repo.write(".gitattributes", "README filter=slow\n");
    repo.commit("slow files");
    repo.git(["config", "filter.slow.smudge", &format!("cat {}", gate.display())]);
    let mut git = Command::new("git");
    git.current_dir(repo.path()).args(["worktree", "add", "-q", "--detach"]).arg(tree).stderr(Stdio::null());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let mut child = git.spawn().unwrap();
    let waiting = repo.path().join(".git/worktrees").join(tree.file_name().unwrap()).join("index.lock");
    for _ in 0..3000 {
        if waiting.exists() {
            return child;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("git worktree add did not come to the files");
}

#[tokio::test]
async fn a_running_git_worktree_add_is_left_alone_however_long_it_takes() {
    let repo = Repo::new();
    let manager = repo.manager();
    let tree = repo.root().join("theirs");
    let mut git = stuck(&repo, &tree);
    let entry = repo.path().join(".git/worktrees/theirs");
    plant::age(&entry);
    plant::age(&tree);
    let findings = manager.doctor().await.unwrap();
    let found = about(&findings, &entry);
    assert!(!found.is_empty() && found.iter().all(|finding| finding.remedy == Remedy::Wait), "{found:#?}");
    assert!(found[0].says.contains("process"), "{}", found[0].says);
    assert!(entry.join("index.lock").exists() && entry.join("locked").exists());
    // Let its filter end, and it ends well.
    let gate = repo.root().join("gate");
    let feed = std::thread::spawn(move || std::fs::write(gate, "hello\n").unwrap());
    assert!(git.wait().unwrap().success());
    feed.join().unwrap();
    assert!(tree.join("README").exists());
    repo.assert_sound();
}

#[tokio::test]
async fn keys_of_the_shared_configuration_that_catch_worktrees_out_are_named() {
    let repo = Repo::new();
    let manager = repo.manager();
    let (_, tree) = plant::add(&repo, "theirs");
    std::fs::create_dir(repo.path().join("hooks")).unwrap();
    for (key, value, trouble) in [
        ("core.bare", "true", Trouble::BareWithCheckout),
        ("core.worktree", "/elsewhere", Trouble::SharedWorktree),
        ("core.hooksPath", "hooks", Trouble::HooksPath),
        ("core.hooksPath", "/nowhere/hooks", Trouble::HooksPath),
        ("extensions.relativeWorktrees", "true", Trouble::RelativeWorktrees),
    ] {
        let config = repo.path().join(".git/config");
        let before = std::fs::read(&config).unwrap();
        git_in(&repo.root(), ["config", "--file", config.to_str().unwrap(), key, value]);
        let findings = manager.doctor().await.unwrap();
        let troubles: Vec<_> = findings.iter().map(|finding| finding.trouble.clone()).collect();
        assert_eq!(troubles, [trouble], "{key}: {findings:#?}");
        assert!(findings[0].says.contains(key), "{}", findings[0].says);
        assert!(matches!(manager.mend(&findings[0]).await.unwrap(), Cure::LeftAlone { .. }));
        std::fs::write(&config, before).unwrap();
    }
    assert_eq!(status(&tree), "");
}
