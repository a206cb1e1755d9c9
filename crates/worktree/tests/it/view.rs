//! git inside a private view: complete for the agent, harmless for the repository.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hedgerow_worktree::{Access, Error, GitAccess, WorktreeManager};

use crate::capture::Lane;
use crate::repo::{self, Repo};

/// Every file of a repository with its content, besides the view itself.
pub(crate) fn fingerprint(git: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![git.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() && !path.ends_with("hedgerow/views") {
                waiting.push(path.clone());
            }
            let content = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path, (meta.mode(), content));
        }
    }
    found
}

#[tokio::test]
async fn git_in_a_fresh_view_sees_a_clean_tree_without_reading_it_again() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    assert_eq!(lane.inside(["status", "--porcelain", "--branch"]), "## lane");
    // Only the stat data can say so: the content of the object is out of reach of `diff-files`.
    assert_eq!(lane.inside(["diff-files"]), "");
    assert_eq!(lane.inside(["rev-parse", "HEAD"]), lane.base());
    assert_eq!(lane.inside(["for-each-ref", "--format=%(refname)"]), "refs/heads/lane");
    assert_eq!(lane.inside(["log", "--format=%s"]), "first");
}

#[tokio::test]
async fn nothing_that_git_does_inside_changes_a_byte_of_the_repository() {
    let repo = Repo::new();
    repo.git(["branch", "other"]);
    repo.git(["gc", "-q"]);
    let lane = Lane::new(repo, GitAccess::Private).await;
    let git = lane.repo.path().join(".git");
    let before = fingerprint(&git);
    lane.write("new", "one\n");
    lane.inside(["add", "-A"]);
    lane.inside(["commit", "-q", "-m", "inside"]);
    lane.inside(["switch", "-q", "-c", "topic"]);
    lane.write("README", "changed\n");
    lane.inside(["stash"]);
    lane.inside(["stash", "pop"]);
    lane.inside(["commit", "-q", "-a", "-m", "topic"]);
    lane.inside(["tag", "-m", "note", "v1"]);
    lane.inside(["switch", "-q", "lane"]);
    lane.inside(["merge", "-q", "topic"]);
    lane.inside(["config", "core.hooksPath", "/tmp/evil"]);
    lane.inside(["pack-refs", "--all"]);
    lane.inside(["gc", "-q", "--prune=now"]);
    lane.inside(["fsck", "--strict"]);
    assert_eq!(lane.inside(["status", "--porcelain"]), "");
    assert_eq!(fingerprint(&git), before);
    lane.repo.assert_sound();
}

#[tokio::test]
async fn the_mounts_give_the_view_and_nothing_else_of_the_repository() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    let git = lane.repo.path().join(".git").canonicalize().unwrap();
    let mounts = lane.worktree.mounts();
    let writable: Vec<_> = mounts.iter().filter(|m| m.access == Access::ReadWrite).map(|m| m.source.clone()).collect();
    assert_eq!(writable, [lane.tree().to_owned(), lane.view()]);
    let objects = mounts.iter().find(|m| m.source == git.join("objects")).unwrap();
    assert_eq!((&objects.target, objects.access), (&objects.source, Access::ReadOnly));
    let dot_git = mounts.last().unwrap();
    assert_eq!((dot_git.target.clone(), dot_git.access), (lane.tree().join(".git"), Access::ReadOnly));
    let named = std::fs::read_to_string(&dot_git.source).unwrap();
    assert_eq!(named, format!("gitdir: {}\n", lane.view().display()));
    for private in [lane.view(), lane.view().parent().unwrap().to_owned()] {
        assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{private:?}");
    }
    let seen = |m: &&hedgerow_worktree::Mount| m.source.starts_with(&git);
    assert_eq!(mounts.iter().filter(seen).count(), 3, "{mounts:#?}");
}

#[tokio::test]
async fn a_repository_that_borrows_objects_works_inside_through_every_database() {
    let first = Repo::new();
    let second = first.root().join("second");
    let third = first.root().join("third");
    first.git(["clone", "-q", "--shared", ".", second.to_str().unwrap()]);
    repo::git_in(&second, ["clone", "-q", "--shared", ".", third.to_str().unwrap()]);
    // Relative to the database that names it, which versions of git take differently two levels down.
    std::fs::write(second.join(".git/objects/info/alternates"), "../../../repo/.git/objects\n").unwrap();
    let manager = hedgerow_worktree::LocalWorktrees::open(&third).unwrap();
    let mut request = repo::request("lane");
    request.git = GitAccess::Private;
    let worktree = manager.create(request).await.unwrap();
    for borrowed in [first.path().join(".git/objects"), second.join(".git/objects"), third.join(".git/objects")] {
        assert!(worktree.mounts().iter().any(|m| m.source == borrowed && m.access == Access::ReadOnly), "{borrowed:?}");
    }
    let view = manager.state_dir().join("views/lane/git");
    assert_eq!(crate::capture::git_as(&view, worktree.path(), ["log", "--format=%s"]), "first");
    assert_eq!(crate::capture::git_as(&view, worktree.path(), ["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_partial_clone_is_refused_with_the_way_out() {
    let origin = Repo::new();
    origin.git(["config", "uploadpack.allowFilter", "true"]);
    let partial = origin.root().join("partial");
    let url = format!("file://{}", origin.path().display());
    origin.git(["clone", "-q", "--filter=blob:none", &url, partial.to_str().unwrap()]);
    let manager = hedgerow_worktree::LocalWorktrees::open(&partial).unwrap();
    let mut request = repo::request("lane");
    request.git = GitAccess::Private;
    let error = manager.create(request).await.unwrap_err();
    assert!(matches!(&error, Error::Repository { problem, .. } if problem.contains("partial clone")), "{error}");
    assert!(!manager.state_dir().join("views/lane").exists());
}

#[tokio::test]
async fn a_shallow_clone_and_a_detached_head_work_inside() {
    let origin = Repo::new();
    origin.write("README", "second\n");
    origin.commit("second");
    let shallow = origin.root().join("shallow");
    let url = format!("file://{}", origin.path().display());
    origin.git(["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()]);
    let manager = hedgerow_worktree::LocalWorktrees::open(&shallow).unwrap();
    let mut request = hedgerow_worktree::Request::detached(repo::id("lane"), origin.head());
    request.git = GitAccess::Private;
    let worktree = manager.create(request).await.unwrap();
    let view = manager.state_dir().join("views/lane/git");
    assert_eq!(crate::capture::git_as(&view, worktree.path(), ["log", "--format=%s"]), "second");
    assert_eq!(
        crate::capture::git_as(&view, worktree.path(), ["status", "--porcelain", "--branch"]),
        "## HEAD (no branch)"
    );
    crate::capture::git_as(&view, worktree.path(), ["fsck", "--strict"]);
}

/// Runs a script as root in a mount namespace of its own with the mounts of the worktree; none if that is not possible.
fn with_mounts(lane: &Lane, script: &str) -> Option<std::process::Output> {
    let mut setup = String::from("set -e; mount --make-rprivate /; ");
    for mount in lane.worktree.mounts() {
        let (source, target) = (mount.source.display(), mount.target.display());
        setup += &format!("mount --bind '{source}' '{target}'; ");
        if mount.access == Access::ReadOnly {
            setup += &format!("mount -o remount,bind,ro '{target}'; ");
        }
    }
    let run = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).current_dir(lane.tree()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "An Agent").env(format!("GIT_{role}_EMAIL"), "agent@example.com");
        }
        command.output()
    };
    let possible = run(&format!("{setup} true")).is_ok_and(|output| output.status.success());
    if !possible {
        let required = std::env::var("HEDGEROW_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name == "mounts"));
        assert!(!required, "mount namespaces are required, and cannot be used");
        return None;
    }
    Some(run(&format!("{setup} cd '{}'; {script}", lane.tree().display())).unwrap())
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
async fn behind_its_mounts_plain_git_commits_and_cannot_reach_the_repository() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    let git = lane.repo.path().join(".git");
    let before = fingerprint(&git);
    let script = "
        test -z \"$(git status --porcelain)\"
        echo new > new
        git add new && git commit -q -m inside
        git gc -q --prune=now && git fsck --strict
        exec 2> /dev/null
        objects=$(head -n 1 \"$(git rev-parse --git-dir)/objects/info/alternates\")
        if rm -f .git; then exit 71; fi
        if mv .git moved; then exit 72; fi
        if (echo 'gitdir: /tmp' > .git); then exit 73; fi
        if touch \"$objects/evil\"; then exit 74; fi
        git log -1 --format=%s";
    let Some(output) = with_mounts(&lane, script) else {
        return eprintln!("SKIPPED: mount namespaces cannot be used here");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.ends_with("inside\n"), "{output:?}");
    assert_eq!(fingerprint(&git), before);
    let capture = lane.capture().await;
    assert_eq!((capture.commits, capture.files, capture.notices.len()), (1, 1, 0));
    lane.assert_captured(&capture, lane.inside(["rev-parse", "HEAD"]).as_str());
}
