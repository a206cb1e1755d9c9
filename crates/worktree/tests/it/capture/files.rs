//! What lies uncommitted in the tree; git itself says which tree it must become.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use hedgerow_worktree::{GitAccess, Notice};

use super::Lane;
use crate::repo::Repo;

async fn lane() -> Lane {
    let repo = Repo::empty();
    repo.write("README", "hello\n");
    repo.write("dir/a", "a\n");
    repo.write("dir/b", "b\n");
    repo.write("file", "file\n");
    repo.write("deleted", "deleted\n");
    repo.write("script", "#!/bin/sh\n");
    repo.write(".gitignore", "*.log\n/build/\n");
    repo.write("sub/.gitignore", "*.tmp\n!keep.tmp\n");
    repo.write("tracked.log", "ignored, and yet tracked\n");
    repo.git(["add", "-f", "tracked.log"]);
    repo.commit("first");
    Lane::new(repo, GitAccess::Private).await
}

#[tokio::test]
async fn an_untouched_tree_is_no_change_at_all() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let lane = Lane::new(Repo::new(), git).await;
        let capture = lane.capture().await;
        assert!(capture.is_empty(), "{capture:#?}");
        assert_eq!((capture.commits, capture.files, capture.notices.len()), (0, 0, 0));
        assert_eq!(capture.tip, capture.base);
    }
}

#[tokio::test]
async fn every_kind_of_change_ends_in_the_tree_that_git_would_make() {
    let lane = lane().await;
    lane.write("README", "changed\n");
    lane.write("new/deep/file", "new\n");
    std::fs::remove_file(lane.tree().join("deleted")).unwrap();
    std::fs::set_permissions(lane.tree().join("script"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", lane.tree().join("link")).unwrap();
    symlink("nowhere", lane.tree().join("dangling")).unwrap();
    std::fs::remove_file(lane.tree().join("file")).unwrap();
    lane.write("file/now", "a directory\n");
    std::fs::remove_dir_all(lane.tree().join("dir")).unwrap();
    lane.write("dir", "now a file\n");
    std::fs::create_dir(lane.tree().join("empty")).unwrap();
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    assert_eq!(capture.snapshot.as_ref(), Some(&capture.tip));
    assert_eq!((capture.commits, capture.files), (1, 11));
    assert_eq!(capture.notices, []);
    let shown = lane.repo.git(["log", "-1", "--format=%an <%ae> %cn %s %P", capture.tip.as_str()]);
    assert_eq!(shown, format!("hedgerow <hedgerow@example.com> hedgerow What was left {}", lane.base()));
    let log = lane.repo.git(["reflog", "show", "--format=%gs", "refs/heads/lane"]);
    assert!(log.starts_with("capture: What was left"), "{log}");
}

#[tokio::test]
async fn names_that_are_no_text_survive() {
    let lane = lane().await;
    let names: [&[u8]; 6] = [b"\xff\xfe.txt", b"new\nline", b" ", b"tab\there", b"back\\slash", b"-rf"];
    for name in names {
        std::fs::write(lane.tree().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    assert_eq!((capture.files, capture.notices.len()), (names.len(), 0));
}

#[tokio::test]
async fn ignored_files_stay_unless_they_are_tracked() {
    let lane = lane().await;
    lane.write("x.log", "ignored");
    lane.write("build/out", "ignored");
    lane.write("sub/build/out", "not ignored: the pattern is anchored");
    lane.write("sub/a.tmp", "ignored");
    lane.write("sub/keep.tmp", "brought back");
    lane.write("sub/deep/keep.tmp", "brought back");
    lane.write("a.tmp", "not ignored up here");
    lane.write("tracked.log", "changed although ignored\n");
    lane.write("excluded", "by info/exclude");
    lane.write("own/.gitignore", "*\n");
    lane.write("own/file", "ignored by a file that ignores itself");
    let exclude = lane.repo.path().join(".git/info/exclude");
    std::fs::write(exclude, "/excluded\n").unwrap();
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    let names = lane.repo.git(["diff", "--name-only", lane.base(), capture.tip.as_str()]);
    let expected = ["a.tmp", "sub/build/out", "sub/deep/keep.tmp", "sub/keep.tmp", "tracked.log"];
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_file_that_was_ignored_and_then_committed_by_the_agent_stays_tracked() {
    let lane = lane().await;
    lane.write("build/out", "forced");
    lane.write("build/other", "ignored");
    lane.inside(["add", "-f", "build/out"]);
    let tip = lane.commit("forced");
    lane.write("build/out", "changed after that");
    let capture = lane.capture().await;
    lane.assert_captured(&capture, &tip);
    assert_eq!(lane.repo.git(["show", &format!("{}:build/out", capture.tip)]), "changed after that");
    assert_eq!((capture.commits, capture.files), (2, 1));
}

#[tokio::test]
async fn line_ends_are_converted_as_the_base_says_and_not_as_the_agent_says() {
    let repo = Repo::empty();
    repo.write(".gitattributes", "*.txt text eol=crlf\n*.bin -text\nsub/*.auto text=auto\n*.id ident\n");
    repo.write("a.txt", "one\ntwo\n");
    repo.write("b.bin", "one\r\n");
    repo.write("sub/x.auto", "one\n");
    repo.write("v.id", "$Id$\n");
    repo.commit("first");
    let lane = Lane::new(repo, GitAccess::Private).await;
    assert_eq!(std::fs::read(lane.tree().join("a.txt")).unwrap(), b"one\r\ntwo\r\n");
    lane.write("a.txt", "one\r\ntwo\r\nthree\r\n");
    lane.write("b.bin", "one\r\ntwo\r\n");
    lane.write("sub/x.auto", "one\r\ntwo\r\n");
    lane.write("sub/raw.auto", "\0\r\n");
    lane.write("new.txt", "new\r\n");
    lane.write("v.id", "$Id: 0123456789012345678901234567890123456789 $\nmore\n");
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    assert_eq!(lane.repo.git(["cat-file", "-s", &format!("{}:new.txt", capture.tip)]), "4");

    lane.write(".gitattributes", "*.txt working-tree-encoding=UTF-16\n");
    lane.write("c.txt", "plain\r\n");
    let capture = lane.capture().await;
    assert_eq!(lane.repo.git(["cat-file", "-p", &format!("{}:c.txt", capture.tip)]), "plain");
}

#[tokio::test]
async fn a_filter_in_the_attributes_is_never_run() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.evil filter=evil\n");
    repo.commit("attributes");
    let ran = repo.root().join("ran");
    let command = format!("touch {}; cat", ran.display());
    repo.git(["config", "filter.evil.clean", &command]);
    repo.git(["config", "filter.evil.required", "true"]);
    let lane = Lane::new(repo, GitAccess::Private).await;
    lane.write("x.evil", "verbatim\n");
    let capture = lane.capture().await;
    assert_eq!(lane.repo.git(["show", &format!("{}:x.evil", capture.tip)]), "verbatim");
    assert!(!ran.exists());
}

#[tokio::test]
async fn a_thousand_files_and_one_that_does_not_fit_into_memory_are_taken() {
    let lane = lane().await;
    for n in 0..1000 {
        lane.write(&format!("many/{}/{n}", n % 37), format!("{n}\n"));
    }
    lane.write("large", vec![b'x'; 20 << 20]);
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    assert_eq!(capture.files, 1001);
}

#[tokio::test]
async fn capturing_the_same_tree_again_finds_the_same_commit() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("new", "1");
        let first = lane.capture().await;
        let again = lane.capture().await;
        assert_eq!((again.tip, again.commits, again.rescued), (first.tip.clone(), 1, vec![]));
        lane.write("new", "2");
        let second = lane.capture().await;
        assert_eq!(lane.repo.git(["rev-parse", &format!("{}^", second.tip)]), first.tip.as_str());
        lane.assert_captured(&second, lane.base());
        std::fs::remove_file(lane.tree().join("new")).unwrap();
        let third = lane.capture().await;
        lane.assert_captured(&third, lane.base());
        assert_eq!((third.files, third.commits), (0, 3));
    }
}

#[tokio::test]
async fn an_edit_that_keeps_size_and_time_is_seen() {
    let lane = lane().await;
    let path = lane.tree().join("README");
    let time = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "HELLO\n").unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let capture = lane.capture().await;
    assert_eq!(lane.repo.git(["show", &format!("{}:README", capture.tip)]), "HELLO");
}

#[tokio::test]
async fn the_executable_bit_is_not_believed_where_the_repository_says_so() {
    let repo = Repo::new();
    repo.write("script", "#!/bin/sh\n");
    repo.git(["add", "script"]);
    repo.git(["update-index", "--chmod=+x", "script"]);
    repo.git(["commit", "-q", "-m", "script"]);
    repo.git(["config", "core.fileMode", "false"]);
    let lane = Lane::new(repo, GitAccess::Private).await;
    std::fs::set_permissions(lane.tree().join("script"), PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::set_permissions(lane.tree().join("README"), PermissionsExt::from_mode(0o755)).unwrap();
    lane.write("script", "#!/bin/sh\nexit\n");
    let capture = lane.capture().await;
    let changed = lane.repo.git(["diff", "--raw", "--abbrev=4", lane.base(), capture.tip.as_str()]);
    assert!(changed.starts_with(":100755 100755") && changed.lines().count() == 1, "{changed}");
}

#[tokio::test]
async fn what_git_cannot_store_is_named() {
    let lane = lane().await;
    let fifo = lane.tree().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(lane.tree().join("socket")).unwrap();
    lane.write(".GIT/config", "x");
    lane.write("sub/git~1", "x");
    lane.write("good", "x");
    let capture = lane.capture().await;
    let mut named: Vec<_> = capture.notices.iter().map(|n| format!("{n:?}")).collect();
    named.sort();
    assert_eq!(named.len(), 4, "{named:#?}");
    for (name, notice) in [".GIT", "fifo", "socket", "sub/git~1"].iter().zip(&named) {
        assert!(notice.contains("Unstorable") && notice.contains(name), "{notice}");
    }
    let names = lane.repo.git(["diff", "--name-only", lane.base(), capture.tip.as_str()]);
    assert_eq!(names, "good");
}

#[tokio::test]
async fn the_files_of_a_repository_inside_the_tree_are_taken_and_it_is_named() {
    let lane = lane().await;
    lane.write("inner/file", "work\n");
    let inner = lane.tree().join("inner");
    crate::repo::git_in(&inner, ["init", "-q"]);
    crate::repo::git_in(&inner, ["add", "-A"]);
    crate::repo::git_in(&inner, ["commit", "-q", "-m", "inside"]);
    let capture = lane.capture().await;
    assert_eq!(capture.notices, [Notice::NestedRepository { path: "inner".into() }]);
    assert_eq!(lane.repo.git(["show", &format!("{}:inner/file", capture.tip)]), "work");
    assert_eq!(capture.files, 1);
    lane.repo.assert_sound();
}

#[tokio::test]
async fn a_submodule_stays_what_it_is() {
    let repo = Repo::new();
    let commit = repo.head();
    repo.write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ./lib\n");
    repo.git(["add", "-A"]);
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{commit},lib")]);
    repo.git(["commit", "-q", "-m", "module"]);
    let lane = Lane::new(repo, GitAccess::Private).await;
    std::fs::create_dir_all(lane.tree().join("lib")).unwrap();
    assert!(lane.capture().await.is_empty());
    lane.write("lib/work", "x");
    let capture = lane.capture().await;
    assert!(capture.is_empty());
    assert!(matches!(&capture.notices[..], [Notice::Unstorable { path, .. }] if path.to_str() == Some("lib")));
    std::fs::remove_dir_all(lane.tree().join("lib")).unwrap();
    let capture = lane.capture().await;
    lane.assert_captured(&capture, lane.base());
    assert_eq!(capture.files, 1);
}

#[tokio::test]
async fn an_edit_that_keeps_the_time_is_seen_where_git_is_told_to_compare_less() {
    for (key, value) in [("core.trustCtime", "false"), ("core.checkStat", "minimal")] {
        for git in [GitAccess::Private, GitAccess::Direct] {
            let repo = Repo::new();
            repo.git(["config", key, value]);
            let lane = Lane::new(repo, git).await;
            let file = lane.tree().join("README");
            let before = file.metadata().unwrap().modified().unwrap();
            lane.write("README", "HELLO\n");
            std::fs::File::options().append(true).open(&file).unwrap().set_modified(before).unwrap();
            let capture = lane.capture().await;
            let shown = lane.repo.git(["show", &format!("{}:README", capture.tip)]);
            assert_eq!(shown, "HELLO", "{key} {git:?}");
        }
    }
}

#[tokio::test]
async fn ignored_files_that_only_the_index_of_the_agent_tracks_are_taken() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let repo = Repo::new();
        repo.write(".gitignore", "ignored*\n/build/\n");
        repo.commit("ignore");
        let lane = Lane::new(repo, git).await;
        lane.write("ignored.intended", "v1\n");
        lane.inside(["add", "-f", "-N", "ignored.intended"]);
        lane.inside(["mv", "README", "ignored.moved"]);
        lane.write("ignored.moved", "edit\n");
        lane.write("build/deep/added", "v1\n");
        lane.inside(["add", "-f", "build/deep/added"]);
        lane.write("build/deep/added", "v2\n");
        lane.write("build/deep/other", "ignored\n");
        lane.write("ignored.other", "ignored\n");
        let capture = lane.capture().await;
        let names = lane.repo.git(["diff", "--no-renames", "--name-only", lane.base(), capture.tip.as_str()]);
        assert_eq!(names, "README\nbuild/deep/added\nignored.intended\nignored.moved", "{git:?}");
        for (path, text) in [("ignored.intended", "v1"), ("ignored.moved", "edit"), ("build/deep/added", "v2")] {
            assert_eq!(lane.repo.git(["show", &format!("{}:{path}", capture.tip)]), text, "{git:?}");
        }
        // What was staged before it was edited again stays staged.
        let paths = if git == GitAccess::Direct { &["build/deep/added", "ignored.moved"][..] } else { &[] };
        let staged = |path: &&str| Notice::StagedOtherwise { path: path.into() };
        assert_eq!(capture.notices, paths.iter().map(staged).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn files_that_the_agent_left_out_of_its_tree_are_not_taken_for_deleted() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let repo = Repo::new();
        repo.git(["config", "extensions.worktreeConfig", "true"]);
        let lane = Lane::new(repo, git).await;
        lane.write("committed/file", "new\n");
        let head = lane.commit("work");
        lane.inside(["sparse-checkout", "set", "--no-cone", "/README", "/gone"]);
        assert!(!lane.tree().join("src").exists() && !lane.tree().join("committed").exists());
        assert_eq!(lane.inside(["status", "--porcelain"]), "");
        let capture = lane.capture().await;
        assert_eq!((capture.tip.as_str(), &capture.snapshot), (&head[..], &None), "{git:?}");
        // What is there all the same is what somebody made, and what is marked no more is gone.
        lane.write("src/main.rs", "fn edited() {}\n");
        std::fs::remove_file(lane.tree().join("README")).unwrap();
        let capture = lane.capture().await;
        let names = lane.repo.git(["diff", "--name-status", &head, capture.tip.as_str()]);
        assert_eq!(names, "D\tREADME\nM\tsrc/main.rs", "{git:?}");
    }
}
