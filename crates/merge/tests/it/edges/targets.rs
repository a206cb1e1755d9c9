//! Where the target is when a candidate lands, against `git update-ref` with the value that it expects.

use std::fs;

use hedgerow_merge::{Checkout, Landing};

use crate::scene::{Scene, git};

/// A target, `trunk`, that is checked out nowhere.
fn scene() -> Scene {
    let scene = Scene::simple();
    scene.git(&["branch", "trunk", "main"]);
    scene
}

#[test]
fn a_target_moves_where_git_update_ref_moves_it() {
    // What happens after the candidate was made, and whether the target may move.
    let cases: &[(u32, &str, bool)] = &[
        (71, "git update-ref refs/heads/trunk main~1", false),
        (71, "git update-ref refs/heads/trunk change", false),
        (71, "true", true),
        (71, "git pack-refs --all", true),
        (71, "git pack-refs --all; git update-ref refs/heads/trunk main~1; git pack-refs --all", false),
        (76, "git branch trunk-1; git branch other/trunk", true),
        (76, "git branch -D trunk; git branch trunk/deep", false),
        (83, "git branch -D trunk", false),
        (83, "git pack-refs --all; git branch -D trunk", false),
        (104, "git update-ref refs/heads/trunk $(git commit-tree -p trunk -m pushed trunk^{tree})", false),
    ];
    for (number, script, moves) in cases {
        let scene = scene();
        let candidate = scene.candidate("trunk", "change");
        scene.sh(script);
        let copy = scene.beside("copy");
        scene.sh(&format!("cp -r . {}", copy.display()));
        let (new, old) = (candidate.commit.as_str(), candidate.target.expected.as_str());
        let git_moves = std::process::Command::new("git")
            .args(["update-ref", "refs/heads/trunk", new, old])
            .current_dir(&copy)
            .output()
            .unwrap()
            .status
            .success();
        assert_eq!(git_moves, *moves, "{number} {script}");
        let landing = scene.open().land(&candidate, Checkout::Refuse).unwrap();
        match landing {
            Landing::Landed => assert!(moves, "{number} {script}"),
            Landing::TargetMoved { .. } => assert!(!moves, "{number} {script}"),
            other => panic!("{number} {script}: {other:?}"),
        }
        assert_eq!(scene.git(&["for-each-ref"]), git(&copy, &["for-each-ref"]), "{number} {script}");
    }
}

#[test]
fn no_hook_of_any_name_runs_on_the_way_to_a_landing() {
    let scene = scene();
    let ran = scene.beside("ran");
    let hooks = scene.path().join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "pre-merge-commit",
        "prepare-commit-msg",
        "commit-msg",
        "pre-commit",
        "post-commit",
        "post-merge",
        "pre-rebase",
        "post-rewrite",
        "post-checkout",
        "reference-transaction",
        "update",
        "pre-receive",
        "post-receive",
        "post-update",
    ] {
        fs::write(hooks.join(hook), format!("#!/bin/sh\necho {hook} >>{}\n", ran.display())).unwrap();
        scene.sh(&format!("chmod +x .git/hooks/{hook}"));
    }
    let candidate = scene.candidate("trunk", "change");
    assert_eq!(scene.open().land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed);
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap_or_default());
    // git would have run one, so they are where they are looked for.
    scene.git(&["update-ref", "refs/heads/trunk", "main"]);
    assert!(fs::read_to_string(&ran).unwrap().contains("reference-transaction"));
}
