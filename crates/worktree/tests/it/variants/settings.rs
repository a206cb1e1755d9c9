//! What the repository's configuration may say.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hedgerow_worktree::{Base, Disposition, Error, Fate, LocalOptions, LocalWorktrees, Request, WorktreeManager};

use super::{assert_as_git, message, request};
use crate::repo::{Repo, branch, git_in, id, status, write};

fn admin(repo: &Repo, name: &str) -> std::path::PathBuf {
    let entries = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name)).unwrap()
}

#[tokio::test]
async fn settings_of_the_index_disturb_neither_git_nor_the_capture() {
    let settings = [
        ("index.version", "4"),
        ("index.skipHash", "true"),
        ("core.splitIndex", "true"),
        ("core.untrackedCache", "true"),
        ("core.fsmonitor", "false"),
        ("core.fsmonitor", "/no/such/program"),
        ("core.preloadIndex", "false"),
        ("core.checkStat", "minimal"),
        ("core.trustctime", "false"),
        ("feature.manyFiles", "true"),
        ("core.ignoreStat", "true"),
        ("status.showUntrackedFiles", "no"),
        ("core.quotePath", "false"),
    ];
    for (key, value) in settings {
        let repo = Repo::new();
        repo.git(["config", key, value]);
        repo.git(["update-index", "--force-write-index"]);
        let manager = repo.manager();
        let worktree = manager.create(request()).await.unwrap();
        assert_eq!(status(worktree.path()), "", "{key}={value}");
        assert_eq!(git_in(worktree.path(), ["diff-files"]), "", "{key}={value}");
        git_in(worktree.path(), ["update-index", "--force-write-index"]);
        write(&worktree.path().join("README"), "changed\n");
        write(&worktree.path().join("new"), "new\n");
        if key != "core.ignoreStat" {
            assert!(status(worktree.path()).starts_with(" M README"), "{key}={value}");
        }
        let capture = manager.capture(&worktree, message()).await.unwrap();
        assert_eq!(capture.files, 2, "{key}={value} hid a change from the capture");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn reflogs_are_begun_as_the_repository_says() {
    for (value, expected) in [(None, true), (Some("true"), true), (Some("false"), false), (Some("always"), true)] {
        let repo = Repo::new();
        if let Some(value) = value {
            repo.git(["config", "core.logAllRefUpdates", value]);
        }
        let manager = repo.manager();
        let worktree = manager.create(request()).await.unwrap();
        assert_eq!(admin(&repo, "fix").join("logs/HEAD").exists(), expected, "{value:?}");
        assert_eq!(repo.path().join(".git/logs/refs/heads/fix").exists(), expected, "{value:?}");
        if expected {
            let log = git_in(worktree.path(), ["reflog", "--format=%H %gs", "HEAD"]);
            assert_eq!(log, format!("{} worktree: created", repo.head()));
            let log = repo.git(["reflog", "--format=%gs", "fix"]);
            assert_eq!(log, format!("branch: Created from {}", repo.head()));
        }
        write(&worktree.path().join("README"), "work\n");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        let rescue = released.rescues.last().unwrap();
        let log = repo.path().join(".git/logs").join(&rescue.reference);
        // It tells since when the work is there, so it is written whatever the repository says.
        assert!(log.exists(), "{value:?}");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn settings_of_the_main_checkout_are_copied_without_its_place_and_only_where_git_reads_them() {
    let repo = Repo::new();
    write(&repo.path().join(".git/config.worktree"), "[core]\n\tbare = true\n[alias]\n\tours = status\n");
    let off = repo.manager().create(crate::repo::request("off")).await.unwrap();
    assert!(!admin(&repo, "off").join("config.worktree").exists(), "git would not read it");
    repo.manager().release(off, Disposition::Archive).await.unwrap();
    write(&repo.path().join(".git/config.worktree"), "[alias]\n\tours = status\n");
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    repo.git(["config", "--worktree", "core.worktree", repo.path().to_str().unwrap()]);
    let on = repo.manager().create(crate::repo::request("on")).await.unwrap();
    assert_eq!(git_in(on.path(), ["config", "alias.ours"]), "status");
    let copied = std::fs::read_to_string(admin(&repo, "on").join("config.worktree")).unwrap();
    assert!(!copied.contains("worktree =") && !copied.contains("bare"), "{copied}");
    assert_as_git(repo.path(), &on);
}

#[tokio::test]
async fn a_bare_setting_that_kills_the_main_checkout_is_named_and_not_worked_around() {
    let repo = Repo::new();
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    repo.git(["config", "core.bare", "true"]);
    match LocalWorktrees::open(repo.path()) {
        Err(Error::Repository { problem, .. }) => {
            assert!(problem.contains("core.bare") && problem.contains("config.worktree"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    repo.git(["config", "--unset", "core.bare"]);
    repo.git(["config", "--worktree", "core.bare", "true"]);
    let manager = repo.manager();
    let worktree = manager.create(request()).await.unwrap();
    assert_eq!(status(worktree.path()), "", "a bare main repository makes no worktree bare");
}

#[tokio::test]
async fn relative_links_are_asked_for_in_vain_and_older_programs_still_read_the_repository() {
    let repo = Repo::new();
    repo.git(["config", "worktree.useRelativePaths", "true"]);
    let worktree = repo.manager().create(request()).await.unwrap();
    let link = std::fs::read_to_string(worktree.path().join(".git")).unwrap();
    let back = std::fs::read_to_string(admin(&repo, "fix").join("gitdir")).unwrap();
    assert!(Path::new(link.trim().strip_prefix("gitdir: ").unwrap()).is_absolute(), "{link}");
    assert!(Path::new(back.trim()).is_absolute(), "{back}");
    assert_eq!(repo.git(["config", "core.repositoryFormatVersion"]), "0");
    assert_eq!(status(worktree.path()), "");
    repo.assert_sound();
}

#[tokio::test]
async fn trees_inside_the_repository_are_refused_with_the_reason() {
    let repo = Repo::new();
    let link = repo.root().join("link");
    std::os::unix::fs::symlink(repo.path(), &link).unwrap();
    for trees in [repo.path().join(".worktrees"), repo.path().join(".git/trees"), link.join("x")] {
        let options = LocalOptions::default().trees(Some(trees.clone()));
        let refused = LocalWorktrees::open_with(repo.path(), options).unwrap_err().to_string();
        assert!(refused.contains("every tool that walks the main checkout"), "{trees:?}: {refused}");
    }
}

#[tokio::test]
async fn a_repository_that_is_shared_by_a_group_lets_the_group_work_on_its_worktrees() {
    let repo = Repo::new();
    repo.git(["config", "core.sharedRepository", "group"]);
    let manager = repo.manager();
    let worktree = manager.create(request()).await.unwrap();
    let deep = Request::new(id("deep"), branch("agent/deep"), Base::Head);
    let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
    let admin = admin(&repo, "fix");
    assert_eq!(mode(&admin) & 0o2770, 0o2770, "{:o}", mode(&admin));
    for file in ["HEAD", "index", "gitdir", "commondir", "locked", "logs/HEAD"] {
        assert_eq!(mode(&admin.join(file)) & 0o660, 0o660, "{file}");
    }
    assert_eq!(mode(manager.state_dir()), 0o700, "the records stay their owner's");
    let other = manager.create(deep).await.unwrap();
    assert_eq!(mode(&repo.path().join(".git/refs/heads/agent")) & 0o2770, 0o2770, "nobody else can move the branch");
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    manager.release(other, Disposition::Archive).await.unwrap();
}
