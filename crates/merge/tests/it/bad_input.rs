//! Changes that were made to do harm, and repositories that are broken.

use std::process::{Command, Stdio};

use hedgerow_merge::{
    Candidate, Checkout, CommitId, Error, FastForward, MergeCommit, MergeStrategy, Rebase, Repository, Squash, Target,
};

use crate::scene::{Scene, branch, change, git};

fn prepare(scene: &Scene, tip: &str) -> Result<hedgerow_merge::Prepared, Error> {
    MergeCommit.prepare(&scene.open(), &scene.target("main"), &change(CommitId::new(tip).unwrap()))
}

/// A commit on top of `main` whose tree is made from `mktree` input; `%` is the id of a blob.
fn forged(scene: &Scene, entries: &str) -> String {
    let blob = scene.git(&["rev-parse", "main:f"]);
    let inner = mktree(scene, &format!("100644 blob {blob}\tf\n{}", entries.replace('%', &blob)));
    scene.git(&["commit-tree", "-p", "main", "-m", "forged", &inner])
}

fn mktree(scene: &Scene, entries: &str) -> String {
    use std::io::Write;
    let mut command = Command::new("git");
    command.args(["mktree", "--missing"]).current_dir(scene.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{entries:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_change_that_plants_a_git_directory_is_refused() {
    let scene = Scene::simple();
    for name in [".git", ".GIT", ".Git", "git~1", ".git ", ".git.", ".g\u{200c}it", ".git::$INDEX_ALLOCATION"] {
        let planted = forged(&scene, &format!("100644 blob %\t{name}\n"));
        let error = prepare(&scene, &planted).unwrap_err();
        assert!(matches!(error, Error::Object { .. }), "{name:?}: {error}");
        let blob = scene.git(&["rev-parse", "main:f"]);
        let directory = mktree(&scene, &format!("100644 blob {blob}\t{name}\n"));
        let nested = forged(&scene, &format!("040000 tree {directory}\tdeep\n"));
        assert!(matches!(prepare(&scene, &nested), Err(Error::Object { .. })), "{name:?}");
    }
    for name in [".", ".."] {
        let blob = scene.git(&["rev-parse", "main:f"]);
        let directory = mktree(&scene, &format!("100644 blob {blob}\tx\n"));
        let climbing = forged(&scene, &format!("040000 tree {directory}\t{name}\n"));
        assert!(matches!(prepare(&scene, &climbing), Err(Error::Object { .. })), "{name:?}");
    }
    let link = forged(&scene, "120000 blob %\t.gitmodules\n");
    assert!(matches!(prepare(&scene, &link), Err(Error::Object { .. })));
}

#[test]
fn names_that_only_look_strange_are_merged() {
    let scene = Scene::simple();
    for name in [".gitignore", ".gitmodules", "git", "aux", "a:b", "-rf", "$(x)", "\u{feff}", "a\\b"] {
        let planted = forged(&scene, &format!("100644 blob %\t{name}\n"));
        assert!(prepare(&scene, &planted).is_ok(), "{name:?}");
    }
}

#[test]
fn what_the_target_holds_already_is_not_the_changes_fault() {
    let scene = Scene::simple();
    let old = forged(&scene, "100644 blob %\t.GIT\n");
    let target = Target { branch: branch("main"), expected: CommitId::new(old.clone()).unwrap() };
    let on_top = scene.git(&["commit-tree", "-p", &old, "-m", "top", &format!("{old}^{{tree}}")]);
    let prepared = MergeCommit.prepare(&scene.open(), &target, &change(CommitId::new(on_top).unwrap()));
    assert!(prepared.is_ok(), "{prepared:?}");
}

#[test]
fn ids_that_name_nothing_or_no_commit_are_errors_with_the_id() {
    let scene = Scene::simple();
    let blob = scene.git(&["rev-parse", "main:f"]);
    for id in ["1".repeat(40), "1".repeat(64), blob, scene.tree("main")] {
        let error = prepare(&scene, &id).unwrap_err();
        assert!(matches!(&error, Error::Object { id: named, .. } if *named == id), "{error}");
        assert!(!error.is_transient());
    }
}

#[test]
fn a_missing_tree_or_file_is_an_error_and_never_a_clean_merge() {
    for missing in ["change:f", "change^{tree}", "main:f", "main~1:f"] {
        let scene = Scene::simple();
        let id = scene.git(&["rev-parse", missing]);
        let object = scene.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
        std::fs::remove_file(object).unwrap();
        let result = prepare(&scene, scene.id("change").as_str());
        assert!(result.is_err(), "{missing}: {result:?}");
    }
}

#[test]
fn a_commit_with_an_absurd_time_is_refused_or_gives_a_candidate_that_git_accepts() {
    let scene = Scene::simple();
    let tree = scene.tree("change");
    let main = scene.git(&["rev-parse", "main~1"]);
    for time in ["99999999999999", "-5", "18446744073709551616", "x", ""] {
        let text = format!("tree {tree}\nparent {main}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> {time} +0000\n\nm\n");
        let path = scene.beside("commit");
        std::fs::write(&path, text).unwrap();
        let tip = scene.git(&["hash-object", "-w", "-t", "commit", "--literally", path.to_str().unwrap()]);
        let result = prepare(&scene, &tip);
        if result.is_err() {
            assert!(time.parse::<i64>().is_err(), "{time}: {result:?}");
            continue;
        }
        let candidate = crate::scene::candidate(result.unwrap());
        let seconds: i64 = scene.git(&["log", "-1", "--format=%ct", candidate.commit.as_str()]).parse().unwrap();
        assert!((1_700_000_000..=253_402_300_799).contains(&seconds), "{time}: {seconds}");
    }
}

#[test]
fn a_replaced_object_does_not_change_what_is_merged() {
    let scene = Scene::simple();
    let before = scene.candidate("main", "change");
    let other = scene.git(&["commit-tree", "-p", "main~1", "-m", "other", &scene.tree("main")]);
    scene.git(&["replace", "change", &other]);
    let tip = scene.git(&["rev-parse", "refs/heads/change"]);
    let after = crate::scene::candidate(prepare(&scene, &tip).unwrap());
    assert_eq!(after.commit, before.commit);
}

#[test]
fn a_deep_and_wide_change_comes_to_an_end() {
    let scene = Scene::simple();
    let mut tree = scene.tree("main");
    for _ in 0..300 {
        tree = mktree(&scene, &format!("040000 tree {tree}\td\n"));
    }
    let deep = forged(&scene, &format!("040000 tree {tree}\tdeep\n"));
    let candidate = crate::scene::candidate(prepare(&scene, &deep).unwrap());
    assert_eq!(scene.tree(candidate.commit.as_str()), scene.tree(&deep));
}

#[test]
fn a_configuration_that_git_refuses_to_read_is_reported() {
    let scene = Scene::simple();
    std::fs::write(scene.path().join(".git/config"), "[core\n\0").unwrap();
    assert!(matches!(Repository::open(scene.path()), Err(Error::Repository { .. })));
    let clone = scene.beside("clone");
    std::fs::create_dir(&clone).unwrap();
    git(&clone, &["init", "-q"]);
    std::fs::write(clone.join(".git/HEAD"), [0xff; 100]).unwrap();
    if let Ok(repository) = Repository::open(&clone) {
        assert!(repository.head_branch().is_err());
    }
}

/// Makes a tree of lines as `git mktree` takes them, as they are.
fn raw_tree(scene: &Scene, entries: &[(&str, &str, &str)]) -> String {
    let bytes: String = entries
        .iter()
        .map(|(mode, name, id)| {
            let id: String =
                id.as_bytes().chunks(2).map(|two| format!("\\x{}", std::str::from_utf8(two).unwrap())).collect();
            format!("{mode} {name}\\x00{id}")
        })
        .collect();
    scene
        .sh_out(&format!("perl -e 'print \"{bytes}\"' | git hash-object -t tree --literally -w --stdin"))
        .trim()
        .to_owned()
}

fn refused(scene: &Scene, tree: &str, said: &str) {
    let tip = scene.git(&["commit-tree", "-m", "hostile", "-p", "main", tree]);
    let change = change(scene.id(&tip));
    let strategies: [&dyn MergeStrategy; 4] = [&MergeCommit, &Squash, &Rebase::default(), &FastForward::default()];
    for strategy in strategies {
        let error = strategy.prepare(&scene.open(), &scene.target("main"), &change).unwrap_err();
        assert!(error.to_string().contains(said), "{strategy:?}: {error}");
    }
    // A result that somebody made of it does not land either.
    let made = scene.git(&["commit-tree", "-m", "hostile", "-p", "main", "-p", "change", tree]);
    let forged = Candidate { commit: scene.id(&made), ..scene.candidate("main", "change") };
    let landing = scene.open().land(&forged, Checkout::Refuse);
    assert!(matches!(landing, Err(Error::Object { .. })), "{landing:?}");
}

#[test]
fn a_tree_that_has_a_name_twice_does_not_land() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "--detach"]);
    let (one, other) = (scene.git(&["rev-parse", "main:f"]), scene.git(&["rev-parse", "change:g"]));
    refused(
        &scene,
        &raw_tree(&scene, &[("100644", "f", &one), ("100644", "f", &other)]),
        "twice or in the wrong place",
    );
    refused(
        &scene,
        &raw_tree(&scene, &[("100644", "g", &one), ("100644", "f", &other)]),
        "twice or in the wrong place",
    );
}

#[test]
fn a_few_trees_with_more_paths_than_there_can_be_come_to_an_end() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "--detach"]);
    let mut tree = scene.git(&["rev-parse", "main^{tree}"]);
    for _ in 0..40 {
        tree = raw_tree(&scene, &[("40000", "a", &tree), ("40000", "b", &tree)]);
    }
    refused(&scene, &tree, "more than");
}

#[test]
fn directories_that_are_deeper_than_anybody_works_in_do_not_overflow_anything() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "--detach"]);
    let base = scene.git(&["rev-parse", "main^{tree}"]);
    let tree = scene.sh_out(&format!(
        "t={base}; n=0; while [ $n -lt 2100 ]; do t=$(printf '040000 tree %s\\td\\n' $t | git mktree); n=$((n+1)); done; echo $t"
    ));
    refused(&scene, tree.trim(), "directories deep");
}
