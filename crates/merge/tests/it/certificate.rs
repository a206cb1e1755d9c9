//! Certificates: what they say is proven again, notes are git's own, and what was tampered with is found.

use std::path::Path;
use std::thread;

use hedgerow_merge::queue::{Digest, GateKey, Guarantee};
use hedgerow_merge::{
    Candidate, Checkout, CherryPick, Doubt, Error, FastForward, GatePass, Landing, LandingCertificate, LandingRange,
    Made, MergeCommit, MergeStrategy, Octopus, Ours, Prepared, Promote, Rebase, Repository, Squash, Verification,
};

use crate::scene::{Scene, branch, candidate, git};

/// `main` and three branches that go with it; nothing is checked out.
fn scene() -> Scene {
    let scene = Scene::simple();
    for name in ["one", "two"] {
        scene.git(&["checkout", "-q", "-b", name, "main"]);
        scene.commit(name, &format!("echo {name} >{name}"));
        scene.commit("more", &format!("echo more >>{name}; sed -i 's/^5$/five/' f"));
    }
    scene.git(&["checkout", "-q", "--detach", "main"]);
    scene
}

fn prepare(scene: &Scene, strategy: &dyn MergeStrategy, change: &str) -> Candidate {
    let prepared = strategy.prepare(&scene.open(), &scene.target("main"), &scene.change(change)).unwrap();
    candidate(prepared)
}

/// Certifies, records and lands.
fn land(scene: &Scene, made: &Candidate) -> LandingCertificate {
    let repository = scene.open();
    let certificate = gated(repository.certify(made).unwrap());
    repository.record(&certificate).unwrap();
    assert_eq!(repository.land(made, Checkout::Refuse).unwrap(), Landing::Landed);
    certificate
}

pub(crate) fn gated(certificate: LandingCertificate) -> LandingCertificate {
    let key = GateKey { gate: Digest::new("cargo test"), environment: Digest::new("image") };
    let pass = GatePass { gate: "tests".into(), key, tree: certificate.tree.clone() };
    certificate.with_pass(pass).under(Guarantee::EveryCommit)
}

fn range(scene: &Scene, from: &str) -> LandingRange {
    LandingRange { branch: branch("main"), from: scene.id(from), to: scene.id("main") }
}

fn verify(scene: &Scene, from: &str) -> Verification {
    scene.open().verify(&range(scene, from)).unwrap()
}

fn doubts(found: &Verification) -> Vec<&Doubt> {
    found.findings.iter().map(|finding| &finding.doubt).collect()
}

/// Replaces the note of a commit, with git.
fn forge(scene: &Scene, commit: &str, text: &str) {
    scene.git(&["notes", "--ref=hedgerow", "add", "-f", "-m", text, commit]);
}

#[test]
fn a_landing_of_every_strategy_is_proven_again() {
    let strategies: [(&dyn MergeStrategy, &str); 8] = [
        (&MergeCommit, "change"),
        (&Squash, "one"),
        (&Rebase::default(), "one"),
        (&CherryPick::default(), "two"),
        (&FastForward::default(), "one"),
        (&Ours, "change"),
        (&Promote, "two"),
        (&Octopus::default(), "two"),
    ];
    for (strategy, change) in strategies {
        let scene = scene();
        scene.git(&["branch", "before", "main"]);
        // A pick alone has a conflict; its first commit goes before it.
        if change == "two" {
            scene.git(&["branch", "-f", "two", "two~1"]);
        }
        let made = prepare(&scene, strategy, change);
        assert_ne!(made.made, Made::Undeclared, "{strategy:?}");
        let certificate = land(&scene, &made);
        let found = verify(&scene, "before");
        assert!(found.holds(), "{strategy:?}: {:?}", found.findings);
        assert_eq!(found.proven, [certificate], "{strategy:?}");
        scene.fsck();
    }
}

#[test]
fn an_octopus_of_several_is_proven_again_and_a_wrong_one_is_not() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let octopus = Octopus { with: vec![scene.id("two"), scene.id("change")] };
    let made = prepare(&scene, &octopus, "one");
    assert_eq!(scene.git(&["rev-list", "-1", "--parents", made.commit.as_str()]).split(' ').count(), 5);
    let parents = scene.git(&["show", "-s", "--format=%P", made.commit.as_str()]);
    let mut arguments = vec!["commit-tree", "-m", "wrong"];
    let tree = scene.tree("two");
    arguments.extend(parents.split(' ').flat_map(|parent| ["-p", parent]));
    arguments.push(&tree);
    let wrong = Candidate { commit: scene.id(&scene.git(&arguments)), ..made.clone() };
    assert!(matches!(scene.open().land(&wrong, Checkout::Refuse).unwrap(), Landing::WouldLose { .. }));
    assert!(matches!(scene.open().certify(&wrong), Err(Error::NotConserved { .. })));
    land(&scene, &made);
    assert!(verify(&scene, "before").holds());
}

#[test]
fn many_landings_are_proven_in_a_clone_that_has_only_the_notes() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let mut landed = Vec::new();
    for number in 0..12 {
        let name = format!("task-{number}");
        scene.git(&["checkout", "-q", "-b", &name, "before"]);
        scene.commit(&name, &format!("echo {name} >{name}"));
        scene.git(&["checkout", "-q", "--detach"]);
        let strategy: &dyn MergeStrategy = if number % 2 == 0 { &MergeCommit } else { &Squash };
        landed.push(land(&scene, &prepare(&scene, strategy, &name)));
    }
    landed.reverse();
    let bare = scene.bare();
    let from = scene.path();
    git(&bare, &["fetch", "-q", from.to_str().unwrap(), "refs/notes/hedgerow:refs/notes/hedgerow"]);
    let clone = Repository::open(&bare).unwrap();
    let found = clone.verify(&range(&scene, "before")).unwrap();
    assert!(found.holds(), "{:?}", found.findings);
    assert_eq!(found.proven, landed);
}

#[test]
fn what_landed_without_a_certificate_is_named_and_the_rest_is_proven() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    land(&scene, &prepare(&scene, &MergeCommit, "one"));
    scene.git(&["checkout", "-q", "main"]);
    scene.commit("by hand", "echo hand >hand");
    let by_hand = scene.id("main");
    scene.git(&["checkout", "-q", "--detach"]);
    land(&scene, &prepare(&scene, &MergeCommit, "change"));
    let found = verify(&scene, "before");
    assert_eq!(found.proven.len(), 2);
    assert_eq!(doubts(&found), [&Doubt::Uncertified]);
    assert_eq!(found.findings[0].commit, by_hand);
}

#[test]
fn a_certificate_that_says_what_is_not_so_is_found_out() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let made = prepare(&scene, &MergeCommit, "change");
    let honest = land(&scene, &made);
    let tree = scene.tree("before");
    let key = honest.passes[0].key.clone();
    let other_tree = hedgerow_merge::TreeId::new(tree.clone()).unwrap();
    let as_said = |found: &Doubt| matches!(found, Doubt::NotAsSaid { .. });
    type Check<'a> = &'a dyn Fn(&Doubt) -> bool;
    let mut cases: Vec<(LandingCertificate, Check<'_>)> = Vec::new();
    let with = |change: &dyn Fn(&mut LandingCertificate)| {
        let mut certificate = honest.clone();
        change(&mut certificate);
        certificate
    };
    cases.push((with(&|c| c.tree = other_tree.clone()), &as_said));
    cases.push((with(&|c| c.change = scene.id("one")), &as_said));
    cases.push((with(&|c| c.expected = scene.id("change")), &as_said));
    cases.push((with(&|c| c.expected = c.commit.clone()), &as_said));
    cases.push((with(&|c| c.change = hedgerow_merge::CommitId::new("1".repeat(40)).unwrap()), &as_said));
    cases.push((with(&|c| c.made = Made::Squash), &as_said));
    cases.push((with(&|c| c.made = Made::Forward), &as_said));
    cases.push((with(&|c| c.made = Made::Replay { steps: Vec::new() }), &as_said));
    let pass = GatePass { gate: "tests".into(), key, tree: other_tree.clone() };
    cases.push((with(&|c| c.passes = vec![pass.clone()]), &|found| matches!(found, Doubt::Ungated { .. })));
    cases.push((with(&|c| c.passes.clear()), &|found| matches!(found, Doubt::Ungated { .. })));
    cases.push((with(&|c| c.format = 2), &|found| matches!(found, Doubt::Unreadable { .. })));
    cases.push((with(&|c| c.target = branch("release")), &|found| *found == Doubt::Uncertified));
    for (certificate, expected) in cases {
        forge(&scene, "main", &serde_json::to_string(&certificate).unwrap());
        let found = verify(&scene, "before");
        assert!(!found.holds() && found.proven.is_empty(), "{certificate:?}");
        assert!(found.findings.iter().any(|finding| expected(&finding.doubt)), "{:?}", found.findings);
    }
    for damaged in ["{\"format\":1,", "{\"format\":1,\"commit\":7}", "{\"format\":\"x\"}"] {
        forge(&scene, "main", damaged);
        assert!(matches!(doubts(&verify(&scene, "before"))[..], [Doubt::Unreadable { .. }]), "{damaged}");
    }
    forge(&scene, "main", "a note of somebody's");
    assert_eq!(doubts(&verify(&scene, "before")), [&Doubt::Uncertified]);
    // Beside the one that is so, a forged one does no harm.
    let forged = serde_json::to_string(&with(&|c| c.tree = other_tree.clone())).unwrap();
    forge(&scene, "main", &format!("{forged}\n\n{}", serde_json::to_string(&honest).unwrap()));
    assert!(verify(&scene, "before").holds());
}

#[test]
fn a_commit_that_was_made_again_with_less_in_it_is_found_out() {
    for (strategy, change) in
        [(&MergeCommit as &dyn MergeStrategy, "change"), (&Squash, "change"), (&Rebase::default(), "one")]
    {
        let scene = scene();
        scene.git(&["branch", "before", "main"]);
        // With main one commit on, so that a series is done again.
        scene.git(&["checkout", "-q", "main"]);
        scene.commit("on", "echo on >on");
        scene.git(&["checkout", "-q", "--detach"]);
        let made = prepare(&scene, strategy, change);
        let honest = scene.open().certify(&made).unwrap();
        let parents = scene.git(&["show", "-s", "--format=%P", made.commit.as_str()]);
        let tree = scene.tree(parents.split(' ').next().unwrap());
        let mut arguments = vec!["commit-tree", "-m", "less"];
        arguments.extend(parents.split(' ').flat_map(|parent| ["-p", parent]));
        arguments.push(&tree);
        let less = scene.id(&scene.git(&arguments));
        let made_of = match &made.made {
            Made::Replay { steps } => {
                let mut steps = steps.clone();
                steps.last_mut().unwrap().at = less.clone();
                Made::Replay { steps }
            }
            other => other.clone(),
        };
        let wrong = Candidate { commit: less.clone(), made: made_of.clone(), ..made.clone() };
        assert!(
            matches!(scene.open().land(&wrong, Checkout::Refuse).unwrap(), Landing::WouldLose { .. }),
            "{strategy:?}"
        );
        assert!(matches!(scene.open().certify(&wrong), Err(Error::NotConserved { .. })), "{strategy:?}");
        // Whoever moves the branch by hand and writes a certificate that fits.
        scene.git(&["update-ref", "refs/heads/main", less.as_str()]);
        let mut forged = gated(honest);
        (forged.commit, forged.made) = (less, made_of);
        forged.tree = hedgerow_merge::TreeId::new(tree.clone()).unwrap();
        forged.passes[0].tree = forged.tree.clone();
        scene.open().record(&forged).unwrap();
        let found = scene
            .open()
            .verify(&LandingRange { from: made.target.expected.clone(), ..range(&scene, "before") })
            .unwrap();
        let found = doubts(&found);
        assert!(matches!(found[0], Doubt::Lost { .. }), "{strategy:?}: {found:?}");
        // Of a series, the other commits have no certificate of their own.
        assert!(found[1..].iter().all(|doubt| **doubt == Doubt::Uncertified), "{strategy:?}: {found:?}");
        assert!(found.len() == 1 || change == "one", "{strategy:?}: {found:?}");
    }
}

#[test]
fn commits_that_a_pick_leaves_out_are_listed_and_missed_when_they_are_not() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let pick = CherryPick { commits: vec![scene.id("one~1")], ..CherryPick::default() };
    let made = prepare(&scene, &pick, "one");
    let certificate = land(&scene, &made);
    assert_eq!(certificate.left_out, [scene.id("one")]);
    assert!(verify(&scene, "before").holds());
    let mut silent = certificate;
    silent.left_out.clear();
    forge(&scene, "main", &serde_json::to_string(&silent).unwrap());
    let left = Doubt::LeftOut { commits: vec![scene.id("one")] };
    assert_eq!(doubts(&verify(&scene, "before")), [&left]);
}

#[test]
fn a_candidate_of_which_nobody_said_how_it_was_made_is_not_certified() {
    let scene = scene();
    let made = prepare(&scene, &Squash, "one");
    let mut stored: serde_json::Value = serde_json::to_value(&made).unwrap();
    stored.as_object_mut().unwrap().remove("made");
    let old: Candidate = serde_json::from_value(stored).unwrap();
    assert_eq!(old.made, Made::Undeclared);
    assert!(matches!(scene.open().certify(&old), Err(Error::Object { .. })));
    assert_eq!(scene.open().land(&old, Checkout::Refuse).unwrap(), Landing::Landed);
}

#[test]
fn notes_are_gits_own_and_keep_what_others_wrote() {
    let scene = scene();
    let made = prepare(&scene, &MergeCommit, "change");
    // As many notes of other commits as make git use directories, and one of this commit.
    let many = scene.git(&["rev-list", "--all"]);
    let first = many.lines().next().unwrap().to_owned();
    scene.git(&["notes", "--ref=hedgerow", "add", "-m", "of somebody's", made.commit.as_str()]);
    scene.git(&["notes", "--ref=hedgerow", "add", "-m", "other", &first]);
    let certificate = scene.open().certify(&made).unwrap();
    scene.open().record(&certificate).unwrap();
    let before = scene.id("refs/notes/hedgerow");
    scene.open().record(&certificate).unwrap();
    assert_eq!(scene.id("refs/notes/hedgerow"), before, "recorded twice");
    let line = serde_json::to_string(&certificate).unwrap();
    let note = scene.git(&["notes", "--ref=hedgerow", "show", made.commit.as_str()]);
    assert_eq!(note, format!("of somebody's\n{line}"));
    assert_eq!(scene.git(&["notes", "--ref=hedgerow", "show", &first]), "other");
    scene.git(&["notes", "--ref=hedgerow", "append", "-m", "later", made.commit.as_str()]);
    assert_eq!(scene.open().certificates(&made.commit).unwrap(), [certificate]);
    scene.fsck();
}

#[test]
fn notes_in_directories_of_any_depth_are_found_and_stay_where_they_are() {
    let scene = scene();
    let made = prepare(&scene, &MergeCommit, "change");
    let certificate = scene.open().certify(&made).unwrap();
    let id = made.commit.as_str();
    for path in
        [id.to_owned(), format!("{}/{}", &id[..2], &id[2..]), format!("{}/{}/{}", &id[..2], &id[2..4], &id[4..])]
    {
        scene.sh(&format!(
            "blob=$(echo there | git hash-object -w --stdin); export GIT_INDEX_FILE=.git/notes-index; rm -f $GIT_INDEX_FILE
             git update-index --add --cacheinfo 100644,$blob,{path}
             git update-ref refs/notes/hedgerow $(git commit-tree -m notes $(git write-tree))"
        ));
        scene.open().record(&certificate).unwrap();
        let files = scene.git(&["ls-tree", "-r", "--name-only", "refs/notes/hedgerow"]);
        assert_eq!(files, path);
        assert!(scene.git(&["notes", "--ref=hedgerow", "show", id]).starts_with("there\n{"));
        assert_eq!(scene.open().certificates(&made.commit).unwrap(), std::slice::from_ref(&certificate));
    }
}

#[test]
fn certificates_that_many_write_at_once_are_all_there() {
    let scene = scene();
    let commits: Vec<_> = (0..24)
        .map(|number| {
            scene.id(&scene.git(&[
                "commit-tree",
                "-m",
                &number.to_string(),
                "-p",
                "main",
                "-p",
                "change",
                "main^{tree}",
            ]))
        })
        .collect();
    let made = prepare(&scene, &MergeCommit, "change");
    let base = scene.open().certify(&made).unwrap();
    thread::scope(|scope| {
        for part in commits.chunks(6) {
            let (scene, base) = (&scene, &base);
            scope.spawn(move || {
                let repository = scene.open();
                for commit in part {
                    let mut certificate = base.clone();
                    certificate.commit = commit.clone();
                    repository.record(&certificate).unwrap();
                }
            });
        }
    });
    for commit in &commits {
        assert_eq!(scene.open().certificates(commit).unwrap().len(), 1);
    }
    scene.fsck();
}

#[test]
fn a_range_that_the_way_back_does_not_come_by_is_an_error_that_says_so() {
    let scene = scene();
    let error = scene.open().verify(&range(&scene, "change")).unwrap_err();
    assert!(error.to_string().contains("does not come by it"), "{error}");
    let Prepared::AlreadyMerged =
        MergeCommit.prepare(&scene.open(), &scene.target("main"), &scene.change("main~1")).unwrap()
    else {
        panic!("main contains its parent")
    };
}

#[test]
fn a_notes_ref_that_is_something_else_is_an_error_and_stays() {
    let scene = scene();
    let made = prepare(&scene, &MergeCommit, "change");
    let certificate = scene.open().certify(&made).unwrap();
    let common = scene.path().join(".git");
    scene.git(&["update-ref", "refs/notes/hedgerow/deeper", "main"]);
    assert!(scene.open().record(&certificate).is_err());
    scene.git(&["pack-refs", "--all"]);
    let error = scene.open().record(&certificate).unwrap_err();
    assert!(error.to_string().contains("refs/notes/hedgerow/deeper"), "{error}");
    assert!(!Path::new(&common.join("refs/notes/hedgerow")).is_file());
    assert!(scene.git_ok(&["rev-parse", "refs/notes/hedgerow/deeper"]));
}
