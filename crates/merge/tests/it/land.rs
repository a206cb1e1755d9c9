//! Moving the target: only forward, only from where it was expected, once.

use std::fs;

use hedgerow_merge::{Checkout, Error, Landing, Repository};

use crate::scene::{Scene, branch, git};

/// A scene whose target `trunk` is checked out nowhere.
fn scene() -> Scene {
    let scene = Scene::simple();
    scene.git(&["branch", "trunk", "main"]);
    scene
}

fn land(scene: &Scene, candidate: &hedgerow_merge::Candidate) -> Landing {
    scene.open().land(candidate, Checkout::Refuse).unwrap()
}

#[test]
fn a_landing_moves_the_target_and_nothing_else() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let (before, files) = (scene.git(&["for-each-ref"]), scene.snapshot());
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.id("trunk"), candidate.commit);
    scene.git(&["update-ref", "refs/heads/trunk", candidate.target.expected.as_str()]);
    assert_eq!(scene.git(&["for-each-ref"]), before);
    let changed: Vec<_> = scene.snapshot().into_iter().filter(|(path, bytes)| files.get(path) != Some(bytes)).collect();
    assert!(changed.iter().all(|(path, _)| path.ends_with(".git/logs/refs/heads/trunk")), "{changed:?}");
    scene.fsck();
}

#[test]
fn a_replayed_landing_is_landed_also_when_others_landed_on_top() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    let log = scene.git(&["reflog", "trunk"]);
    scene.git(&["checkout", "-q", "trunk"]);
    scene.commit("on top", "echo top >top");
    // Checked out, and no reason to touch it: the candidate is in.
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.git(&["reflog", "trunk"]).lines().count(), log.lines().count() + 1);
}

#[test]
fn a_target_that_moved_is_left_where_it_is() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    scene.commit("meanwhile", "echo m >m");
    let main = scene.id("main");
    scene.git(&["update-ref", "refs/heads/trunk", main.as_str()]);
    assert_eq!(land(&scene, &candidate), Landing::TargetMoved { now: Some(main.clone()) });
    assert_eq!(scene.id("trunk"), main);
    assert_eq!(land(&scene, &scene.candidate("trunk", "change")), Landing::Landed);
}

#[test]
fn a_target_that_was_reset_behind_the_expected_commit_has_moved_too() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    scene.git(&["update-ref", "refs/heads/trunk", "trunk~1"]);
    assert_eq!(land(&scene, &candidate), Landing::TargetMoved { now: Some(scene.id("main~1")) });
}

#[test]
fn a_deleted_target_is_not_made_again() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    scene.git(&["branch", "-D", "trunk"]);
    assert_eq!(land(&scene, &candidate), Landing::TargetMoved { now: None });
    assert!(!scene.git_ok(&["rev-parse", "--verify", "trunk"]));
}

#[test]
fn a_candidate_that_does_not_descend_from_the_expected_commit_would_lose_work() {
    let scene = scene();
    let mut candidate = scene.candidate("trunk", "change");
    candidate.commit = scene.id("change");
    let error = scene.open().land(&candidate, Checkout::Refuse).unwrap_err();
    assert!(matches!(&error, Error::Object { problem, .. } if problem.contains("lose work")), "{error}");
    assert_eq!(scene.id("trunk"), scene.id("main"));
}

#[test]
fn a_bare_repository_gets_a_reflog_entry_too() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let bare = scene.bare();
    scene.git(&["push", "-q", bare.to_str().unwrap(), &format!("{}:refs/heads/candidate", candidate.commit)]);
    git(&bare, &["config", "core.logAllRefUpdates", "false"]);
    let repository = Repository::open(&bare).unwrap();
    assert_eq!(repository.land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed);
    let entries = git(&bare, &["reflog", "show", "--format=%H %gs %gn <%ge>", "trunk"]);
    let expected = format!("{} merge: Bring in a change Queue <queue@example.com>", candidate.commit);
    assert_eq!(entries.lines().next(), Some(expected.as_str()));
    // The branch that HEAD of a bare repository names is checked out nowhere.
    let mut main = candidate;
    main.target.branch = branch("main");
    assert_eq!(repository.land(&main, Checkout::Refuse).unwrap(), Landing::Landed);
}

#[test]
fn a_reflog_message_stays_on_its_line() {
    let scene = scene();
    let mut candidate = scene.candidate("trunk", "change");
    candidate.reflog = "first\nsecond\tthird".into();
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.git(&["reflog", "show", "-1", "--format=%gs", "trunk"]), "first second third");
    assert_eq!(fs::read_to_string(scene.path().join(".git/logs/refs/heads/trunk")).unwrap().lines().count(), 2);
}

#[test]
fn a_ref_that_another_process_holds_is_an_error_that_may_pass() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let lock = scene.path().join(".git/refs/heads/trunk.lock");
    fs::write(&lock, "").unwrap();
    let error = scene.open().land(&candidate, Checkout::Refuse).unwrap_err();
    assert!(matches!(&error, Error::Locked { path } if path.ends_with("trunk.lock")), "{error}");
    assert!(error.is_transient());
    assert_eq!(scene.id("trunk"), scene.id("main"));
    assert!(lock.exists(), "somebody else's lock stays");
    fs::remove_file(&lock).unwrap();
    assert_eq!(land(&scene, &candidate), Landing::Landed);
}

#[test]
fn a_lock_that_is_released_in_time_is_waited_for() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let lock = scene.path().join(".git/refs/heads/trunk.lock");
    fs::write(&lock, "").unwrap();
    let landing = std::thread::scope(|scope| {
        let landing = scope.spawn(|| land(&scene, &candidate));
        std::thread::sleep(std::time::Duration::from_millis(200));
        fs::remove_file(&lock).unwrap();
        landing.join().unwrap()
    });
    assert_eq!(landing, Landing::Landed);
}

#[test]
fn a_packed_target_lands_like_a_loose_one() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    scene.git(&["pack-refs", "--all"]);
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.id("trunk"), candidate.commit);
    assert_eq!(land(&scene, &candidate), Landing::Landed);
}

#[test]
fn a_candidate_travels_between_processes_as_data() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let handle = scene.open();
    let other = handle.clone();
    drop(handle);
    assert_eq!(other.land(&candidate, Checkout::Refuse).unwrap(), Landing::Landed);
}

#[test]
fn a_target_whose_directory_went_when_it_was_packed_lands() {
    let scene = scene();
    scene.git(&["branch", "deep/er/trunk", "main"]);
    let candidate = scene.candidate("deep/er/trunk", "change");
    scene.git(&["pack-refs", "--all"]);
    scene.sh("rm -rf .git/refs/heads/deep");
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.id("deep/er/trunk"), candidate.commit);
}

#[test]
fn a_target_in_whose_place_branches_left_an_empty_directory_lands() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    scene.git(&["pack-refs", "--all"]);
    scene.sh("mkdir .git/refs/heads/trunk");
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert_eq!(scene.id("trunk"), candidate.commit);
}

#[test]
fn a_damaged_ref_is_an_error_and_stays_for_somebody_to_look_at() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let file = scene.path().join(".git/refs/heads/trunk");
    for content in ["", "\0\0\0\0", "0123"] {
        fs::write(&file, content).unwrap();
        assert!(matches!(scene.open().land(&candidate, Checkout::Refuse), Err(Error::Git { .. })), "{content:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
    assert!(!scene.path().join(".git/refs/heads/trunk.lock").exists());
}

#[test]
fn a_packed_update_that_was_not_there_when_the_handle_looked_is_not_overwritten() {
    let scene = scene();
    scene.git(&["pack-refs", "--all"]);
    let repository = scene.open();
    let first = scene.candidate("trunk", "change");
    assert!(repository.tip(&branch("trunk")).is_ok());
    // Somebody else lands, and packs it.
    scene.git(&["update-ref", "refs/heads/trunk", first.commit.as_str()]);
    let modified = fs::metadata(scene.path().join(".git/packed-refs")).unwrap().modified().unwrap();
    scene.git(&["pack-refs", "--all"]);
    // Within one tick of the clock.
    fs::File::options()
        .append(true)
        .open(scene.path().join(".git/packed-refs"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let mut late = first.clone();
    scene.git(&["checkout", "-q", "-b", "other", "main"]);
    scene.commit("other", "echo other >other");
    late.commit = scene.id("other");
    late.change = late.commit.clone();
    let now = Some(first.commit.clone());
    assert_eq!(repository.land(&late, Checkout::Refuse).unwrap(), Landing::TargetMoved { now });
    assert_eq!(scene.id("trunk"), first.commit);
}

#[test]
fn a_lock_that_a_killed_landing_left_is_taken_away_whatever_it_was_to_become() {
    let scene = scene();
    let candidate = scene.candidate("trunk", "change");
    let lock = scene.path().join(".git/refs/heads/trunk.lock");
    // Its second name is there still, and nobody holds it.
    let second = scene.path().join(".git/hedgerow-merge/locks/1-1-0");
    fs::create_dir_all(second.parent().unwrap()).unwrap();
    fs::write(&second, "").unwrap();
    fs::hard_link(&second, &lock).unwrap();
    assert_eq!(land(&scene, &candidate), Landing::Landed);
    assert!(!lock.exists() && !second.exists());
}
