//! Repositories in the tree, and `.git` files that are not the one that was put there, in both access modes.

use std::fs;
use std::os::unix::fs::symlink;

use hedgerow_worktree::{GitAccess, Notice};

use crate::capture::Lane;
use crate::repo::{self, Repo};

#[tokio::test]
async fn nested_repositories_of_every_shape_are_named_in_both_modes() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let lane = Lane::new(Repo::new(), git).await;
        let make = |name: &str| {
            let path = lane.tree().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let whole = make("whole");
        repo::git_in(&whole, ["init", "-q"]);
        let ran = lane.repo.root().join("ran");
        repo::git_in(&whole, ["config", "core.fsmonitor", &format!("touch {}", ran.display())]);
        fs::write(whole.join("file"), "inside\n").unwrap();
        fs::write(make("pointer").join(".git"), "gitdir: /tmp\n").unwrap();
        symlink("/etc", make("link").join(".git")).unwrap();
        fs::create_dir(make("deep/er/empty").join(".git")).unwrap();
        let capture = lane.capture().await;
        let mut nested: Vec<String> = capture
            .notices
            .iter()
            .map(|notice| match notice {
                Notice::NestedRepository { path } => path.display().to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        nested.sort();
        assert_eq!(nested, ["deep/er/empty", "link", "pointer", "whole"], "{git:?}");
        let files = lane.repo.git(["ls-tree", "-r", "--name-only", capture.tip.as_str()]);
        assert!(files.lines().any(|name| name == "whole/file") && !files.contains(".git"), "{files}");
        assert!(!ran.exists());
        lane.repo.git(["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn a_swapped_git_file_is_named_in_both_modes_and_the_files_are_captured() {
    type Swap = fn(&std::path::Path);
    let swaps: [(&str, Swap); 5] = [
        ("another place", |path| fs::write(path, "gitdir: /tmp/evil\n").unwrap()),
        ("nothing", |_| {}),
        ("a symlink", |path| symlink("/etc/passwd", path).unwrap()),
        ("a huge file", |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap()),
        ("a directory", |path| {
            fs::create_dir(path).unwrap();
            fs::write(path.join("HEAD"), "ref: refs/heads/evil\n").unwrap();
        }),
    ];
    for git in [GitAccess::Private, GitAccess::Direct] {
        for (name, swap) in swaps {
            let lane = Lane::new(Repo::new(), git).await;
            lane.write("work", "kept\n");
            fs::remove_file(lane.tree().join(".git")).unwrap();
            swap(&lane.tree().join(".git"));
            let capture = lane.capture().await;
            assert_eq!(capture.notices, [Notice::GitFileReplaced], "{git:?}: {name}");
            assert_eq!(lane.repo.git(["show", &format!("{}:work", capture.tip)]), "kept", "{git:?}: {name}");
        }
    }
}
