//! The check that a landing loses nothing: results that were broken on purpose, and merges that only look like it.

use hedgerow_merge::{Candidate, Checkout, CommitId, Landing, Loss, Lost, MergeStrategy, Ours, Promote, Whose};
use proptest::prelude::*;

use crate::scene::{Scene, candidate};

/// Both sides change `both`, add files, and leave `kept` alone.
fn scene() -> Scene {
    let scene = Scene::forked(
        "seq 40 >both; echo kept >kept; echo x >run; seq 9 >drop",
        "sed -i 's/^3$/three/; 10d' both; echo main >main; git rm -q drop",
        "sed -i 's/^30$/thirty/; 35a new' both; echo change >change; chmod +x run",
    );
    // A landing does not go into a checkout.
    scene.git(&["checkout", "-q", "--detach"]);
    scene
}

/// The candidate with another tree, which a script makes of the right one.
fn broken(scene: &Scene, script: &str) -> Candidate {
    let good = scene.candidate("main", "change");
    scene.git(&["read-tree", "-u", "--reset", good.commit.as_str()]);
    scene.sh(script);
    scene.git(&["add", "-A"]);
    let tree = scene.git(&["write-tree"]);
    let (main, change) = (scene.id("main"), scene.id("change"));
    let commit = scene.git(&["commit-tree", "-m", "broken", "-p", main.as_str(), "-p", change.as_str(), &tree]);
    Candidate { commit: CommitId::new(commit).unwrap(), ..good }
}

fn land(scene: &Scene, candidate: &Candidate) -> Landing {
    scene.open().land(candidate, Checkout::Refuse).unwrap()
}

fn lost(path: &str, whose: Whose, what: Lost) -> Loss {
    Loss { path: hedgerow_merge::RepoPath::new(path), whose, what }
}

#[test]
fn a_result_that_lacks_work_of_either_side_does_not_land() {
    let scene = scene();
    let before = scene.id("main");
    for (script, expected) in [
        ("rm change", lost("change", Whose::Change, Lost::Path)),
        ("rm main", lost("main", Whose::Target, Lost::Path)),
        ("rm kept", lost("kept", Whose::Both, Lost::Path)),
        ("echo invented >invented", lost("invented", Whose::Both, Lost::Path)),
        ("chmod -x run", lost("run", Whose::Change, Lost::Path)),
        ("seq 9 >drop", lost("drop", Whose::Target, Lost::Path)),
        ("sed -i '/^three$/d' both", lost("both", Whose::Target, Lost::Added { lines: 1 })),
        ("sed -i '/^new$/d' both", lost("both", Whose::Change, Lost::Added { lines: 1 })),
        ("sed -i '/^20$/d' both", lost("both", Whose::Both, Lost::Added { lines: 1 })),
        ("sed -i '9a 10' both", lost("both", Whose::Target, Lost::Removed { lines: 1 })),
        ("git show change:both >both", lost("both", Whose::Target, Lost::Added { lines: 1 })),
    ] {
        let Landing::WouldLose { losses } = land(&scene, &broken(&scene, script)) else { panic!("{script} landed") };
        assert!(losses.contains(&expected), "{script}: {losses:?}");
        assert!(losses.iter().all(|loss| loss.path == expected.path), "{script}: {losses:?}");
    }
    assert_eq!(scene.id("main"), before);
    assert_eq!(land(&scene, &broken(&scene, "true")), Landing::Landed);
}

#[test]
fn a_result_made_from_a_stale_base_does_not_land() {
    let scene = scene();
    for tree in ["main~1", "main", "change"] {
        let script = format!("git read-tree -u --reset {tree}");
        assert!(matches!(land(&scene, &broken(&scene, &script)), Landing::WouldLose { .. }), "{tree}");
    }
}

#[test]
fn what_a_strategy_drops_is_listed_and_lands_only_when_it_is() {
    let scene = scene();
    let strategies: [(&dyn MergeStrategy, Whose); 2] = [(&Ours, Whose::Change), (&Promote, Whose::Target)];
    for (strategy, whose) in strategies {
        let (target, change) = (scene.target("main"), scene.change("change"));
        let made = candidate(strategy.prepare(&scene.open(), &target, &change).unwrap());
        assert!(made.dropped.iter().all(|loss| loss.whose == whose), "{:?}", made.dropped);
        assert!(made.dropped.iter().any(|loss| loss.path.to_string() == "both"), "{:?}", made.dropped);
        let silent = Candidate { dropped: Vec::new(), ..made.clone() };
        assert_eq!(land(&scene, &silent), Landing::WouldLose { losses: made.dropped.clone() });
        let stored = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Candidate>(&stored).unwrap(), made);
    }
    let made = candidate(Ours.prepare(&scene.open(), &scene.target("main"), &scene.change("change")).unwrap());
    assert_eq!(land(&scene, &made), Landing::Landed);
}

#[test]
fn renames_are_no_losses_in_either_direction() {
    for (base, main, change) in [
        ("seq 30 >f", "git mv f g", "sed -i 's/^5$/x/' f"),
        ("seq 30 >f", "git mv f g; sed -i 's/^25$/y/' g", "sed -i 's/^5$/x/' f"),
        ("seq 30 >f", "git mv f g; sed -i 's/^25$/y/' g", "git mv f g; sed -i 's/^5$/x/' g"),
        ("mkdir d; seq 30 >d/f; seq 50 >d/g", "git mv d e", "sed -i 's/^5$/x/' d/f d/g"),
        ("seq 30 >f", "git mv f g", "chmod +x f"),
    ] {
        let scene = Scene::forked(base, main, change);
        for (target, change) in [("main", "change"), ("change", "main")] {
            let made = scene.candidate(target, change);
            assert!(made.dropped.is_empty(), "{base}: {main}: {change}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_one_line_that_is_taken_out_of_a_merge_is_missed(line in 1_usize..41) {
        let scene = scene();
        let good = scene.candidate("main", "change");
        let text = scene.git(&["cat-file", "blob", &format!("{}:both", good.commit)]);
        prop_assert_eq!(text.lines().count(), 40);
        let found = land(&scene, &broken(&scene, &format!("sed -i '{}d' both", line.min(40))));
        let missed = matches!(found, Landing::WouldLose { .. });
        prop_assert!(missed);
    }
}
