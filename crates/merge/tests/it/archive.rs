//! Changes that did not land, kept under refs that cannot collide.

use hedgerow_merge::queue::ChangeId;
use hedgerow_merge::{ArchivedChange, Archiving, Identity};
use proptest::prelude::*;

use crate::scene::Scene;

fn who() -> Identity {
    Identity { name: "Queue".into(), email: "queue@example.com".into() }
}

fn lost(scene: &Scene, change: &str, attempt: u32) -> ArchivedChange {
    let why = "variant b won".to_owned();
    ArchivedChange { change: ChangeId::new(change), attempt, tip: scene.id("change"), why }
}

#[test]
fn a_branch_whose_change_is_archived_can_be_deleted_and_nothing_is_lost() {
    let scene = Scene::simple();
    let kept = lost(&scene, "fix-42", 1);
    assert_eq!(scene.open().archive(&kept, &who()).unwrap(), Archiving::Kept);
    scene.git(&["branch", "-q", "-D", "change"]);
    scene.git(&["-c", "gc.reflogExpire=now", "reflog", "expire", "--expire=now", "--all"]);
    scene.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(scene.open().archives().unwrap(), std::slice::from_ref(&kept));
    assert_eq!(scene.git(&["rev-parse", "refs/hedgerow/archive/fix-42/1^{commit}"]), kept.tip.as_str());
    assert!(scene.git(&["cat-file", "-p", "refs/hedgerow/archive/fix-42/1"]).contains("variant b won"));
    scene.fsck();
}

#[test]
fn names_that_are_a_part_of_each_other_do_not_collide() {
    let scene = Scene::simple();
    let long = "x".repeat(300);
    let names =
        ["ag", "ag/1", "ag/1/2", "Ag", "a.lock", ".hidden", "with space", "é", "%41", "A", "", "..", &long, &long[1..]];
    for name in names {
        for attempt in [1, 2] {
            assert_eq!(
                scene.open().archive(&lost(&scene, name, attempt), &who()).unwrap(),
                Archiving::Kept,
                "{name:?}"
            );
        }
    }
    for packed in [false, true] {
        if packed {
            scene.git(&["pack-refs", "--all"]);
        }
        let mut found: Vec<_> = scene.open().archives().unwrap().into_iter().map(|kept| kept.change).collect();
        found.dedup();
        assert_eq!(found.len(), names.len());
        for name in names {
            assert!(found.contains(&ChangeId::new(name)), "{name:?}");
            assert_eq!(
                scene.open().archive(&lost(&scene, name, 1), &who()).unwrap(),
                Archiving::Kept,
                "again {name:?}"
            );
        }
        let refs = scene.git(&["for-each-ref", "--format=%(refname)", "refs/hedgerow/archive"]);
        let mut folded: Vec<_> = refs.lines().map(str::to_lowercase).collect();
        folded.sort();
        folded.dedup();
        assert_eq!(folded.len(), 2 * names.len(), "on a disk that does not tell cases apart");
    }
    scene.fsck();
}

#[test]
fn an_attempt_that_is_kept_already_is_not_replaced() {
    let scene = Scene::simple();
    let first = lost(&scene, "fix-42", 1);
    assert_eq!(scene.open().archive(&first, &who()).unwrap(), Archiving::Kept);
    let other = ArchivedChange { tip: scene.id("main"), ..first.clone() };
    assert_eq!(scene.open().archive(&other, &who()).unwrap(), Archiving::Taken { by: first.clone() });
    assert_eq!(scene.open().archives().unwrap(), [first]);
}

#[test]
fn a_ref_of_somebody_elses_in_its_place_is_an_error_that_names_it() {
    let scene = Scene::simple();
    scene.git(&["update-ref", "refs/hedgerow/archive/fix-42/1", "main"]);
    let error = scene.open().archive(&lost(&scene, "fix-42", 1), &who()).unwrap_err();
    assert!(error.to_string().contains("refs/hedgerow/archive/fix-42/1"), "{error}");
    assert_eq!(scene.open().archives().unwrap(), []);
    assert_eq!(scene.id("refs/hedgerow/archive/fix-42/1"), scene.id("main"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whatever_a_change_is_called_it_comes_back(names in prop::collection::btree_set("\\PC{0,40}|[a/.]{1,6}", 1..8)) {
        let scene = Scene::simple();
        for name in &names {
            prop_assert_eq!(scene.open().archive(&lost(&scene, name, 7), &who()).unwrap(), Archiving::Kept);
        }
        let found: std::collections::BTreeSet<_> =
            scene.open().archives().unwrap().into_iter().map(|kept| kept.change.as_str().to_owned()).collect();
        prop_assert_eq!(found, names);
    }
}
