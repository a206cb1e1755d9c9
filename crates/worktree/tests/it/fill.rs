//! Where the files of a new worktree come from, and that nothing but the commit decides what is in them.

mod failures;
mod packed;

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hedgerow_worktree::{CopyFrom, Filled, LocalOptions, LocalWorktrees, Request, Worktree, WorktreeManager};

use crate::repo::{Repo, git_in, id, request, status, write};

/// Files that were written in this very moment are not copied, so the checkout of a test is made to look old.
fn settle(repo: &Repo) {
    // The change of the inode counts too, and that can only be waited for.
    std::thread::sleep(Duration::from_millis(2100));
    repo.git(["update-index", "-q", "--refresh"]);
    let index = repo.path().join(".git/index");
    // Written again, so that its time lies clearly after those of the files.
    repo.git(["update-index", "--force-write-index"]);
    assert!(index.exists());
}

async fn made(repo: &Repo, name: &str) -> (Worktree, Filled) {
    repo.manager().create_reporting(request(name)).await.unwrap()
}

fn inflating(repo: &Repo) -> LocalWorktrees {
    let options = LocalOptions::default().copy_from(CopyFrom::Nothing);
    LocalWorktrees::open_with(repo.path(), options).unwrap()
}

fn copies(filled: Filled) -> usize {
    filled.copied + filled.reflinked
}

/// Every path with its kind, mode and content.
fn snapshot(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            let meta = path.symlink_metadata().unwrap();
            let what = if name == Path::new(".git") {
                continue;
            } else if meta.is_dir() {
                dirs.push(path.clone());
                format!("directory {:o}", meta.mode())
            } else if meta.is_symlink() {
                format!("symlink to {:?}", std::fs::read_link(&path).unwrap())
            } else {
                let content = std::fs::read(&path).unwrap();
                let end = &content[..content.len().min(100)];
                format!("{:o} {} {:?}", meta.mode(), sum(&content), String::from_utf8_lossy(end))
            };
            found.push((name, what));
        }
    }
    found.sort();
    found
}

fn sum(content: &[u8]) -> u64 {
    content.iter().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

/// A repository with everything that makes a file special.
fn special() -> Repo {
    let repo = Repo::empty();
    let attributes = "*.bat text eol=crlf\n*.txt text=auto\n*.lf text eol=lf\n*.l1 working-tree-encoding=ISO-8859-1\n\
                      *.id ident\n*.bin binary\n*.old crlf\n";
    repo.write(".gitattributes", attributes);
    repo.write("sub/.gitattributes", "*.bat -text\n*.plain ident\n");
    repo.write("run.bat", "one\r\ntwo\r\n");
    repo.write("sub/run.bat", "one\ntwo\n");
    repo.write("plain.txt", "one\ntwo\n");
    repo.write("unix.lf", "one\ntwo\n");
    repo.write("older.old", "one\n");
    repo.write("keyword.id", "$Id$\n");
    repo.write("sub/keyword.plain", "$Id$\n");
    repo.write("empty", "");
    repo.write("name with spaces/ümläut-ß\n\"quoted\"\t.x", "x\n");
    repo.write("-dash/--force", "x\n");
    repo.write("deep/a/b/c/d/e/f/g/h/file", "x\n");
    repo.write("large", &"0123456789abcdef\n".repeat(100_000));
    repo.write("tool.sh", "#!/bin/sh\n");
    let path = |name: &str| repo.path().join(name);
    std::fs::set_permissions(path("tool.sh"), Permissions::from_mode(0o755)).unwrap();
    std::fs::write(path("old.l1"), [0xe4, 0xf6, 10]).unwrap();
    std::fs::write(path("blob.bin"), [0, 13, 10, 255]).unwrap();
    symlink("tool.sh", path("link")).unwrap();
    symlink("no/such/thing", path("deep/dangling")).unwrap();
    symlink("a", path("deep/to-a-directory")).unwrap();
    repo.git(["add", "-A"]);
    let commit = "0123456789012345678901234567890123456789";
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},module/inner")]);
    repo.git(["commit", "-q", "-m", "everything"]);
    std::fs::create_dir_all(path("module/inner")).unwrap();
    repo
}

#[tokio::test]
async fn whatever_way_the_files_come_they_are_what_git_makes_of_them() {
    for settings in
        [&[][..], &["core.autocrlf=true"], &["core.eol=crlf"], &["core.symlinks=false", "core.fileMode=false"]]
    {
        let repo = special();
        for setting in settings {
            let (key, value) = setting.split_once('=').unwrap();
            repo.git(["config", key, value]);
        }
        settle(&repo);
        let theirs = repo.root().join("theirs");
        repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
        let (copied, filled) = made(&repo, "copied").await;
        let (inflated, none) = inflating(&repo).create_reporting(request("inflated")).await.unwrap();
        assert_eq!(copies(none), 0);
        assert_eq!(
            copies(filled) > 0,
            settings.is_empty() || settings[0].ends_with("false"),
            "{settings:?} {filled:?}"
        );
        for ours in [&copied, &inflated] {
            assert_eq!(snapshot(ours.path()), snapshot(&theirs), "{settings:?}");
            assert_eq!(git_in(ours.path(), ["ls-files", "--stage"]), git_in(&theirs, ["ls-files", "--stage"]));
            assert_eq!(status(ours.path()), "", "{settings:?}");
            git_in(ours.path(), ["diff-files", "--quiet"]);
        }
    }
}

#[tokio::test]
async fn the_index_knows_the_trees_of_its_directories_and_they_are_right() {
    let repo = special();
    let (worktree, _) = made(&repo, "fix").await;
    let tree = git_in(worktree.path(), ["write-tree"]);
    assert_eq!(tree, repo.git(["rev-parse", "HEAD^{tree}"]));
    write(&worktree.path().join("deep/a/b/c/new"), "x\n");
    git_in(worktree.path(), ["add", "-A"]);
    let with_cache = git_in(worktree.path(), ["write-tree"]);
    git_in(worktree.path(), ["read-tree", "--empty"]);
    git_in(worktree.path(), ["add", "-A"]);
    let module = "160000,0123456789012345678901234567890123456789,module/inner";
    git_in(worktree.path(), ["update-index", "--add", "--cacheinfo", module]);
    assert_eq!(with_cache, git_in(worktree.path(), ["write-tree"]));
}

#[tokio::test]
async fn what_was_edited_in_the_main_checkout_never_gets_into_a_new_worktree() {
    let repo = Repo::new();
    for name in ["kept", "longer", "same-size", "same-time", "replaced", "executable", "assumed", "staged", "gone"] {
        repo.write(&format!("dir/{name}"), "the committed text\n");
    }
    repo.commit("files");
    settle(&repo);
    let path = |name: &str| repo.path().join("dir").join(name);
    let before = path("same-time").metadata().unwrap().modified().unwrap();
    repo.git(["update-index", "--assume-unchanged", "dir/assumed"]);
    repo.write("dir/longer", "an edited text that is longer\n");
    repo.write("dir/same-size", "THE COMMITTED TEXT\n");
    repo.write("dir/same-time", "THE COMMITTED TEXT\n");
    File::options().write(true).open(path("same-time")).unwrap().set_modified(before).unwrap();
    repo.write("dir/assumed", "THE COMMITTED TEXT\n");
    repo.write("dir/staged", "THE COMMITTED TEXT\n");
    repo.git(["add", "dir/staged"]);
    std::fs::remove_file(path("gone")).unwrap();
    std::fs::remove_file(path("replaced")).unwrap();
    write(&repo.root().join("secret"), "THE COMMITTED TEXT\n");
    symlink(repo.root().join("secret"), path("replaced")).unwrap();
    std::fs::set_permissions(path("executable"), Permissions::from_mode(0o755)).unwrap();

    let (worktree, filled) = made(&repo, "fix").await;
    for entry in std::fs::read_dir(worktree.path().join("dir")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(std::fs::read_to_string(entry.path()).unwrap(), "the committed text\n", "{:?}", entry.file_name());
        assert_eq!(entry.metadata().unwrap().mode() & 0o111, 0, "{:?}", entry.file_name());
    }
    assert!(copies(filled) >= 1, "{filled:?}");
    assert!(filled.inflated >= 8, "{filled:?}");
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn a_directory_of_the_main_checkout_that_was_replaced_by_a_symlink_is_not_entered() {
    let repo = Repo::new();
    settle(&repo);
    let away = repo.root().join("away");
    std::fs::rename(repo.path().join("src"), &away).unwrap();
    symlink(&away, repo.path().join("src")).unwrap();
    let (worktree, filled) = made(&repo, "fix").await;
    assert_eq!(copies(filled), 1, "only the README lies outside of it: {filled:?}");
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn smudged_files_of_the_main_checkout_are_not_copied() {
    // Of the same size as what is stored, so that nothing but the attributes tells.
    let program = "tr a-z b-za";
    let back = "tr b-za a-z";
    for place in [".gitattributes", ".git/info/attributes"] {
        let repo = Repo::new();
        repo.git(["config", "filter.shift.smudge", program]);
        repo.git(["config", "filter.shift.clean", back]);
        repo.write(place, "*.big filter=shift\n");
        repo.write("data.big", "bcd\n");
        repo.write("src/data.big", "bcd\n");
        repo.commit("filtered");
        assert_eq!(repo.git(["cat-file", "-p", "HEAD:data.big"]), "abc");
        settle(&repo);
        let (worktree, filled) = made(&repo, "fix").await;
        for file in ["data.big", "src/data.big"] {
            assert_eq!(std::fs::read_to_string(worktree.path().join(file)).unwrap(), "abc\n", "{place}");
        }
        assert!(copies(filled) >= 1, "{filled:?}");
    }
}

#[tokio::test]
async fn attributes_that_only_the_main_checkout_has_keep_its_files_from_being_copied() {
    let repo = Repo::new();
    repo.write("src/data.big", "abc\n");
    repo.commit("stored as it is");
    repo.git(["config", "filter.shift.smudge", "tr a-z b-za"]);
    repo.git(["config", "filter.shift.clean", "tr b-za a-z"]);
    // Never committed; git has written the file anew since, and calls it unchanged.
    repo.write("src/.gitattributes", "*.big filter=shift\n");
    std::fs::remove_file(repo.path().join("src/data.big")).unwrap();
    repo.git(["checkout", "--", "src/data.big"]);
    assert_eq!(std::fs::read_to_string(repo.path().join("src/data.big")).unwrap(), "bcd\n");
    settle(&repo);
    let (worktree, filled) = made(&repo, "fix").await;
    assert_eq!(std::fs::read_to_string(worktree.path().join("src/data.big")).unwrap(), "abc\n");
    assert_eq!(copies(filled), 1, "only the README lies elsewhere: {filled:?}");
}

#[tokio::test]
async fn converted_files_whose_attributes_are_gone_are_not_copied() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("file.txt", "one\ntwo\n");
    repo.commit("converted");
    std::fs::remove_file(repo.path().join("file.txt")).unwrap();
    repo.git(["checkout", "--", "file.txt"]);
    repo.git(["rm", "-q", ".gitattributes"]);
    repo.git(["commit", "-q", "-m", "no attributes"]);
    settle(&repo);
    assert_eq!(std::fs::read_to_string(repo.path().join("file.txt")).unwrap(), "one\r\ntwo\r\n");
    let (worktree, _) = made(&repo, "fix").await;
    assert_eq!(std::fs::read_to_string(worktree.path().join("file.txt")).unwrap(), "one\ntwo\n");
}

#[tokio::test]
async fn a_main_checkout_on_another_commit_gives_what_both_have() {
    let repo = Repo::new();
    let first = repo.head();
    repo.write("README", "second\n");
    repo.write("new", "x\n");
    repo.git(["rm", "-q", "-r", "src/deep"]);
    repo.commit("second");
    settle(&repo);
    let (worktree, filled) = repo.manager().create_reporting(Request::detached(id("old"), first)).await.unwrap();
    assert_eq!((copies(filled), filled.inflated), (1, 2), "src/main.rs alone is in both");
    assert_eq!(std::fs::read_to_string(worktree.path().join("README")).unwrap(), "hello\n");
    assert!(worktree.path().join("src/deep/er/mod.rs").exists());
    assert!(!worktree.path().join("new").exists());
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn git_reads_no_file_of_a_new_worktree_to_know_that_it_is_clean() {
    let repo = Repo::new();
    settle(&repo);
    for manager in [repo.manager(), inflating(&repo)] {
        let name = if manager.trees().join("a").exists() { "b" } else { "a" };
        let worktree = manager.create(request(name)).await.unwrap();
        let file = worktree.path().join("README");
        let admin = git_in(worktree.path(), ["rev-parse", "--absolute-git-dir"]);
        let index = Path::new(&admin).join("index").metadata().unwrap();
        assert!(file.metadata().unwrap().mtime() < index.mtime(), "git would take the entry for racy");
        assert_eq!(status(worktree.path()), "");
    }
}

#[tokio::test]
async fn an_edit_in_the_very_moment_of_the_creation_is_seen() {
    let repo = Repo::new();
    settle(&repo);
    for round in 0..20 {
        let name = format!("fix-{round}");
        let (worktree, _) = made(&repo, &name).await;
        let file = worktree.path().join("README");
        // Of the same size, in the same inode, and as soon as can be.
        std::fs::write(&file, "HELLO\n").unwrap();
        assert!(status(worktree.path()).contains("M README"));
        let message = hedgerow_worktree::Message { text: "x".into(), name: "a".into(), email: "a@b".into() };
        let capture = repo.manager().capture(&worktree, message).await.unwrap();
        assert_eq!(capture.files, 1);
    }
}

#[tokio::test]
async fn settings_that_change_the_index_of_git_do_not_disturb() {
    for setting in [
        "index.version=4",
        "index.skipHash=true",
        "core.splitIndex=true",
        "core.untrackedCache=true",
        "index.sparse=true",
    ] {
        let repo = Repo::new();
        let (key, value) = setting.split_once('=').unwrap();
        repo.git(["config", key, value]);
        repo.write("more", "x\n");
        repo.commit("more");
        settle(&repo);
        let (worktree, filled) = made(&repo, "fix").await;
        assert!(copies(filled) > 0, "{setting}: {filled:?}");
        assert_eq!(status(worktree.path()), "", "{setting}");
        write(&worktree.path().join("more"), "y\n");
        assert_eq!(status(worktree.path()).trim(), "M more", "{setting}");
        git_in(worktree.path(), ["commit", "-q", "-a", "-m", "work"]);
        repo.assert_sound();
    }
}
