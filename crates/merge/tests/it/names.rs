//! Names that differ in a way that only some file systems see.

use hedgerow_merge::{
    CherryPick, Conflict, ConflictKind, MergeCommit, MergeStrategy, Names, Octopus, Prepared, Rebase, Squash, Trial,
};

use crate::scene::{Scene, candidate};

fn prepare(scene: &Scene, names: Names, strategy: &dyn MergeStrategy, target: &str, change: &str) -> Prepared {
    let repository = scene.open().with_names(names);
    strategy.prepare(&repository, &scene.target(target), &scene.change(change)).unwrap()
}

fn conflict(prepared: Prepared) -> Conflict {
    match prepared {
        Prepared::Conflict(conflict) => conflict,
        other => panic!("{other:?}"),
    }
}

/// Base, target and change; the kind; and the two names.
const COLLISIONS: &[(&str, &str, &str, ConflictKind, [&str; 2])] = &[
    ("true", "echo a >README", "echo b >readme", ConflictKind::CaseCollision, ["README", "readme"]),
    ("true", "echo a >README", "echo a >readme", ConflictKind::CaseCollision, ["README", "readme"]),
    ("true", "echo a >\u{e9}", "echo b >e\u{301}", ConflictKind::UnicodeCollision, ["\u{e9}", "e\u{301}"]),
    ("true", "echo a >\u{c9}", "echo b >e\u{301}", ConflictKind::CaseCollision, ["\u{c9}", "e\u{301}"]),
    (
        "true",
        "mkdir Docs; echo a >Docs/a",
        "mkdir docs; echo b >docs/A",
        ConflictKind::CaseCollision,
        ["Docs/a", "docs/A"],
    ),
    ("true", "echo a >Docs", "mkdir docs; echo b >docs/b", ConflictKind::CaseCollision, ["Docs", "docs/b"]),
    ("seq 9 >x", "git mv x Y", "seq 40 60 >y", ConflictKind::CaseCollision, ["Y", "y"]),
    ("seq 9 >x", "git mv x Y", "seq 40 60 >y; echo more >>x", ConflictKind::CaseCollision, ["Y", "y"]),
];

#[test]
fn names_that_some_file_systems_take_for_one_are_a_conflict_where_that_is_asked_for() {
    for (base, target, change, kind, names) in COLLISIONS {
        let scene = Scene::forked(base, target, change);
        let found = conflict(prepare(&scene, Names::Portable, &MergeCommit, "main", "change"));
        assert_eq!(found.paths.len(), 1, "{found:?}");
        let path = found.paths.first();
        let sides = [path.ours(), path.theirs()].map(|entry| entry.unwrap().path.to_string());
        assert_eq!((path.kind, sides.each_ref().map(String::as_str)), (*kind, *names));
        assert!(path.base().is_none());
        // It is the same one from the other side, where it is one of a file and what is in a directory too.
        let other = conflict(prepare(&scene, Names::Portable, &MergeCommit, "change", "main"));
        if !names.contains(&"Docs") {
            assert_eq!(other.paths.first().id, path.id, "{other:?}");
        }
        assert_eq!(other.paths.first().kind, *kind);
        // git merges it, and so does this crate by default.
        let tree = scene.git(&["merge-tree", "--write-tree", "main", "change"]);
        let merged = candidate(prepare(&scene, Names::Exact, &MergeCommit, "main", "change"));
        assert_eq!(scene.tree(merged.commit.as_str()), tree);
    }
}

#[test]
fn names_that_are_alike_on_one_side_already_or_in_directories_alone_are_no_conflict() {
    for (base, target, change) in [
        ("echo a >README; echo b >readme", "echo x >x", "echo y >y"),
        ("true", "echo x >x", "echo a >README; echo b >readme"),
        ("echo a >README", "echo x >x", "echo b >readme"),
        ("true", "echo a >README; echo b >readme", "echo y >y"),
        ("true", "mkdir Docs; echo a >Docs/a", "mkdir docs; echo b >docs/b"),
        ("seq 9 >readme", "git mv readme README", "echo x >>readme"),
        ("seq 9 >readme", "git mv readme README", "git mv readme README; echo x >>README"),
    ] {
        let scene = Scene::forked(base, target, change);
        for (target, change) in [("main", "change"), ("change", "main")] {
            let prepared = prepare(&scene, Names::Portable, &MergeCommit, target, change);
            assert!(matches!(prepared, Prepared::Candidate(_)), "{prepared:?}");
        }
    }
}

#[test]
fn every_strategy_that_merges_and_every_trial_sees_names_that_are_alike() {
    let scene = Scene::forked("true", "echo a >README", "echo b >readme");
    let strategies: [&dyn MergeStrategy; 4] =
        [&Squash, &Rebase::default(), &CherryPick::default(), &Octopus::default()];
    for strategy in strategies {
        let found = conflict(prepare(&scene, Names::Portable, strategy, "main", "change"));
        assert_eq!(found.paths.first().kind, ConflictKind::CaseCollision, "{strategy:?}");
    }
    let repository = scene.open().with_names(Names::Portable);
    assert!(matches!(repository.trial(&scene.id("main"), &scene.id("change")).unwrap(), Trial::Conflict(_)));
}
