//! Every strategy against git's own porcelain in a worktree beside the repository.

use hedgerow_merge::{
    CherryPick, Diverged, Empties, FastForward, MergeStrategy, Merges, Octopus, Ours, Prepared, Promote, Rebase,
    Refusal, Squash,
};

use crate::scene::{Scene, candidate, git};

fn prepare(scene: &Scene, strategy: &dyn MergeStrategy, target: &str, change: &str) -> Prepared {
    strategy.prepare(&scene.open(), &scene.target(target), &scene.change(change)).unwrap()
}

/// The id of the candidate, which is the same when it is prepared again.
fn made(scene: &Scene, strategy: &dyn MergeStrategy, target: &str, change: &str) -> String {
    let [one, again] = [0, 1].map(|_| candidate(prepare(scene, strategy, target, change)).commit);
    assert_eq!(one, again, "the same input makes the same id");
    scene.git(&["update-ref", "refs/keep/made", one.as_str()]);
    scene.fsck();
    assert!(scene.open().contains(&one, &scene.id(target)).unwrap(), "the target is not lost");
    one.to_string()
}

/// What git makes of it in a worktree that is at `start`: the tree afterwards.
fn by_git(scene: &Scene, start: &str, commands: &[&[&str]]) -> String {
    let place = scene.beside("by-git");
    let path = place.to_str().unwrap();
    scene.git(&["worktree", "add", "-q", "--detach", path, start]);
    for command in commands {
        git(&place, command);
    }
    let tree = git(&place, &["write-tree"]);
    scene.git(&["worktree", "remove", "--force", path]);
    tree
}

/// A target and a change of three commits by two people; the second has a trailer.
fn series() -> Scene {
    let scene = Scene::forked("seq 30 >f; seq 30 >g", "sed -i 's/^1$/one/' f", "sed -i 's/^9$/nine/' f");
    scene.git(&["checkout", "-q", "change"]);
    scene.sh("sed -i 's/^20$/twenty/' f; echo new >h; git add h");
    scene.sh("GIT_AUTHOR_NAME=Other GIT_AUTHOR_DATE='1600000000 -0700' git commit -qam 'Second\n\nWhy.\n\nTask: two'");
    scene.commit("Third\n\nSome text: not a trailer", "git mv g moved; sed -i 's/^30$/thirty/' moved");
    scene.git(&["checkout", "-q", "main"]);
    scene
}

fn log(scene: &Scene, range: &str) -> Vec<String> {
    let text = scene.git(&["log", "--reverse", "--format=%an %ae %ad|%cn %ct|%B%x00", "--date=raw", range]);
    text.split('\0').map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
}

#[test]
fn a_squash_has_gits_tree_on_one_parent_and_names_all_authors() {
    let scene = series();
    let commit = made(&scene, &Squash, "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "main", &[&["merge", "-q", "--squash", "change"]]));
    assert_eq!(scene.git(&["rev-parse", &format!("{commit}^@")]), scene.id("main").to_string());
    let who = "Writer writer@example.com 1700000000 +0100|Queue 1700000000|";
    let text = "Bring in a change\n\nCo-authored-by: Other <writer@example.com>\nTask: fix-42";
    assert_eq!(log(&scene, &format!("main..{commit}")), [format!("{who}{text}")]);
}

#[test]
fn a_rebase_has_gits_tree_and_keeps_authors_dates_and_messages() {
    let scene = series();
    let commit = made(&scene, &Rebase::default(), "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "change", &[&["rebase", "-q", "main"]]));
    let writer = "Writer writer@example.com 1700000000 +0100|Queue 1700000000|";
    assert_eq!(
        log(&scene, &format!("main..{commit}")),
        [
            format!("{writer}change\n\nTask: fix-42"),
            "Other writer@example.com 1600000000 -0700|Queue 1700000000|Second\n\nWhy.\n\nTask: two\nTask: fix-42"
                .into(),
            format!("{writer}Third\n\nSome text: not a trailer\n\nTask: fix-42"),
        ]
    );
    assert_eq!(scene.git(&["rev-list", "--merges", &format!("main..{commit}")]), "");
}

#[test]
fn a_rebase_names_the_commit_that_conflicts_and_leaves_what_came_before_for_whoever_decides() {
    let scene = series();
    scene.commit("in the way", "sed -i 's/^20$/zwanzig/' f");
    let Prepared::Conflict(conflict) = prepare(&scene, &Rebase::default(), "main", "change") else { panic!() };
    assert_eq!(conflict.theirs, scene.id("change~1"));
    assert_eq!(conflict.bases, [scene.id("change~2")]);
    assert_eq!(
        scene.git(&["log", "-1", "--format=%s %P", conflict.ours.as_str()]),
        format!("change {}", scene.id("main"))
    );
    let inspection = scene.open().inspect(&conflict, conflict.paths.first()).unwrap();
    assert_eq!(inspection.hunks.len(), 1);
    assert_eq!(inspection.theirs[0].tasks().collect::<Vec<_>>(), ["two"]);
}

#[test]
fn commits_that_the_target_has_already_are_left_out_or_kept() {
    let scene = series();
    scene.git(&["cherry-pick", "change~1"]);
    let commit = made(&scene, &Rebase::default(), "main", "change");
    assert_eq!(scene.git(&["rev-list", "--count", &format!("main..{commit}")]), "2");
    assert_eq!(scene.tree(&commit), by_git(&scene, "change", &[&["rebase", "-q", "main"]]));
    let keep = Rebase { empties: Empties::Keep, ..Rebase::default() };
    let commit = made(&scene, &keep, "main", "change");
    assert_eq!(scene.git(&["rev-list", "--count", &format!("main..{commit}")]), "3");
    scene.git(&["cherry-pick", "change~2", "change"]);
    assert_eq!(prepare(&scene, &Rebase::default(), "main", "change"), Prepared::Empty);
    assert_eq!(prepare(&scene, &Squash, "main", "change"), Prepared::Empty);
}

#[test]
fn a_merge_inside_a_series_is_refused_or_flattened() {
    let scene = series();
    scene.git(&["checkout", "-q", "-b", "side", "change~2"]);
    scene.commit("on the side", "echo side >side");
    scene.git(&["checkout", "-q", "change"]);
    scene.git(&["merge", "-q", "--no-ff", "-m", "inside", "side"]);
    scene.git(&["checkout", "-q", "main"]);
    let refused = Prepared::Refused(Refusal::MergeInside { commit: scene.id("change") });
    assert_eq!(prepare(&scene, &Rebase::default(), "main", "change"), refused);
    let flatten = Rebase { merges: Merges::Flatten, ..Rebase::default() };
    let commit = made(&scene, &flatten, "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "change", &[&["rebase", "-q", "main"]]));
    assert_eq!(scene.git(&["rev-list", "--count", &format!("main..{commit}")]), "4");
}

#[test]
fn a_cherry_pick_brings_the_named_commits_and_nothing_behind_them() {
    let scene = series();
    let pick = CherryPick { commits: vec![scene.id("change"), scene.id("change~1")], empties: Empties::Drop };
    let commit = made(&scene, &pick, "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "main", &[&["cherry-pick", "change", "change~1"]]));
    assert!(scene.git(&["show", &format!("{commit}:f")]).contains("\n9\n"), "the first commit was not named");
    let tip = made(&scene, &CherryPick::default(), "main", "change");
    assert_eq!(scene.tree(&tip), by_git(&scene, "main", &[&["cherry-pick", "change"]]));
}

#[test]
fn an_octopus_has_gits_tree_and_parents() {
    let scene = Scene::forked("seq 30 >f", "sed -i 's/^1$/one/' f", "sed -i 's/^9$/nine/' f");
    for (name, line) in [("two", 15), ("three", 21), ("four", 27)] {
        scene.git(&["checkout", "-q", "-b", name, "change~1"]);
        scene.commit(name, &format!("sed -i 's/^{line}$/{name}/' f; echo {name} >{name}"));
    }
    scene.git(&["branch", "behind", "two"]);
    scene.git(&["checkout", "-q", "two"]);
    scene.commit("more", "echo more >>two");
    scene.git(&["checkout", "-q", "main"]);
    let with = ["behind", "two", "three", "four"].map(|name| scene.id(name)).to_vec();
    let commit = made(&scene, &Octopus { with }, "main", "change");
    let merge: &[&str] = &["merge", "-q", "--no-edit", "change", "two", "three", "four"];
    assert_eq!(scene.tree(&commit), by_git(&scene, "main", &[merge]));
    let parents = ["main", "change", "two", "three", "four"].map(|name| scene.id(name).to_string()).join("\n");
    assert_eq!(scene.git(&["rev-parse", &format!("{commit}^@")]), parents);
}

#[test]
fn an_octopus_names_the_tip_that_does_not_fit() {
    let scene = Scene::forked("seq 9 >f", "echo m >m", "sed -i 's/^5$/x/' f");
    scene.git(&["checkout", "-q", "-b", "other", "change~1"]);
    scene.commit("other", "sed -i 's/^5$/y/' f");
    scene.git(&["checkout", "-q", "main"]);
    let octopus = Octopus { with: vec![scene.id("other")] };
    let Prepared::Conflict(conflict) = prepare(&scene, &octopus, "main", "change") else { panic!() };
    assert_eq!(conflict.theirs, scene.id("other"));
    assert!(scene.open().contains(&conflict.ours, &scene.id("change")).unwrap());
}

#[test]
fn a_fast_forward_makes_no_commit_and_a_diverged_change_is_refused_or_merged() {
    let scene = series();
    let merge = FastForward { diverged: Diverged::Merge };
    assert_eq!(prepare(&scene, &FastForward::default(), "main", "change"), Prepared::Refused(Refusal::Diverged));
    let commit = made(&scene, &merge, "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "main", &[&["merge", "-q", "--no-edit", "change"]]));
    scene.git(&["branch", "behind", "change~2"]);
    for strategy in [merge, FastForward::default()] {
        assert_eq!(made(&scene, &strategy, "behind", "change"), scene.id("change").to_string());
    }
}

#[test]
fn a_loser_is_joined_and_nothing_of_it_taken() {
    let scene = series();
    let commit = made(&scene, &Ours, "main", "change");
    assert_eq!(scene.tree(&commit), by_git(&scene, "main", &[&["merge", "-q", "--no-edit", "-s", "ours", "change"]]));
    assert!(
        scene
            .open()
            .contains(&candidate(prepare(&scene, &Ours, "main", "change")).commit, &scene.id("change"))
            .unwrap()
    );
}

#[test]
fn a_promoted_tree_is_taken_as_it_is() {
    let scene = series();
    let commit = made(&scene, &Promote, "main", "change");
    assert_eq!(scene.tree(&commit), scene.tree("change"));
    let parents = ["main", "change"].map(|name| scene.id(name).to_string()).join("\n");
    assert_eq!(scene.git(&["rev-parse", &format!("{commit}^@")]), parents);
}

#[test]
fn what_the_target_contains_is_already_merged_for_every_strategy() {
    let scene = series();
    scene.git(&["branch", "behind", "main~1"]);
    let strategies: [&dyn MergeStrategy; 6] =
        [&Squash, &Rebase::default(), &Octopus::default(), &FastForward::default(), &Ours, &Promote];
    for strategy in strategies {
        assert_eq!(prepare(&scene, strategy, "main", "behind"), Prepared::AlreadyMerged, "{strategy:?}");
    }
}
