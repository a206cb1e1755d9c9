//! Trees: names, modes, order, and what entries point to.

use super::forge::{Forge, entry};
use super::{Accepts, Case, Refuses, case, judge};

const DOT_GIT: &str = "its name is taken for `.git` on some file system";
const NOT_ALLOWED: &str = "its name is not allowed in git";

fn names() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in [
        &b".git"[..],
        b".GIT",
        b".Git",
        b"git~1",
        b"GIT~1",
        b".git ",
        b".git.",
        b".git. .",
        b".git...",
        b".git::$INDEX_ALLOCATION",
        b".git:x",
        b"git~1:x",
        b"git~1 ",
        b".git\\hooks",
        b"a\\.git",
        b"a\\git~1",
        b"\\.git",
        b"a\\.GIT\\b",
        ".g\u{200c}it".as_bytes(),
        ".git\u{200d}".as_bytes(),
        "\u{feff}.git".as_bytes(),
        ".\u{202e}git".as_bytes(),
        ".gi\u{206a}t".as_bytes(),
        b".git\xff",
    ] {
        cases.push(case(shown(name), "hasDotgit", Refuses(DOT_GIT), |forge| forge.named("100644", name)));
    }
    cases.push(case("a directory `.git`", "hasDotgit", Refuses(DOT_GIT), |forge| forge.named("40000", b".git")));
    cases.push(case("a submodule `.git`", "hasDotgit", Refuses(DOT_GIT), |forge| forge.named("160000", b".git")));
    for (name, git) in [
        (&b".."[..], "hasDotdot"),
        (b".", "hasDot"),
        (b"a/b", "fullPathname"),
        (b"/", "fullPathname"),
        (b"../x", "fullPathname"),
    ] {
        cases.push(case(shown(name), git, Refuses(NOT_ALLOWED), |forge| forge.named("100644", name)));
    }
    cases.push(case("a name of no bytes", "badTree", Refuses("its name is empty"), |f| f.named("100644", b"")));
    cases.push(case("a name of 4097 bytes", "largePathname", Refuses("its name is too long"), |f| {
        f.named("100644", &[b'a'; 4097])
    }));
    cases.push(case("a name of 4096 bytes", "", Accepts, |f| f.named("100644", &[b'a'; 4096])));
    for name in [
        &b"git~2"[..],
        b"...",
        b"..git",
        b".gitt",
        b".gitignore",
        b"a\\b",
        b"a\\..\\b",
        b"a\nb",
        b"\xff\xfe",
        b"CON",
        b"a:b",
        b" ",
        b"-rf",
    ] {
        cases.push(case(shown(name), "", Accepts, |forge| forge.named("100644", name)));
    }
    cases
}

/// A name for a line of a table.
fn shown(name: &[u8]) -> String {
    format!("the name `{}`", name.escape_ascii())
}

const MODE: &str = "an entry has a mode that git does not write";

fn modes() -> Vec<Case> {
    let mode = |mode: &'static str, git, ours| {
        case(format!("the mode `{mode}`"), git, ours, move |f: &Forge| f.named(mode, b"file"))
    };
    vec![
        mode("100644", "", Accepts),
        mode("100755", "", Accepts),
        mode("120000", "", Accepts),
        mode("40000", "", Accepts),
        mode("160000", "", Accepts),
        mode("100664", "", Accepts),
        mode("100666", "", Refuses(MODE)),
        mode("100600", "", Refuses(MODE)),
        mode("120777", "", Refuses(MODE)),
        mode("1", "", Refuses(MODE)),
        mode("170000", "", Refuses(MODE)),
        mode("040000", "zeroPaddedFilemode", Refuses(MODE)),
        mode("0100644", "zeroPaddedFilemode", Refuses(MODE)),
        mode("0", "zeroPaddedFilemode", Refuses(MODE)),
        mode("", "badTree", Refuses(MODE)),
        mode("8", "badTree", Refuses(MODE)),
        mode("777777777777777", "", Refuses("an entry has no mode")),
    ]
}

fn order() -> Vec<Case> {
    let files = |forge: &Forge, names: &[(&str, &[u8])]| {
        let (blob, tree) = (forge.blob(), forge.plain());
        let entries = names.iter().map(|(mode, name)| entry(mode, name, if *mode == "40000" { &tree } else { &blob }));
        forge.commit(&forge.tree(&entries.collect::<Vec<_>>()))
    };
    let twice = "two entries have the same name";
    let unsorted = "its entries are not sorted";
    vec![
        case("a file twice", "duplicateEntries", Refuses(twice), move |f| {
            files(f, &[("100644", b"a"), ("100644", b"a")])
        }),
        case("a file and a directory of one name", "duplicateEntries", Refuses(twice), move |f| {
            files(f, &[("100644", b"a"), ("40000", b"a")])
        }),
        case("the same with another name between them", "duplicateEntries", Refuses(twice), move |f| {
            files(f, &[("100644", b"a"), ("100644", b"a.b"), ("40000", b"a")])
        }),
        case("entries out of order", "treeNotSorted", Refuses(unsorted), move |f| {
            files(f, &[("100644", b"b"), ("100644", b"a")])
        }),
        case("a directory sorted as a file", "treeNotSorted", Refuses(unsorted), move |f| {
            files(f, &[("40000", b"a"), ("100644", b"a.b")])
        }),
        case("a directory behind `a.b`", "", Accepts, move |f| files(f, &[("100644", b"a.b"), ("40000", b"a")])),
        case("an empty root", "", Accepts, |f| f.commit(&f.tree(&[]))),
        case("an empty directory", "", Accepts, |f| {
            let empty = f.tree(&[]);
            f.commit(&f.tree(&[entry("100644", b"a", &f.blob()), entry("40000", b"b", &empty)]))
        }),
    ]
}

fn targets() -> Vec<Case> {
    let null = "0".repeat(40);
    let of = |forge: &Forge, mode: &str, id: &str| forge.commit(&forge.tree(&[entry(mode, b"a", id)]));
    let (one, two) = (null.clone(), null);
    vec![
        case("an entry without an object", "nullSha1", Refuses("an entry has no object"), move |f| {
            of(f, "100644", &one)
        }),
        case("a submodule without a commit", "nullSha1", Refuses("an entry has no object"), move |f| {
            of(f, "160000", &two)
        }),
        case("a submodule whose commit is elsewhere", "", Accepts, move |f| {
            of(f, "160000", &format!("77{}", "0".repeat(38)))
        }),
        case("an entry whose last byte is missing", "badTree", Refuses("its last entry is cut off"), |f| {
            let whole = entry("100644", b"a", &f.blob());
            f.commit(&f.tree(&[whole[..whole.len() - 1].to_vec()]))
        }),
        case("a file that is not there", "broken link", Refuses("is missing"), move |f| {
            of(f, "100644", &"71".repeat(20))
        }),
        case("a directory that is not there", "broken link", Refuses("is missing"), move |f| {
            of(f, "40000", &"72".repeat(20))
        }),
        case("a file that is a directory", "missing blob", Refuses("where a blob is expected"), move |f| {
            of(f, "100644", &f.plain())
        }),
        case("a directory that is a file", "missing tree", Refuses("where a tree is expected"), move |f| {
            of(f, "40000", &f.blob())
        }),
        case("a directory that is a commit", "missing tree", Refuses("where a tree is expected"), move |f| {
            of(f, "40000", &f.commit(&f.plain()))
        }),
        case("one object as a file and as a directory", "broken link", Refuses("is named as a"), |f| {
            let tree = f.plain();
            f.commit(&f.tree(&[entry("40000", b"a", &tree), entry("100644", b"b", &tree)]))
        }),
        case("one object as a directory and as a file", "broken link", Refuses("is named as a"), |f| {
            let blob = f.blob();
            f.commit(&f.tree(&[entry("100644", b"a", &blob), entry("40000", b"b", &blob)]))
        }),
        case("no entry but a line of text", "badTree", Refuses("an entry has"), |f| {
            f.commit(&f.tree(&[b"nothing\n".to_vec()]))
        }),
    ]
}

#[tokio::test]
async fn a_tree_that_git_refuses_gets_in_nowhere() {
    let mut cases = names();
    cases.extend(modes());
    cases.extend(order());
    cases.extend(targets());
    judge(cases).await;
}
