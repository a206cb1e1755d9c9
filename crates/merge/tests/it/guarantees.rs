//! The guarantees of `docs/landing.md`, each on repositories and changes that nobody chose.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hedgerow_merge::queue::{ChangeId, Digest, GateKey, Guarantee};
use hedgerow_merge::{
    ArchivedChange, Archiving, Candidate, Checkout, CherryPick, Error, FastForward, GatePass, Identity, Landing, Made,
    MergeCommit, MergeStrategy, Octopus, Ours, Prepared, Promote, Rebase, Repository, Squash,
};
use proptest::prelude::*;

use crate::scene::{Scene, branch, candidate, change, git, raw};

/// The variable that names a repository to the process that prepares a change in it again.
const AGAIN: &str = "HEDGEROW_MERGE_TEST_PREPARE_AGAIN";

/// What one side does, as a shell script that always changes something.
fn side(name: &'static str) -> impl Strategy<Value = String> {
    let edit = (0..3_u8, 1..30_u8).prop_map(move |(file, line)| format!("sed -i '{line}s/$/ {name}/' f{file}"));
    let add = (0..4_u8).prop_map(move |n| format!("mkdir -p new; echo {name} {n} >new/{name}{n}"));
    let take = (3..5_u8).prop_map(|file| format!("rm -f f{file}"));
    let step = prop_oneof![4 => edit, 2 => add, 1 => take];
    prop::collection::vec(step, 1..4)
        .prop_map(move |steps| format!("echo {name} >only-{name}; chmod +x only-{name}; {}", steps.join("; ")))
}

/// A target `trunk` that is checked out nowhere, and a change of two commits.
fn sides() -> impl Strategy<Value = [String; 3]> {
    (side("target"), side("change"), side("again")).prop_map(|(target, change, again)| [target, change, again])
}

fn scene([target, change, again]: &[String; 3]) -> Scene {
    let scene = Scene::empty();
    scene.commit("base", "for n in 0 1 2 3 4; do seq 40 >f$n; done");
    scene.git(&["branch", "change"]);
    scene.git(&["checkout", "-q", "-b", "trunk"]);
    scene.commit("target", target);
    scene.git(&["checkout", "-q", "change"]);
    scene.commit("change", change);
    scene.commit("again", again);
    scene.git(&["checkout", "-q", "main"]);
    scene
}

fn strategies() -> Vec<Box<dyn MergeStrategy>> {
    vec![
        Box::new(MergeCommit),
        Box::new(Squash),
        Box::new(Rebase::default()),
        Box::new(CherryPick::default()),
        Box::new(Octopus::default()),
        Box::new(Ours),
        Box::new(Promote),
    ]
}

/// The candidates of every strategy that makes one; those that meet a conflict do not.
fn candidates(scene: &Scene) -> Vec<Candidate> {
    let made = strategies().into_iter().filter_map(|strategy| {
        match strategy.prepare(&scene.open(), &scene.target("trunk"), &scene.change("change")).unwrap() {
            Prepared::Candidate(candidate) => Some(candidate),
            _ => None,
        }
    });
    made.collect()
}

/// Puts the target back to where the candidate expects it.
fn reset(scene: &Scene, candidate: &Candidate) {
    scene.git(&["update-ref", "refs/heads/trunk", candidate.target.expected.as_str()]);
}

fn land(scene: &Scene, candidate: &Candidate) -> Landing {
    scene.open().land(candidate, Checkout::Refuse).unwrap()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(config(4))]

    /// Guarantee 1.
    #[test]
    fn the_target_moves_from_exactly_what_was_expected_or_not_at_all(sides in sides(), moved in 0..4_usize) {
        let scene = scene(&sides);
        for candidate in candidates(&scene) {
            reset(&scene, &candidate);
            let elsewhere = ["true", "git update-ref refs/heads/trunk trunk~1", "git update-ref refs/heads/trunk change", "git update-ref -d refs/heads/trunk"][moved];
            scene.sh(elsewhere);
            let before = scene.git(&["for-each-ref", "refs/heads"]);
            let oracle = scene.beside("oracle.git");
            git(&scene.path(), &["clone", "-q", "--mirror", ".", oracle.to_str().unwrap()]);
            git(&oracle, &["fetch", "-q", scene.path().to_str().unwrap(), candidate.commit.as_str()]);
            let arguments = ["update-ref", "refs/heads/trunk", candidate.commit.as_str(), candidate.target.expected.as_str()];
            let moves = raw(Command::new("git").args(arguments), &oracle).status.success();
            fs::remove_dir_all(&oracle).unwrap();
            match land(&scene, &candidate) {
                Landing::Landed => prop_assert!(moves && scene.id("trunk") == candidate.commit),
                Landing::TargetMoved { .. } => {
                    prop_assert!(!moves);
                    prop_assert_eq!(scene.git(&["for-each-ref", "refs/heads"]), before);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// Guarantee 2.
    #[test]
    fn the_target_only_goes_forward(sides in sides()) {
        let scene = scene(&sides);
        for candidate in candidates(&scene) {
            let [old, new] = [candidate.target.expected.as_str(), candidate.commit.as_str()];
            prop_assert!(scene.git_ok(&["merge-base", "--is-ancestor", old, new]));
            // The same tree on another history is not a way forward.
            let beside = scene.git(&["commit-tree", "-m", "beside", "-p", "main", &format!("{new}^{{tree}}")]);
            let beside = Candidate { commit: hedgerow_merge::CommitId::new(beside).unwrap(), made: Made::Undeclared, ..candidate.clone() };
            let refused = matches!(scene.open().land(&beside, Checkout::Refuse), Err(Error::Object { .. }));
            prop_assert!(refused);
            prop_assert_eq!(scene.id("trunk"), candidate.target.expected);
        }
    }

    /// Guarantee 3.
    #[test]
    fn what_was_gated_is_what_lands(sides in sides()) {
        let scene = scene(&sides);
        for candidate in candidates(&scene) {
            reset(&scene, &candidate);
            let repository = scene.open();
            let certificate = repository.certify(&candidate).unwrap();
            let key = GateKey { gate: Digest::new("check"), environment: Digest::new("here") };
            let gated = scene.git(&["rev-parse", &format!("{}^{{tree}}", candidate.commit)]);
            let tree = hedgerow_merge::TreeId::new(gated.clone()).unwrap();
            // Of a series, only the last tree was looked at.
            let series = matches!(certificate.made, Made::Replay { .. });
            let guarantee = if series { Guarantee::HeadGreen } else { Guarantee::EveryCommit };
            let certificate = certificate.with_pass(GatePass { gate: "check".into(), key, tree }).under(guarantee);
            repository.record(&certificate).unwrap();
            prop_assert_eq!(land(&scene, &candidate), Landing::Landed);
            prop_assert_eq!(scene.tree("trunk"), gated);
            prop_assert_eq!(scene.git(&["rev-parse", "trunk"]), candidate.commit.to_string());
            let range = hedgerow_merge::LandingRange {
                branch: branch("trunk"), from: candidate.target.expected.clone(), to: candidate.commit.clone(),
            };
            let verified = repository.verify(&range).unwrap();
            prop_assert!(verified.holds(), "{:?}", verified);
        }
    }

    /// Guarantee 4: whatever one path is put back, the work of one side is missed.
    #[test]
    fn a_result_without_the_work_of_one_side_does_not_land(sides in sides(), which in any::<prop::sample::Index>()) {
        let scene = scene(&sides);
        let Prepared::Candidate(good) = scene.prepare("trunk", "change") else { return Ok(()) };
        let tree = format!("{}^{{tree}}", good.commit);
        // As git merges it, where it is merged.
        prop_assert_eq!(scene.git(&["rev-parse", &tree]), scene.git(&["merge-tree", "--write-tree", "trunk", "change"]));
        let paths = scene.git(&["diff", "--name-only", "main", &good.commit.to_string()]);
        let paths: Vec<_> = paths.lines().collect();
        let path = which.get(&paths);
        let place = scene.beside("forge");
        scene.git(&["worktree", "add", "-q", "--detach", place.to_str().unwrap(), good.commit.as_str()]);
        let restored = raw(Command::new("git").args(["checkout", "-q", "main", "--", path]), &place).status.success();
        if !restored {
            git(&place, &["rm", "-q", "--", path]);
        }
        let forged = git(&place, &["write-tree"]);
        let forged = scene.git(&["commit-tree", "-m", "forged", "-p", "trunk", "-p", "change", &forged]);
        let forged = Candidate { commit: hedgerow_merge::CommitId::new(forged).unwrap(), ..good };
        let missed = matches!(land(&scene, &forged), Landing::WouldLose { .. });
        prop_assert!(missed, "{}", path);
        prop_assert_eq!(scene.id("trunk"), forged.target.expected);
    }

    /// Guarantee 5: in a clone, elsewhere, by another process, at another time.
    #[test]
    fn the_same_input_makes_the_same_commits(sides in sides()) {
        let scene = scene(&sides);
        let here: Vec<_> = candidates(&scene).into_iter().map(|made| made.commit.to_string()).collect();
        let clone = scene.beside("clone");
        git(&scene.path(), &["clone", "-q", "--mirror", ".", clone.to_str().unwrap()]);
        git(&clone, &["repack", "-q", "-a", "-d"]);
        let out = scene.beside("made");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "guarantees::a_process_that_is_told_to_prepares_again"])
            .env(AGAIN, &clone).env("TZ", "Asia/Tokyo").env("GIT_COMMITTER_DATE", "1 +0000")
            .env("HEDGEROW_MERGE_TEST_OUT", &out).output().unwrap().status;
        prop_assert!(status.success());
        let there: Vec<_> = fs::read_to_string(&out).unwrap().lines().map(ToOwned::to_owned).collect();
        prop_assert_eq!(there, here);
    }

    /// Guarantee 6.
    #[test]
    fn no_file_no_index_and_no_other_ref_changes(sides in sides()) {
        let scene = scene(&sides);
        scene.sh("echo mine >>f0; echo staged >s; git add s; echo untracked >u");
        for candidate in candidates(&scene) {
            reset(&scene, &candidate);
            let before = scene.snapshot();
            let repository = scene.open();
            repository.record(&repository.certify(&candidate).unwrap()).unwrap();
            prop_assert_eq!(land(&scene, &candidate), Landing::Landed);
            let after = scene.snapshot();
            let changed: Vec<PathBuf> = difference(&before, &after);
            let git_dir = scene.path().join(".git");
            let allowed = ["refs/heads/trunk", "logs/refs/heads/trunk", "refs/notes/hedgerow", "logs/refs/notes/hedgerow"];
            let strange: Vec<_> = changed.iter().filter(|path| !allowed.iter().any(|name| **path == git_dir.join(name))).collect();
            prop_assert!(strange.is_empty(), "{:?}", strange);
        }
    }

    /// Guarantee 7.
    #[test]
    fn a_change_that_did_not_land_is_there_when_its_branch_is_gone_and_garbage_collected(sides in sides(), attempts in 1..4_u32) {
        let scene = scene(&sides);
        let tips: Vec<_> = (1..=attempts).map(|attempt| {
            scene.git(&["checkout", "-q", "change"]);
            let tip = scene.commit("more", &format!("echo {attempt} >>attempts"));
            scene.git(&["checkout", "-q", "main"]);
            let change = ArchivedChange { change: ChangeId::new("ag/1"), attempt, tip: tip.clone(), why: "It lost".into() };
            let who = Identity { name: "Queue".into(), email: "queue@example.com".into() };
            assert_eq!(scene.open().archive(&change, &who).unwrap(), Archiving::Kept);
            scene.git(&["branch", "-f", "change", "main"]);
            tip
        }).collect();
        scene.git(&["branch", "-D", "change"]);
        scene.git(&["reflog", "expire", "--expire=now", "--all"]);
        scene.git(&["gc", "-q", "--prune=now"]);
        let archives = scene.open().archives().unwrap();
        prop_assert_eq!(archives.into_iter().map(|kept| kept.tip).collect::<Vec<_>>(), tips.clone());
        for tip in tips {
            prop_assert!(scene.git_ok(&["rev-list", "--objects", "--quiet", tip.as_str()]));
        }
        scene.fsck();
    }

    /// Guarantee 8.
    #[test]
    fn a_landing_that_is_done_again_is_done_once(sides in sides(), on_top in 0..3_usize) {
        let scene = scene(&sides);
        for candidate in candidates(&scene) {
            reset(&scene, &candidate);
            let stored = serde_json::to_string(&candidate).unwrap();
            prop_assert_eq!(land(&scene, &candidate), Landing::Landed);
            for _ in 0..on_top {
                let next = scene.git(&["commit-tree", "-m", "on top", "-p", "trunk", "trunk^{tree}"]);
                scene.git(&["update-ref", "refs/heads/trunk", &next]);
            }
            let (tip, log) = (scene.id("trunk"), scene.git(&["reflog", "show", "trunk"]));
            // By a process that has nothing but what was stored.
            let again: Candidate = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(land(&scene, &again), Landing::Landed);
            prop_assert_eq!((scene.id("trunk"), scene.git(&["reflog", "show", "trunk"])), (tip, log));
        }
    }

    /// Guarantee 9.
    #[test]
    fn every_landing_is_in_the_reflog_and_says_what_it_was_for(sides in sides(), bare in any::<bool>(), subject in "[A-Za-z][A-Za-z \n\t]{0,30}") {
        let scene = scene(&sides);
        let place = if bare { scene.bare() } else { scene.path() };
        let repository = Repository::open(&place).unwrap();
        for strategy in strategies() {
            let asked = hedgerow_merge::Change { subject: subject.clone(), ..scene.change("change") };
            let target = hedgerow_merge::Target { branch: branch("trunk"), expected: scene.id("trunk") };
            let Prepared::Candidate(made) = strategy.prepare(&repository, &target, &asked).unwrap() else { continue };
            git(&place, &["update-ref", "refs/heads/trunk", target.expected.as_str()]);
            prop_assert_eq!(repository.land(&made, Checkout::Refuse).unwrap(), Landing::Landed);
            let entry = git(&place, &["reflog", "show", "-1", "--format=%H %gs|%gn", "trunk"]);
            let line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert!(entry.starts_with(&format!("{} ", made.commit)) && entry.ends_with("|Queue"), "{}", entry);
            let said = entry.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert!(said.contains(&format!(": {line}")), "{} {}", entry, line);
            let trailers = git(&place, &["log", "-1", "--format=%(trailers:key=Task,valueonly)", made.commit.as_str()]);
            prop_assert_eq!(trailers.trim(), "fix-42");
        }
    }

    /// Guarantee 10.
    #[test]
    fn no_failure_is_taken_for_another(sides in sides(), line in 1..40_u8) {
        let scene = scene(&sides);
        let repository = scene.open();
        let (target, asked) = (scene.target("trunk"), scene.change("change"));
        let prepare = |change: &hedgerow_merge::Change| MergeCommit.prepare(&repository, &target, change);
        // A conflict is one where git has one, and nothing else is.
        let merges = scene.git_ok(&["merge-tree", "--write-tree", "trunk", "change"]);
        let prepared = prepare(&asked).unwrap();
        prop_assert_eq!(merges, matches!(prepared, Prepared::Candidate(_)));
        prop_assert_eq!(!merges, matches!(prepared, Prepared::Conflict(_)));
        // What cannot be asked for.
        let nobody = hedgerow_merge::Change { committer: Identity { name: "<".into(), email: "x".into() }, ..asked.clone() };
        let invalid = matches!(prepare(&nobody), Err(Error::InvalidName { .. }) | Ok(Prepared::Conflict(_)));
        prop_assert!(invalid);
        let nothing = change(hedgerow_merge::CommitId::new(format!("{line:040x}")).unwrap());
        let missing = matches!(prepare(&nothing), Err(Error::Object { .. }));
        prop_assert!(missing);
        // What may pass.
        scene.git(&["branch", "harmless", "trunk"]);
        scene.git(&["checkout", "-q", "harmless"]);
        scene.commit("harmless", &format!("echo {line} >harmless"));
        scene.git(&["checkout", "-q", "main"]);
        let made = candidate(MergeCommit.prepare(&repository, &target, &scene.change("harmless")).unwrap());
        let lock = scene.path().join(".git/refs/heads/trunk.lock");
        fs::write(&lock, "").unwrap();
        let locked = repository.land(&made, Checkout::Refuse).unwrap_err();
        prop_assert!(locked.is_transient(), "{:?}", locked);
        fs::remove_file(&lock).unwrap();
        // What the user has checked out, and what somebody else moved.
        scene.git(&["checkout", "-q", "trunk"]);
        let held = matches!(land(&scene, &made), Landing::CheckedOut { .. });
        scene.git(&["checkout", "-q", "main"]);
        scene.git(&["update-ref", "refs/heads/trunk", "change"]);
        let moved = matches!(land(&scene, &made), Landing::TargetMoved { .. });
        prop_assert!(held && moved);
    }
}

/// The paths that two snapshots have not alike.
fn difference(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let all = one.keys().chain(other.keys());
    all.filter(|path| one.get(*path) != other.get(*path)).cloned().collect()
}

/// Does nothing, unless another test started this process to prepare a change again.
#[test]
fn a_process_that_is_told_to_prepares_again() {
    let (Some(path), Some(out)) = (std::env::var_os(AGAIN), std::env::var_os("HEDGEROW_MERGE_TEST_OUT")) else {
        return;
    };
    let repository = Repository::open(PathBuf::from(path)).unwrap();
    let tip = |name: &str| repository.tip(&branch(name)).unwrap();
    let target = hedgerow_merge::Target { branch: branch("trunk"), expected: tip("trunk") };
    let made = strategies().into_iter().filter_map(|strategy| {
        match strategy.prepare(&repository, &target, &change(tip("change"))).unwrap() {
            Prepared::Candidate(made) => Some(made.commit.to_string()),
            _ => None,
        }
    });
    fs::write(out, made.collect::<Vec<_>>().join("\n")).unwrap();
}

#[test]
fn a_fast_forward_keeps_what_is_promised_of_every_landing() {
    let scene = Scene::simple();
    scene.git(&["branch", "trunk", "main~1"]);
    let made = candidate(
        FastForward::default().prepare(&scene.open(), &scene.target("trunk"), &scene.change("change")).unwrap(),
    );
    assert_eq!(made.commit, scene.id("change"));
    assert_eq!(land(&scene, &made), Landing::Landed);
    assert_eq!(land(&scene, &made), Landing::Landed);
    assert_eq!(scene.git(&["reflog", "trunk"]).lines().count(), 2);
}
