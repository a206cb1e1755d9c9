//! Merges of every shape, compared with git's own: the verdict, the tree when clean, the stages when not.

use std::collections::BTreeMap;
use std::process::Command;

use hedgerow_merge::{ConflictKind, ConflictPath, Prepared};

use crate::edges::kinds;
use crate::scene::{Scene, raw};

/// What git says of a merge.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Clean(String),
    /// The index stages, path and stage to mode and id, and all that git said.
    Conflict(BTreeMap<(String, u8), (u32, String)>, String),
}

pub(crate) struct Case {
    pub(crate) number: u32,
    name: &'static str,
    pub(crate) base: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
}

pub(crate) const fn case(
    number: u32,
    name: &'static str,
    base: &'static str,
    ours: &'static str,
    theirs: &'static str,
) -> Case {
    Case { number, name, base, ours, theirs }
}

/// The numbers are those of `docs/merge-edge-cases.md`; gaps are cases with a test of their own.
pub(crate) const CASES: &[Case] = &[
    case(1, "different files", "echo a >a; echo b >b", "echo x >a", "echo y >b"),
    case(2, "distant lines of a file", "seq 20 >f", "sed -i 's/^2$/x/' f", "sed -i 's/^18$/y/' f"),
    case(3, "adjacent lines", "seq 20 >f", "sed -i 's/^9$/x/' f", "sed -i 's/^10$/y/' f"),
    case(4, "the same line", "seq 20 >f", "sed -i 's/^9$/x/' f", "sed -i 's/^9$/y/' f"),
    case(5, "the same change twice", "seq 20 >f", "sed -i 's/^9$/x/' f", "sed -i 's/^9$/x/' f; echo o >o"),
    case(6, "both append", "seq 5 >f", "echo x >>f", "echo y >>f"),
    case(7, "the same new file", "seq 5 >f", "echo n >n", "echo n >n; echo o >o"),
    case(8, "a new file twice, differently", "seq 5 >f", "echo n >n", "echo m >n"),
    case(9, "modified here, deleted there", "seq 5 >f; seq 5 >g", "echo x >>f", "git rm -q f"),
    case(11, "deleted on both sides", "seq 5 >f; seq 5 >g", "git rm -q f", "git rm -q f; echo x >g"),
    case(12, "renamed here, modified there", "seq 20 >f", "git mv f g", "sed -i 's/^9$/x/' f"),
    case(13, "renamed and edited, edited", "seq 20 >f", "git mv f g; sed -i 's/^2$/x/' g", "sed -i 's/^18$/y/' f"),
    case(14, "renamed to two names", "seq 20 >f", "git mv f g", "git mv f h"),
    case(15, "two files renamed to one name", "seq 20 >f; seq 40 60 >g", "git mv f n", "git mv g n"),
    case(16, "the same rename twice", "seq 20 >f", "git mv f g", "git mv f g; echo x >o"),
    case(17, "renamed here, deleted there", "seq 20 >f; echo o >o", "git mv f g", "git rm -q f"),
    case(18, "renamed to where the other adds", "seq 20 >f", "git mv f g", "echo x >g"),
    case(
        19,
        "two files swapped, one edited",
        "seq 20 >f; seq 40 60 >g",
        "mv f t; mv g f; mv t g",
        "sed -i 's/^9$/x/' f",
    ),
    case(20, "added to a directory that was renamed", "mkdir d; seq 20 >d/f; seq 9 >d/g", "git mv d e", "echo n >d/n"),
    case(21, "a directory renamed to two names", "mkdir d; seq 20 >d/f; seq 9 >d/g", "git mv d e", "git mv d h"),
    case(
        22,
        "added to a directory that was split",
        "mkdir d; seq 20 >d/f; seq 40 60 >d/g",
        "mkdir x y; git mv d/f x/f; git mv d/g y/g",
        "echo n >d/n",
    ),
    case(23, "moved into a new directory, edited", "seq 20 >f", "mkdir d; git mv f d/f", "sed -i 's/^9$/x/' f"),
    case(24, "a file here, a directory there", "seq 5 >o", "echo n >n", "mkdir n; echo m >n/m"),
    case(
        25,
        "edited here, a directory there",
        "seq 20 >n; echo o >o",
        "echo x >>n",
        "git rm -q n; mkdir n; echo m >n/m",
    ),
    case(26, "made executable here", "seq 20 >f", "chmod +x f", "echo x >>f"),
    case(27, "made executable twice", "seq 20 >f", "chmod +x f", "chmod +x f; echo o >o"),
    case(28, "new with two modes", "seq 5 >o", "echo n >n", "echo m >n; chmod +x n"),
    case(29, "a link here, an edit there", "seq 20 >f", "rm f; ln -s t f", "echo x >>f"),
    case(30, "a link changed twice", "ln -s a l", "ln -sf b l", "ln -sf c l"),
    case(31, "binary, changed twice", "printf 'a\\0b' >b", "printf 'x\\0b' >b", "printf 'a\\0y' >b"),
    case(32, "binary, changed once", "printf 'a\\0b' >b; echo o >o", "printf 'x\\0b' >b", "echo x >o"),
    case(33, "binary, changed and deleted", "printf 'a\\0b' >b; echo o >o", "printf 'x\\0b' >b", "git rm -q b"),
    case(34, "line endings against an edit", "seq 20 >f", "sed -i 's/$/\\r/' f", "sed -i 's/^9$/x/' f"),
    case(35, "a missing end of line", "seq 20 >f", "printf 'end' >>f", "sed -i 's/^2$/x/' f"),
    case(36, "indentation against an edit", "seq 20 >f", "sed -i 's/^9$/  9/' f", "sed -i 's/^9$/nine/' f"),
    case(37, "two empty files", "seq 5 >o", ": >a", ": >b"),
    case(38, "empty and renamed, filled", ": >f; echo o >o", "git mv f g", "echo x >f"),
    case(40, "names that differ in case", "seq 5 >o", "echo a >README", "echo b >readme"),
    case(41, "renamed in case, edited", "seq 20 >readme", "git mv readme README", "sed -i 's/^9$/x/' readme"),
    case(48, "a fast-forward", "seq 20 >f", "true", "echo x >>f"),
    case(51, "an empty commit", "seq 20 >f", "echo x >>f", "true"),
    case(53, "union by attribute", "seq 5 >f; echo 'f merge=union' >.gitattributes", "echo x >>f", "echo y >>f"),
    case(
        54,
        "no merging by attribute",
        "seq 20 >f; echo 'f -merge' >.gitattributes",
        "sed -i 's/^2$/x/' f",
        "sed -i 's/^18$/y/' f",
    ),
    case(
        55,
        "a driver that nobody has",
        "seq 20 >f; echo 'f merge=lfs' >.gitattributes",
        "sed -i 's/^2$/x/' f",
        "sed -i 's/^18$/y/' f",
    ),
    case(58, "a strange name", "seq 20 >\"$(printf 'a\"\\nb')\"", "sed -i 's/^9$/x/' a*", "sed -i 's/^9$/y/' a*"),
    case(
        59,
        "content with markers",
        "printf '<<<<<<< a\\n1\\n=======\\n2\\n>>>>>>> b\\n' >f",
        "sed -i 's/^1$/x/' f",
        "sed -i 's/^1$/y/' f",
    ),
    case(
        60,
        "many files moved, all edited",
        "mkdir d; for i in $(seq 60); do seq $i $((i+20)) >d/$i; done",
        "git mv d e",
        "for i in $(seq 60); do echo x >>d/$i; done",
    ),
    case(61, "a block moved, edited inside", "seq 40 >f", "(seq 21 40; seq 20) >f", "sed -i 's/^9$/x/' f"),
    case(62, "two lines inserted at one place", "seq 20 >f", "sed -i '9a x' f", "sed -i '9a y' f"),
    case(64, "a directory deleted, a file added", "mkdir d; seq 20 >d/f; echo o >o", "git rm -rq d", "echo n >d/n"),
    case(
        65,
        "to a link, to a directory",
        "seq 20 >f; echo o >o",
        "rm f; ln -s t f",
        "git rm -q f; mkdir f; echo m >f/m",
    ),
    case(66, "renamed, and a new file at the old name", "seq 20 >f", "git mv f g; echo new >f", "sed -i 's/^9$/x/' f"),
    case(
        67,
        "a chain of renames, edited",
        "seq 20 >a; seq 40 60 >b",
        "git mv b c; git mv a b",
        "echo x >>a; echo y >>b",
    ),
    case(68, "made executable, renamed", "seq 20 >f", "chmod +x f", "git mv f g"),
    case(
        69,
        "two-byte characters",
        "printf 'a\\0\\n\\0b\\0' >f",
        "printf 'x\\0\\n\\0b\\0' >f",
        "printf 'a\\0\\n\\0y\\0' >f",
    ),
    case(
        70,
        "the same patch on both sides",
        "seq 20 >f",
        "sed -i 's/^9$/x/' f; echo a >a",
        "sed -i 's/^9$/x/' f; echo b >b",
    ),
    // How renames are looked for when only some of them can matter.
    case(
        201,
        "a file moved as it was, a like one that the other side edits deleted",
        "seq 20 >f; seq 19 >g; echo o >o",
        "git mv g h; git rm -q f",
        "sed -i 's/^9$/x/' f",
    ),
    case(
        202,
        "one file that the other side edits moved and edited, many deleted",
        "seq 20 >f; mkdir d; for n in 1 2 3 4 5 6; do seq $n 90 >d/$n; done",
        "git rm -qr d; git mv f g; sed -i 's/^2$/y/' g",
        "sed -i 's/^18$/x/' f",
    ),
    case(
        203,
        "a directory moved to which the other side adds, another one deleted",
        "mkdir d e; seq 20 >d/f; seq 40 60 >d/g; seq 9 >e/h; seq 30 50 >e/i",
        "git mv d n; git rm -qr e",
        "echo new >d/new",
    ),
    case(
        204,
        "moved and edited here, deleted with its directory there, edited in between",
        "mkdir d e; seq 20 >d/f; seq 20 40 >d/g; seq 60 90 >e/k",
        "git mv d/f m; echo x >>m; git rm -q e/k",
        "git rm -qr d; echo k >>e/k",
    ),
];

/// Where this crate and git disagree in the verdict, with the reason. Nothing else may differ.
const DEVIATIONS: &[(u32, &str)] = &[];

#[test]
fn every_shape_of_merge_comes_out_as_in_git() {
    as_git(CASES);
}

/// Merges every case in both directions, as git does.
pub(crate) fn as_git(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let scene = Scene::forked(case.base, case.ours, case.theirs);
        for (target, change) in [("main", "change"), ("change", "main")] {
            // git reads attributes from what is checked out.
            scene.git(&["checkout", "-q", "-f", target]);
            if let Err(why) = compare(&scene, target, change) {
                wrong.push((case.number, format!("{} {} {target}: {why}", case.number, case.name)));
            }
        }
    }
    wrong.retain(|(number, _)| !DEVIATIONS.iter().any(|(known, _)| known == number));
    assert!(wrong.is_empty(), "{}", wrong.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n"));
}

/// The verdict, the tree and the sides are git's.
pub(crate) fn compare(scene: &Scene, target: &str, change: &str) -> Result<(), String> {
    let expected = oracle(scene, target, change);
    match (expected, scene.prepare(target, change)) {
        (Verdict::Clean(tree), Prepared::Candidate(candidate)) => {
            let ours = scene.tree(candidate.commit.as_str());
            if ours == tree { Ok(()) } else { Err(format!("tree {ours}, git has {tree}")) }
        }
        (Verdict::Conflict(stages, text), Prepared::Conflict(conflict)) => {
            assert!(!conflict.paths.is_empty());
            kinds::same(&conflict, &text)?;
            conflict.paths.iter().try_for_each(|path| same_sides(path, &stages))
        }
        (Verdict::Clean(_), Prepared::AlreadyMerged) => Ok(()),
        (expected, got) => Err(format!("{got:?}, git has {expected:?}")),
    }
}

/// For kinds that git keeps at one path, the three sides are git's three stages.
fn same_sides(path: &ConflictPath, stages: &BTreeMap<(String, u8), (u32, String)>) -> Result<(), String> {
    let plain = matches!(path.kind, ConflictKind::Content | ConflictKind::AddAdd | ConflictKind::Binary)
        || path.kind == ConflictKind::ModifyDelete;
    if !plain {
        return Ok(());
    }
    for (stage, side) in [(1, path.base()), (2, path.ours()), (3, path.theirs())] {
        let git = stages.get(&(String::from_utf8_lossy(path.path.as_bytes()).into_owned(), stage));
        let ours = side.as_ref().map(|side| (side.mode, side.id.clone()));
        if git != ours.as_ref() {
            return Err(format!("{:?} stage {stage}: {ours:?}, git has {git:?}; all: {stages:?}", path));
        }
    }
    Ok(())
}

fn oracle(scene: &Scene, target: &str, change: &str) -> Verdict {
    let mut command = Command::new("git");
    let output = raw(command.args(["merge-tree", "--write-tree", "-z", target, change]), &scene.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut records = text.split('\0');
    let tree = records.next().unwrap().to_owned();
    match output.status.code() {
        Some(0) => Verdict::Clean(tree),
        Some(1) => {
            let stages = records.take_while(|record| !record.is_empty()).map(stage).collect();
            Verdict::Conflict(stages, text)
        }
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn stage(record: &str) -> ((String, u8), (u32, String)) {
    let (facts, path) = record.split_once('\t').unwrap();
    let facts: Vec<_> = facts.split(' ').collect();
    let mode = u32::from_str_radix(facts[0], 8).unwrap();
    ((path.to_owned(), facts[2].parse().unwrap()), (mode, facts[1].to_owned()))
}
