//! Who is asked, in which order, and what becomes of odd answers.

use async_trait::async_trait;
use hedgerow_merge::{Answer, Case, ConflictId, GiveUp, Reply, Resolver, Resolvers, Result, Take, Union, Version};

use super::{ask, resolved};
use crate::scene::Scene;

fn scene() -> Scene {
    Scene::forked(
        "seq 9 >f; echo start >CHANGELOG.md; mkdir gen; echo g >gen/g",
        "sed -i 's/5/m/' f; echo main >>CHANGELOG.md; echo m >gen/g",
        "sed -i 's/5/c/' f; echo change >>CHANGELOG.md; echo c >gen/g",
    )
}

#[test]
fn each_path_goes_to_the_first_that_answers_for_it() {
    let scene = scene();
    let resolvers = Resolvers::new()
        .on("*", GiveUp)
        .and_then(|them| them.on("CHANGELOG.md", Union))
        .and_then(|them| them.on("gen/", Take(Version::Target)))
        .and_then(|them| them.on("*", Take(Version::Change)))
        .unwrap();
    let asked = ask(&scene, &resolvers, &scene.conflict("main", "change"));
    assert_eq!(asked.declined.len(), 1);
    assert_eq!((asked.declined[0].by.as_str(), asked.open.len()), ("nobody", 0));
    let resolution = resolved(&scene, &resolvers);
    let by: Vec<_> = resolution.resolved.iter().map(|path| (path.path.to_string(), path.by.as_str())).collect();
    assert_eq!(by, [("CHANGELOG.md".into(), "union"), ("f".into(), "take-change"), ("gen/g".into(), "take-target")]);
    let show = |path: &str| scene.git(&["cat-file", "blob", &format!("{}:{path}", resolution.tip)]);
    assert_eq!(show("CHANGELOG.md"), "start\nmain\nchange");
    assert_eq!(show("gen/g"), "m");
    assert_eq!(show("f"), scene.git(&["cat-file", "blob", "change:f"]));
}

#[test]
fn without_resolvers_everything_stays_open() {
    let scene = scene();
    let asked = ask(&scene, &Resolvers::new(), &scene.conflict("main", "change"));
    assert_eq!((asked.answers.len(), asked.declined.len(), asked.open.len()), (0, 0, 3));
}

/// Answers for everything that it sees, twice, and for what nobody asked.
#[derive(Debug)]
struct Eager;

#[async_trait]
impl Resolver for Eager {
    fn name(&self) -> &str {
        "eager"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        let all = || case.conflict.paths.iter().map(Answer::delete);
        let foreign = Answer { conflict: ConflictId::new("7".repeat(40))?, files: Vec::new() };
        Ok(all().chain(all()).chain([foreign]).collect::<Vec<_>>().into())
    }
}

#[test]
fn answers_that_nobody_asked_for_are_ignored() {
    let scene = scene();
    let resolvers = Resolvers::new().on("f", Eager).and_then(|them| them.on("gen/g", Eager)).unwrap();
    let asked = ask(&scene, &resolvers, &scene.conflict("main", "change"));
    assert_eq!((asked.answers.len(), asked.open.len()), (2, 1));
}

#[test]
fn a_union_is_gits_union() {
    for (base, main, change) in [
        ("seq 9", "seq 9; echo m", "seq 9; echo c"),
        ("seq 9", "seq 9 | sed 's/5/m/'", "seq 9 | sed 's/5/c/'"),
        ("seq 9", "seq 9 | sed 's/5/m\\nn/'", "seq 9 | sed '5d;6d'"),
        ("seq 9", "seq 9 | sed 's/[2-8]/m&/'", "seq 9 | sed 's/[2358]/c&/'"),
        ("printf 'a\\nb'", "printf 'a\\nm'", "printf 'a\\nc'"),
        ("printf ''", "printf 'm\\nsame\\n'", "printf 'c\\nsame\\n'"),
        ("printf 'a\\r\\nb\\r\\n'", "printf 'a\\r\\nm'", "printf 'a\\r\\nc\\r\\n'"),
    ] {
        let scene = Scene::forked(&format!("({base}) >f"), &format!("({main}) >f"), &format!("({change}) >f"));
        let resolution = resolved(&scene, &Resolvers::new().on("*", Union).unwrap());
        scene.sh("git show main:f >ours; git show change:f >theirs; git show main~1:f >base");
        let git = scene.sh_out("git merge-file -p --union ours base theirs | od -c");
        assert_eq!(scene.sh_out(&format!("git show {}:f | od -c", resolution.tip)), git, "{base} | {main} | {change}");
    }
}

#[test]
fn a_union_of_what_is_no_text_is_left_to_others() {
    let scene =
        Scene::forked("printf 'a\\0' >f; seq 9 >g", "printf 'b\\0' >f; git rm -q g", "printf 'c\\0' >f; echo x >>g");
    let asked = ask(&scene, &Resolvers::new().on("*", Union).unwrap(), &scene.conflict("main", "change"));
    assert_eq!(asked.open.len(), 2);
    assert!(asked.declined[0].why.contains("not text"), "{:?}", asked.declined);
}
