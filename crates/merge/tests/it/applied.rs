//! Commits of a change that the target has under another id, as `git rebase` finds them.

use std::process::Command;

use hedgerow_merge::{Candidate, Checkout, Error, Landing, LandingRange, Made, MergeStrategy, Prepared, Rebase, Step};

use crate::scene::{Scene, branch, candidate, git, raw};

/// What happened on the target after `change` was made, of three commits: edits line 3 and 20 of `f`, makes `new`.
const TARGETS: &[(&str, usize)] = &[
    // How many of the three are left out.
    ("git cherry-pick change~2 >/dev/null", 1),
    ("git cherry-pick change~2 >/dev/null; sed -i 's/^three$/drei/' f; git commit -qam more", 1),
    ("git cherry-pick change~2 >/dev/null; git revert --no-edit HEAD", 1),
    ("git cherry-pick change >/dev/null; git rm -q new; git commit -qm gone", 1),
    ("git cherry-pick change~1 >/dev/null; sed -i 's/^twenty$/zwanzig/' f; git commit -qam more", 1),
    ("git cherry-pick change~2 change~1 change >/dev/null; echo more >>f; git commit -qam more", 3),
    ("git cherry-pick -n change~2 >/dev/null; sed -i 's/^three$/  three/' f; git commit -qam indented", 1),
    ("git cherry-pick -n change~2 >/dev/null; sed -i 's/^4$/vier/' f; git commit -qam 'and more'", 0),
    ("git cherry-pick -n change~2 change~1 >/dev/null; git commit -qm 'two in one'", 0),
    (
        "git cherry-pick change~2 >/dev/null; git checkout -q -b side HEAD~1; echo s >s; git add s; git commit -qm s; git checkout -q main; git merge -q -m m side",
        1,
    ),
    ("sed -i '1i first' f; git commit -qam first; git cherry-pick change~1 >/dev/null", 1),
    ("git cherry-pick change~3 >/dev/null", 0),
];

fn scene(target: &str) -> Scene {
    let scene = Scene::forked("seq 40 >f; printf 'a\\0' >b", "echo m >m", "printf 'b\\0' >b; chmod +x b");
    scene.git(&["checkout", "-q", "change"]);
    scene.commit("three", "sed -i 's/^3$/three/' f");
    scene.commit("twenty", "sed -i 's/^20$/twenty/' f");
    scene.commit("new", "echo new >new");
    scene.git(&["checkout", "-q", "main"]);
    scene.sh(target);
    scene
}

/// What git's rebase makes of it: the tree and the subjects, or nothing where it stops.
fn by_git(scene: &Scene) -> Option<(String, String)> {
    let place = scene.beside("by-git");
    scene.git(&["worktree", "add", "-q", "--detach", place.to_str().unwrap(), "change"]);
    let done = raw(Command::new("git").args(["rebase", "-q", "main"]), &place).status.success();
    done.then(|| (git(&place, &["write-tree"]), git(&place, &["log", "--format=%s", "main..HEAD"])))
}

fn prepare(scene: &Scene) -> Prepared {
    Rebase::default().prepare(&scene.open(), &scene.target("main"), &scene.change("change")).unwrap()
}

fn left_out(made: &Candidate) -> Vec<&Step> {
    let Made::Replay { steps } = &made.made else { panic!("{made:?}") };
    steps.iter().filter(|step| step.same_as.is_some()).collect()
}

#[test]
fn commits_that_the_target_has_under_another_id_are_left_out_as_git_does() {
    for (target, count) in TARGETS {
        let scene = scene(target);
        let gits = by_git(&scene);
        match (prepare(&scene), gits) {
            (Prepared::Candidate(made), Some((tree, subjects))) => {
                assert_eq!(scene.tree(made.commit.as_str()), tree, "{target}");
                assert_eq!(scene.git(&["log", "--format=%s", &format!("main..{}", made.commit)]), subjects, "{target}");
                if !target.contains("change~3") {
                    assert_eq!(left_out(&made).len(), *count, "{target}");
                }
                for step in left_out(&made) {
                    let same = step.same_as.as_ref().unwrap();
                    assert!(scene.open().contains(&scene.id("main"), same).unwrap());
                }
            }
            (Prepared::Conflict(_), None) => {}
            (prepared, gits) => panic!("{target}: {prepared:?}, git has {gits:?}"),
        }
    }
}

#[test]
fn what_was_left_out_is_proven_again_and_a_lie_about_it_is_not() {
    // The target has taken back what the change brought, so nothing of it is there.
    let scene = scene("git cherry-pick change~2 >/dev/null; git revert --no-edit HEAD; git checkout -q --detach");
    let before = scene.id("main");
    let made = candidate(prepare(&scene));
    assert_eq!(left_out(&made).len(), 1);
    let repository = scene.open();
    for lie in [scene.id("main"), scene.id("change"), scene.id("change~2")] {
        let mut other = made.clone();
        let Made::Replay { steps } = &mut other.made else { panic!() };
        steps.iter_mut().filter(|step| step.same_as.is_some()).for_each(|step| step.same_as = Some(lie.clone()));
        assert!(matches!(repository.land(&other, Checkout::Refuse), Err(Error::Object { .. })), "{lie}");
        assert!(repository.certify(&other).is_err(), "{lie}");
    }
    repository.record(&repository.certify(&made).unwrap()).unwrap();
    assert_eq!(repository.land(&made, Checkout::Refuse).unwrap(), Landing::Landed);
    let range = LandingRange { branch: branch("main"), from: before, to: scene.id("main") };
    let found = repository.verify(&range).unwrap();
    assert!(found.holds(), "{found:?}");
}

#[test]
fn a_change_that_the_target_has_commit_by_commit_brings_nothing() {
    let scene =
        scene("git cherry-pick change~3 change~2 change~1 change >/dev/null; echo more >>f; git commit -qam more");
    assert_eq!(prepare(&scene), Prepared::Empty);
}
