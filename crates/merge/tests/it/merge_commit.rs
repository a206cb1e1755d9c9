//! The commit that a merge makes.

use std::fs;

use hedgerow_merge::{Candidate, Error, Identity, MergeCommit, MergeStrategy, Prepared, Target};

use crate::scene::{Scene, branch, candidate, change};

#[test]
fn a_candidate_is_a_merge_that_git_would_have_made() {
    let scene = Scene::simple();
    let landed = scene.candidate("main", "change");
    let tree = scene.git(&["merge-tree", "--write-tree", "main", "change"]);
    let commit = scene.git(&["cat-file", "commit", landed.commit.as_str()]);
    let who = "Queue <queue@example.com> 1700000000 +0000";
    let (main, tip) = (scene.id("main"), scene.id("change"));
    let expected = format!(
        "tree {tree}\nparent {main}\nparent {tip}\nauthor {who}\ncommitter {who}\n\nBring in a change\n\nTask: fix-42"
    );
    assert_eq!(commit, expected);
    assert_eq!(landed.reflog, "merge: Bring in a change");
    assert_eq!(landed.change, tip);
    scene.git(&["update-ref", "refs/keep", landed.commit.as_str()]);
    scene.fsck();
}

#[test]
fn the_same_input_gives_the_same_id_from_any_handle_at_any_time() {
    let scene = Scene::simple();
    let ids: Vec<_> = (0..3).map(|_| scene.candidate("main", "change").commit).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_fast_forward_becomes_a_merge_commit_too() {
    let scene = Scene::forked("seq 9 >f", "true", "echo x >>f");
    scene.git(&["update-ref", "refs/heads/main", "main~1"]);
    let landed = scene.candidate("main", "change");
    assert_ne!(landed.commit, scene.id("change"));
    assert_eq!(scene.tree(landed.commit.as_str()), scene.tree("change"));
}

#[test]
fn what_the_target_contains_is_already_merged() {
    let scene = Scene::simple();
    scene.git(&["branch", "behind", "main~1"]);
    for tip in ["main", "behind"] {
        assert_eq!(scene.prepare("main", tip), Prepared::AlreadyMerged);
    }
}

#[test]
fn the_time_is_that_of_the_latest_parent_so_history_does_not_run_backwards() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "change"]);
    scene.sh("GIT_COMMITTER_DATE='1800000000 -0500' git commit -q --allow-empty -m later");
    let landed = scene.candidate("main", "change");
    assert_eq!(scene.git(&["log", "-1", "--format=%ct %ci", landed.commit.as_str()]), {
        "1800000000 2027-01-15 08:00:00 +0000"
    });
}

#[test]
fn preparing_touches_no_ref_no_index_and_no_file() {
    let scene = Scene::simple();
    scene.sh("echo dirty >>f; git stash -q; echo dirtier >>f; echo new >new; git add new; echo untracked >u");
    let before = scene.snapshot();
    assert!(matches!(scene.prepare("main", "change"), Prepared::Candidate(_)));
    assert_eq!(scene.snapshot(), before);
}

#[test]
fn only_what_the_candidate_needs_is_written() {
    let scene = Scene::simple();
    let count = || scene.git(&["count-objects"]).split(' ').next().unwrap().parse::<u32>().unwrap();
    let before = count();
    assert!(matches!(scene.prepare("main", "change"), Prepared::Candidate(_)));
    // A blob, a tree, a commit.
    assert_eq!(count(), before + 3);
}

#[test]
fn no_driver_filter_or_hook_runs_whatever_configuration_and_attributes_say() {
    let attributes = "echo '* merge=trap diff=trap filter=trap' >.gitattributes";
    let scene =
        Scene::forked(&format!("seq 20 >f; {attributes}"), "sed -i 's/^2$/x/' f", "sed -i 's/^18$/y/' f; git mv f g");
    let trap = scene.beside("trap.sh");
    let touched = scene.beside("touched");
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >>{}\ncat\n", touched.display())).unwrap();
    scene.sh(&format!("chmod +x {}", trap.display()));
    let trap = trap.to_str().unwrap();
    for key in [
        "merge.trap.driver",
        "merge.trap.recursive",
        "filter.trap.clean",
        "filter.trap.smudge",
        "filter.trap.process",
        "diff.trap.command",
        "diff.trap.textconv",
        "diff.external",
        "core.fsmonitor",
        "core.editor",
        "gpg.program",
    ] {
        scene.git(&["config", key, trap]);
    }
    scene.git(&["config", "merge.default", "trap"]);
    scene.git(&["config", "merge.renormalize", "true"]);
    scene.git(&["config", "commit.gpgSign", "true"]);
    for hook in ["pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-merge", "reference-transaction"] {
        let hook = scene.path().join(".git/hooks").join(hook);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&hook);
        std::os::unix::fs::symlink(trap, &hook).unwrap();
    }
    let landed = scene.candidate("main", "change");
    let _ = fs::remove_file(&touched);
    // The trap works: git itself walks into it.
    scene.git_ok(&["merge-tree", "--write-tree", "main", "change"]);
    assert!(touched.exists(), "the trap does not trap git");
    fs::remove_file(&touched).unwrap();

    let again = candidate(MergeCommit.prepare(&scene.open(), &scene.target("main"), &scene.change("change")).unwrap());
    assert_eq!(again.commit, landed.commit);
    assert!(!touched.exists(), "{}", fs::read_to_string(&touched).unwrap());
    scene.git(&["-c", "core.hooksPath=/dev/null", "checkout", "-q", "--detach"]);
    let _ = fs::remove_file(&touched);
    assert_eq!(scene.open().land(&landed, Default::default()).unwrap(), hedgerow_merge::Landing::Landed);
    assert!(!touched.exists(), "{}", fs::read_to_string(&touched).unwrap());
}

#[test]
fn attributes_come_from_the_target_whatever_is_checked_out() {
    // By its own tree, main joins both lines; by the change's, it does not.
    let scene = Scene::forked("seq 5 >f", "echo x >>f; echo 'f merge=union' >.gitattributes", "echo y >>f");
    let joined = scene.candidate("main", "change").commit;
    for checked_out in ["change", "main"] {
        scene.git(&["checkout", "-q", checked_out]);
        assert_eq!(scene.candidate("main", "change").commit, joined);
        assert!(matches!(scene.prepare("change", "main"), Prepared::Conflict(_)));
    }
    scene.sh("mkdir -p .git/info; echo 'f -merge' >.git/info/attributes");
    assert_eq!(scene.candidate("main", "change").commit, joined);
}

#[test]
fn attributes_in_a_directory_above_or_beside_count_as_in_git() {
    let scene = Scene::forked(
        "mkdir -p a/b; seq 5 >a/b/f; seq 5 >a/g; echo 'f merge=union' >a/b/.gitattributes; echo 'g merge=union' >.gitattributes",
        "echo x >>a/b/f; echo x >>a/g",
        "echo y >>a/b/f; echo y >>a/g",
    );
    let tree = scene.git(&["merge-tree", "--write-tree", "main", "change"]);
    assert_eq!(scene.tree(scene.candidate("main", "change").commit.as_str()), tree);
}

#[test]
fn a_committer_that_would_break_the_commit_is_refused() {
    let scene = Scene::simple();
    for (name, email) in [("", "a@b"), (" ", "a@b"), ("a\nb", "c"), ("a", "b>c"), ("a<", "b"), ("a\0", "b")] {
        let mut bad = scene.change("change");
        bad.committer = Identity { name: name.into(), email: email.into() };
        let result = MergeCommit.prepare(&scene.open(), &scene.target("main"), &bad);
        assert!(matches!(result, Err(Error::InvalidName { what: "committer", .. })), "{name:?} {email:?}: {result:?}");
    }
}

#[test]
fn a_target_that_exists_nowhere_can_be_prepared_for_because_refs_are_not_looked_at() {
    let scene = Scene::simple();
    let target = Target { branch: branch("staging/next"), expected: scene.id("main") };
    let prepared = MergeCommit.prepare(&scene.open(), &target, &change(scene.id("change"))).unwrap();
    let Candidate { target: named, .. } = candidate(prepared);
    assert_eq!(named, target);
}
