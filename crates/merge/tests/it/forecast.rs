//! What would land of many changes, and which contradict each other. git judges.

use std::collections::BTreeSet;

use hedgerow_merge::queue::{ChangeId, Relation};
use hedgerow_merge::{CommitId, Forecast, Foreseen, News, Outlook};
use proptest::prelude::*;

use crate::scene::Scene;

fn id(name: &str) -> ChangeId {
    ChangeId::new(name)
}

/// `main` with what the script makes, and a branch for each further name and script.
fn scene(base: &str, branches: &[(&str, &str)]) -> Scene {
    let scene = Scene::empty();
    scene.commit("base", base);
    for (name, script) in branches {
        branch(&scene, name, "main", script);
    }
    scene
}

fn branch(scene: &Scene, name: &str, from: &str, script: &str) -> CommitId {
    scene.git(&["checkout", "-q", "-B", name, from]);
    let made = scene.commit(name, script);
    scene.git(&["checkout", "-q", "main"]);
    made
}

fn tips(scene: &Scene, names: &[&str]) -> Vec<(ChangeId, CommitId)> {
    names.iter().map(|name| (id(name), scene.id(name))).collect()
}

fn forecast(scene: &Scene, names: &[&str]) -> (Forecast, Vec<News>) {
    let mut forecast = Forecast::new(&scene.open(), scene.id("main"));
    let news = forecast.update(tips(scene, names)).unwrap();
    (forecast, news)
}

fn pairs(forecast: &Forecast) -> BTreeSet<(String, String)> {
    forecast.clashes().map(|clash| (clash.one.to_string(), clash.other.to_string())).collect()
}

fn pair(one: &str, other: &str) -> BTreeSet<(String, String)> {
    BTreeSet::from([(one.to_owned(), other.to_owned())])
}

fn outlook(forecast: &Forecast, name: &str) -> Outlook {
    let found = forecast.order().into_iter().find(|foreseen| foreseen.change == id(name));
    found.unwrap_or_else(|| panic!("{name} is in the picture")).outlook
}

#[test]
fn what_touches_other_lines_lands_and_what_touches_the_same_clashes() {
    let scene = scene(
        "seq 30 >f; seq 9 >g",
        &[("top", "sed -i s/^2$/two/ f"), ("bottom", "sed -i s/^29$/x/ f"), ("rival", "sed -i s/^2$/II/ f; echo >>g")],
    );
    let (forecast, news) = forecast(&scene, &["top", "bottom", "rival"]);
    assert_eq!(pairs(&forecast), pair("rival", "top"));
    assert!(matches!(&news[..], [News::Clash(clash)] if clash.conflict.paths[0].path.to_string() == "f"), "{news:?}");
    let related: Vec<_> = forecast.related(&id("top")).collect();
    assert_eq!(related, [(&id("bottom"), Relation::Path), (&id("rival"), Relation::Hunk)]);
    let order: Vec<_> =
        forecast.order().into_iter().map(|foreseen| (foreseen.change.to_string(), foreseen.outlook)).collect();
    let clash = Outlook::Clashes { with: vec![id("top")] };
    let expected = [("bottom", Outlook::Lands), ("top", Outlook::Lands), ("rival", clash)];
    assert_eq!(order, expected.map(|(name, outlook)| (name.to_owned(), outlook)));
}

#[test]
fn the_same_change_twice_is_no_contradiction() {
    let scene = scene("seq 9 >f", &[("one", "sed -i s/5/five/ f"), ("other", "sed -i s/5/five/ f; echo >g")]);
    assert_eq!(pairs(&forecast(&scene, &["one", "other"]).0), BTreeSet::new());
}

#[test]
fn a_file_in_the_place_of_a_directory_clashes() {
    let scene = scene("echo >f", &[("file", "echo >new"), ("directory", "mkdir new; echo >new/inner")]);
    assert_eq!(pairs(&forecast(&scene, &["file", "directory"]).0), pair("directory", "file"));
}

#[test]
fn a_file_that_is_added_to_a_directory_that_moves_clashes_as_git_says() {
    let scene = scene(
        "mkdir old; seq 9 >old/a; seq 20 >old/b",
        &[("moves", "git mv old new"), ("adds", "echo added >old/c"), ("works", "sed -i s/5/five/ old/a")],
    );
    let (forecast, _) = forecast(&scene, &["moves", "adds", "works"]);
    assert_eq!(pairs(&forecast), pair("adds", "moves"), "what works in a moved file goes along");
    assert!(!scene.git_ok(&["merge-tree", "--write-tree", "moves", "adds"]));
    assert!(scene.git_ok(&["merge-tree", "--write-tree", "moves", "works"]));
}

#[test]
fn lines_of_a_file_that_attributes_forbid_to_merge_are_not_compared() {
    let scene = scene(
        "echo '*.lock -merge' >.gitattributes; seq 30 >a.lock",
        &[("top", "sed -i s/^2$/two/ a.lock"), ("bottom", "sed -i s/^29$/x/ a.lock")],
    );
    assert_eq!(pairs(&forecast(&scene, &["top", "bottom"]).0), pair("bottom", "top"));
}

#[test]
fn a_block_that_was_inserted_among_like_ones_is_where_a_merge_takes_it_to_be() {
    let scene = scene(
        "for n in a c; do printf '[[package]]\\nname = %s\\n\\n' $n; done >lock",
        &[("inserts", "sed -i '3a [[package]]\\nname = b\\n' lock"), ("edits", "sed -i 's/= c/= C/' lock")],
    );
    assert!(!scene.git_ok(&["merge-tree", "--write-tree", "inserts", "edits"]));
    assert_eq!(pairs(&forecast(&scene, &["inserts", "edits"]).0), pair("edits", "inserts"));
}

#[test]
fn what_conflicts_with_the_target_is_blocked_until_it_is_done_again() {
    let scene = scene("seq 30 >f", &[("late", "sed -i s/^2$/two/ f"), ("rival", "sed -i s/^2$/II/ f; echo >g")]);
    let (mut forecast, _) = forecast(&scene, &["late", "rival"]);
    scene.commit("meanwhile", "sed -i s/^2$/zwei/ f");
    let news = forecast.advance(scene.id("main")).unwrap();
    let blocked: Vec<_> = news.iter().filter(|news| matches!(news, News::Blocked { .. })).collect();
    assert_eq!(blocked.len(), 2, "{news:?}");
    assert!(matches!(outlook(&forecast, "late"), Outlook::Blocked { .. }));
    assert_eq!(pairs(&forecast), BTreeSet::new(), "of two that cannot land nobody asks whether both can");

    branch(&scene, "late", "main", "sed -i s/^zwei$/two/ f");
    let news = forecast.update(tips(&scene, &["late"])).unwrap();
    assert_eq!(news, [News::Free { change: id("late") }]);
    assert_eq!(outlook(&forecast, "late"), Outlook::Lands);
}

#[test]
fn what_landed_is_said_once_and_forgotten() {
    let scene = scene("seq 30 >f", &[("one", "sed -i s/^2$/two/ f"), ("other", "sed -i s/^2$/II/ f")]);
    let (mut forecast, _) = forecast(&scene, &["one", "other"]);
    scene.git(&["merge", "-q", "--no-ff", "-m", "land", "one"]);
    let news = forecast.advance(scene.id("main")).unwrap();
    assert!(news.contains(&News::Contained { change: id("one") }), "{news:?}");
    assert!(news.contains(&News::Parted { one: id("one"), other: id("other") }), "{news:?}");
    assert_eq!(forecast.order().len(), 1);
    assert_eq!(forecast.advance(scene.id("main")).unwrap(), []);
}

#[test]
fn changes_made_on_different_commits_of_the_target_are_compared_as_they_would_land() {
    let scene = scene("seq 30 >f", &[("early", "sed -i s/^20$/XX/ f")]);
    // Line 20 is line 15 now, and nobody is in the way of anybody.
    scene.commit("shorter", "sed -i 1,5d f");
    branch(&scene, "late", "main", "sed -i s/^10$/ten/ f");
    branch(&scene, "rival", "main", "sed -i s/^20$/twenty/ f");
    let (forecast, _) = forecast(&scene, &["early", "late", "rival"]);
    assert_eq!(pairs(&forecast), pair("early", "rival"));
}

#[test]
fn an_update_says_only_what_is_new_and_a_removal_what_is_over() {
    let scene = scene("seq 30 >f", &[("one", "sed -i s/^2$/two/ f"), ("other", "sed -i s/^9$/nine/ f")]);
    let (mut forecast, news) = forecast(&scene, &["one", "other"]);
    assert_eq!(news, []);
    branch(&scene, "other", "main", "sed -i s/^2$/II/ f");
    let news = forecast.update(tips(&scene, &["one", "other"])).unwrap();
    assert!(matches!(&news[..], [News::Clash(_)]), "{news:?}");
    assert_eq!(forecast.update(tips(&scene, &["one", "other"])).unwrap(), []);
    assert_eq!(forecast.remove(&id("other")), [News::Parted { one: id("one"), other: id("other") }]);
    assert_eq!(forecast.remove(&id("other")), []);
}

#[test]
fn a_commit_that_is_missing_is_an_error_and_the_others_stay() {
    let scene = scene("seq 30 >f", &[("one", "echo >g")]);
    let (mut forecast, _) = forecast(&scene, &["one"]);
    let missing = CommitId::new("1".repeat(40)).unwrap();
    let error = forecast.update([(id("gone"), missing.clone())]).unwrap_err();
    assert!(error.to_string().contains(missing.as_str()), "{error}");
    assert_eq!(forecast.order(), [foreseen("one", Outlook::Lands)]);
}

fn foreseen(name: &str, expected: Outlook) -> Foreseen {
    let text = serde_json::json!({ "change": name, "outlook": expected });
    serde_json::from_value(text).unwrap()
}

#[test]
fn nothing_is_written() {
    let scene = scene("seq 30 >f", &[("one", "sed -i s/^2$/two/ f"), ("other", "sed -i s/^2$/II/ f")]);
    let all = || (scene.git(&["count-objects", "-v"]), scene.git(&["for-each-ref"]), scene.git(&["status", "-s"]));
    let before = all();
    let (mut forecast, _) = forecast(&scene, &["one", "other"]);
    scene.git(&["update-ref", "refs/heads/main", "one"]);
    forecast.advance(scene.id("one")).unwrap();
    scene.git(&["update-ref", "refs/heads/main", "main@{1}"]);
    assert_eq!(all(), before);
}

/// What one of several authors does to a file of thirty lines, some of which are alike.
fn edit() -> impl Strategy<Value = String> {
    let file = prop_oneof![Just("f"), Just("g"), Just("d/h")];
    let line = 1..30u32;
    prop_oneof![
        8 => (file.clone(), line.clone(), 0..3u8).prop_map(|(f, n, w)| format!("[ ! -e {f} ] || sed -i '{n}s/.*/w{w}/' {f}")),
        4 => (file.clone(), line.clone(), 0..3u8).prop_map(|(f, n, w)| format!("[ ! -e {f} ] || sed -i '{n}i new{w}' {f}")),
        4 => (file.clone(), line, 0..4u32).prop_map(|(f, n, m)| format!("[ ! -e {f} ] || sed -i '{n},{}d' {f}", n + m)),
        1 => file.clone().prop_map(|f| format!("rm -f {f}")),
        1 => (file, 0..3u8).prop_map(|(f, n)| format!("[ ! -e {f} ] || mv -f {f} moved{n}")),
        1 => (0..3u8).prop_map(|n| format!("mkdir -p d; echo {n} >d/new")),
        1 => Just("[ ! -d d ] || [ -e e ] || mv d e".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// The point of the whole: where lines are compared instead of merging, git must agree.
    #[test]
    fn what_is_said_not_to_clash_merges_and_what_is_said_to_does_not(
        authors in prop::collection::vec(prop::collection::vec(edit(), 1..4), 5),
    ) {
        let base = "mkdir d; for f in f g d/h; do seq 30 | sed 's/[05]$/}/' >$f; echo end $f >>$f; done";
        let names = ["a", "b", "c", "d", "e"];
        let scripts: Vec<_> = authors.iter().map(|edits| edits.join("; ")).collect();
        let branches: Vec<_> = names.into_iter().zip(scripts.iter().map(String::as_str)).collect();
        let scene = scene(base, &branches);
        let (forecast, _) = forecast(&scene, &names);
        let said = pairs(&forecast);
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                let merges = scene.git_ok(&["merge-tree", "--write-tree", one, other]);
                let clashes = said.contains(&((*one).to_owned(), (*other).to_owned()));
                // An empty change is contained and nobody's rival.
                prop_assert_eq!(clashes, !merges, "{} and {}: {:?}", one, other, &scripts);
            }
        }
    }
}
