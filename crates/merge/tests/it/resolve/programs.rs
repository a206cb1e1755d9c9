//! Programs that resolve: they make files anew, or merge them by what is in them.

use std::sync::Arc;

use hedgerow_merge::{Regenerate, Resolvers, Structured, Take, Version};

use super::workbench::Bench;
use super::{ask, resolved};
use crate::scene::Scene;

/// `lock` lists what is in `needs`, with a number that differs for every list.
fn scene() -> Scene {
    let lock = "sort needs >lock; wc -l <needs >>lock";
    Scene::forked(
        &format!("printf 'a\\nb\\nc\\nd\\ne\\nf\\ng\\n' >needs; {lock}"),
        &format!("sed -i '1i one' needs; {lock}"),
        &format!("echo two >>needs; {lock}"),
    )
}

fn regenerate(bench: &Arc<Bench>, script: &str) -> Resolvers {
    Resolvers::new().on("lock", Regenerate::new(["sh", "-ec", script], bench.clone())).unwrap()
}

#[test]
fn a_lock_file_is_made_anew_from_both_sides() {
    let scene = scene();
    let bench = Arc::new(Bench::new(&scene));
    let resolution = resolved(&scene, &regenerate(&bench, "sort needs >lock; wc -l <needs >>lock"));
    let lock = scene.git(&["cat-file", "blob", &format!("{}:lock", resolution.tip)]);
    assert_eq!(lock, "a\nb\nc\nd\ne\nf\ng\none\ntwo\n9");
    assert_eq!((bench.runs(), resolution.resolved[0].by.as_str()), (2, "regenerate"));
}

#[test]
fn a_command_that_makes_something_else_each_time_is_not_believed() {
    let scene = scene();
    let bench = Arc::new(Bench::new(&scene));
    let asked = ask(&scene, &regenerate(&bench, "echo more >>lock"), &scene.conflict("main", "change"));
    assert!(asked.answers.is_empty());
    assert!(asked.declined[0].why.contains("something else each time"), "{:?}", asked.declined);
}

#[test]
fn a_command_that_fails_declines_with_what_it_said() {
    let scene = scene();
    let bench = Arc::new(Bench::new(&scene));
    let asked = ask(&scene, &regenerate(&bench, "echo no network >&2; exit 3"), &scene.conflict("main", "change"));
    assert!(asked.answers.is_empty() && bench.runs() == 1);
    let why = &asked.declined[0].why;
    assert!(why.contains("ended with 3") && why.contains("no network"), "{why}");
}

#[test]
fn nothing_is_made_anew_while_sources_are_in_conflict() {
    let scene =
        Scene::forked("echo a >needs; cp needs lock", "echo m >needs; cp needs lock", "echo c >needs; cp needs lock");
    let bench = Arc::new(Bench::new(&scene));
    let early = regenerate(&bench, "cp needs lock");
    let asked = ask(&scene, &early, &scene.conflict("main", "change"));
    assert!(asked.answers.is_empty() && bench.runs() == 0);
    assert!(asked.declined[0].why.contains("not decided yet"), "{:?}", asked.declined);
    let late = Resolvers::new().on("needs", Take(Version::Change)).unwrap();
    let late = late.on("lock", Regenerate::new(["cp", "needs", "lock"], bench.clone())).unwrap();
    let resolution = resolved(&scene, &late);
    assert_eq!(scene.git(&["cat-file", "blob", &format!("{}:lock", resolution.tip)]), "c");
}

#[test]
fn a_command_that_deletes_the_file_deletes_it() {
    let scene = scene();
    let bench = Arc::new(Bench::new(&scene));
    let resolution = resolved(&scene, &regenerate(&bench, "rm -f lock"));
    assert!(!scene.git_ok(&["cat-file", "-e", &format!("{}:lock", resolution.tip)]));
}

#[test]
fn a_program_gets_what_a_merge_driver_gets() {
    let scene = Scene::forked("seq 9 >f.rs", "sed -i 's/5/m/' f.rs", "sed -i 's/5/c/' f.rs");
    let bench = Arc::new(Bench::new(&scene));
    let program = |arguments: &[&str]| {
        let command = ["sh", "-ec"].into_iter().chain(arguments.iter().copied());
        Resolvers::new().on("*.rs", Structured::new("tool", command, bench.clone())).unwrap()
    };
    let script = "cat \"$2\" \"$1\" \"$3\" >all; echo \"$4 $5 $6 $7 $8\" >>all; mv all \"$1\"";
    let arguments = ["sh", "%A", "%O", "%B", "%L", "%P", "%S", "%X", "%Y"];
    let all: Vec<_> = [script].into_iter().chain(arguments).collect();
    let resolution = resolved(&scene, &program(&all));
    let made = scene.git(&["cat-file", "blob", &format!("{}:f.rs", resolution.tip)]);
    let blob = |side: &str| scene.git(&["cat-file", "blob", &format!("{side}:f.rs")]);
    let expected = format!("{}\n{}\n{}\n7 f.rs base target change", blob("main~1"), blob("main"), blob("change"));
    assert_eq!((made, resolution.resolved[0].by.as_str()), (expected, "tool"));
    for (script, said) in [
        ("exit 1", "conflicts for the program too"),
        ("echo broken >&2; exit 129", "failed with 129: broken"),
        ("kill -9 $$", "was stopped"),
        ("rm \"$1\"", "left no result"),
    ] {
        let asked = ask(&scene, &program(&[script, "sh", "%A"]), &scene.conflict("main", "change"));
        assert!(asked.answers.is_empty(), "{script}");
        assert!(asked.declined[0].why.contains(said), "{script}: {:?}", asked.declined);
    }
}
