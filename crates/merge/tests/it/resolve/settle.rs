//! Answers become a commit that descends from both sides, and what they drop is listed.

use hedgerow_merge::{
    Answer, Answered, Conflict, ConflictKind, Content, Doubt, Error, File, Fill, LandingRange, Lost, MarkerStyle,
    Markers, MergeStrategy, Prepared, Rebase, RepoPath, Resolvers, Settled, Squash, Take, Version, Whose,
};
use proptest::prelude::*;

use super::{again, land, resolved, settled};
use crate::scene::{Scene, branch};

fn take(version: Version) -> Resolvers {
    Resolvers::new().on("*", Take(version)).unwrap()
}

/// Base, main, change, and a kind of conflict that comes of it.
const SHAPES: [(&str, &str, &str, ConflictKind); 11] = [
    ("seq 9 >f", "sed -i 's/5/main/' f", "sed -i 's/5/change/' f", ConflictKind::Content),
    ("true", "echo main >f", "echo change >f", ConflictKind::AddAdd),
    ("printf 'a\\0' >f", "printf 'b\\0' >f", "printf 'c\\0' >f", ConflictKind::Binary),
    ("seq 9 >f", "echo 10 >>f", "git rm -q f", ConflictKind::ModifyDelete),
    ("seq 9 >f", "git rm -q f", "echo 10 >>f", ConflictKind::ModifyDelete),
    ("seq 9 >f", "git mv f g", "git mv f h", ConflictKind::RenameRename1To2),
    ("seq 9 >f", "git mv f g; sed -i 's/5/main/' g", "sed -i 's/5/change/' f", ConflictKind::Content),
    ("mkdir d; seq 9 >d/f; seq 8 >d/g", "git mv d e", "seq 7 >d/new", ConflictKind::DirectoryRename),
    ("true", "echo main >d", "mkdir d; echo a >d/a; echo b >d/b", ConflictKind::FileDirectory),
    ("true", "mkdir d; echo a >d/a; echo b >d/b", "echo change >d", ConflictKind::FileDirectory),
    ("ln -s a l", "ln -sf b l", "ln -sf c l", ConflictKind::Symlink),
];

#[test]
fn every_kind_of_conflict_can_be_decided_for_either_side_and_lands() {
    for (base, main, change, kind) in SHAPES {
        for version in [Version::Target, Version::Change] {
            let rest = "echo other >beside";
            let scene = Scene::forked(
                &format!("{base}; seq 50 >both"),
                &format!("{main}; sed -i 's/^3$/three/' both"),
                &format!("{change}; sed -i 's/^40$/forty/' both; {rest}"),
            );
            scene.git(&["branch", "before", "main"]);
            let conflict = scene.conflict("main", "change");
            assert!(conflict.paths.iter().any(|path| path.kind == kind), "{kind}: {conflict:?}");
            let resolution = resolved(&scene, &take(version));
            let parents = scene.git(&["show", "-s", "--format=%P", resolution.tip.as_str()]);
            assert_eq!(parents, format!("{} {}", scene.id("change"), scene.id("main")));
            // What does not conflict is merged, whoever decides the rest.
            let both = scene.git(&["cat-file", "blob", &format!("{}:both", resolution.tip)]);
            assert!(both.contains("three") && both.contains("forty"), "{kind}");
            assert_eq!(scene.git(&["cat-file", "blob", &format!("{}:beside", resolution.tip)]), "other");
            // The files of the conflict are that side's.
            let side = if version == Version::Target { "main" } else { "change" };
            for path in &conflict.paths {
                let entry = if version == Version::Target { path.ours() } else { path.theirs() };
                if let Some(entry) = entry {
                    let found = scene.git(&["rev-parse", &format!("{}:{}", resolution.tip, entry.path)]);
                    assert_eq!(found, entry.id, "{kind}: {side}");
                }
            }
            // A directory is no version of a file; whoever decides for its side gets all that is in it.
            if kind == ConflictKind::FileDirectory && scene.git_ok(&["cat-file", "-e", &format!("{side}:d/a")]) {
                for file in ["d/a", "d/b"] {
                    assert!(scene.git_ok(&["cat-file", "-e", &format!("{}:{file}", resolution.tip)]), "{side}: {file}");
                }
            }
            land(&scene, &resolution);
            let range = LandingRange { branch: branch("main"), from: scene.id("before"), to: scene.id("main") };
            let found = scene.open().verify(&range).unwrap();
            assert!(found.holds(), "{kind}: {:?}", found.findings);
            scene.fsck();
        }
    }
}

#[test]
fn what_an_answer_drops_is_listed_and_missed_when_it_is_not() {
    let (base, main, change, _) = SHAPES[0];
    let scene = Scene::forked(base, main, change);
    scene.git(&["branch", "before", "main"]);
    let resolution = resolved(&scene, &take(Version::Target));
    assert!(
        resolution.dropped.iter().any(|loss| loss.whose == Whose::Change && loss.what == Lost::Added { lines: 1 }),
        "{:?}",
        resolution.dropped
    );
    assert_eq!(resolution.resolved[0].by, "take-target");
    let message = scene.git(&["show", "-s", "--format=%B", resolution.tip.as_str()]);
    assert!(message.contains("Resolved-By: take-target f"), "{message}");
    let honest = land(&scene, &resolution);
    let range = LandingRange { branch: branch("main"), from: scene.id("before"), to: scene.id("main") };
    assert!(scene.open().verify(&range).unwrap().holds());
    let mut silent = honest.clone();
    silent.resolved[0].dropped.clear();
    // Without the resolution, the merge that it is still shows what it dropped.
    let mut unsaid = honest.clone();
    (unsaid.resolved, unsaid.inside) = (Vec::new(), Vec::new());
    scene.git(&["notes", "--ref=hedgerow", "add", "-f", "-m", &serde_json::to_string(&unsaid).unwrap(), "main"]);
    assert!(matches!(scene.open().verify(&range).unwrap().findings[0].doubt, Doubt::Inside { .. }));
    let mut misshapen = honest;
    misshapen.resolved[0].tip = misshapen.change.clone();
    misshapen.resolved[0].ours = scene.id("before~1");
    for (forged, expected) in [(silent, "Lost"), (misshapen, "NotAsSaid")] {
        let text = serde_json::to_string(&forged).unwrap();
        scene.git(&["notes", "--ref=hedgerow", "add", "-f", "-m", &text, "main"]);
        let found = scene.open().verify(&range).unwrap();
        let named = match &found.findings[0].doubt {
            Doubt::Lost { .. } => "Lost",
            Doubt::NotAsSaid { .. } => "NotAsSaid",
            other => panic!("{other:?}"),
        };
        assert_eq!(named, expected);
    }
}

#[test]
fn nobody_lands_the_half_of_a_conflict() {
    let scene = Scene::forked("seq 9 >f; seq 9 >g", "sed -i 's/5/m/' f g", "sed -i 's/5/c/' f g");
    let conflict = scene.conflict("main", "change");
    let objects = scene.git(&["count-objects", "-v"]);
    let half = super::ask(&scene, &Resolvers::new().on("f", Take(Version::Change)).unwrap(), &conflict);
    assert_eq!(half.open, [conflict.paths[1].id.clone()]);
    match scene.open().settle(&conflict, &half.answers, &scene.change("change")).unwrap() {
        Settled::Open(open) => {
            assert_eq!(open, Conflict { paths: vec![conflict.paths[1].clone()].try_into().unwrap(), ..conflict });
        }
        Settled::Resolved(resolution) => panic!("{resolution:?}"),
    }
    assert_eq!(scene.git(&["count-objects", "-v"]), objects, "nothing was written");
}

#[test]
fn an_answer_that_no_tree_may_have_is_an_error_that_names_it() {
    let scene = Scene::forked("seq 9 >f", "sed -i 's/5/m/' f", "sed -i 's/5/c/' f");
    let conflict = scene.conflict("main", "change");
    let path = conflict.paths.first();
    let objects = scene.git(&["count-objects", "-v"]);
    let text = |mode| File { mode, content: Content::Bytes(b"x\n".to_vec()) };
    let object = |mode, id: &str| File { mode, content: Content::Object(id.into()) };
    let named = |name: &str, file: File| Answer { conflict: path.id.clone(), files: vec![(RepoPath::new(name), file)] };
    for (answer, said) in [
        (named("f", text(0o100_600)), "no mode of a file"),
        (named("f", text(0o040_000)), "no mode of a file"),
        (named("f", text(0o160_000)), "a submodule is at a commit"),
        (named("f", object(0o100_644, "zz")), "no object id"),
        (named("f", object(0o100_644, &"1".repeat(40))), "no content in this repository"),
        (named("f", object(0o100_644, scene.id("main").as_str())), "no content in this repository"),
        (named(".git/config", text(0o100_644)), "does not conflict"),
        (named("a/../b", text(0o100_644)), "does not conflict"),
        (named("a//b", text(0o100_644)), "does not conflict"),
        (named("", text(0o100_644)), "does not conflict"),
        (
            Answer { conflict: hedgerow_merge::ConflictId::new("1".repeat(40)).unwrap(), files: Vec::new() },
            "not a part of this conflict",
        ),
    ] {
        let answers = [Answered { answer, by: "test".into() }];
        let error = scene.open().settle(&conflict, &answers, &scene.change("change")).unwrap_err();
        let mut whole = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            whole.push_str(&format!(": {error}"));
            cause = error.source();
        }
        assert!(whole.contains(said), "expected {said:?}: {whole}");
    }
    assert_eq!(scene.git(&["count-objects", "-v"]), objects, "nothing was written");
}

#[test]
fn a_conflict_of_a_series_and_another_change_are_refused_with_the_way_out() {
    let scene =
        Scene::forked("seq 9 >f", "sed -i 's/5/m/' f", "sed -i 's/2/two/' f; git commit -qam two; sed -i 's/5/c/' f");
    let Prepared::Conflict(conflict) =
        Rebase::default().prepare(&scene.open(), &scene.target("main"), &scene.change("change")).unwrap()
    else {
        panic!("a conflict")
    };
    let error = scene.open().settle(&conflict, &[], &scene.change("change")).unwrap_err();
    assert!(error.to_string().contains("prepare the change with a merge or a squash"), "{error}");
    let merged = scene.conflict("main", "change");
    let error = scene.open().settle(&merged, &[], &scene.change("main")).unwrap_err();
    assert!(matches!(error, Error::Object { .. }) && error.to_string().contains("give the change"), "{error}");
}

#[test]
fn a_resolved_change_can_be_squashed() {
    let scene = Scene::forked("seq 9 >f", "sed -i 's/5/m/' f", "sed -i 's/5/c/' f; echo new >new");
    let resolution = resolved(&scene, &take(Version::Change));
    let merged = again(&scene, &resolution);
    let change = hedgerow_merge::Change { tip: resolution.tip.clone(), ..scene.change("change") };
    let Prepared::Candidate(squashed) = Squash.prepare(&scene.open(), &scene.target("main"), &change).unwrap() else {
        panic!("a candidate")
    };
    assert_eq!(scene.tree(squashed.commit.as_str()), scene.tree(merged.commit.as_str()));
}

#[test]
fn a_sketch_has_gits_markers_and_everything_else_merged() {
    let scene = Scene::forked(
        "seq 9 >f; seq 30 >g; echo x >gone",
        "sed -i 's/5/m/' f; sed -i 's/^3$/three/' g; echo y >>gone",
        "sed -i 's/5/c/' f; sed -i 's/^20$/twenty/' g; git rm -q gone",
    );
    let conflict = scene.conflict("main", "change");
    for style in [MarkerStyle::Merge, MarkerStyle::Diff3] {
        let fill = Fill::Markers(Markers::new(style));
        let sketch = scene.open().sketch(&conflict, &[], &fill).unwrap().unwrap();
        scene.sh("git show main:f >ours; git show change:f >theirs; git show main~1:f >base");
        let style = if style == MarkerStyle::Merge { "merge" } else { "diff3" };
        let config = format!("merge.conflictStyle={style}");
        let theirs = scene
            .sh_out(&format!("git -c {config} merge-file -p -L target -L base -L change ours base theirs || true"));
        assert_eq!(scene.git(&["cat-file", "blob", &format!("{sketch}:f")]), theirs.trim_end());
        let g = scene.git(&["cat-file", "blob", &format!("{sketch}:g")]);
        assert!(g.contains("three") && g.contains("twenty"));
        assert_eq!(scene.git(&["cat-file", "blob", &format!("{sketch}:gone")]), "x\ny");
    }
    let take = scene.open().sketch(&conflict, &[], &Fill::Take(Version::Change)).unwrap().unwrap();
    assert!(!scene.git_ok(&["cat-file", "-e", &format!("{take}:gone")]));
}

#[test]
fn histories_without_a_common_commit_are_nobodys_to_answer() {
    let scene = Scene::empty();
    scene.commit("main", "echo a >f");
    scene.git(&["checkout", "-q", "--orphan", "change"]);
    scene.commit("change", "echo b >f");
    let conflict = scene.conflict("main", "change");
    let asked = super::ask(&scene, &take(Version::Target), &conflict);
    assert!(asked.answers.is_empty() && asked.open.len() == 1);
    assert!(scene.open().sketch(&conflict, &[], &Fill::Take(Version::Target)).unwrap().is_none());
    assert!(matches!(scene.open().settle(&conflict, &[], &scene.change("change")).unwrap(), Settled::Open(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever was changed, deciding for one side settles it, and git agrees about everything that did not conflict.
    #[test]
    fn deciding_for_one_side_settles_any_conflict(edits in prop::collection::vec((any::<bool>(), 0_usize..4, 0_usize..8), 4..14)) {
        let scene = Scene::forked("mkdir d e; seq 20 >d/a; seq 30 50 >d/b; seq 60 80 >e/c; seq 90 99 >e/d", &script(&edits, true), &script(&edits, false));
        let Prepared::Conflict(conflict) = scene.prepare("main", "change") else { return Ok(()) };
        for version in [Version::Target, Version::Change] {
            let asked = super::ask(&scene, &take(version), &conflict);
            let resolution = settled(&scene, &conflict, &asked.answers);
            let raw = scene.sh_out("git merge-tree -z main change | tr '\\0' '\\n' || true");
            let merged = raw.lines().next().unwrap().to_owned();
            let differing = scene.git(&["diff-tree", "-r", "--no-renames", "--name-only", &merged, resolution.tip.as_str()]);
            let all: Vec<String> = conflict.paths.iter().flat_map(|path| path.terms.adds().iter().chain(path.terms.removes()).flatten().map(|entry| entry.path.to_string()).chain([path.path.to_string()])).collect();
            for path in differing.lines().filter(|path| !path.is_empty()) {
                // git puts what is in the way of a directory beside it, and what came into a renamed one where that went.
                let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
                let known = |known: &String| name(known) == name(path) || path.starts_with(&format!("{known}~"));
                prop_assert!(all.iter().any(known), "{} differs: {:?}", path, all);
            }
        }
    }
}

/// One side's part of some edits.
fn script(edits: &[(bool, usize, usize)], main: bool) -> String {
    let mut script = String::from("true");
    for (number, (mine, file, what)) in edits.iter().enumerate() {
        if *mine != main {
            continue;
        }
        let file = ["d/a", "d/b", "e/c", "e/d"][*file];
        let edit = match what {
            0 | 1 => format!("sed -i '{}s/$/ {number}/' {file}", number % 10 + 1),
            2 => format!("echo {number} >>{file}"),
            3 => format!("git rm -q -f {file}"),
            4 => format!("git mv {file} {file}.moved"),
            5 => format!("echo {number} >new"),
            6 => format!("chmod +x {file}"),
            _ => format!("mkdir -p n; git mv {file} n/"),
        };
        script.push_str(&format!("; if test -f {file}; then {edit}; git add -A; fi"));
    }
    script
}
