//! What is reported when a decision is needed, and that no decision is taken unseen.

use hedgerow_merge::{ConflictKind, Entry};

use crate::scene::{Scene, git};

/// Kinds of conflicts, each with the script that makes it: base, main, change.
const KINDS: &[(ConflictKind, &str, &str, &str)] = &[
    (ConflictKind::Content, "seq 9 >f", "sed -i 's/^5$/x/' f", "sed -i 's/^5$/y/' f"),
    (ConflictKind::Binary, "printf 'a\\0' >f", "printf 'b\\0' >f", "printf 'c\\0' >f"),
    (ConflictKind::AddAdd, "true", "echo a >f", "echo b >f"),
    (ConflictKind::ModifyDelete, "seq 9 >f", "echo x >>f", "git rm -q f"),
    (ConflictKind::ModifyDelete, "seq 9 >f", "git rm -q f", "echo x >>f"),
    (ConflictKind::RenameRename1To2, "seq 9 >f", "git mv f g", "git mv f h"),
    (ConflictKind::RenameRename2To1, "seq 20 >f; seq 40 60 >g", "git mv f n; echo x >>g", "git mv g n; echo y >>f"),
    (ConflictKind::RenameAdd, "seq 20 >f", "git mv f g", "echo x >g; echo y >>f"),
    (ConflictKind::RenameDelete, "seq 9 >f", "git mv f g", "git rm -q f"),
    (ConflictKind::Symlink, "ln -s a l", "ln -sf b l", "ln -sf c l"),
    (ConflictKind::DistinctModes, "true", "echo a >f", "echo a >f; chmod +x f"),
    (ConflictKind::FileDirectory, "true", "echo a >f", "mkdir f; echo b >f/g"),
    (ConflictKind::DistinctTypes, "true", "echo a >f", "ln -s t f"),
    (ConflictKind::DirectoryRename, "mkdir d; seq 9 >d/f", "git mv d e", "echo n >d/n"),
    (
        ConflictKind::DirectoryRenameSplit,
        "mkdir d; seq 20 >d/f; seq 40 60 >d/g",
        "mkdir x y; git mv d/f x/f; git mv d/g y/g",
        "echo n >d/n",
    ),
    (
        ConflictKind::DirectoryRenameInTheWay,
        "mkdir a c; seq 20 >a/f; seq 40 60 >a/g; echo 3 >c/n",
        "git mv a/f c/f; git mv a/g c/g",
        "echo 1 >a/n",
    ),
    (
        ConflictKind::DirectoryRenameCollision,
        "mkdir a b; seq 20 >a/f; seq 40 60 >b/g",
        "mkdir c; git mv a/f c/f; git mv b/g c/g",
        "echo 1 >a/n; echo 2 >b/n",
    ),
    (
        ConflictKind::Submodule,
        "git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,s; mkdir s; git commit -qm s",
        "git update-index --cacheinfo 160000,2222222222222222222222222222222222222222,s; git commit -qm s",
        "git update-index --cacheinfo 160000,3333333333333333333333333333333333333333,s; git commit -qm s",
    ),
];

#[test]
fn a_conflict_names_its_kind_and_its_path() {
    for (kind, base, main, change) in KINDS {
        let scene = Scene::forked(base, main, change);
        let conflict = scene.conflict("main", "change");
        let kinds: Vec<_> = conflict.paths.iter().map(|path| path.kind).collect();
        assert!(kinds.contains(kind), "{kind:?}: {conflict:?}");
        assert!(conflict.paths.iter().all(|path| !path.path.is_empty()), "{conflict:?}");
        assert_eq!(conflict.ours, scene.id("main"));
        assert_eq!(conflict.theirs, scene.id("change"));
        assert_eq!(conflict.bases, [scene.id(&scene.git(&["merge-base", "main", "change"]))]);
    }
}

#[test]
fn the_sides_of_a_conflict_are_those_of_the_commits_in_both_directions() {
    let scene = Scene::forked("seq 9 >f; seq 9 >g", "echo main >>f; git rm -q g", "echo change >>f; echo x >>g");
    for (target, change) in [("main", "change"), ("change", "main")] {
        let conflict = scene.conflict(target, change);
        assert_eq!(conflict.paths.iter().map(|path| path.path.to_string()).collect::<Vec<_>>(), ["f", "g"]);
        for path in &conflict.paths {
            let base = scene.git(&["merge-base", "main", "change"]);
            for (commit, side) in [(base.as_str(), path.base()), (target, path.ours()), (change, path.theirs())] {
                let name = format!("{commit}:{}", path.path);
                let id = scene.git_ok(&["cat-file", "-e", &name]).then(|| scene.git(&["rev-parse", &name]));
                assert_eq!(side.map(|side| side.id.clone()), id, "{name}");
                assert!(side.is_none_or(|side| side.mode == 0o100_644));
            }
        }
    }
}

#[test]
fn what_met_at_a_new_name_is_told_with_all_its_versions_and_names() {
    // Ours is renamed to where theirs adds a file, and theirs edits the old one, with and without touching the same lines.
    for (edit, hunks) in [("sed -i 's/^9$/x/' f", 0), ("sed -i 's/^2$/x/' f", 1)] {
        let scene = Scene::forked("seq 20 >f", "git mv f g; sed -i 's/^2$/y/' g", &format!("{edit}; echo n >g"));
        for (target, change) in [("main", "change"), ("change", "main")] {
            let conflict = scene.conflict(target, change);
            let named = |entry: Option<&Entry>| entry.map(|entry| entry.path.to_string());
            let mut names: Vec<_> = conflict
                .paths
                .iter()
                .map(|path| {
                    assert_eq!((path.path.to_string().as_str(), path.kind), ("g", ConflictKind::RenameAdd));
                    let (first, second) =
                        if target == "main" { (path.ours(), path.theirs()) } else { (path.theirs(), path.ours()) };
                    [named(path.base()), named(first), named(second)]
                })
                .collect();
            names.sort();
            let some = |names: [&str; 3]| names.map(|name| (!name.is_empty()).then(|| name.to_owned()));
            assert_eq!(names, [some(["", "g", "g"]), some(["f", "g", "f"])], "{conflict:?}");
            for path in &conflict.paths {
                // Each version is one that a commit has, so it can be shown.
                let found = scene.open().inspect(&conflict, path).unwrap();
                assert!(path.base().is_none() || found.hunks.len() == hunks, "{found:?}");
            }
        }
    }
}

#[test]
fn a_conflict_leaves_no_object_behind() {
    let scene = Scene::forked("seq 9 >f", "sed -i 's/^5$/x/' f", "sed -i 's/^5$/y/' f");
    let before = scene.git(&["count-objects", "-v"]);
    scene.conflict("main", "change");
    assert_eq!(scene.git(&["count-objects", "-v"]), before);
}

#[test]
fn unrelated_histories_are_a_conflict_and_not_an_error() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "--orphan", "other"]);
    scene.commit("other", "echo other >other");
    let conflict = scene.conflict("main", "other");
    assert!(conflict.bases.is_empty());
    assert_eq!(conflict.paths[0].kind, ConflictKind::Unrelated);
    assert_eq!(conflict.paths.len(), 1);
}

#[test]
fn a_shallow_clone_that_lost_the_merge_base_is_an_error_and_not_unrelated() {
    let scene = Scene::simple();
    let shallow = scene.beside("shallow");
    let url = format!("file://{}", scene.path().display());
    git(&scene.path(), &["clone", "-q", "--depth=1", "--no-single-branch", &url, shallow.to_str().unwrap()]);
    git(&shallow, &["branch", "change", "origin/change"]);
    let repository = hedgerow_merge::Repository::open(&shallow).unwrap();
    let target = scene.target("main");
    let error = hedgerow_merge::MergeStrategy::prepare(
        &hedgerow_merge::MergeCommit,
        &repository,
        &target,
        &scene.change("change"),
    );
    assert!(error.unwrap_err().to_string().contains("shallow"));
}

/// Two branches that merged each other's first commit, and resolved the same lines differently.
///
/// The merge bases conflict, so whoever picks one of them as the base declares one resolution to be no change.
pub(crate) fn criss_cross(first: &str, second: &str, ours: &str, theirs: &str) -> Scene {
    let scene = Scene::forked("seq 9 >f; seq 9 >g; seq 9 >h; printf 'a\\0' >b", first, second);
    scene.git(&["branch", "old-main", "main"]);
    let merge = |into: &str, other: &str, script: &str| {
        scene.git(&["checkout", "-q", into]);
        scene.git_ok(&["merge", "-q", "--no-commit", other]);
        scene.commit("crossed", script);
    };
    merge("main", "change", ours);
    merge("change", "old-main", theirs);
    scene.git(&["checkout", "-q", "main"]);
    assert_eq!(scene.git(&["merge-base", "--all", "main", "change"]).lines().count(), 2);
    scene
}

const X: &str = "sed -i 's/^5$/x/' f";
const Y: &str = "sed -i 's/^5$/y/' f";
const AS_X: &str = "seq 9 >f; sed -i 's/^5$/x/' f";
const AS_Y: &str = "seq 9 >f; sed -i 's/^5$/y/' f";

#[test]
fn crossed_histories_with_conflicting_bases_conflict_in_both_directions() {
    let scene = criss_cross(X, Y, AS_X, AS_Y);
    for (target, change) in [("main", "change"), ("change", "main")] {
        assert!(!scene.git_ok(&["merge-tree", "--write-tree", target, change]), "git sees the conflict");
        let conflict = scene.conflict(target, change);
        assert_eq!(conflict.bases.len(), 2);
        assert_eq!(conflict.paths.len(), 1, "{conflict:?}");
        assert_eq!((conflict.paths[0].path.to_string().as_str(), conflict.paths[0].kind), ("f", ConflictKind::Content));
    }
}

#[test]
fn crossed_histories_that_were_resolved_alike_merge_as_in_git() {
    let scene = criss_cross(X, Y, &format!("{AS_X}; echo o >o"), &format!("{AS_X}; echo p >p"));
    for (target, change) in [("main", "change"), ("change", "main")] {
        let tree = scene.git(&["merge-tree", "--write-tree", target, change]);
        assert_eq!(scene.tree(scene.candidate(target, change).commit.as_str()), tree);
    }
}

#[test]
fn crossed_histories_with_clean_bases_merge_as_in_git() {
    let scene = criss_cross("echo m >>f", "echo c >>g", "echo o >o", "echo p >p");
    for (target, change) in [("main", "change"), ("change", "main")] {
        let tree = scene.git(&["merge-tree", "--write-tree", target, change]);
        assert_eq!(scene.tree(scene.candidate(target, change).commit.as_str()), tree);
    }
}

#[test]
fn crossed_histories_that_disagree_without_markers_conflict_in_both_directions() {
    let disagreements = [
        // A binary file that both bases added: there is no older version to fall back to.
        ("printf '1\\0' >n", "printf '2\\0' >n", "printf '1\\0' >n", "printf '2\\0' >n", "n"),
        // A binary file that both bases changed.
        ("printf '1\\0' >b", "printf '2\\0' >b", "printf '1\\0' >b", "printf '2\\0' >b", "b"),
        // One base deleted what the other changed.
        ("git rm -q h", "echo x >>h", "git rm -qf --ignore-unmatch h; rm -f h", "seq 9 >h; echo x >>h", "h"),
        // Links.
        ("ln -s 1 l", "ln -s 2 l", "rm -f l*; ln -s 1 l", "rm -f l*; ln -s 2 l", "l"),
    ];
    for (first, second, ours, theirs, path) in disagreements {
        let scene = criss_cross(first, second, ours, theirs);
        for (target, change) in [("main", "change"), ("change", "main")] {
            let conflict = scene.conflict(target, change);
            assert!(conflict.paths.iter().any(|found| found.path.to_string() == path), "{path}: {conflict:?}");
        }
    }
}

/// Two branches that merged each other at the same time, again and again; they end with different content.
fn crossed(rounds: usize) -> Scene {
    let scene = criss_cross(X, Y, AS_X, AS_Y);
    let trees = [scene.tree("main"), scene.tree("change")];
    let mut tips = [scene.id("main").to_string(), scene.id("change").to_string()];
    for _ in 0..rounds {
        let join = |one: usize| {
            let (own, other) = (&tips[one], &tips[1 - one]);
            scene.git(&["commit-tree", "-m", "round", "-p", own, "-p", other, &trees[one]])
        };
        tips = [join(0), join(1)];
    }
    scene.git(&["update-ref", "refs/heads/main", &tips[0]]);
    scene.git(&["update-ref", "refs/heads/change", &tips[1]]);
    scene
}

#[test]
fn a_history_that_crosses_again_and_again_conflicts_as_in_git() {
    let scene = crossed(20);
    assert!(!scene.git_ok(&["merge-tree", "--write-tree", "main", "change"]));
    let conflict = scene.conflict("main", "change");
    assert_eq!(conflict.paths.iter().map(|path| path.path.to_string()).collect::<Vec<_>>(), ["f"]);
}

#[test]
fn a_history_that_crosses_without_end_is_a_conflict_of_the_whole() {
    let conflict = crossed(70).conflict("main", "change");
    assert_eq!(conflict.paths.len(), 1);
    assert_eq!((conflict.paths[0].path.to_string().as_str(), conflict.paths[0].kind), ("", ConflictKind::Endless));
}

#[test]
fn a_history_in_which_five_branches_cross_does_not_explode() {
    let scene = Scene::forked("seq 9 >f", "echo m >m", "echo c >c");
    let tree = scene.tree("main");
    let mut level = vec![scene.id("main").to_string(); 5];
    for depth in 0..8 {
        let mut parents = level.clone();
        parents.dedup();
        let parents: Vec<_> = parents.iter().flat_map(|parent| ["-p", parent]).collect();
        level = (0..5)
            .map(|number| {
                let message = format!("{depth} {number}");
                scene.git(&[&["commit-tree", "-m", &message, tree.as_str()], parents.as_slice()].concat())
            })
            .collect();
    }
    scene.git(&["update-ref", "refs/heads/main", &level[0]]);
    scene.git(&["update-ref", "refs/heads/change", &level[1]]);
    let tree = scene.git(&["merge-tree", "--write-tree", "main", "change"]);
    assert_eq!(scene.tree(scene.candidate("main", "change").commit.as_str()), tree);
}
