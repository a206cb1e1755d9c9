//! What was resolved once, and passed, is resolved the same way again.

use async_trait::async_trait;
use hedgerow_merge::{Answer, Case, Content, File, Recorded, Reply, Resolver, Resolvers, Result, Take, Version};

use super::{ask, land, resolved, settled};
use crate::scene::Scene;

/// Writes the same text into every conflicting file.
#[derive(Debug)]
struct Writes(&'static str);

#[async_trait]
impl Resolver for Writes {
    fn name(&self) -> &str {
        "writes"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        let file = || File { mode: 0o100_644, content: Content::Bytes(self.0.into()) };
        Ok(case.open.iter().map(|path| Answer::file(path, file())).collect::<Vec<_>>().into())
    }
}

fn recorded() -> Resolvers {
    Resolvers::new().on("*", Recorded).unwrap()
}

/// Resolves, lands and records `f`, in which both change line 5, and goes back.
fn learn(scene: &Scene) {
    scene.git(&["branch", "-f", "before", "main"]);
    let decided = Resolvers::new().on("*", Writes("1\n2\n3\n4\nboth\n6\n7\n8\n9\n")).unwrap();
    let certificate = land(scene, &resolved(scene, &decided));
    assert_eq!(scene.open().remember(&certificate).unwrap(), 1);
    scene.git(&["branch", "-f", "main", "before"]);
}

fn scene() -> Scene {
    Scene::forked("seq 9 >f", "sed -i 's/5/m/' f", "sed -i 's/5/c/' f")
}

#[test]
fn the_same_lines_are_resolved_as_before_also_from_the_other_side_and_in_another_file() {
    let scene = scene();
    learn(&scene);
    // The target moved, in the same file and elsewhere.
    scene.git(&["checkout", "-q", "main"]);
    scene.commit("on", "sed -i 's/^1$/one/' f; echo x >x");
    let conflict = scene.conflict("main", "change");
    let asked = ask(&scene, &recorded(), &conflict);
    let resolution = settled(&scene, &conflict, &asked.answers);
    let f = scene.git(&["cat-file", "blob", &format!("{}:f", resolution.tip)]);
    assert_eq!((f.as_str(), resolution.resolved[0].by.as_str()), ("one\n2\n3\n4\nboth\n6\n7\n8\n9", "recorded"));
    let flipped = scene.conflict("change", "main");
    let asked = ask(&scene, &recorded(), &flipped);
    let hedgerow_merge::Settled::Resolved(back) =
        scene.open().settle(&flipped, &asked.answers, &scene.change("main")).unwrap()
    else {
        panic!("open")
    };
    assert_eq!(scene.tree(back.tip.as_str()), scene.tree(resolution.tip.as_str()));
    for name in ["main", "change"] {
        scene.git(&["checkout", "-q", name]);
        scene.commit("moved", "mkdir -p dir; git mv f dir/g");
    }
    let conflict = scene.conflict("main", "change");
    let resolution = settled(&scene, &conflict, &ask(&scene, &recorded(), &conflict).answers);
    assert_eq!(scene.git(&["cat-file", "blob", &format!("{}:dir/g", resolution.tip)]), f);
    scene.fsck();
}

#[test]
fn other_lines_and_lines_that_do_not_fit_any_more_stay_open() {
    let scene = scene();
    learn(&scene);
    for edit in ["sed -i 's/^m$/other/' f", "sed -i 's/^4$/four/' f", "sed -i '1,4d' f; sed -i 's/6/six/' f"] {
        scene.git(&["checkout", "-q", "-B", "elsewhere", "before"]);
        scene.commit("edit", edit);
        let asked = ask(&scene, &recorded(), &scene.conflict("elsewhere", "change"));
        assert!(asked.answers.is_empty(), "{edit}");
    }
}

#[test]
fn what_passed_no_gate_is_not_recorded() {
    let scene = scene();
    let resolution = resolved(&scene, &Resolvers::new().on("*", Take(Version::Target)).unwrap());
    let mut certificate = land(&scene, &resolution);
    certificate.passes.clear();
    assert_eq!(scene.open().remember(&certificate).unwrap(), 0);
    assert!(!scene.git_ok(&["rev-parse", "-q", "--verify", "refs/hedgerow/resolutions"]));
}

#[test]
fn a_deletion_is_remembered_for_exactly_these_versions() {
    let scene = Scene::forked("seq 9 >f; seq 5 >g", "echo 10 >>f; git mv g h", "git rm -q f; git mv g i");
    scene.git(&["branch", "before", "main"]);
    let decided = Resolvers::new().on("*", Take(Version::Change)).unwrap();
    let resolution = resolved(&scene, &decided);
    let certificate = land(&scene, &resolution);
    assert!(scene.open().remember(&certificate).unwrap() >= 2);
    scene.git(&["branch", "-f", "main", "before"]);
    let again = resolved(&scene, &recorded());
    assert_eq!(scene.tree(again.tip.as_str()), scene.tree(resolution.tip.as_str()));
    assert!(again.resolved.iter().all(|path| path.by == "recorded"));
    scene.git(&["checkout", "-q", "main"]);
    scene.commit("on", "echo 11 >>f");
    let open = ask(&scene, &recorded(), &scene.conflict("main", "change")).open;
    assert_eq!(open.len(), 1, "f has another version now");
}

#[test]
fn a_later_resolution_takes_the_place_of_an_earlier_one() {
    let scene = scene();
    learn(&scene);
    let decided = Resolvers::new().on("*", Writes("1\n2\n3\n4\nnew\n6\n7\n8\n9\n")).unwrap();
    let certificate = land(&scene, &resolved(&scene, &decided));
    assert_eq!(scene.open().remember(&certificate).unwrap(), 1);
    let before = scene.id("refs/hedgerow/resolutions");
    assert_eq!(scene.open().remember(&certificate).unwrap(), 1);
    assert_eq!(scene.id("refs/hedgerow/resolutions"), before, "nothing new");
    scene.git(&["branch", "-f", "main", "before"]);
    let resolution = resolved(&scene, &recorded());
    assert!(scene.git(&["cat-file", "blob", &format!("{}:f", resolution.tip)]).contains("new"));
}

#[test]
fn what_somebody_else_wrote_into_the_ref_is_no_answer() {
    let scene = scene();
    learn(&scene);
    let files = scene.git(&["ls-tree", "-r", "--name-only", "refs/hedgerow/resolutions"]);
    let directory = files.lines().next().unwrap().rsplit_once('/').unwrap().0.to_owned();
    for content in ["", "<<<<<<<\n", "1\n2\n"] {
        scene.sh(&format!(
            "blob=$(printf '{content}' | git hash-object -w --stdin); export GIT_INDEX_FILE=.git/other; rm -f .git/other
             git read-tree refs/hedgerow/resolutions
             git update-index --add --cacheinfo 100644,$blob,{directory}/before
             git update-ref refs/hedgerow/resolutions $(git commit-tree -m x $(git write-tree))"
        ));
        let asked = ask(&scene, &recorded(), &scene.conflict("main", "change"));
        assert!(asked.answers.is_empty(), "{content:?}");
    }
}

#[test]
fn a_certificate_that_is_not_so_teaches_nothing() {
    let scene = scene();
    let resolution = resolved(&scene, &Resolvers::new().on("*", Take(Version::Target)).unwrap());
    let honest = land(&scene, &resolution);
    let mut silent = honest.clone();
    silent.resolved[0].dropped.clear();
    let mut other_tree = honest.clone();
    other_tree.tree = hedgerow_merge::TreeId::new(scene.tree("change")).unwrap();
    other_tree.passes[0].tree = other_tree.tree.clone();
    for forged in [silent, other_tree] {
        assert_eq!(scene.open().remember(&forged).unwrap(), 0);
    }
    assert!(!scene.git_ok(&["rev-parse", "-q", "--verify", "refs/hedgerow/resolutions"]));
    assert_eq!(scene.open().remember(&honest).unwrap(), 1);
}

#[test]
fn what_was_mended_after_the_resolution_is_remembered_as_it_landed() {
    let scene = scene();
    scene.git(&["branch", "before", "main"]);
    let mut resolution = resolved(&scene, &Resolvers::new().on("*", Take(Version::Change)).unwrap());
    let first = resolution.tip.clone();
    scene.git(&["checkout", "-q", "-b", "mended", first.as_str()]);
    resolution.tip = scene.commit("mend", "sed -i 's/^c$/mended/' f");
    let made = super::again(&scene, &resolution);
    resolution.tip = first;
    scene.git(&["checkout", "-q", "--detach"]);
    let certificate = scene.open().certify(&made).unwrap().with_resolution(resolution);
    let certificate = crate::certificate::gated(certificate);
    scene.open().record(&certificate).unwrap();
    let landed = scene.open().land(&made, hedgerow_merge::Checkout::Refuse).unwrap();
    assert_eq!(landed, hedgerow_merge::Landing::Landed);
    assert_eq!(scene.open().remember(&certificate).unwrap(), 1);
    scene.git(&["branch", "-f", "main", "before"]);
    let again = resolved(&scene, &recorded());
    assert!(scene.git(&["cat-file", "blob", &format!("{}:f", again.tip)]).contains("mended"));
}
