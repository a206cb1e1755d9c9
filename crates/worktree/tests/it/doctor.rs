//! Half-built entries, whoever left them: found, said in one line, mended or put into quarantine, and never in the way.

mod others;
mod ours;
mod plant;

use std::path::{Path, PathBuf};

use hedgerow_worktree::{
    LocalWorktrees, WorktreeManager,
    doctor::{Cure, Finding, Holds, Remedy, Severity, Trouble},
};

use crate::repo::{Repo, git_in, request, status, try_git};
use plant::Planted;

/// Which of the commands that everybody needs fail in the repository.
fn broken(repo: &Path) -> Vec<&'static str> {
    broken_of(repo, &["list", "add", "fetch", "fsck", "gc", "branch"])
}

/// The same of fewer commands. They run in a copy, because some of them prune.
fn broken_of(repo: &Path, wanted: &[&str]) -> Vec<&'static str> {
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("copy");
    let made = std::process::Command::new("cp").arg("-a").arg(repo).arg(&copy).status().unwrap();
    assert!(made.success());
    let extra = place.path().join("extra");
    let commands: [(&str, &[&str]); 6] = [
        ("list", &["worktree", "list", "--porcelain"]),
        ("add", &["worktree", "add", "-q", "--detach", extra.to_str().unwrap()]),
        ("fetch", &["fetch", "-q", "."]),
        ("fsck", &["fsck"]),
        ("gc", &["gc", "-q"]),
        ("branch", &["branch", "-q", "-D", "spare"]),
    ];
    let _made = try_git(&copy, ["branch", "spare"]);
    let commands = commands.into_iter().filter(|(name, _)| wanted.contains(name));
    commands.filter(|(_, args)| !try_git(&copy, *args).status.success()).map(|(name, _)| name).collect()
}

/// The findings that concern this entry or tree.
fn about<'a>(findings: &'a [Finding], path: &Path) -> Vec<&'a Finding> {
    findings.iter().filter(|finding| finding.path.starts_with(path)).collect()
}

/// Everything below a directory, with its content.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => pending.push(path),
                false => found.push((path.clone(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// Mends whatever can be mended until there is nothing more.
async fn mend_all(manager: &LocalWorktrees) -> Vec<Cure> {
    let mut cures = Vec::new();
    for _ in 0..5 {
        let findings = manager.doctor().await.unwrap();
        let mendable = |f: &&Finding| matches!(f.remedy, Remedy::Complete | Remedy::Quarantine);
        let todo: Vec<_> = findings.iter().filter(mendable).collect();
        if todo.is_empty() {
            return cures;
        }
        for finding in todo {
            cures.push(manager.mend(finding).await.unwrap());
        }
    }
    panic!("mending does not come to an end: {:#?}", manager.doctor().await.unwrap());
}

async fn check(repo: &Repo, manager: &LocalWorktrees, planted: &Planted) {
    let number = planted.number;
    // The rest is slow, and fails where one of these fails.
    let quick = ["list", "fetch", "fsck"];
    let before = if matches!(number, 4 | 6) { broken(repo.path()) } else { broken_of(repo.path(), &quick) };
    assert_eq!(before, planted.breaks(), "state {number}: other commands fail than expected");

    // Nobody is hindered from making worktrees.
    let worktree = manager.create(request(&format!("beside-{number}"))).await.unwrap();
    assert_eq!(status_unless_broken(&before, worktree.path()), "", "state {number}");
    drop(worktree);

    let at = planted.entry.as_ref().or(planted.tree.as_ref()).unwrap();
    let listed = manager.list().await.unwrap();
    let shown = |path: &PathBuf| listed.iter().any(|entry| entry.path == *path && entry.problem.is_some());
    assert!(planted.entry.iter().chain([&planted.place]).any(shown), "state {number} is not in {listed:#?}");

    let findings = manager.doctor().await.unwrap();
    let found = about(&findings, at);
    let finding = found.first().unwrap_or_else(|| panic!("state {number} was not found: {findings:#?}"));
    assert_eq!((&finding.trouble, finding.remedy), (&planted.trouble, planted.remedy), "state {number}: {finding:#?}");
    assert!(!finding.says.contains('\n') && finding.says.len() > 30, "{}", finding.says);
    let everybody = matches!(number, 4 | 6);
    assert_eq!(finding.severity == Severity::Repository, everybody, "state {number}");

    let files = planted.tree.as_deref().map(content);
    match (manager.mend(finding).await.unwrap(), planted.remedy) {
        (Cure::Completed, Remedy::Complete) => assert!(at.exists()),
        (Cure::Quarantined { to }, Remedy::Quarantine) => {
            let note = std::fs::read_to_string(format!("{}.note", to.display())).unwrap();
            assert!(to.exists() && !at.exists() && note.contains(at.to_str().unwrap()), "{note}");
        }
        (Cure::LeftAlone { why }, Remedy::ByHand) => assert!(at.exists() && !why.is_empty()),
        (cure, _) => panic!("state {number}: {cure:?}"),
    }
    mend_all(manager).await;
    assert_eq!(planted.tree.as_deref().map(content), files, "state {number}: mending changed files of a tree");
    if !before.is_empty() {
        assert_eq!(broken(repo.path()), Vec::<&str>::new(), "state {number} is mended, but git still fails");
    }
    for finding in about(&manager.doctor().await.unwrap(), at) {
        assert_eq!(finding.remedy, Remedy::ByHand, "state {number}: {finding:#?}");
    }
}

fn status_unless_broken(broken: &[&str], tree: &Path) -> String {
    if broken.contains(&"list") {
        // git does not work in here at present, but the files are there.
        assert!(tree.join("README").exists());
        return String::new();
    }
    status(tree)
}

#[tokio::test]
async fn each_half_built_entry_is_found_said_in_a_line_and_mended_and_blocks_no_creation() {
    for number in 1..=15 {
        let repo = Repo::new();
        let manager = repo.manager();
        let planted = plant::plant(&repo, number);
        check(&repo, &manager, &planted).await;
    }
}

#[tokio::test]
async fn all_half_built_entries_at_once_are_mended_and_git_works_again() {
    let repo = Repo::new();
    let manager = repo.manager();
    let planted = plant::plant_all(&repo, 1..=15);
    assert_eq!(broken(repo.path()), ["list", "add", "fetch", "fsck", "gc", "branch"]);
    let worktree = manager.create(request("beside")).await.unwrap();
    let listed = manager.list().await.unwrap();
    assert_eq!(listed.iter().filter(|entry| entry.problem.is_some()).count(), 15, "{listed:#?}");
    let findings = manager.doctor().await.unwrap();
    for planted in &planted {
        let at = planted.entry.as_ref().or(planted.tree.as_ref()).unwrap();
        assert_eq!(about(&findings, at)[0].trouble, planted.trouble, "state {}", planted.number);
    }
    assert_eq!(findings[0].severity, Severity::Repository, "the worst comes first");
    let files: Vec<_> = planted.iter().map(|p| p.tree.as_deref().map(content)).collect();
    mend_all(&manager).await;
    assert_eq!(planted.iter().map(|p| p.tree.as_deref().map(content)).collect::<Vec<_>>(), files);
    assert_eq!(broken(repo.path()), Vec::<&str>::new());
    assert_eq!(status(worktree.path()), "");
    git_in(repo.path(), ["fsck", "--strict"]);
}

#[tokio::test]
async fn a_healthy_repository_has_nothing_to_find() {
    let repo = Repo::new();
    let manager = repo.manager();
    let _leased = manager.create(request("leased")).await.unwrap();
    repo.git(["worktree", "add", "-q", repo.root().join("theirs").to_str().unwrap()]);
    plant::age(&repo.root());
    assert_eq!(manager.doctor().await.unwrap(), Vec::<Finding>::new());
}

#[tokio::test]
async fn what_is_young_may_still_be_in_the_making_and_is_left_alone() {
    let repo = Repo::new();
    let manager = repo.manager();
    for number in [1, 3, 4, 6, 7, 12] {
        let planted = plant::plant(&repo, number);
        let entry = planted.entry.as_deref().unwrap();
        let findings = manager.doctor().await.unwrap();
        let old = about(&findings, entry)[0].clone();
        std::fs::write(entry.join("young"), "").unwrap();
        std::fs::remove_file(entry.join("young")).unwrap();
        let findings = manager.doctor().await.unwrap();
        assert_eq!(about(&findings, entry)[0].remedy, Remedy::Wait, "state {number}");
        // Also when it was old when it was looked at.
        let cure = manager.mend(&old).await.unwrap();
        assert!(matches!(&cure, Cure::LeftAlone { why } if why.contains("changed less than")), "{cure:?}");
        assert!(entry.exists());
        std::fs::remove_dir_all(entry).unwrap();
    }
}

#[tokio::test]
async fn what_was_found_and_is_gone_or_whole_again_is_not_touched() {
    let repo = Repo::new();
    let manager = repo.manager();
    let planted = plant::plant(&repo, 14);
    let entry = planted.entry.unwrap();
    let findings = manager.doctor().await.unwrap();
    let finding = about(&findings, &entry)[0].clone();
    assert_eq!((&finding.trouble, finding.holds), (&Trouble::HeadDamaged, Holds::Work));
    std::fs::write(entry.join("HEAD"), format!("{}\n", repo.head())).unwrap();
    assert_eq!(manager.mend(&finding).await.unwrap(), Cure::Gone);
    std::fs::remove_dir_all(&entry).unwrap();
    assert_eq!(manager.mend(&finding).await.unwrap(), Cure::Gone);
}
