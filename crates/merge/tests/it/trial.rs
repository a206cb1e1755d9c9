//! Merging to see what would come of it.

use hedgerow_merge::Trial;

use crate::scene::Scene;

fn trial(scene: &Scene, ours: &str, theirs: &str) -> Trial {
    scene.open().trial(&scene.id(ours), &scene.id(theirs)).unwrap()
}

#[test]
fn a_trial_makes_the_tree_that_the_candidate_has_and_writes_nothing() {
    let scene = Scene::simple();
    let objects = || scene.git(&["count-objects"]);
    let before = objects();
    let found = trial(&scene, "main", "change");
    assert_eq!(objects(), before);
    let Trial::Clean { tree, bases } = found else { panic!("{found:?}") };
    assert_eq!(bases, [scene.id("main~1")]);
    let candidate = scene.candidate("main", "change");
    assert_eq!(tree.as_str(), scene.tree(candidate.commit.as_str()));
}

#[test]
fn a_trial_of_what_is_merged_says_so() {
    let scene = Scene::simple();
    assert_eq!(trial(&scene, "main", "main~1"), Trial::AlreadyMerged);
    assert_eq!(trial(&scene, "main", "main"), Trial::AlreadyMerged);
}

#[test]
fn a_trial_that_conflicts_says_where() {
    let scene = Scene::forked("seq 9 >f", "sed -i s/5/five/ f", "sed -i s/5/V/ f");
    let Trial::Conflict(conflict) = trial(&scene, "main", "change") else { panic!("it conflicts") };
    assert_eq!(conflict.paths[0].path.to_string(), "f");
}
