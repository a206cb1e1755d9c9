//! What a landing does to a checkout of its target, against what git's own ways to move a checked-out branch do.

use std::path::{Path, PathBuf};
use std::process::Command;

use hedgerow_merge::{Candidate, Checkout, Landing};

use crate::scene::{Scene, git, raw};

/// States of a checkout, by number; `main` is checked out and `f` and `g` are what the change touches.
const STATES: &[(u32, &str)] = &[
    (75, "true"),
    (75, "echo mine >>f"),
    (75, "echo mine >>f; git add f"),
    (75, "echo mine >other; git add other"),
    (75, "echo mine >>far"),
    (75, "rm far"),
    (75, "git rm -q --cached far"),
    (79, "echo mine >>f; git add f; git checkout -q HEAD -- f; echo again >>f"),
    (80, "echo mine >g"),
    (80, "mkdir g; echo mine >g/mine"),
    (80, "echo mine >beside"),
    (93, "git sparse-checkout set --no-cone /f"),
    (93, "mkdir d; git sparse-checkout set --cone d"),
    (93, "git sparse-checkout set --cone --sparse-index"),
];

fn scene(state: &str) -> Scene {
    let scene =
        Scene::forked("seq 10 >f; echo far >far", "sed -i 's/^1$/one/' f", "sed -i 's/^9$/nine/' f; echo new >g");
    scene.sh(state);
    scene
}

/// A repository as it is now, to let git do the same there.
fn copy(scene: &Scene) -> PathBuf {
    let copy = scene.beside("copy");
    scene.sh(&format!("cp -a . {}", copy.display()));
    // Files that were copied are other files to an index.
    git(&copy, &["status", "--porcelain"]);
    copy
}

fn ok(directory: &Path, arguments: &[&str]) -> bool {
    raw(Command::new("git").args(arguments), directory).status.success()
}

/// What is to be seen of a checkout: the branch, what differs, and the files.
fn seen(directory: &Path) -> [String; 3] {
    let files = raw(
        Command::new("sh").args(["-c", "find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 md5sum"]),
        directory,
    );
    [
        git(directory, &["rev-parse", "HEAD"]),
        git(directory, &["status", "--porcelain"]),
        String::from_utf8(files.stdout).unwrap(),
    ]
}

fn same_as_git(checkout: Checkout, by_git: impl Fn(&Path, &Candidate) -> bool) {
    for (number, state) in STATES {
        let scene = scene(state);
        let candidate = scene.candidate("main", "change");
        let copy = copy(&scene);
        let expected = by_git(&copy, &candidate);
        let landing = scene.open().land(&candidate, checkout).unwrap();
        match landing {
            Landing::Landed => assert!(expected, "{number} {state}: git refuses"),
            Landing::CheckedOut { ref why, .. } => assert!(!expected, "{number} {state}: git does it: {why}"),
            other => panic!("{number} {state}: {other:?}"),
        }
        assert_eq!(seen(&scene.path()), seen(&copy), "{number} {state}");
    }
}

#[test]
fn a_clean_checkout_is_brought_forward_where_a_push_with_update_instead_does_it() {
    same_as_git(Checkout::FastForwardClean, |copy, candidate| {
        git(copy, &["config", "receive.denyCurrentBranch", "updateInstead"]);
        ok(copy, &["push", "-q", ".", &format!("{}:refs/heads/main", candidate.commit)])
    });
}

#[test]
fn a_checkout_with_changes_elsewhere_is_brought_forward_where_git_merge_does_it() {
    same_as_git(Checkout::FastForwardCarrying, |copy, candidate| {
        ok(copy, &["merge", "-q", "--ff-only", candidate.commit.as_str()])
    });
}

#[test]
fn a_checked_out_target_is_refused_where_git_refuses_to_force_or_fetch_or_push_it() {
    for linked in [false, true] {
        let scene = Scene::simple();
        if linked {
            scene.git(&["checkout", "-q", "--detach"]);
            scene.git(&["worktree", "add", "-q", scene.beside("tree").to_str().unwrap(), "main"]);
        }
        let candidate = scene.candidate("main", "change");
        let new = candidate.commit.as_str();
        scene.git(&["branch", "made", new]);
        assert!(!scene.git_ok(&["branch", "-f", "main", "made"]));
        assert!(!scene.git_ok(&["fetch", "-q", ".", "made:main"]));
        assert!(!scene.git_ok(&["push", "-q", ".", "made:main"]));
        let landing = scene.open().land(&candidate, Checkout::Refuse).unwrap();
        assert!(matches!(landing, Landing::CheckedOut { .. }), "{landing:?}");
        assert_eq!(scene.id("main"), candidate.target.expected);
        // git's plumbing moves it under the checkout, which then shows the change undone.
        scene.git(&["update-ref", "refs/heads/main", new]);
        let tree = if linked { scene.beside("tree") } else { scene.path() };
        assert_ne!(git(&tree, &["status", "--porcelain"]), "");
    }
}
