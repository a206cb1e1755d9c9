//! A target that somebody has checked out.

use std::fs;

use hedgerow_merge::{Checkout, Landing};

use crate::scene::{Scene, git};

fn land(scene: &Scene, checkout: Checkout) -> Landing {
    let candidate = scene.candidate("main", "change");
    scene.open().land(&candidate, checkout).unwrap()
}

/// The landing is refused with a reason that contains `why`, and not a byte of the repository changed.
fn refused(scene: &Scene, checkout: Checkout, why: &str) {
    let before = scene.snapshot();
    match land(scene, checkout) {
        Landing::CheckedOut { why: reason, .. } => assert!(reason.contains(why), "expected {why:?}: {reason}"),
        other => panic!("expected a refusal because of {why:?}: {other:?}"),
    }
    assert_eq!(scene.snapshot(), before, "{why}");
}

/// The landing brought the checkout forward, and git sees nothing odd.
fn forwarded(scene: &Scene) {
    let candidate = scene.candidate("main", "change");
    assert_eq!(scene.open().land(&candidate, Checkout::FastForwardClean).unwrap(), Landing::Landed);
    assert_eq!(scene.id("main"), candidate.commit);
    assert_eq!(scene.git(&["status", "--porcelain", "--untracked-files=no"]), "");
    let entry = scene.git(&["reflog", "show", "-1", "--format=%H %gs", "HEAD"]);
    assert_eq!(entry, format!("{} merge: Bring in a change", candidate.commit));
    scene.fsck();
}

#[test]
fn a_checked_out_target_is_refused_by_default() {
    let scene = Scene::simple();
    refused(&scene, Checkout::default(), "checked out here");
}

#[test]
fn a_target_that_a_worktree_has_is_refused_with_its_path() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["checkout", "-q", "--detach"]);
    scene.git(&["worktree", "add", "-q", tree.to_str().unwrap(), "main"]);
    match land(&scene, Checkout::Refuse) {
        Landing::CheckedOut { path, .. } => assert_eq!(path.canonicalize().unwrap(), tree.canonicalize().unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clean_checkout_is_brought_forward() {
    let scene = Scene::simple();
    scene.sh("echo mine >untracked; echo '*.log' >.git/info/exclude; echo mine >a.log");
    forwarded(&scene);
    assert_eq!(scene.git(&["status", "--porcelain"]), "?? untracked");
    assert_eq!(fs::read_to_string(scene.path().join("g")).unwrap(), "new\n");
}

#[test]
fn a_clean_worktree_is_brought_forward() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["checkout", "-q", "--detach"]);
    scene.git(&["worktree", "add", "-q", tree.to_str().unwrap(), "main"]);
    let before = scene.git(&["rev-parse", "HEAD"]);
    assert_eq!(land(&scene, Checkout::FastForwardClean), Landing::Landed);
    assert_eq!(git(&tree, &["status", "--porcelain"]), "");
    assert!(tree.join("g").exists());
    assert_eq!(git(&tree, &["reflog", "show", "-1", "--format=%gs", "HEAD"]), "merge: Bring in a change");
    assert_eq!(scene.git(&["rev-parse", "HEAD"]), before, "the main checkout is another one");
}

#[test]
fn files_with_stale_times_are_not_changed_files() {
    let scene = Scene::simple();
    scene.sh("touch -d '2001-01-01' f");
    forwarded(&scene);
}

#[test]
fn files_directories_and_links_are_brought_forward_whatever_they_become() {
    let scene = Scene::forked(
        "mkdir d; seq 9 >d/f; seq 20 29 >e; ln -s t l; seq 30 39 >x; seq 40 49 >gone",
        "echo m >m",
        "git rm -rq d; echo file >d; git rm -q e; mkdir e; echo in >e/f; rm l; echo l >l; chmod +x x; git rm -q gone",
    );
    forwarded(&scene);
}

#[test]
fn a_changed_or_staged_file_refuses() {
    for (script, why) in [
        ("echo mine >>f", "changed file"),
        ("echo mine >>f; git add f", "changed file"),
        ("rm f", "changed file"),
        ("git rm -q --cached f", "changed file"),
        ("echo mine >mine; git add mine", "changed file"),
        ("chmod +x f", "changed file"),
        ("echo mine >mine; git add -N mine", "changed file"),
    ] {
        let scene = Scene::simple();
        scene.sh(script);
        refused(&scene, Checkout::FastForwardClean, why);
    }
}

#[test]
fn a_file_in_the_way_refuses_also_an_ignored_one() {
    for script in [
        "echo mine >g",
        "echo g >.git/info/exclude; echo mine >g",
        "echo g >.git/info/exclude; mkdir g; echo mine >g/mine",
        "mkdir -p g/deep/deeper; echo mine >g/deep/deeper/mine",
        "ln -s /nowhere g",
    ] {
        let scene = Scene::simple();
        scene.sh(script);
        refused(&scene, Checkout::FastForwardClean, "would be overwritten");
    }
    for script in ["echo mine >d", "ln -s /tmp d"] {
        let scene = Scene::forked("seq 9 >f", "echo m >m", "mkdir d; echo d >d/d");
        scene.sh(script);
        refused(&scene, Checkout::FastForwardClean, "would be overwritten");
    }
    // A tracked directory becomes a file, and the user keeps something in it.
    let scene = Scene::forked("mkdir d; seq 9 >d/f", "echo m >m", "git rm -rq d; echo file >d");
    scene.sh("echo '*.log' >.git/info/exclude; echo mine >d/a.log");
    refused(&scene, Checkout::FastForwardClean, "would be overwritten");
}

#[test]
fn an_empty_directory_is_not_in_the_way() {
    let scene = Scene::simple();
    scene.sh("mkdir -p g/empty");
    forwarded(&scene);
}

#[test]
fn what_is_underway_refuses() {
    for (script, why) in [
        ("git rev-parse HEAD >.git/MERGE_HEAD", "merge is underway"),
        ("git rev-parse HEAD >.git/CHERRY_PICK_HEAD", "cherry-pick is underway"),
        ("git rev-parse HEAD >.git/REVERT_HEAD", "revert is underway"),
        ("mkdir .git/rebase-merge", "rebase is underway"),
        ("mkdir .git/rebase-apply", "underway"),
        ("mkdir .git/sequencer", "underway"),
        (": >.git/BISECT_LOG", "bisection is underway"),
        (": >.git/index.lock", "index.lock"),
    ] {
        let scene = Scene::simple();
        scene.sh(script);
        refused(&scene, Checkout::FastForwardClean, why);
    }
}

#[test]
fn a_rebase_of_the_target_refuses_though_head_is_detached() {
    for checkout in [Checkout::Refuse, Checkout::FastForwardClean] {
        let scene = Scene::forked("seq 9 >f", "echo a >n", "echo b >n; echo o >o");
        scene.git(&["checkout", "-q", "-b", "harmless", "main"]);
        scene.commit("harmless", "echo h >h");
        scene.git(&["checkout", "-q", "main"]);
        let candidate = scene.candidate("main", "harmless");
        assert!(!scene.git_ok(&["rebase", "-q", "change"]), "both added `n`, so the rebase stops");
        assert!(!scene.git_ok(&["symbolic-ref", "-q", "HEAD"]), "HEAD names no branch");
        let main = scene.id("main");
        match scene.open().land(&candidate, checkout).unwrap() {
            Landing::CheckedOut { why, .. } => assert!(why.contains("rebase"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(scene.id("main"), main);
    }
}

#[test]
fn a_bisection_that_started_on_the_target_refuses() {
    let scene = Scene::simple();
    scene.commit("more", "echo more >more");
    scene.git(&["bisect", "start", "main", "main~2"]);
    refused(&scene, Checkout::Refuse, "bisect");
}

#[test]
fn a_damaged_entry_of_a_worktree_does_not_stop_a_landing() {
    let scene = Scene::simple();
    scene.git(&["branch", "trunk", "main"]);
    let admin = scene.path().join(".git/worktrees");
    fs::create_dir_all(admin.join("empty")).unwrap();
    fs::create_dir_all(admin.join("binary")).unwrap();
    fs::write(admin.join("binary/HEAD"), [0xff, 0, 0xfe]).unwrap();
    fs::write(admin.join("binary/gitdir"), [0xff, 0, 0xfe]).unwrap();
    fs::write(admin.join("file"), "not a directory").unwrap();
    fs::create_dir_all(admin.join("odd/HEAD")).unwrap();
    fs::write(admin.join("odd/gitdir"), "/nowhere/.git\n").unwrap();
    let candidate = scene.candidate("trunk", "change");
    assert_eq!(scene.open().land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed);
}

#[test]
fn a_worktree_whose_files_are_gone_still_holds_its_branch() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["checkout", "-q", "--detach"]);
    scene.git(&["worktree", "add", "-q", tree.to_str().unwrap(), "main"]);
    fs::remove_dir_all(&tree).unwrap();
    for checkout in [Checkout::Refuse, Checkout::FastForwardClean] {
        refused(&scene, checkout, "git worktree prune");
    }
    scene.git(&["worktree", "prune"]);
    assert_eq!(land(&scene, Checkout::Refuse), Landing::Landed);
}

#[test]
fn a_target_in_two_checkouts_is_refused() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["worktree", "add", "-q", "-f", tree.to_str().unwrap(), "main"]);
    refused(&scene, Checkout::FastForwardClean, "several");
}

#[test]
fn a_landing_that_was_killed_between_checkout_and_ref_is_finished_by_the_next() {
    let scene = Scene::simple();
    let candidate = scene.candidate("main", "change");
    let (old, new) = (candidate.target.expected.as_str(), candidate.commit.as_str());
    scene.git(&["read-tree", "-m", "-u", old, new]);
    assert_ne!(scene.git(&["status", "--porcelain"]), "");
    forwarded(&scene);
}

#[test]
fn staged_work_that_only_looks_like_a_killed_landing_refuses() {
    let scene = Scene::simple();
    let candidate = scene.candidate("main", "change");
    scene.git(&["read-tree", "-m", "-u", "main", candidate.commit.as_str()]);
    scene.sh("echo mine >>f");
    refused(&scene, Checkout::FastForwardClean, "changed file");
}

#[test]
fn a_checkout_goes_back_when_its_branch_cannot_be_moved() {
    let scene = Scene::simple();
    let candidate = scene.candidate("main", "change");
    fs::write(scene.path().join(".git/refs/heads/main.lock"), "").unwrap();
    assert!(scene.open().land(&candidate, Checkout::FastForwardClean).unwrap_err().is_transient());
    fs::remove_file(scene.path().join(".git/refs/heads/main.lock")).unwrap();
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
    assert_eq!(scene.id("main"), candidate.target.expected);
    forwarded(&scene);
}

#[test]
fn hooks_do_not_run_when_a_checkout_is_brought_forward() {
    let scene = Scene::simple();
    let touched = scene.beside("touched");
    fs::create_dir_all(scene.path().join(".git/hooks")).unwrap();
    for hook in ["post-checkout", "post-merge", "post-index-change", "reference-transaction", "fsmonitor-watchman"] {
        let hook = scene.path().join(".git/hooks").join(hook);
        fs::write(&hook, format!("#!/bin/sh\necho $0 >>{}\n", touched.display())).unwrap();
        scene.sh(&format!("chmod +x {}", hook.display()));
    }
    scene.sh("git config core.fsmonitor .git/hooks/fsmonitor-watchman");
    let candidate = scene.candidate("main", "change");
    let _ = fs::remove_file(&touched);
    assert_eq!(scene.open().land(&candidate, Checkout::FastForwardClean).unwrap(), Landing::Landed);
    assert!(!touched.exists(), "{}", fs::read_to_string(&touched).unwrap_or_default());
}

#[test]
fn the_users_own_filters_write_the_users_files() {
    let scene = Scene::forked("seq 9 >f; echo '*.big filter=big' >.gitattributes", "echo m >m", "echo content >a.big");
    scene.sh(
        "git config filter.big.smudge 'sed s/content/fetched/'; git config filter.big.clean 'sed s/fetched/content/'",
    );
    forwarded(&scene);
    assert_eq!(fs::read_to_string(scene.path().join("a.big")).unwrap(), "fetched\n");
}

#[test]
fn changes_to_files_that_a_landing_does_not_touch_are_carried() {
    let scene = Scene::forked(
        "seq 10 >f; echo a >mine; echo b >staged; mkdir d; echo c >d/c",
        "true",
        "sed -i 's/^9$/nine/' f; echo new >g",
    );
    scene.sh("echo changed >mine; echo changed >staged; git add staged; echo new >added; git add added; rm d/c; echo u >untracked");
    let before = scene.git(&["status", "--porcelain"]);
    refused(&scene, Checkout::FastForwardClean, "changed file(s) here");
    let candidate = scene.candidate("main", "change");
    assert_eq!(scene.open().land(&candidate, Checkout::FastForwardCarrying).unwrap(), Landing::Landed);
    assert_eq!(scene.id("main"), candidate.commit);
    assert_eq!(scene.git(&["status", "--porcelain"]), before);
    assert_eq!(fs::read_to_string(scene.path().join("mine")).unwrap(), "changed\n");
    assert_eq!(fs::read_to_string(scene.path().join("g")).unwrap(), "new\n");
    assert_eq!(scene.git(&["stash", "list"]), "");
    scene.fsck();
}

#[test]
fn changes_to_files_that_a_landing_touches_refuse_and_stay() {
    for script in [
        "echo mine >>f",
        "echo mine >>f; git add f",
        "rm f",
        "git rm -q --cached f",
        "chmod +x f",
        "echo mine >g",
        "echo mine >g; git add g",
        "mkdir g; echo mine >g/mine; git add g",
        "git rm -q f; mkdir f; echo mine >f/mine",
        "echo x >.git/MERGE_HEAD",
    ] {
        let scene = Scene::simple();
        scene.sh(script);
        refused(&scene, Checkout::FastForwardCarrying, "");
    }
}

#[test]
fn a_carrying_landing_that_was_killed_between_checkout_and_ref_is_finished_by_the_next() {
    let scene = Scene::forked("seq 10 >f; echo a >mine; echo b >staged", "true", "sed -i 's/^9$/nine/' f; echo new >g");
    scene.sh("echo changed >mine; echo changed >staged; git add staged");
    let candidate = scene.candidate("main", "change");
    scene.git(&["read-tree", "-m", "-u", "main", candidate.commit.as_str()]);
    refused(&scene, Checkout::FastForwardClean, "changed file(s) here");
    assert_eq!(scene.open().land(&candidate, Checkout::FastForwardCarrying).unwrap(), Landing::Landed);
    assert_eq!(scene.git(&["status", "--porcelain"]), " M mine\nM  staged");
}

#[test]
fn a_carrying_checkout_goes_back_when_its_branch_cannot_be_moved() {
    let scene = Scene::forked("seq 10 >f; echo a >mine", "true", "sed -i 's/^9$/nine/' f; echo new >g");
    scene.sh("echo changed >mine; git add mine");
    let candidate = scene.candidate("main", "change");
    scene.sh("echo somebody >.git/refs/heads/main.lock");
    let before = scene.git(&["status", "--porcelain"]);
    assert!(scene.open().land(&candidate, Checkout::FastForwardCarrying).is_err());
    scene.sh("rm .git/refs/heads/main.lock");
    assert_eq!(scene.git(&["status", "--porcelain"]), before);
    assert!(!scene.path().join("g").exists());
}

#[test]
fn checkouts_are_detached_where_they_are_and_no_file_changes() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["worktree", "add", "-q", "--force", tree.to_str().unwrap(), "main"]);
    scene.sh("echo mine >>f; echo mine >staged; git add staged");
    let (before, status) = (scene.id("main"), scene.git(&["status", "--porcelain"]));
    let candidate = scene.candidate("main", "change");
    assert_eq!(scene.open().land(&candidate, Checkout::Detach).unwrap(), Landing::Landed);
    assert_eq!(scene.id("main"), candidate.commit);
    for checkout in [scene.path(), tree.clone()] {
        assert_eq!(git(&checkout, &["rev-parse", "HEAD"]), before.as_str());
        assert_eq!(git(&checkout, &["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
    }
    assert_eq!(scene.git(&["status", "--porcelain"]), status);
    git(&tree, &["switch", "-q", "-"]);
    assert_eq!(git(&tree, &["rev-parse", "HEAD"]), candidate.commit.as_str());
    scene.fsck();
}

#[test]
fn a_checkout_in_which_something_is_underway_is_not_detached_nor_any_other() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["worktree", "add", "-q", "--force", tree.to_str().unwrap(), "main"]);
    scene.sh("echo x >.git/worktrees/tree/MERGE_HEAD");
    let candidate = scene.candidate("main", "change");
    let landing = scene.open().land(&candidate, Checkout::Detach).unwrap();
    assert!(matches!(&landing, Landing::CheckedOut { why, .. } if why.contains("a merge is underway")), "{landing:?}");
    for checkout in [scene.path(), tree] {
        assert_eq!(git(&checkout, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    }
    assert_eq!(scene.id("main"), candidate.target.expected);
}

#[test]
fn a_detached_checkout_goes_back_to_its_branch_when_that_cannot_be_moved() {
    let scene = Scene::simple();
    let candidate = scene.candidate("main", "change");
    scene.sh("echo somebody >.git/refs/heads/main.lock");
    assert!(scene.open().land(&candidate, Checkout::Detach).is_err());
    scene.sh("rm .git/refs/heads/main.lock");
    assert_eq!(scene.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(scene.open().land(&candidate, Checkout::Detach).unwrap(), Landing::Landed);
}

#[test]
fn a_checkout_is_not_detached_for_a_target_that_moved_meanwhile() {
    let scene = Scene::simple();
    let candidate = scene.candidate("main", "change");
    // Somebody has the ref's lock, moves it, and lets go while the landing waits.
    scene.sh("touch .git/refs/heads/main.lock");
    let moved = scene.git(&["commit-tree", "-m", "by hand", "-p", "main", "main^{tree}"]);
    let log = fs::read(scene.path().join(".git/logs/HEAD")).unwrap();
    let landing = std::thread::scope(|scope| {
        let landing = scope.spawn(|| scene.open().land(&candidate, Checkout::Detach));
        std::thread::sleep(std::time::Duration::from_millis(300));
        scene.sh(&format!("echo {moved} >.git/refs/heads/main; rm .git/refs/heads/main.lock"));
        landing.join().unwrap().unwrap()
    });
    assert!(matches!(landing, Landing::TargetMoved { .. }), "{landing:?}");
    assert_eq!(scene.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(fs::read(scene.path().join(".git/logs/HEAD")).unwrap(), log, "it never was");
}
