//! Certificates: what they say is proven again, notes are git's own, and what was tampered with is found.

use std::path::Path;
use std::thread;

use hedgerow_merge::queue::{Digest, GateKey, Guarantee};
use hedgerow_merge::{
    Candidate, Checkout, CherryPick, Doubt, Error, FastForward, GatePass, Landing, LandingCertificate, LandingRange,
    Made, MergeCommit, MergeStrategy, Octopus, Ours, Promote, Rebase, Repository, Squash, Step, Verification,
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
    // Of a series, only the last tree was looked at.
    let guarantee = match certificate.made {
        Made::Replay { .. } => Guarantee::HeadGreen,
        _ => Guarantee::EveryCommit,
    };
    certificate.with_pass(pass).under(guarantee)
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
    for number in 0..12 {
        scene.git(&["branch", "-q", "-D", &format!("task-{number}")]);
    }
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
    let heads = with(&|c| (c.passes, c.guarantee) = (Vec::new(), Some(Guarantee::HeadGreen)));
    cases.push((heads, &|found| matches!(found, Doubt::Ungated { .. })));
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
    assert!(matches!(scene.open().certify(&old), Err(Error::Unproven { .. })));
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
fn a_range_that_the_way_back_does_not_come_by_is_a_finding_that_says_so() {
    let scene = scene();
    land(&scene, &prepare(&scene, &MergeCommit, "one"));
    let found = verify(&scene, "change");
    assert_eq!(found.proven.len(), 1, "what is proven is said all the same");
    assert_eq!(**doubts(&found).last().unwrap(), Doubt::Astray);
}

/// A commit with the tree of one revision on the given parents.
fn commit_of(scene: &Scene, tree: &str, parents: &[&str]) -> hedgerow_merge::CommitId {
    let tree = scene.tree(tree);
    let mut arguments = vec!["commit-tree", "-m", "forged"];
    arguments.extend(parents.iter().flat_map(|parent| ["-p", *parent]));
    arguments.push(&tree);
    scene.id(&scene.git(&arguments))
}

#[test]
fn a_shape_that_would_switch_the_check_off_is_refused() {
    let scene = scene();
    let honest = prepare(&scene, &MergeCommit, "change");
    let step = |from: &str, at: &hedgerow_merge::CommitId| Step { from: scene.id(from), at: at.clone(), same_as: None };
    let empty = commit_of(&scene, "main~1", &["main"]);
    let joined = commit_of(&scene, "main", &["main", "change"]);
    let undone = commit_of(&scene, "main", &["one"]);
    let on_main = commit_of(&scene, "one", &["main"]);
    let undoing = commit_of(&scene, "main", &[on_main.as_str()]);
    let forged = [
        // The target itself as the change: nothing is asked for.
        (empty.clone(), scene.id("main"), Made::Merge),
        (joined.clone(), scene.id("main"), Made::Merge),
        (joined, scene.id("main"), Made::Undeclared),
        (empty.clone(), scene.id("main"), Made::Squash),
        (empty, scene.id("main~1"), Made::Merge),
        // A series that does what is not of the change, does it twice, or only passes over it.
        (
            undoing.clone(),
            scene.id("one"),
            Made::Replay { steps: vec![step("one~1", &on_main), step(undone.as_str(), &undoing)] },
        ),
        (undoing.clone(), scene.id("one"), Made::Replay { steps: vec![step("one", &on_main), step("one", &undoing)] }),
        (
            scene.id("one"),
            scene.id("one"),
            Made::Replay { steps: vec![step("one~1", &scene.id("one~1")), step("one", &scene.id("one"))] },
        ),
    ];
    for (commit, change, made) in forged {
        let forged = Candidate { commit, change, made, ..honest.clone() };
        assert!(matches!(scene.open().certify(&forged), Err(Error::Object { .. })), "{forged:?}");
        assert!(matches!(scene.open().land(&forged, Checkout::Refuse), Err(Error::Object { .. })), "{forged:?}");
    }
    assert_eq!(scene.id("main"), honest.target.expected);
}

#[test]
fn a_commit_that_both_have_is_no_reason_to_leave_one_out() {
    let scene = Scene::empty();
    scene.commit("base", "seq 9 >f");
    let done = scene.commit("done", "echo x >x");
    scene.commit("undone", "rm x");
    scene.git(&["checkout", "-q", "-b", "change"]);
    let again = scene.commit("again", "echo x >x");
    scene.git(&["checkout", "-q", "main"]);
    let on = scene.commit("on", "echo on >on");
    scene.git(&["checkout", "-q", "--detach"]);
    let honest = prepare(&scene, &Rebase::default(), "change");
    assert!(scene.git_ok(&["cat-file", "-e", &format!("{}:x", honest.commit)]));
    let steps = vec![Step { from: again, at: on.clone(), same_as: Some(done) }];
    let forged = Candidate { commit: on, made: Made::Replay { steps }, ..honest };
    assert!(matches!(scene.open().certify(&forged), Err(Error::Object { .. })));
}

#[test]
fn a_file_that_nobody_renamed_cannot_be_moved_away() {
    let scene = scene();
    let honest = prepare(&scene, &MergeCommit, "change");
    scene.git(&["read-tree", "-u", "--reset", honest.commit.as_str()]);
    scene.sh("mkdir old; git mv f old/elsewhere; git add -A");
    let tree = scene.git(&["write-tree"]);
    let moved = scene.id(&scene.git(&["commit-tree", "-m", "moved", "-p", "main", "-p", "change", &tree]));
    let forged = Candidate { commit: moved, ..honest };
    assert!(matches!(scene.open().land(&forged, Checkout::Refuse).unwrap(), Landing::WouldLose { .. }));
}

#[test]
fn what_an_agent_threw_away_when_it_merged_the_target_is_listed_and_missed_when_it_is_not() {
    for strategy in [&FastForward::default() as &dyn MergeStrategy, &MergeCommit, &Squash] {
        let scene = scene();
        scene.git(&["branch", "before", "main"]);
        scene.git(&["checkout", "-q", "one"]);
        // All of what landed since is gone from the files, and in the history.
        scene.git(&["merge", "-q", "-s", "ours", "-m", "up to date", "main"]);
        scene.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
        scene.git(&["checkout", "-q", "--detach", "main"]);
        scene.commit("on", "echo on >on");
        scene.git(&["branch", "-f", "main", "HEAD"]);
        scene.git(&["checkout", "-q", "one"]);
        scene.git(&["merge", "-q", "-s", "ours", "-m", "up to date again", "main"]);
        scene.git(&["checkout", "-q", "--detach"]);
        scene.git(&["branch", "-f", "before", "main"]);
        let certificate = land(&scene, &prepare(&scene, strategy, "one"));
        let [merge] = &certificate.inside[..] else { panic!("{strategy:?}: {:?}", certificate.inside) };
        assert!(merge.losses.iter().any(|loss| loss.path.to_string() == "on"), "{:?}", merge.losses);
        assert!(verify(&scene, "before").holds(), "{strategy:?}: {:?}", verify(&scene, "before").findings);
        let mut silent = certificate;
        silent.inside.clear();
        forge(&scene, "main", &serde_json::to_string(&silent).unwrap());
        assert!(matches!(doubts(&verify(&scene, "before"))[0], Doubt::Inside { .. }), "{strategy:?}");
    }
}

#[test]
fn what_a_squash_leaves_behind_is_kept_with_the_notes() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    land(&scene, &prepare(&scene, &Squash, "one"));
    scene.git(&["branch", "-q", "-D", "one"]);
    scene.git(&["-c", "gc.reflogExpire=now", "reflog", "expire", "--expire=now", "--all"]);
    scene.git(&["gc", "-q", "--prune=now"]);
    assert!(verify(&scene, "before").holds(), "{:?}", verify(&scene, "before").findings);
    let bare = scene.bare();
    let from = scene.path();
    git(&bare, &["fetch", "-q", from.to_str().unwrap(), "refs/notes/hedgerow:refs/notes/hedgerow"]);
    assert!(Repository::open(&bare).unwrap().verify(&range(&scene, "before")).unwrap().holds());
}

#[test]
fn notes_that_are_too_long_or_too_many_are_findings_and_no_error() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let honest = serde_json::to_string(&land(&scene, &prepare(&scene, &MergeCommit, "change"))).unwrap();
    let other = honest.replace("\"main\"", "\"release\"");
    let many = format!("{}{honest}\n", format!("{other}\n").repeat(70));
    for note in [many.into_bytes(), vec![b'x'; (16 << 20) + 1]] {
        std::fs::write(scene.beside("note"), note).unwrap();
        scene.git(&["notes", "--ref=hedgerow", "add", "-f", "-F", scene.beside("note").to_str().unwrap(), "main"]);
        assert!(matches!(doubts(&verify(&scene, "before"))[..], [Doubt::Unreadable { .. }]));
    }
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

#[test]
fn what_was_made_in_a_merge_that_a_rebase_flattens_is_listed_as_left_out() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    scene.git(&["checkout", "-q", "one"]);
    scene.git(&["merge", "-q", "--no-commit", "--no-ff", "change"]);
    let merge = scene.commit("merged, and more", "echo more >only-in-the-merge");
    scene.git(&["checkout", "-q", "--detach", "main"]);
    let flatten = Rebase { merges: hedgerow_merge::Merges::Flatten, ..Rebase::default() };
    let certificate = land(&scene, &prepare(&scene, &flatten, "one"));
    assert_eq!(certificate.left_out, std::slice::from_ref(&merge));
    assert!(verify(&scene, "before").holds());
    let mut silent = certificate;
    silent.left_out.clear();
    forge(&scene, "main", &serde_json::to_string(&silent).unwrap());
    assert_eq!(doubts(&verify(&scene, "before"))[0], &Doubt::LeftOut { commits: vec![merge] });
}
