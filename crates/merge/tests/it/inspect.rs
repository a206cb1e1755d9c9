//! Ids, terms, paths, hunks, and whose work conflicts.

use std::os::unix::ffi::OsStrExt;

use hedgerow_merge::{Conflict, ConflictId, ConflictPaths, Hunk, Terms};

use crate::scene::Scene;

fn ids(conflict: &Conflict) -> Vec<ConflictId> {
    conflict.paths.iter().map(|path| path.id.clone()).collect()
}

#[test]
fn the_same_conflict_has_the_same_id_from_both_sides_and_on_other_commits() {
    let scripts = ("seq 9 >f; echo 1 >g", "sed -i 's/^5$/x/' f; git rm -q g", "sed -i 's/^5$/y/' f; echo 2 >g");
    let one = Scene::forked(scripts.0, scripts.1, scripts.2);
    let other = Scene::forked("true", "true", "true");
    other.git(&["checkout", "-q", "--orphan", "base"]);
    other.commit("another base", scripts.0);
    for (name, script) in [("main", scripts.1), ("change", scripts.2)] {
        other.git(&["checkout", "-q", "-B", name, "base"]);
        other.commit("something else first", &format!("echo {name} >of-{name}"));
        other.commit("the same", script);
    }
    let expected = ids(&one.conflict("main", "change"));
    assert_eq!(expected.len(), 2);
    assert_ne!(expected[0], expected[1]);
    assert_eq!(ids(&one.conflict("change", "main")), expected);
    assert_eq!(ids(&other.conflict("main", "change")), expected);
}

#[test]
fn another_text_makes_another_id() {
    let one = Scene::forked("seq 9 >f", "sed -i 's/^5$/x/' f", "sed -i 's/^5$/y/' f");
    let other = Scene::forked("seq 9 >f", "sed -i 's/^5$/x/' f", "sed -i 's/^5$/z/' f");
    assert_ne!(ids(&one.conflict("main", "change")), ids(&other.conflict("main", "change")));
}

#[test]
fn a_conflict_survives_being_stored() {
    let scene = Scene::forked("seq 9 >f", "sed -i 's/^5$/x/' f", "sed -i 's/^5$/y/' f");
    let conflict = scene.conflict("main", "change");
    let stored = serde_json::to_string(&conflict).unwrap();
    assert_eq!(serde_json::from_str::<Conflict>(&stored).unwrap(), conflict);
    let inspection = scene.open().inspect(&conflict, conflict.paths.first()).unwrap();
    let stored = serde_json::to_string(&inspection).unwrap();
    assert_eq!(serde_json::from_str::<hedgerow_merge::Inspection>(&stored).unwrap(), inspection);
}

#[test]
fn a_list_of_conflicts_without_any_is_not_one() {
    assert!(ConflictPaths::new(Vec::new()).is_err());
    assert!(serde_json::from_str::<ConflictPaths>("[]").is_err());
}

#[test]
fn a_path_that_is_no_text_is_not_changed_on_the_way() {
    let scene = Scene::forked("true", "echo a >\"$(printf 'a\\377\\nb')\"", "echo b >\"$(printf 'a\\377\\nb')\"");
    let conflict = scene.conflict("main", "change");
    let path = &conflict.paths.first().path;
    assert_eq!(path.as_bytes(), b"a\xff\nb");
    assert!(scene.path().join(std::ffi::OsStr::from_bytes(path.as_bytes())).exists());
    let stored = serde_json::to_string(&conflict).unwrap();
    assert_eq!(serde_json::from_str::<Conflict>(&stored).unwrap(), conflict);
}

#[test]
fn sides_that_renamed_a_file_keep_their_names() {
    let scene = Scene::forked("seq 20 >f", "git mv f g; sed -i 's/^5$/x/' g", "sed -i 's/^5$/y/' f");
    for (target, change, names) in [("main", "change", ["f", "g", "f"]), ("change", "main", ["f", "f", "g"])] {
        let conflict = scene.conflict(target, change);
        let path = conflict.paths.first();
        let found = [path.base(), path.ours(), path.theirs()].map(|entry| entry.unwrap().path.to_string());
        assert_eq!(found, names);
        assert_eq!(path.path.to_string(), "g");
    }
}

#[test]
fn hunks_are_the_lines_that_both_changed() {
    let scene = Scene::forked(
        "seq 30 >f",
        "sed -i 's/^5$/x/; s/^9$/only ours/; 20a added' f",
        "sed -i 's/^5$/y/; 6d; s/^15$/only theirs/; 20a other' f",
    );
    let conflict = scene.conflict("main", "change");
    let hunks = scene.open().inspect(&conflict, conflict.paths.first()).unwrap().hunks;
    let hunk = |base, ours, theirs| Hunk { base, ours, theirs };
    assert_eq!(hunks, [hunk(4..6, 4..6, 4..5), hunk(20..20, 20..21, 19..20)]);
}

#[test]
fn whose_work_conflicts_is_told_with_its_tasks() {
    let scene = Scene::forked("seq 9 >f; echo 1 >g", "sed -i 's/^5$/x/' f", "echo 2 >g");
    scene.git(&["checkout", "-q", "change"]);
    let first = scene.commit("Change f\n\nWhy.\n\nTask: one\nAgent: a", "sed -i 's/^5$/y/' f");
    scene.commit("Change g again", "echo 3 >g");
    let last = scene.commit("Change f again\n\nTask: two\n  and more", "sed -i 's/^y$/z/' f");
    scene.git(&["checkout", "-q", "main"]);
    let conflict = scene.conflict("main", "change");
    let inspection = scene.open().inspect(&conflict, conflict.paths.first()).unwrap();
    assert_eq!(inspection.ours.iter().map(|touch| &touch.commit).collect::<Vec<_>>(), [&scene.id("main")]);
    assert_eq!(inspection.theirs.iter().map(|touch| &touch.commit).collect::<Vec<_>>(), [&last, &first]);
    let tasks: Vec<Vec<_>> = inspection.theirs.iter().map(|touch| touch.tasks().collect()).collect();
    assert_eq!(tasks, [["two and more"], ["one"]]);
    assert_eq!((inspection.ours[0].subject.as_str(), inspection.ours[0].author.name.as_str()), ("main", "Writer"));
}

#[test]
fn crossed_histories_keep_the_versions_of_all_their_bases() {
    let scene = crate::conflicts::criss_cross(
        "sed -i 's/^5$/x/' f",
        "sed -i 's/^5$/y/' f",
        "seq 9 >f; sed -i 's/^5$/x/' f",
        "seq 9 >f; sed -i 's/^5$/y/' f",
    );
    let conflict = scene.conflict("main", "change");
    let terms: &Terms = &conflict.paths.first().terms;
    let content = |entry: &Option<hedgerow_merge::Entry>| scene.git(&["cat-file", "blob", &entry.as_ref().unwrap().id]);
    let fifth = |entry| content(entry).lines().nth(4).unwrap().to_owned();
    assert_eq!(terms.adds().iter().map(fifth).collect::<Vec<_>>(), ["x", "y", "5"]);
    let mut removes: Vec<_> = terms.removes().iter().map(fifth).collect();
    removes.sort();
    assert_eq!(removes, ["x", "y"]);
}
