//! Somebody edits the files, and only those.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hedgerow_merge::{Brief, Edit, Edited, Editor, Resolvers, Result, TreeId};

use super::{ask, resolved};
use crate::scene::Scene;

/// Runs a script in a checkout for each try.
#[derive(Debug)]
struct Scripts {
    scene: Arc<Scene>,
    scripts: &'static [&'static str],
    briefs: Briefs,
}

type Briefs = Arc<Mutex<Vec<Brief>>>;

#[async_trait]
impl Editor for Scripts {
    async fn edit(&self, brief: &Brief) -> Result<Edit> {
        self.briefs.lock().unwrap().push(brief.clone());
        let Some(script) = self.scripts.get(brief.attempt as usize - 1) else {
            return Ok(Edit::GaveUp { why: "out of ideas".into() });
        };
        let at = self.scene.beside(&format!("edit-{}", brief.attempt));
        self.scene.git(&["worktree", "add", "-q", "--detach", "-f", at.to_str().unwrap(), brief.start.as_str()]);
        self.scene.sh(&format!("cd {} && {{ {script}\n}}; git add -A", at.display()));
        let tree = self.scene.sh_out(&format!("cd {} && git write-tree", at.display()));
        self.scene.git(&["worktree", "remove", "--force", at.to_str().unwrap()]);
        Ok(Edit::Done { tree: TreeId::new(tree.trim())? })
    }
}

fn fixture() -> (Arc<Scene>, Briefs) {
    let scene = Scene::forked(
        "seq 9 >f; seq 9 >kept; echo x >gone",
        "sed -i 's/5/m/' f; echo m >>gone; ",
        "sed -i 's/5/c/' f; git rm -q gone",
    );
    (Arc::new(scene), Briefs::default())
}

fn by(scene: &Arc<Scene>, briefs: &Briefs, scripts: &'static [&'static str]) -> Resolvers {
    let (scene, briefs) = (scene.clone(), briefs.clone());
    Resolvers::new().on("*", Edited::new("agent", Scripts { scene, scripts, briefs })).unwrap()
}

const SOLVED: &str = "sed -i '/^[<|>=]\\{7\\}/d; s/^m$/both/; /^c$/d; /^5$/d' f; git rm -q -f gone";

#[test]
fn an_editor_sees_markers_and_intents_and_its_files_are_taken() {
    let (scene, briefs) = fixture();
    let resolution = resolved(&scene, &by(&scene, &briefs, &[SOLVED]));
    assert_eq!(scene.git(&["cat-file", "blob", &format!("{}:f", resolution.tip)]), "1\n2\n3\n4\nboth\n6\n7\n8\n9");
    assert!(!scene.git_ok(&["cat-file", "-e", &format!("{}:gone", resolution.tip)]));
    let briefs = briefs.lock().unwrap();
    let [brief] = &briefs[..] else { panic!("{briefs:?}") };
    assert_eq!((brief.intents.target.as_str(), brief.intents.change.as_str()), ("keep it", "change it"));
    assert_eq!(brief.paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["f", "gone"]);
    let f = scene.git(&["cat-file", "blob", &format!("{}:f", brief.start)]);
    assert!(f.contains("<<<<<<< target\nm\n||||||| base\n5\n=======\nc\n>>>>>>> change"), "{f}");
}

#[test]
fn an_editor_that_touches_other_files_or_leaves_markers_is_told_and_asked_again() {
    let (scene, briefs) = fixture();
    let tries: &'static [&'static str] =
        &["sed -i 's/^m$/both/' f", "sed -i '/^[<|>=]\\{7\\}/d' f; echo more >>kept", SOLVED];
    let resolution = resolved(&scene, &by(&scene, &briefs, tries));
    assert!(scene.git(&["cat-file", "blob", &format!("{}:f", resolution.tip)]).contains("both"));
    let objections: Vec<_> = briefs.lock().unwrap().iter().map(|brief| brief.objection.clone()).collect();
    assert_eq!(objections[0], None);
    assert!(objections[1].as_ref().unwrap().contains("a marker is left in line 5 of f"), "{objections:?}");
    assert!(objections[2].as_ref().unwrap().contains("kept was changed"), "{objections:?}");
}

#[test]
fn an_editor_may_not_try_for_ever() {
    let (scene, briefs) = fixture();
    let never: &'static [&'static str] = &["true"; 9];
    let asked = ask(&scene, &by(&scene, &briefs, never), &scene.conflict("main", "change"));
    assert_eq!((asked.answers.len(), briefs.lock().unwrap().len()), (0, 3));
    assert!(asked.declined[0].why.contains("3 tries"), "{:?}", asked.declined);
    let (scene, briefs) = fixture();
    let asked = ask(&scene, &by(&scene, &briefs, &[]), &scene.conflict("main", "change"));
    assert_eq!((asked.declined[0].why.as_str(), briefs.lock().unwrap().len()), ("out of ideas", 1));
}

#[test]
fn lines_that_look_like_markers_and_were_there_before_are_no_markers() {
    let scene = Scene::forked(
        "printf '%s\\n' a b c d e >f",
        "printf '%s\\n' a b c d m '=======' >f",
        "printf '%s\\n' a b c d c >f",
    );
    let (scene, briefs) = (Arc::new(scene), Briefs::default());
    let keep: &'static [&'static str] = &["printf '%s\\n' a b c d both '=======' >f"];
    let resolution = resolved(&scene, &by(&scene, &briefs, keep));
    assert!(scene.git(&["cat-file", "blob", &format!("{}:f", resolution.tip)]).ends_with("both\n======="));
}
