//! Opening a repository and asking about it.

use std::fs;

use hedgerow_merge::{Error, Repository};

use crate::scene::{Scene, branch, git};

fn refusal(path: impl AsRef<std::path::Path>) -> String {
    match Repository::open(path) {
        Err(Error::Repository { problem, .. }) => problem,
        other => panic!("expected a refusal: {other:?}"),
    }
}

#[test]
fn a_handle_goes_to_any_thread() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<Repository>();
}

#[test]
fn a_checkout_a_git_directory_and_a_bare_repository_open() {
    let scene = Scene::simple();
    for path in [scene.path(), scene.path().join(".git"), scene.bare()] {
        let repository = Repository::open(&path).unwrap();
        assert_eq!(repository.tip(&branch("main")).unwrap(), scene.id("main"));
        assert_eq!(repository.head_branch().unwrap(), Some(branch("main")));
    }
}

#[test]
fn a_directory_inside_a_checkout_is_not_taken_for_the_repository() {
    let scene = Scene::simple();
    fs::create_dir(scene.path().join("inside")).unwrap();
    assert!(refusal(scene.path().join("inside")).contains("exactly here"));
    assert!(refusal(scene.path().join("f")).contains("not a directory"));
    assert!(refusal(scene.path().join("nowhere")).contains("not a directory"));
}

#[test]
fn a_worktree_is_refused_because_whoever_works_there_could_redirect_it() {
    let scene = Scene::simple();
    let tree = scene.beside("tree");
    scene.git(&["worktree", "add", "-q", tree.to_str().unwrap(), "change"]);
    assert!(refusal(&tree).contains("main checkout"));
    assert!(refusal(scene.path().join(".git/worktrees/tree")).contains("main checkout"));
}

#[test]
fn refs_in_tables_are_refused_with_the_way_out() {
    let scene = Scene::simple();
    let tables = scene.beside("tables");
    git(&scene.path(), &["init", "-q", "--ref-format=reftable", tables.to_str().unwrap()]);
    let problem = refusal(&tables);
    assert!(problem.contains("reftable"), "{problem}");
}

#[test]
fn a_repository_with_another_hash_is_refused() {
    let scene = Scene::simple();
    let other = scene.beside("sha256");
    git(&scene.path(), &["init", "-q", "--object-format=sha256", other.to_str().unwrap()]);
    refusal(&other);
}

#[test]
fn a_branch_that_is_missing_unborn_or_another_name_has_no_tip() {
    let scene = Scene::empty();
    let repository = scene.open();
    assert_eq!(repository.head_branch().unwrap(), Some(branch("main")));
    assert!(matches!(repository.tip(&branch("main")), Err(Error::NoBranch { .. })));
    scene.commit("first", "echo a >a");
    scene.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let error = repository.tip(&branch("alias")).unwrap_err();
    assert!(matches!(&error, Error::NoBranch { problem, .. } if problem.contains("refs/heads/main")), "{error}");
    // Only the exact ref counts, not what a lookup would find under this name elsewhere.
    scene.git(&["update-ref", "refs/heads/refs/heads/deep", "HEAD"]);
    assert!(matches!(repository.tip(&branch("deep")), Err(Error::NoBranch { .. })));
    scene.git(&["checkout", "-q", "--detach"]);
    assert_eq!(repository.head_branch().unwrap(), None);
}

#[test]
fn a_tip_is_found_after_refs_were_packed_and_moved() {
    let scene = Scene::simple();
    let repository = scene.open();
    let main = branch("main");
    scene.git(&["pack-refs", "--all"]);
    assert_eq!(repository.tip(&main).unwrap(), scene.id("main"));
    let next = scene.commit("next", "echo next >next");
    assert_eq!(repository.tip(&main).unwrap(), next);
}

#[test]
fn a_commit_contains_itself_and_what_is_behind_it() {
    let scene = Scene::simple();
    let repository = scene.open();
    let [base, main, change] = ["main~1", "main", "change"].map(|name| scene.id(name));
    assert!(repository.contains(&main, &main).unwrap());
    assert!(repository.contains(&main, &base).unwrap());
    assert!(!repository.contains(&base, &main).unwrap());
    assert!(!repository.contains(&main, &change).unwrap());
}
