//! What a crash of the machine tears of a tree is made whole, and what somebody wrote stays.

use std::fs::{File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hedgerow_worktree::WorktreeManager;
use serde_json::json;

use crate::repo::{Repo, git_in, request, status, write};

/// Makes the record of `fix` look as if its owner had run before the machine was started.
fn rebooted(repo: &Repo) {
    let path = repo.path().join(".git/hedgerow/worktrees/fix.json");
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["holder"]["boot"] = json!("before");
    std::fs::write(&path, record.to_string()).unwrap();
}

#[tokio::test]
async fn files_that_a_crash_of_the_machine_left_empty_are_written_again_and_edited_ones_are_not() {
    let repo = Repo::empty();
    repo.write(".gitattributes", "*.bat text eol=crlf\n");
    for name in ["never.txt", "never.bat", "emptied", "edited", "whole", "dir/removed"] {
        repo.write(name, "one\ntwo\n");
    }
    repo.commit("files");
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let path = |name: &str| worktree.path().join(name);
    let tree = worktree.path().to_owned();
    write(&path("edited"), "mine\n");
    write(&path("emptied"), "");
    std::fs::remove_file(path("dir/removed")).unwrap();
    let saved = repo.path().join(".git/hedgerow/worktrees/fix.index");
    // What the disk has of a file that was never flushed: all of its times, and no byte. Nobody can set the time of the
    // change back, so the index is told what it is now.
    for name in ["never.txt", "never.bat"] {
        let times = path(name).metadata().unwrap();
        File::options().write(true).open(path(name)).unwrap().set_len(0).unwrap();
        let file = File::options().write(true).open(path(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(times.modified().unwrap())).unwrap();
        let now = path(name).metadata().unwrap();
        set_changed(&saved, name, (now.ctime(), now.ctime_nsec()));
    }
    std::fs::write(tree.join(".git"), "").unwrap();
    let admin = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(admin.join("index"), "").unwrap();
    drop(worktree);

    rebooted(&repo);
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.left, Vec::<String>::new());
    let worktree = &recovery.adopted[0];
    let read = |name: &str| std::fs::read_to_string(worktree.path().join(name)).unwrap();
    assert_eq!((read("never.txt").as_str(), read("never.bat").as_str()), ("one\ntwo\n", "one\r\ntwo\r\n"));
    assert_eq!((read("edited").as_str(), read("emptied").as_str()), ("mine\n", ""));
    assert!(!worktree.path().join("dir/removed").exists());
    let changed: Vec<_> = status(worktree.path()).lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(changed, ["D dir/removed", "M edited", "M emptied"]);
    repo.assert_sound();
}

/// Tells a saved index another time of the last change of a file.
fn set_changed(index: &Path, path: &str, to: (i64, i64)) {
    /// What of an entry lies before its path.
    const BEFORE: usize = 62;
    let mut text = std::fs::read(index).unwrap();
    let path = format!("{path}\0");
    let at = text.windows(path.len()).position(|part| part == path.as_bytes()).unwrap() - BEFORE;
    for (at, part) in [(at, to.0), (at + 4, to.1)] {
        text[at..at + 4].copy_from_slice(&u32::try_from(part).unwrap().to_be_bytes());
    }
    // A checksum of zeroes is one that was not computed.
    let end = text.len() - 20;
    text[end..].fill(0);
    std::fs::write(index, text).unwrap();
}

#[tokio::test]
async fn an_index_that_a_crash_of_the_machine_tore_is_made_again_for_the_commit_that_was_reached() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("README"), "committed\n");
    git_in(worktree.path(), ["commit", "-q", "-a", "-m", "work"]);
    write(&worktree.path().join("src/main.rs"), "not committed\n");
    let admin = git_in(worktree.path(), ["rev-parse", "--absolute-git-dir"]);
    let index = Path::new(&admin).join("index");
    drop(worktree);
    let length = index.metadata().unwrap().len();
    File::options().write(true).open(&index).unwrap().set_len(length / 2).unwrap();

    rebooted(&repo);
    let recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.left, Vec::<String>::new());
    assert_eq!(status(recovery.adopted[0].path()).trim(), "M src/main.rs");
    assert_eq!(git_in(recovery.adopted[0].path(), ["show", ":README"]), "committed");
}

#[tokio::test]
async fn links_that_lie_in_wait_for_a_mended_git_file_lead_nobody_out_of_the_tree() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let tree = worktree.path().to_owned();
    let git = std::fs::read_to_string(tree.join(".git")).unwrap();
    drop(worktree);
    let precious = repo.root().join("precious");
    write(&precious, "of the user\n");
    let traps: [&dyn Fn(&Path); 2] =
        [&|trap| std::os::unix::fs::symlink(&precious, trap).unwrap(), &|trap| std::fs::create_dir(trap).unwrap()];
    for trap in traps {
        let name = tree.join(".git.tmp");
        trap(&name);
        std::fs::write(tree.join(".git"), "").unwrap();
        rebooted(&repo);
        let recovery = manager.recover().await.unwrap();
        assert_eq!((recovery.left, recovery.adopted.len()), (Vec::<String>::new(), 1));
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "of the user\n");
        assert_eq!(std::fs::read_to_string(tree.join(".git")).unwrap(), git);
        assert_eq!(status(&tree), if name.is_dir() { "" } else { "?? .git.tmp" });
        std::fs::remove_file(&name).or_else(|_| std::fs::remove_dir(&name)).unwrap();
    }
    // Nor does a link in the place of the file itself.
    std::fs::remove_file(tree.join(".git")).unwrap();
    std::os::unix::fs::symlink(&precious, tree.join(".git")).unwrap();
    rebooted(&repo);
    drop(manager.recover().await.unwrap());
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "of the user\n");
}

/// An index without entries whose extensions lie: entries begin beyond its end, and a tree is nested without end.
fn forged() -> Vec<u8> {
    let hash = |parts: &[&[u8]]| {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.try_finalize().unwrap()
    };
    let header = [&b"DIRC"[..], &2_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    let begin = u32::try_from(header.len()).unwrap().to_be_bytes();
    let extensions = [
        (&b"TREE"[..], b"x\x00-1 1\n".repeat(300_000)),
        (b"IEOT", [1_u32, u32::MAX - 16, 1].map(u32::to_be_bytes).concat()),
    ];
    let mut index = header;
    let mut heads = Vec::new();
    for (name, content) in extensions {
        let head = [name, &u32::try_from(content.len()).unwrap().to_be_bytes()].concat();
        index.extend([&head[..], &content].concat());
        heads.extend(head);
    }
    index.extend([&b"EOIE"[..], &24_u32.to_be_bytes(), &begin, hash(&[&heads]).as_slice()].concat());
    let sum = hash(&[&index]);
    index.extend(sum.as_slice());
    index
}

#[tokio::test]
async fn an_index_that_was_forged_brings_nobody_down() {
    let repo = Repo::new();
    let manager = repo.manager();
    drop(manager.create(request("fix")).await.unwrap());
    repo.git(["worktree", "add", "-q", "--detach", repo.root().join("theirs").to_str().unwrap()]);
    for entry in std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap() {
        std::fs::write(entry.unwrap().path().join("index"), forged()).unwrap();
    }
    manager.doctor().await.unwrap();
    rebooted(&repo);
    let recovery = manager.recover().await.unwrap();
    assert_eq!((recovery.left, recovery.adopted.len()), (Vec::<String>::new(), 1));
    let index = git_in(recovery.adopted[0].path(), ["rev-parse", "--absolute-git-dir"]);
    assert_eq!(std::fs::read(Path::new(&index).join("index")).unwrap(), forged(), "what somebody wrote was replaced");
}
