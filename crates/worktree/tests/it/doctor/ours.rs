//! What may be wrong with worktrees of our own.

use std::path::PathBuf;

use hedgerow_worktree::{
    WorktreeManager,
    doctor::{Cure, Finding, Holds, Remedy, Trouble},
};

use super::{about, broken, mend_all, plant};
use crate::repo::{Repo, git_in, request, status, write};

fn entry(repo: &Repo) -> PathBuf {
    std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().next().unwrap().unwrap().path()
}

fn troubles(findings: &[Finding]) -> Vec<(Trouble, Remedy)> {
    findings.iter().map(|finding| (finding.trouble.clone(), finding.remedy)).collect()
}

#[tokio::test]
async fn a_damaged_entry_of_ours_is_left_to_its_living_owner_and_completed_after_its_death() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    git_in(worktree.path(), ["commit", "-q", "--allow-empty", "-m", "work"]);
    write(&worktree.path().join("work"), "x\n");
    let (entry, path) = (entry(&repo), worktree.path().to_owned());
    let head = std::fs::read(entry.join("HEAD")).unwrap();
    std::fs::write(entry.join("HEAD"), format!("{}\n", "0".repeat(40))).unwrap();
    std::fs::write(entry.join("commondir"), "").unwrap();
    plant::age(&entry);
    plant::age(&path);
    let findings = manager.doctor().await.unwrap();
    let finding = about(&findings, &entry)[0].clone();
    assert_eq!((&finding.trouble, finding.remedy), (&Trouble::CommondirEmpty, Remedy::Wait), "{finding:#?}");
    assert!(finding.says.contains("alive"), "{}", finding.says);
    drop(worktree);
    mend_all(&manager).await;
    assert_eq!(std::fs::read(entry.join("HEAD")).unwrap(), head);
    let aside = std::fs::read_dir(repo.path().join(".git/hedgerow/quarantine")).unwrap().map(|e| e.unwrap().path());
    let aside = aside.filter(|path| path.extension().is_none()).map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(aside.collect::<Vec<_>>(), [format!("{}\n", "0".repeat(40))], "what was there is not kept");
    assert_eq!(broken(repo.path()), Vec::<&str>::new());
    assert_eq!(status(&path), "?? work");
    let worktree = manager.adopt(&crate::repo::id("fix")).await.unwrap();
    assert_eq!(worktree.path(), path);
}

#[tokio::test]
async fn records_that_lost_their_tree_their_entry_or_their_owner_are_named() {
    let repo = Repo::new();
    let manager = repo.manager();
    drop(manager.create(request("fix")).await.unwrap());
    let (entry, tree) = (entry(&repo), repo.root().join("repo.worktrees/fix"));
    let record = manager.state_dir().join("worktrees/fix.json");
    let findings = manager.doctor().await.unwrap();
    assert_eq!(troubles(&findings), [(Trouble::Orphaned, Remedy::Recover)]);
    assert!(matches!(manager.mend(&findings[0]).await.unwrap(), Cure::LeftAlone { .. }));

    let moved = repo.root().join("moved");
    std::fs::rename(&tree, &moved).unwrap();
    let findings = manager.doctor().await.unwrap();
    let finding = findings.iter().find(|f| f.trouble == Trouble::RecordWithoutTree).unwrap();
    assert!(finding.says.contains(moved.to_str().unwrap()) && finding.holds == Holds::Work, "{}", finding.says);
    std::fs::rename(&moved, &tree).unwrap();

    let away = repo.root().join("entry");
    std::fs::rename(&entry, &away).unwrap();
    let findings = manager.doctor().await.unwrap();
    assert!(findings.iter().any(|f| f.trouble == Trouble::RecordWithoutEntry && f.path == record), "{findings:#?}");
    std::fs::remove_dir_all(&tree).unwrap();
    let findings = manager.doctor().await.unwrap();
    assert_eq!(troubles(&findings), [(Trouble::RecordWithoutTree, Remedy::Recover)]);
    drop(manager.recover().await.unwrap());
    assert_eq!(manager.doctor().await.unwrap(), Vec::<Finding>::new());
}

#[tokio::test]
async fn a_damaged_record_is_named_and_no_entry_that_may_be_its_own_is_touched() {
    let repo = Repo::new();
    let manager = repo.manager();
    drop(manager.create(request("fix")).await.unwrap());
    let entry = entry(&repo);
    std::fs::write(manager.state_dir().join("worktrees/fix.json"), "{").unwrap();
    std::fs::write(entry.join("commondir"), "").unwrap();
    plant::age(&entry);
    plant::age(&repo.root().join("repo.worktrees"));
    let findings = manager.doctor().await.unwrap();
    let expected = [(Trouble::CommondirEmpty, Remedy::Wait), (Trouble::RecordDamaged, Remedy::ByHand)];
    assert_eq!(troubles(&findings), expected, "{findings:#?}");
}

#[tokio::test]
async fn what_belongs_to_no_record_any_more_is_named() {
    let repo = Repo::new();
    let manager = repo.manager();
    let state = manager.state_dir().to_owned();
    let tree = repo.root().join("repo.worktrees/unknown");
    write(&state.join("staging/0123456789abcdef/HEAD"), "x\n");
    write(&state.join("trash/old-01234567/HEAD"), "x\n");
    write(&tree.join("work"), "x\n");
    assert_eq!(troubles(&manager.doctor().await.unwrap()), [(Trouble::StrayTree, Remedy::ByHand)]);
    plant::age(&state);
    let findings = manager.doctor().await.unwrap();
    assert_eq!(findings.iter().filter(|f| f.trouble == Trouble::LeftOver).count(), 2, "{findings:#?}");
    drop(manager.recover().await.unwrap());
    assert_eq!(troubles(&manager.doctor().await.unwrap()), [(Trouble::StrayTree, Remedy::ByHand)]);
    assert!(tree.join("work").exists());
}
