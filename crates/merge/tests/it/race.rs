//! Many that land on one target at once.

use std::process::Command;
use std::sync::Barrier;

use hedgerow_merge::{Checkout, Landing, MergeCommit, MergeStrategy, Repository, Target};

use crate::scene::{Scene, branch, candidate, change, raw};

const LANDERS: usize = 16;

/// A scene with `trunk` and as many changes, each of which adds a file and edits a line of `f`.
fn scene() -> Scene {
    let scene = Scene::empty();
    scene.commit("base", "seq 200 >f");
    scene.git(&["branch", "trunk"]);
    for lander in 0..LANDERS {
        scene.git(&["checkout", "-q", "-b", &format!("change-{lander}"), "trunk"]);
        scene.commit(
            &format!("change {lander}"),
            &format!("echo {lander} >n{lander}; sed -i '{}s/$/ x/' f", lander * 10 + 1),
        );
    }
    scene.git(&["checkout", "-q", "main"]);
    scene
}

/// Prepares and lands until it has landed.
fn insist(repository: &Repository, scene: &Scene, lander: usize) -> usize {
    let tip = scene.id(&format!("change-{lander}"));
    for attempt in 1.. {
        let target = Target { branch: branch("trunk"), expected: repository.tip(&branch("trunk")).unwrap() };
        let prepared = candidate(MergeCommit.prepare(repository, &target, &change(tip.clone())).unwrap());
        match repository.land(&prepared, Checkout::Refuse).unwrap() {
            Landing::Landed => return attempt,
            Landing::TargetMoved { now: Some(now) } => assert_ne!(now, target.expected),
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

fn check(scene: &Scene) {
    for lander in 0..LANDERS {
        let tip = format!("change-{lander}");
        assert!(scene.git_ok(&["merge-base", "--is-ancestor", &tip, "trunk"]), "{tip} is lost");
        assert_eq!(scene.git(&["show", &format!("trunk:n{lander}")]), lander.to_string());
    }
    let edited = scene.git(&["show", "trunk:f"]).lines().filter(|line| line.ends_with(" x")).count();
    assert_eq!(edited, LANDERS);
    // One landing after the other, each from where the one before left the target.
    assert_eq!(scene.git(&["rev-list", "--first-parent", "--count", "trunk"]), (LANDERS + 1).to_string());
    let moves = scene.git(&["reflog", "show", "--format=%H", "trunk"]);
    let history = scene.git(&["rev-list", "--first-parent", "trunk"]);
    assert_eq!(moves, history);
    scene.fsck();
}

#[test]
fn sixteen_threads_on_one_target_lose_nothing() {
    let scene = scene();
    let repository = scene.open();
    let start = Barrier::new(LANDERS);
    std::thread::scope(|scope| {
        for lander in 0..LANDERS {
            let (repository, start, scene) = (repository.clone(), &start, &scene);
            scope.spawn(move || {
                start.wait();
                insist(&repository, scene, lander)
            });
        }
    });
    check(&scene);
}

#[test]
fn landings_lose_nothing_while_refs_are_packed_again_and_again() {
    let scene = scene();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let packer = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // It may find a ref locked; then it leaves it.
                raw(Command::new("git").args(["pack-refs", "--all"]), &scene.path());
            }
        });
        let landers: Vec<_> = (0..4)
            .map(|first| {
                let scene = &scene;
                scope.spawn(move || {
                    for lander in (first..LANDERS).step_by(4) {
                        // Each with a handle of its own, as other processes have.
                        insist(&scene.open(), scene, lander);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = landers.into_iter().map(|lander| lander.join()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        packer.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
    });
    check(&scene);
}

#[test]
fn one_candidate_that_many_land_lands_once() {
    let scene = scene();
    let prepared = scene.candidate("trunk", "change-0");
    let repository = scene.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(repository.land(&prepared, Checkout::Refuse).unwrap(), Landing::Landed));
        }
    });
    assert_eq!(scene.git(&["reflog", "trunk"]).lines().count(), 2);
}

#[test]
fn threads_that_bring_one_checkout_forward_do_not_see_each_other_as_changes() {
    let scene = scene();
    scene.git(&["checkout", "-q", "trunk"]);
    let repository = scene.open();
    let landings: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|lander| {
                let (repository, scene) = (repository.clone(), &scene);
                let prepared = scene.candidate("trunk", &format!("change-{lander}"));
                scope.spawn(move || repository.land(&prepared, Checkout::FastForwardClean).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let landed = landings.iter().filter(|landing| **landing == Landing::Landed).count();
    assert!(landed >= 1, "{landings:?}");
    assert!(landings.iter().all(|landing| !matches!(landing, Landing::CheckedOut { .. })), "{landings:?}");
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
}
