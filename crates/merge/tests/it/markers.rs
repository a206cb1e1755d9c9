//! Conflicting files with markers: byte for byte what git writes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hedgerow_merge::{Conflict, ConflictKind, MarkerStyle, Markers, Rendered};

use crate::scene::{Scene, raw};

const STYLES: [(MarkerStyle, &str); 3] =
    [(MarkerStyle::Merge, "merge"), (MarkerStyle::Diff3, "diff3"), (MarkerStyle::Zdiff3, "zdiff3")];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// As in source code, a few lines are in many places.
    fn line(&mut self) -> String {
        match self.below(6) {
            0 => ["", "}", "{"][self.below(3)].to_owned(),
            _ => format!("    line {}", self.below(500)),
        }
    }

    fn lines(&mut self, most: usize) -> Vec<String> {
        (0..self.below(most)).map(|_| self.line()).collect()
    }

    fn edit(&mut self, lines: &mut Vec<String>) {
        let at = self.below(lines.len() + 1);
        match self.below(6) {
            0 => lines.insert(at, self.line()),
            1 if at < lines.len() => _ = lines.remove(at),
            _ if at < lines.len() => lines[at] = self.line(),
            _ => {}
        }
    }

    fn text(&mut self, lines: &[String], ends: &str) -> String {
        let mut text: String = lines.iter().map(|line| format!("{line}{ends}")).collect();
        if self.below(4) == 0 {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        text
    }
}

fn versions(numbers: &mut Numbers) -> [String; 3] {
    let base = numbers.lines(24);
    let mut sides = [base.clone(), base.clone()];
    for _ in 0..numbers.below(3) {
        // The same on both sides, unless earlier edits moved it.
        let seed = numbers.0;
        for side in &mut sides {
            numbers.0 = seed;
            numbers.edit(side);
        }
    }
    for side in &mut sides {
        for _ in 0..=numbers.below(6) {
            numbers.edit(side);
        }
    }
    let [ours, theirs] = sides;
    let ends = ["\n", "\n", "\r\n"][numbers.below(3)];
    let other = if numbers.below(12) == 0 { "\r\n" } else { ends };
    [numbers.text(&base, ends), numbers.text(&ours, ends), numbers.text(&theirs, other)]
}

/// Three commits with a file of each name in each.
fn scene(files: &[(String, [String; 3])]) -> Scene {
    let scene = Scene::empty();
    let write = |version: usize| {
        for (name, versions) in files {
            fs::write(scene.path().join(name), &versions[version]).unwrap();
        }
    };
    write(0);
    scene.commit("base", "git config core.autocrlf false");
    scene.git(&["branch", "change"]);
    write(1);
    scene.commit("main", "true");
    scene.git(&["checkout", "-q", "change"]);
    write(2);
    scene.commit("change", "true");
    scene.git(&["checkout", "-q", "main"]);
    scene
}

/// The tree with markers that git makes.
fn tree_of_git(scene: &Scene, style: &str) -> String {
    let setting = format!("merge.conflictStyle={style}");
    let arguments = ["-c", &setting, "merge-tree", "--write-tree", "main", "change"];
    let output = raw(Command::new("git").args(arguments), &scene.path());
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned()
}

/// Writes a tree's files beside the repository.
fn unpacked(scene: &Scene, tree: &str) -> PathBuf {
    let place = scene.beside(tree);
    fs::create_dir_all(&place).unwrap();
    scene.sh(&format!("git archive {tree} | tar -x -C {}", place.display()));
    place
}

fn markers(scene: &Scene, style: MarkerStyle) -> Markers {
    let base = match scene.git(&["merge-base", "--all", "main", "change"]).lines().collect::<Vec<_>>().as_slice() {
        [one] => scene.git(&["rev-parse", "--short", one]),
        _ => "merged common ancestors".into(),
    };
    Markers { ours: "main".into(), theirs: "change".into(), base, ..Markers::new(style) }
}

/// Compares every conflicting file with git's; how many there were.
fn compare(scene: &Scene, conflict: &Conflict) -> usize {
    let mut compared = 0;
    for (style, name) in STYLES {
        let tree = tree_of_git(scene, name);
        let files = unpacked(scene, &tree);
        let (markers, repository) = (markers(scene, style), scene.open());
        for path in &conflict.paths {
            let Rendered::Text(text) = repository.render(conflict, path, &markers).unwrap() else { continue };
            let expected = fs::read(files.join(path.path.to_string())).unwrap();
            let [text, expected] = [text, expected].map(|text| String::from_utf8_lossy(&text).into_owned());
            assert!(text == expected, "{} in style {name}\nours:\n{text}\ngit's:\n{expected}", path.path);
            compared += 1;
        }
    }
    compared
}

#[test]
fn markers_are_gits_in_every_style_whatever_lines_and_line_ends_a_file_has() {
    let mut numbers = Numbers(42);
    let files: Vec<_> = (0..100).map(|number| (format!("f{number:03}"), versions(&mut numbers))).collect();
    let scene = scene(&files);
    let compared = compare(&scene, &scene.conflict("main", "change"));
    assert!(compared > 90, "only {compared} files conflicted");
}

#[test]
fn markers_are_as_long_as_the_targets_attributes_say() {
    let scene = Scene::forked(
        "seq 9 >f; seq 9 >g; printf 'f conflict-marker-size=20\\ng conflict-marker-size=0\\n' >.gitattributes",
        "sed -i 's/^5$/x/' f g",
        "sed -i 's/^5$/y/' f g",
    );
    let conflict = scene.conflict("main", "change");
    let markers = Markers::new(MarkerStyle::Merge);
    for (path, size) in conflict.paths.iter().zip([20, 7]) {
        let Rendered::Text(text) = scene.open().render(&conflict, path, &markers).unwrap() else { panic!() };
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(&format!("\n{} target\nx\n", "<".repeat(size))), "{text}");
    }
}

#[test]
fn markers_name_the_files_where_one_was_renamed() {
    let scene = Scene::forked("seq 20 >f", "git mv f g; sed -i 's/^5$/x/' g", "sed -i 's/^5$/y/' f");
    assert_eq!(compare(&scene, &scene.conflict("main", "change")), 3);
}

#[test]
fn files_that_both_added_have_markers_without_a_base() {
    let scene = Scene::forked("true", "printf 'a\\nb\\nc\\n' >f", "printf 'a\\nB\\nc' >f");
    let conflict = scene.conflict("main", "change");
    assert_eq!(conflict.paths[0].kind, ConflictKind::AddAdd);
    assert_eq!(compare(&scene, &conflict), 3);
}

#[test]
fn the_base_of_crossed_histories_has_its_own_markers() {
    let scene = crate::conflicts::criss_cross(
        "sed -i 's/^5$/x/' f",
        "sed -i 's/^5$/y/' f",
        "seq 9 >f; sed -i 's/^5$/x/' f",
        "seq 9 >f; sed -i 's/^5$/y/' f",
    );
    let conflict = scene.conflict("main", "change");
    assert_eq!((conflict.paths[0].terms.adds().len(), conflict.paths[0].terms.removes().len()), (3, 2));
    assert_eq!(compare(&scene, &conflict), 3);
}

#[test]
fn what_has_no_lines_has_no_markers() {
    for (base, main, change) in [
        ("printf 'a\\0' >f", "printf 'b\\0' >f", "printf 'c\\0' >f"),
        ("ln -s a f", "ln -sf b f", "ln -sf c f"),
        ("seq 9 >f", "echo x >>f", "git rm -q f"),
        ("seq 9 >f; echo 'f -merge' >.gitattributes", "echo x >>f", "echo y >>f"),
    ] {
        let scene = Scene::forked(base, main, change);
        let conflict = scene.conflict("main", "change");
        let rendered = scene.open().render(&conflict, conflict.paths.first(), &Markers::new(MarkerStyle::Merge));
        assert_eq!(rendered.unwrap(), Rendered::NoText, "{base}");
    }
}
