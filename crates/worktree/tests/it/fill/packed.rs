//! Files that are inflated from packs, in whatever way those are made.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hedgerow_worktree::{Error, WorktreeManager};

use super::{inflating, snapshot};
use crate::repo::{Repo, git_in, request, status};

/// A repository whose history has many versions of many similar files.
fn versions() -> Repo {
    let repo = Repo::empty();
    for version in 0..12 {
        for file in 0..20 {
            let lines = (0..200).map(|line| match (line + file) % 50 {
                0 if line < version * 20 => format!("{file} {version} {line} {}\n", line * 7919 % 104_729),
                _ => format!("{} {line} a line that all versions of all files have\n", line * 7919 % 104_729),
            });
            repo.write(&format!("dir-{}/kept-{file}-{version}", file % 7), &lines.collect::<String>());
        }
        repo.write("empty", "");
        repo.write(&format!("alike/{version}"), "the same in many places\n");
        repo.commit(&format!("version {version}"));
    }
    repo
}

fn longest_chain(repo: &Repo) -> usize {
    let packs = repo.path().join(".git/objects/pack");
    let index = std::fs::read_dir(packs).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "idx");
    let listed = repo.git(["verify-pack", "-v", index.unwrap().to_str().unwrap()]);
    listed.lines().filter_map(|line| line.split_whitespace().nth(5)?.parse().ok()).max().unwrap_or_default()
}

async fn assert_like_git(repo: &Repo, name: &str) {
    let (worktree, filled) = inflating(repo).create_reporting(request(name)).await.unwrap();
    assert_eq!((filled.copied, filled.reflinked), (0, 0));
    let made = repo.root().join(format!("by-git-{name}"));
    repo.git(["worktree", "add", "-q", "--detach", made.to_str().unwrap(), "HEAD"]);
    assert_eq!(snapshot(worktree.path()), snapshot(&made), "{name}");
    assert_eq!(status(worktree.path()), "", "{name}");
}

#[tokio::test]
async fn every_file_is_right_whatever_its_pack_looks_like() {
    let repo = versions();
    assert_like_git(&repo, "loose").await;
    repo.git(["-c", "pack.depth=200", "repack", "-adfq", "--window=50"]);
    assert!(longest_chain(&repo) > 10, "the pack has no deltas to speak of");
    assert_like_git(&repo, "by-place").await;
    repo.git(["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=200", "--window=50"]);
    assert_like_git(&repo, "by-id").await;
    repo.write("dir-1/kept-1-11", "changed\n");
    repo.write("dir-1/new", "in a second pack\n");
    repo.commit("a second pack");
    repo.git(["repack", "-dq"]);
    repo.write("dir-2/loose", "in no pack\n");
    repo.commit("and loose objects");
    assert_like_git(&repo, "mixed").await;
}

#[tokio::test]
async fn objects_that_another_repository_lends_are_found() {
    let lender = versions();
    lender.git(["repack", "-adfq", "--window=50"]);
    let repo = Repo::empty();
    let objects = lender.path().join(".git/objects");
    std::fs::write(repo.path().join(".git/objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
    repo.git(["reset", "-q", "--hard", lender.head().as_str()]);
    assert_like_git(&repo, "lent").await;
}

#[tokio::test]
async fn an_object_that_is_replaced_is_the_other_one_as_it_is_for_git() {
    let repo = versions();
    repo.git(["repack", "-adfq", "--window=50"]);
    let replaced = repo.git(["rev-parse", "HEAD:dir-1/kept-1-11"]);
    let other = repo.git(["rev-parse", "HEAD:alike/3"]);
    repo.git(["replace", replaced.trim(), other.trim()]);
    let worktree = inflating(&repo).create(request("replaced")).await.unwrap();
    assert_eq!(std::fs::read(worktree.path().join("dir-1/kept-1-11")).unwrap(), b"the same in many places\n");
}

#[tokio::test]
async fn a_damaged_pack_gives_an_error_and_never_other_content() {
    let repo = versions();
    repo.git(["-c", "pack.depth=200", "repack", "-adfq", "--window=50"]);
    let pack = only(&repo.path().join(".git/objects/pack"), "pack");
    let sound = std::fs::read(&pack).unwrap();
    let made = repo.root().join("by-git");
    repo.git(["worktree", "add", "-q", "--detach", made.to_str().unwrap(), "HEAD"]);
    let wanted = snapshot(&made);
    let mut refused = 0;
    for part in 1..20 {
        let mut bytes = sound.clone();
        let at = sound.len() * part / 20;
        bytes[at..at + 8].fill(0xa5);
        // Another file, as a mapped one may be in use.
        let other = pack.with_extension("new");
        std::fs::write(&other, bytes).unwrap();
        std::fs::rename(&other, &pack).unwrap();
        match inflating(&repo).create(request(&format!("damaged-{part}"))).await {
            Ok(worktree) => assert_eq!(snapshot(worktree.path()), wanted),
            Err(Error::Git { .. }) => refused += 1,
            Err(e) => panic!("{e:?}"),
        }
    }
    assert!(refused > 5, "{refused}");
}

#[tokio::test]
async fn a_path_that_is_longer_than_the_kernel_takes_at_once_is_made() {
    let repo = versions();
    repo.git(["repack", "-adfq"]);
    let deep = "d".repeat(200);
    let path = format!("{}/file", vec![deep.as_str(); 25].join("/"));
    let blob = repo.git(["rev-parse", "HEAD:alike/3"]);
    repo.git(["update-index", "--add", "--cacheinfo", &format!("100644,{},{path}", blob.trim())]);
    repo.git(["commit", "-q", "-m", "deep"]);
    let worktree = inflating(&repo).create(request("deep")).await.unwrap();
    let mut dir = worktree.path().to_owned();
    let found = git_in(worktree.path(), ["ls-files", "--stage"]).lines().filter(|line| line.ends_with("/file")).count();
    assert_eq!(found, 1);
    for _ in 0..10 {
        dir.push(&deep);
    }
    assert!(dir.metadata().unwrap().mode() & 0o170_000 == 0o040_000);
}

fn only(dir: &Path, extension: &str) -> PathBuf {
    let mut found = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    found.find(|path| path.extension().is_some_and(|e| e == extension)).unwrap()
}
