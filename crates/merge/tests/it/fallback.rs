//! Merges that are left to git because they cost too much.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use hedgerow_merge::{
    Checkout, CherryPick, Engine, Error, Fallback, Landing, LandingRange, MergeCommit, MergeStrategy, Octopus,
    Prepared, Rebase, Repository, Squash, Trial,
};

use crate::scene::{Scene, branch};

/// git's own program, for what costs as much as is the default.
pub(crate) fn git() -> Fallback {
    // The one that the rest of the tests call by its name.
    let path = std::env::var_os("PATH").unwrap();
    let programs = std::env::split_paths(&path).map(|directory| directory.join("git"));
    Fallback::new(programs.into_iter().find(|program| program.is_file()).unwrap())
}

/// git's own program, for everything.
pub(crate) fn always() -> Fallback {
    git().beyond(0)
}

/// Two changes of one file that merge.
fn edited() -> Scene {
    Scene::forked("seq 20 >f", "sed -i 's/^2$/x/' f", "sed -i 's/^18$/y/' f")
}

#[test]
fn a_merge_that_costs_too_much_is_gits_and_says_so() {
    let scene = edited();
    let (ours, theirs) = (scene.id("main"), scene.id("change"));
    let own = scene.open().with_fallback(git()).tried(&ours, &theirs).unwrap();
    let gits = scene.open().with_fallback(always()).tried(&ours, &theirs).unwrap();
    assert_eq!((own.engine, gits.engine), (Engine::Own, Engine::Git));
    assert_eq!(own.trial, gits.trial);
    assert!(matches!(own.trial, Trial::Clean { .. }));
}

#[test]
fn a_candidate_that_git_merged_is_the_same_commit_and_whole() {
    let scene = edited();
    let (target, change) = (scene.target("main"), scene.change("change"));
    let Prepared::Candidate(own) = MergeCommit.prepare(&scene.open(), &target, &change).unwrap() else {
        panic!("it merges")
    };
    let other = edited();
    assert_eq!(other.tree("main"), scene.tree("main"));
    let (target, change) = (other.target("main"), other.change("change"));
    let repository = other.open().with_fallback(always());
    let Prepared::Candidate(gits) = MergeCommit.prepare(&repository, &target, &change).unwrap() else {
        panic!("it merges")
    };
    assert_eq!(other.tree(gits.commit.as_str()), scene.tree(own.commit.as_str()));
    other.git(&["fsck", "--strict", "--connectivity-only", gits.commit.as_str()]);
}

#[test]
fn a_squash_that_git_merged_is_the_same_commit() {
    let (scene, other) = (edited(), edited());
    let commit = |scene: &Scene, repository: Repository| match Squash
        .prepare(&repository, &scene.target("main"), &scene.change("change"))
        .unwrap()
    {
        Prepared::Candidate(candidate) => candidate.commit,
        other => panic!("{other:?}"),
    };
    let own = commit(&scene, scene.open());
    let gits = commit(&other, other.open().with_fallback(always()));
    assert_eq!(other.tree(gits.as_str()), scene.tree(own.as_str()));
    // Where there is no such program, it would have been needed.
    let missing = scene.open().with_fallback(Fallback::new("/nowhere/git").beyond(0));
    assert!(Squash.prepare(&missing, &scene.target("main"), &scene.change("change")).is_err());
}

#[test]
fn a_conflict_that_git_finds_is_data_too_and_leaves_nothing_behind() {
    let scene = Scene::forked("seq 9 >f; seq 9 >g", "sed -i s/5/a/ f; git rm -q g", "sed -i s/5/b/ f; echo x >>g");
    let before = scene.git(&["count-objects", "-v"]);
    let repository = scene.open().with_fallback(always());
    let Trial::Conflict(conflict) = repository.trial(&scene.id("main"), &scene.id("change")).unwrap() else {
        panic!("it conflicts")
    };
    let Trial::Conflict(own) = scene.open().trial(&scene.id("main"), &scene.id("change")).unwrap() else {
        panic!("it conflicts")
    };
    assert_eq!(conflict, own);
    assert_eq!(scene.git(&["count-objects", "-v"]), before);
    let left: Vec<_> =
        fs::read_dir(scene.path().join(".git")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("hedgerow")), "{left:?}");
}

#[test]
fn no_driver_hook_or_configuration_of_the_repository_counts_when_git_merges() {
    let scene = edited();
    let mark = scene.beside("ran");
    let driver = format!("touch {}; exit 1", mark.display());
    scene.git(&["config", "merge.evil.driver", &driver]);
    scene.git(&["config", "merge.default", "evil"]);
    scene.git(&["config", "core.fsmonitor", &driver]);
    fs::create_dir_all(scene.path().join(".git/info")).unwrap();
    fs::write(scene.path().join(".git/info/attributes"), "* merge=evil\n").unwrap();
    fs::write(scene.path().join(".gitattributes"), "* -merge\n").unwrap();
    let found = scene.open().with_fallback(always()).tried(&scene.id("main"), &scene.id("change")).unwrap();
    assert_eq!(found.engine, Engine::Git);
    assert!(matches!(found.trial, Trial::Clean { .. }), "{found:?}");
    assert!(!mark.exists());
}

#[test]
fn attributes_are_the_targets_when_git_merges_too() {
    let scene = Scene::forked("seq 9 >f", "echo 'f merge=union' >.gitattributes; echo x >>f", "echo y >>f");
    let repository = scene.open().with_fallback(always());
    let (main, change) = (scene.id("main"), scene.id("change"));
    assert!(matches!(repository.trial(&main, &change).unwrap(), Trial::Clean { .. }));
    assert!(matches!(repository.trial(&change, &main).unwrap(), Trial::Conflict(_)));
}

#[test]
fn a_git_that_is_missing_hangs_or_talks_nonsense_is_an_error_with_the_reason() {
    let scene = edited();
    let script = scene.beside("git");
    let said = |fallback: Fallback| {
        let error = scene.open().with_fallback(fallback.beyond(0)).trial(&scene.id("main"), &scene.id("change"));
        let Err(Error::Git { source, .. }) = error else { panic!("{error:?}") };
        source.to_string()
    };
    assert!(said(Fallback::new("/nowhere/git")).contains("/nowhere/git"));
    assert!(said(Fallback::new("git")).contains("absolute"));
    let nonsense = [("echo nonsense", "known form"), ("exit 3", "known form"), ("echo no >&2; exit 1", "known form")];
    for (text, reason) in nonsense.into_iter().chain([("exec /bin/sleep 600", "did not end")]) {
        fs::write(&script, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let limit = if text.contains("sleep") { Duration::from_millis(300) } else { Duration::from_secs(60) };
        let said = said(Fallback::new(&script).time_limit(limit));
        assert!(said.contains(reason), "{text}: {said}");
    }
}

#[test]
fn what_both_engines_make_of_the_same_commits_can_be_compared() {
    for (base, ours, theirs) in [
        ("seq 20 >f", "git mv f g", "sed -i 's/^9$/x/' f"),
        ("seq 20 >f", "sed -i 's/^9$/y/' f", "sed -i 's/^9$/x/' f"),
    ] {
        let scene = Scene::forked(base, ours, theirs);
        let both = scene.open().try_both(&git(), &scene.id("main"), &scene.id("change")).unwrap();
        assert!(both.agree(), "{both:?}");
    }
}

#[test]
fn commits_that_exist_nowhere_yet_are_lent_to_git() {
    // Each step merges what the one before it made.
    let scene = Scene::forked("seq 40 >f; seq 9 >h", "sed -i 's/^2$/x/' f", "sed -i 's/^18$/y/' f");
    scene.git(&["checkout", "-q", "change"]);
    scene.commit("second", "sed -i 's/^30$/z/' f; git mv h i; echo more >>i");
    scene.git(&["checkout", "-q", "-b", "other", "main~1"]);
    scene.commit("third", "sed -i 's/^25$/o/' f; sed -i '1i other' h");
    scene.git(&["checkout", "-q", "--detach"]);
    let octopus = Octopus { with: vec![scene.id("other")] };
    let pick = CherryPick { commits: vec![scene.id("change~1"), scene.id("change")], ..CherryPick::default() };
    let strategies: [&dyn MergeStrategy; 3] = [&Rebase::default(), &pick, &octopus];
    for strategy in strategies {
        let made = |repository: &Repository| {
            let prepared = strategy.prepare(repository, &scene.target("main"), &scene.change("change")).unwrap();
            crate::scene::candidate(prepared)
        };
        let (own, gits) = (scene.open(), scene.open().with_fallback(always()));
        let (one, other) = (made(&own), made(&gits));
        assert_eq!((one.engine, other.engine), (Engine::Own, Engine::Git), "{strategy:?}");
        assert_eq!(one.commit, other.commit, "{strategy:?}");
        let expected = scene.id("main");
        gits.record(&gits.certify(&other).unwrap()).unwrap();
        assert_eq!(gits.land(&other, Checkout::Refuse).unwrap(), Landing::Landed);
        scene.fsck();
        let range = LandingRange { branch: branch("main"), from: expected.clone(), to: scene.id("main") };
        assert!(gits.verify(&range).unwrap().holds(), "{strategy:?}");
        scene.git(&["update-ref", "refs/heads/main", expected.as_str()]);
        // Where there is no such program, it would have been needed.
        let missing = scene.open().with_fallback(Fallback::new("/nowhere/git").beyond(0));
        assert!(strategy.prepare(&missing, &scene.target("main"), &scene.change("change")).is_err());
    }
}

#[test]
fn a_conflict_in_a_series_that_git_finds_names_the_commit() {
    let scene = Scene::forked("seq 40 >f", "sed -i 's/^30$/x/' f", "sed -i 's/^18$/y/' f");
    scene.git(&["checkout", "-q", "change"]);
    scene.commit("second", "sed -i 's/^30$/z/' f");
    scene.git(&["checkout", "-q", "main"]);
    let prepared = |repository: Repository| {
        Rebase::default().prepare(&repository, &scene.target("main"), &scene.change("change")).unwrap()
    };
    let Prepared::Conflict(gits) = prepared(scene.open().with_fallback(always())) else { panic!("it conflicts") };
    assert_eq!(gits.theirs, scene.id("change"));
    assert_eq!(Prepared::Conflict(gits), prepared(scene.open()));
}
