//! Trees that cannot or must not be made leave nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use hedgerow_worktree::{Base, CommitId, Disposition, LocalOptions, LocalWorktrees, Request, WorktreeManager};

use super::inflating;
use crate::repo::{Repo, branch, git_in, id, request, write};

#[tokio::test]
async fn a_malicious_tree_is_refused_and_nothing_is_written_outside() {
    let repo = Repo::new();
    let blob = repo.git(["rev-parse", "HEAD:README"]);
    let link = {
        write(&repo.root().join("target"), "..");
        git_in(repo.path(), ["hash-object", "-w", repo.root().join("target").to_str().unwrap()])
    };
    let tree = |lines: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, object) in lines {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            let digits: Vec<u8> = object.bytes().collect();
            bytes.extend(
                digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
            );
        }
        let file = repo.root().join("tree");
        std::fs::write(&file, bytes).unwrap();
        repo.git(["hash-object", "-w", "-t", "tree", "--literally", file.to_str().unwrap()])
    };
    let inner = tree(&[("100644", "x", &blob)]);
    let cases = [
        tree(&[("120000", "a", &link), ("40000", "a", &inner)]),
        tree(&[("40000", "a", &inner), ("120000", "a", &link)]),
        tree(&[("100644", "a", &blob), ("40000", "a", &inner)]),
        tree(&[("100644", "a", &blob), ("100644", "a", &blob)]),
        tree(&[("40000", "..", &inner)]),
        tree(&[("40000", ".git", &inner)]),
        tree(&[("40000", ".GIT", &inner)]),
        tree(&[("40000", "git~1", &inner)]),
        tree(&[("100644", "a/b", &blob)]),
        tree(&[("100644", "", &blob)]),
        tree(&[("120000", ".gitmodules", &link)]),
    ];
    let before = repo.traces();
    for (number, tree) in cases.iter().enumerate() {
        let commit = repo.git(["commit-tree", "-m", "malicious", tree]);
        let commit = CommitId::new(commit).unwrap();
        let made = repo.manager().create(Request::detached(id("bad"), commit)).await;
        assert!(made.is_err(), "case {number} was checked out");
        assert_eq!(repo.traces(), before, "case {number} left something");
        assert!(!repo.root().join("x").exists() && !repo.root().join("repo.worktrees/x").exists());
    }
}

#[tokio::test]
async fn a_creation_that_is_cancelled_half_way_leaves_nothing() {
    let repo = Repo::new();
    for n in 0..600 {
        repo.write(&format!("dir-{}/file-{n}", n % 30), &format!("{n}\n").repeat(40));
    }
    repo.commit("many files");
    let before = repo.traces();
    let manager = inflating(&repo);
    let mut cut = 0;
    for n in 0..12_u64 {
        let done = tokio::time::timeout(Duration::from_millis(1 + n * 3), manager.create(request("fix"))).await;
        if let Ok(Ok(worktree)) = done {
            manager.release(worktree, Disposition::Archive).await.unwrap();
        } else {
            cut += 1;
        }
        let started = Instant::now();
        while repo.traces() != before {
            for worktree in manager.recover().await.unwrap().adopted {
                manager.release(worktree, Disposition::Archive).await.unwrap();
            }
            manager.purge().await.unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", repo.traces());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert!(cut > 0, "nothing was cut short");
}

#[tokio::test]
async fn a_disk_that_is_full_half_way_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(place.path()).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        #[expect(clippy::print_stderr, reason = "a test that was not run says so")]
        {
            eprintln!("SKIPPED: no file system can be mounted here, so none can be full");
        }
        return;
    }
    let repo = Repo::new();
    for n in 0..40 {
        repo.write(&format!("dir/file-{n}"), &"0123456789abcdef".repeat(6000));
    }
    repo.commit("more than fits");
    let before = repo.traces();
    let options = LocalOptions::default().trees(Some(place.path().join("trees")));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let refused = manager.create(Request::new(id("fix"), branch("fix"), Base::Head)).await;
    // Whatever was begun is deleted in the background.
    let purged = manager.purge().await;
    let left: Vec<_> = std::fs::read_dir(place.path().join("trees")).unwrap().collect();
    // Lazily: whoever looks at all processes and files of the machine may be inside for a moment.
    let unmounted = Command::new("umount").arg("-l").arg(place.path()).status().unwrap();
    assert!(unmounted.success());
    purged.unwrap();
    let refused = refused.unwrap_err();
    let source = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("No space left"), "{refused}: {source}");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(repo.traces(), before);
}
