//! How the commits relate.

use hedgerow_merge::{MergeCommit, MergeStrategy, Octopus, Prepared};

use crate::baseline::compare;
use crate::scene::{Scene, candidate, change};

#[test]
fn histories_of_every_shape_merge_as_in_git() {
    // Each ends with what is merged on `main` and `change`.
    let shapes: &[(u32, &str)] = &[
        (
            45,
            "git checkout -q -b old main; git checkout -q main; git merge -q -m x change; git checkout -q change; git merge -q -m y old",
        ),
        (49, "git checkout -q main; git merge -q -m merged change"),
        (50, "git branch -q -f change main"),
        (
            52,
            "git merge -q -m merged change; git revert --no-edit -m 1 HEAD; git checkout -q change; echo z >z; git add z; git commit -qm z",
        ),
        (
            70,
            "git checkout -q -b side change; echo more >>g; git commit -qam more; git checkout -q main; git cherry-pick change; git branch -f change side",
        ),
    ];
    for (number, script) in shapes {
        let scene = Scene::simple();
        scene.sh(script);
        scene.git(&["checkout", "-q", "-f", "main"]);
        for (target, change) in [("main", "change"), ("change", "main")] {
            if let Err(why) = compare(&scene, target, change) {
                panic!("{number} {target}: {why}");
            }
        }
    }
}

#[test]
fn a_change_that_is_the_target_or_behind_it_is_merged_already() {
    let scene = Scene::simple();
    for behind in ["main", "main~1"] {
        assert_eq!(scene.prepare("main", behind), Prepared::AlreadyMerged, "{behind}");
    }
}

#[test]
fn a_branch_that_is_forced_elsewhere_after_its_tip_was_named_changes_nothing() {
    let scene = Scene::simple();
    let (target, admitted) = (scene.target("main"), scene.change("change"));
    let before = candidate(MergeCommit.prepare(&scene.open(), &target, &admitted).unwrap());
    scene.git(&["checkout", "-q", "change"]);
    scene.git(&["reset", "-q", "--hard", "main~1"]);
    scene.commit("something else", "echo else >else");
    scene.git(&["checkout", "-q", "main"]);
    let after = candidate(MergeCommit.prepare(&scene.open(), &target, &admitted).unwrap());
    assert_eq!(after, before);
    assert!(!scene.open().contains(&after.commit, &scene.id("change")).unwrap());
}

#[test]
fn grafts_change_nothing_that_is_merged() {
    let scene = Scene::simple();
    let before = scene.candidate("main", "change");
    let (main, tip) = (scene.id("main"), scene.id("change"));
    std::fs::write(scene.path().join(".git/info/grafts"), format!("{tip}\n{main}\n")).unwrap();
    assert!(!scene.git_ok(&["merge-base", "main", "change"]), "git follows the grafts");
    assert_eq!(scene.candidate("main", "change"), before);
}

#[test]
fn forty_merge_bases_merge_as_in_git() {
    let scene = Scene::simple();
    let tree = scene.tree("main~1");
    let base = scene.id("main~1").to_string();
    let many: Vec<_> =
        (0..40).map(|n| scene.git(&["commit-tree", "-m", &format!("{n}"), "-p", &base, &tree])).collect();
    let parents: Vec<&str> = many.iter().flat_map(|id| ["-p", id.as_str()]).collect();
    for branch in ["main", "change"] {
        let joined = scene.git(&[&["commit-tree", "-m", branch, &scene.tree(branch)], parents.as_slice()].concat());
        scene.git(&["update-ref", &format!("refs/heads/{branch}"), &joined]);
    }
    assert_eq!(scene.git(&["merge-base", "--all", "main", "change"]).lines().count(), 40);
    for (target, change) in [("main", "change"), ("change", "main")] {
        compare(&scene, target, change).unwrap();
    }
}

#[test]
fn thirty_tips_in_one_merge_have_gits_tree_and_parents() {
    let scene = Scene::simple();
    let base = scene.id("main~1").to_string();
    let names: Vec<_> = (0..30).map(|n| format!("agent-{n}")).collect();
    for name in &names {
        scene.git(&["checkout", "-q", "-b", name, &base]);
        scene.commit(name, &format!("echo {name} >{name}"));
    }
    scene.git(&["checkout", "-q", "main"]);
    let with = names[1..].iter().map(|name| scene.id(name)).collect();
    let octopus = Octopus { with };
    let made = octopus.prepare(&scene.open(), &scene.target("main"), &change(scene.id(&names[0]))).unwrap();
    let made = candidate(made).commit;
    let place = scene.beside("by-git");
    scene.git(&["worktree", "add", "-q", "--detach", place.to_str().unwrap(), "main"]);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    crate::scene::git(&place, &[&["merge", "-q", "--no-edit"], names.as_slice()].concat());
    let facts = |id: &str| crate::scene::git(&place, &["log", "-1", "--format=%T %P", id]);
    assert_eq!(facts(made.as_str()), facts("HEAD"));
}

#[test]
fn clocks_that_run_backwards_change_no_merge_base() {
    // The later a commit, the older it says it is; or every other one does.
    for times in [[900, 800, 700, 600, 500, 400], [100, 900, 100, 900, 100, 900]] {
        let scene = Scene::simple();
        let mut tips = [scene.id("main").to_string(), scene.id("change").to_string()];
        let trees = [scene.tree("main"), scene.tree("change")];
        for (round, time) in times.into_iter().enumerate() {
            let side = round % 2;
            let tip = &tips[side];
            let text = format!(
                "tree {}\nparent {tip}\nauthor A <a@b> {time} +0000\ncommitter A <a@b> {time} +0000\n\n{round}\n",
                trees[side]
            );
            let path = scene.beside("commit");
            std::fs::write(&path, text).unwrap();
            tips[side] = scene.git(&["hash-object", "-w", "-t", "commit", path.to_str().unwrap()]);
        }
        // One side takes in an early commit of the other.
        let early = scene.git(&["rev-parse", &format!("{}~1", tips[1])]);
        tips[0] = scene.git(&["commit-tree", "-m", "joined", "-p", &tips[0], "-p", &early, &scene.tree_of_merge()]);
        scene.git(&["update-ref", "refs/heads/main", &tips[0]]);
        scene.git(&["update-ref", "refs/heads/change", &tips[1]]);
        for (target, change) in [("main", "change"), ("change", "main")] {
            compare(&scene, target, change).unwrap();
            let gits = scene.git(&["merge-base", target, change]);
            assert!(scene.open().contains(&scene.id(target), &hedgerow_merge::CommitId::new(gits).unwrap()).unwrap());
        }
    }
}

impl Scene {
    /// The tree of a merge of `main` and `change`, by git.
    fn tree_of_merge(&self) -> String {
        self.git(&["merge-tree", "--write-tree", "main", "change"])
    }
}
