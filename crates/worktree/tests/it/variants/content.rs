//! What files of a tree look like: line ends, encodings, names, modes.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use hedgerow_worktree::{Error, WorktreeManager};

use super::{assert_as_git, message, of, request};
use crate::repo::{Repo, git_in, status, write};

#[tokio::test]
async fn every_setting_of_line_ends_gives_the_bytes_that_git_gives_and_captures_without_a_change() {
    let attributes = [
        "",
        "* text=auto\n",
        "* text=auto eol=lf\n",
        "* text=auto eol=crlf\n",
        "*.txt text\n*.bin -text\n",
        "*.txt eol=crlf\n*.lf eol=lf\n",
        "*.txt crlf=input\n",
    ];
    let settings: [&[(&str, &str)]; 5] = [
        &[],
        &[("core.autocrlf", "true")],
        &[("core.autocrlf", "input")],
        &[("core.autocrlf", "false"), ("core.eol", "crlf")],
        &[("core.autocrlf", "false"), ("core.eol", "lf")],
    ];
    for attributes in attributes {
        let repo = of(&[
            (".gitattributes", attributes.as_bytes()),
            ("lf.txt", b"one\ntwo\n"),
            ("crlf.txt", b"one\r\ntwo\r\n"),
            ("mixed.txt", b"one\r\ntwo\n"),
            ("alone.txt", b"one\rtwo\r"),
            ("no-end.txt", b"one"),
            ("plain.lf", b"one\ntwo\n"),
            ("data.bin", b"\0one\ntwo\r\n"),
        ]);
        // Committed as it is, whatever the attributes say, so that the index has what a careless commit leaves.
        repo.git(["config", "core.autocrlf", "false"]);
        repo.commit("first");
        for (n, setting) in settings.into_iter().enumerate() {
            repo.git(["config", "--unset", "core.autocrlf"]);
            for (key, value) in setting {
                repo.git(["config", key, value]);
            }
            let worktree = repo.manager().create(crate::repo::request(&format!("fix-{n}"))).await.unwrap();
            let theirs = repo.root().join(format!("theirs-{n}"));
            repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
            assert_eq!(super::snapshot(worktree.path()), super::snapshot(&theirs), "{attributes:?} {setting:?}");
            let capture = repo.manager().capture(&worktree, message()).await.unwrap();
            assert!(capture.is_empty(), "an untouched tree became a commit: {attributes:?} {setting:?}");
            for (key, _) in setting {
                repo.git(["config", "--unset-all", key]);
            }
            repo.git(["config", "core.autocrlf", "false"]);
        }
    }
}

#[tokio::test]
async fn an_edit_keeps_the_line_ends_of_the_repository() {
    let repo = of(&[(".gitattributes", b"* text=auto eol=crlf\n"), ("a.txt", b"one\ntwo\n")]);
    repo.commit("first");
    let worktree = repo.manager().create(request()).await.unwrap();
    assert_eq!(std::fs::read(worktree.path().join("a.txt")).unwrap(), b"one\r\ntwo\r\n");
    write(&worktree.path().join("a.txt"), "one\r\ntwo\r\nthree\r\n");
    let capture = repo.manager().capture(&worktree, message()).await.unwrap();
    assert_eq!(repo.git(["show", &format!("{}:a.txt", capture.tip)]), "one\ntwo\nthree");
    assert_eq!(repo.git(["diff", "--numstat", "main", "fix"]), "1\t0\ta.txt");
}

#[tokio::test]
async fn attributes_for_archives_and_diffs_change_no_file() {
    let repo = of(&[
        (".gitattributes", b"a.txt export-subst\nb.txt export-ignore\nc.txt -diff merge=union whitespace=-all\n"),
        ("a.txt", b"$Format:%H$\n"),
        ("b.txt", b"kept\n"),
        ("c.txt", b"kept \n"),
    ]);
    repo.commit("first");
    assert_as_git(repo.path(), &repo.manager().create(request()).await.unwrap());
}

#[tokio::test]
async fn wide_encodings_are_refused_by_name_and_narrow_ones_are_as_git_writes_them() {
    for encoding in ["UTF-16", "utf-16le", "UTF-16BE-BOM", "UTF-32"] {
        let repo = of(&[(".gitattributes", b""), ("res.rc", b"plain\n")]);
        repo.commit("first");
        write(&repo.path().join(".git/info/attributes"), &format!("*.rc working-tree-encoding={encoding}\n"));
        let refused = repo.manager().create(request()).await.unwrap_err();
        let text = refused.to_string();
        assert!(matches!(refused, Error::Repository { .. }), "{text}");
        assert!(
            text.contains("res.rc") && text.contains(encoding) && text.contains("without that attribute"),
            "{text}"
        );
    }
    let repo = of(&[
        (".gitattributes", b"*.l1 working-tree-encoding=ISO-8859-15\n*.sj working-tree-encoding=SHIFT-JIS eol=crlf\n"),
        ("old.l1", &[0xe4, 0xa4, b'\n']),
        ("old.sj", &[0x82, 0xa0, b'\r', b'\n']),
    ]);
    repo.commit("first");
    assert_as_git(repo.path(), &repo.manager().create(request()).await.unwrap());
}

#[tokio::test]
async fn a_filter_leaves_the_stored_bytes_in_the_tree_and_captures_neither_mangle_them_nor_run_it() {
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
                   oid sha256:0682c5f2076f099c34cfdd15a9e063849ed437a49677e6fcc5b4198c76575be5\nsize 2\n";
    let repo = of(&[(".gitattributes", b"*.bin filter=lfs -text\n*.enc filter=crypt\n")]);
    repo.write("a.bin", pointer);
    repo.write("b.bin", pointer);
    repo.write("c.enc", "stored\n");
    repo.commit("first");
    for (filter, key) in [("lfs", "smudge"), ("lfs", "process"), ("crypt", "smudge"), ("crypt", "clean")] {
        repo.git(["config", &format!("filter.{filter}.{key}"), "false"]);
        repo.git(["config", &format!("filter.{filter}.required"), "true"]);
    }
    let manager = repo.manager();
    let worktree = manager.create(request()).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("a.bin")).unwrap(), pointer);
    assert_eq!(std::fs::read_to_string(worktree.path().join("c.enc")).unwrap(), "stored\n");
    assert!(manager.capture(&worktree, message()).await.unwrap().is_empty());

    // As `git lfs pull` in the sandbox would leave it: the file itself, and another one that was worked on.
    write(&worktree.path().join("a.bin"), "x\n");
    assert!(
        !manager.capture(&worktree, message()).await.unwrap().is_empty(),
        "that is not what the pointer stands for"
    );
    write(&worktree.path().join("a.bin"), "4\n");
    write(&worktree.path().join("b.bin"), "new content\n");
    let oid = "sha256:".to_owned() + &sha256(b"4\n");
    let stored = pointer.replace("sha256:0682c5f2076f099c34cfdd15a9e063849ed437a49677e6fcc5b4198c76575be5", &oid);
    let repo2 = of(&[(".gitattributes", b"*.bin filter=lfs -text\n")]);
    repo2.write("a.bin", &stored);
    repo2.write("b.bin", &stored);
    repo2.commit("first");
    let manager = repo2.manager();
    let worktree = manager.create(request()).await.unwrap();
    write(&worktree.path().join("a.bin"), "4\n");
    write(&worktree.path().join("b.bin"), "new content\n");
    let capture = manager.capture(&worktree, message()).await.unwrap();
    assert_eq!(repo2.git(["diff", "--name-only", "main", "fix"]), "b.bin", "a fetched file replaced its pointer");
    assert_eq!(repo2.git(["show", &format!("{}:b.bin", capture.tip)]), "new content", "work was lost");
}

/// The hash as the system's own program has it.
pub(crate) fn sha256(content: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), content).unwrap();
    let run = std::process::Command::new("sha256sum").arg(dir.path().join("file")).output().unwrap();
    String::from_utf8(run.stdout).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn names_that_differ_in_case_or_composition_are_files_of_their_own() {
    let repo = Repo::empty();
    for name in ["Readme", "README", "readme", "Src/a", "src/a", "caf\u{e9}", "cafe\u{301}", "CON", "aux.txt", "a b\tc"]
    {
        repo.write(name, name);
    }
    let odd = repo.path().join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff\xfe"));
    std::fs::write(odd, "bytes").unwrap();
    repo.commit("first");
    let worktree = repo.manager().create(request()).await.unwrap();
    assert_as_git(repo.path(), &worktree);
    assert!(repo.manager().capture(&worktree, message()).await.unwrap().is_empty());
    std::fs::remove_file(worktree.path().join("cafe\u{301}")).unwrap();
    write(&worktree.path().join("README"), "changed");
    repo.manager().capture(&worktree, message()).await.unwrap();
    let changed = repo.git(["-c", "core.quotePath=false", "diff", "--name-status", "main", "fix"]);
    assert_eq!(changed, "M\tREADME\nD\tcafe\u{301}");
}

#[tokio::test]
async fn paths_that_some_file_system_takes_for_gits_directory_are_never_written() {
    let repo = Repo::new();
    repo.git(["config", "core.protectHFS", "true"]);
    let blob = repo.git(["rev-parse", "HEAD:README"]);
    for name in ["git~1", ".Git", ".git ", ".g\u{200c}it"] {
        let tree = repo.root().join("tree");
        std::fs::write(&tree, format!("100644 blob {blob}\t{name}\n")).unwrap();
        let made = std::process::Command::new("git")
            .args(["mktree"])
            .current_dir(repo.path())
            .stdin(std::fs::File::open(&tree).unwrap())
            .output()
            .unwrap();
        let id = String::from_utf8(made.stdout).unwrap();
        let commit = repo.git(["commit-tree", "-m", "bad", id.trim()]);
        repo.git(["update-ref", "refs/heads/bad", &commit]);
        let before = repo.traces();
        let base = hedgerow_worktree::Base::Branch(crate::repo::branch("bad"));
        let made = repo.manager().create(hedgerow_worktree::Request { base, ..request() }).await;
        assert!(made.is_err(), "{name:?} was written");
        assert_eq!(repo.traces(), before, "{name:?}");
    }
}

#[tokio::test]
async fn without_symlinks_or_modes_the_tree_is_as_git_writes_it_and_captures_keep_them() {
    let repo = of(&[("tool.sh", b"#!/bin/sh\n"), ("target", b"x\n")]);
    std::fs::set_permissions(repo.path().join("tool.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("target", repo.path().join("link")).unwrap();
    repo.commit("first");
    for (n, key) in ["core.symlinks", "core.fileMode"].into_iter().enumerate() {
        repo.git(["config", key, "false"]);
        let worktree = repo.manager().create(crate::repo::request(&format!("fix-{n}"))).await.unwrap();
        assert_as_git(repo.path(), &worktree);
        let capture = repo.manager().capture(&worktree, message()).await.unwrap();
        assert!(capture.is_empty(), "{key}: {}", repo.git(["diff", "--raw", "main", capture.tip.as_str()]));
        if key == "core.symlinks" {
            write(&worktree.path().join("link"), "tool.sh");
            repo.manager().capture(&worktree, message()).await.unwrap();
            assert!(repo.git(["ls-tree", "fix-0", "link"]).starts_with("120000"), "the link became a file");
        }
        repo.git(["config", "--unset", key]);
    }
}

#[tokio::test]
async fn an_edit_in_the_same_tick_as_the_checkout_is_seen() {
    let repo = of(&[("same-size", b"aaaa\n")]);
    repo.commit("first");
    let worktree = repo.manager().create(request()).await.unwrap();
    let path = worktree.path().join("same-size");
    std::fs::write(&path, "bbbb\n").unwrap();
    assert_eq!(status(worktree.path()), " M same-size", "git takes the edit for the original");
    assert_eq!(git_in(worktree.path(), ["ls-files", "-m"]), "same-size");
    assert_eq!(repo.manager().capture(&worktree, message()).await.unwrap().files, 1);
}
