//! `.gitmodules` and `.gitattributes`: what git itself reads of a tree.

use gix::objs::Kind;

use super::forge::{Forge, entry};
use super::{Accepts, Case, Refuses, case, judge};

fn modules(name: &'static str, git: &'static str, ours: super::Ours, text: &'static str) -> Case {
    case(format!(".gitmodules with {name}"), git, ours, move |forge: &Forge| {
        let unique = format!("# {}\n{text}", forge.blob());
        forge.holding(b".gitmodules", unique.as_bytes())
    })
}

fn url(url: &'static str, git: &'static str, ours: super::Ours) -> Case {
    case(format!("the submodule URL `{}`", url.escape_debug()), git, ours, move |forge: &Forge| {
        let quoted = url.replace('\\', "\\\\").replace('\n', "\\n");
        let text = format!("# {}\n[submodule \"a\"]\n\tpath = a\n\turl = \"{quoted}\"\n", forge.blob());
        forge.holding(b".gitmodules", text.as_bytes())
    })
}

fn texts() -> Vec<Case> {
    let name = Refuses("has a submodule with the name");
    let path = Refuses("has a submodule with the path");
    let update = Refuses("has a submodule with the update command");
    let link = Refuses("has a submodule with the URL");
    vec![
        modules(
            "nothing wrong",
            "",
            Accepts,
            "[submodule \"a\"]\n\tpath = a\n\turl = https://example.com/a\n\tupdate = rebase\n",
        ),
        modules("the name `..`", "gitmodulesName", name, "[submodule \"..\"]\n\turl = a\n"),
        modules("the name `../a`", "gitmodulesName", name, "[submodule \"../a\"]\n\turl = a\n"),
        modules("the name `a/../b`", "gitmodulesName", name, "[submodule \"a/../b\"]\n\turl = a\n"),
        modules("the name `a/..`", "gitmodulesName", name, "[submodule \"a/..\"]\n\turl = a\n"),
        modules("the name `a\\..\\b`", "gitmodulesName", name, "[submodule \"a\\\\..\\\\b\"]\n\turl = a\n"),
        modules("no name", "gitmodulesName", name, "[submodule \"\"]\n\turl = a\n"),
        modules("a name that is hidden by quoting", "gitmodulesName", name, "[submodule \"\\.\\.\"] url = a\n"),
        modules("a name in other case of the section", "gitmodulesName", name, "[SUBMODULE \"../a\"]\nX\n"),
        modules("the name `..a`", "", Accepts, "[submodule \"..a\"]\n\turl = a\n"),
        modules("a bad name and no setting", "", Accepts, "[submodule \"..\"]\n"),
        modules("the path `-x`", "gitmodulesPath", path, "[submodule \"a\"]\n\tpath = -x\n"),
        modules("a path with a line break", "", path, "[submodule \"a\"]\n\tpath = \"x\\ny\"\n"),
        modules("a path with a carriage return", "", path, "[submodule \"a\"]\n\tpath = \"x\r\"\n"),
        modules("the update `!x`", "gitmodulesUpdate", update, "[submodule \"a\"]\n\tupdate = !x\n"),
        modules("an update in quotes", "gitmodulesUpdate", update, "[submodule \"a\"]\n\tUPDATE = \"!x\" # y\n"),
        modules("an option behind a continued line", "gitmodulesUrl", link, "[submodule \"a\"]\n\turl = \\\n-x\n"),
        modules("an option in a section with a dot", "gitmodulesUrl", link, "[submodule.a]\n\turl = -x\n"),
        modules("an option in front of an error", "gitmodulesUrl", link, "[submodule \"a\"]\n\turl = -x\n]\n"),
        modules("an option behind an error", "", Accepts, "]\n[submodule \"a\"]\n\turl = -x\n"),
        modules("an option in a section without a name", "", Accepts, "[submodule]\n\turl = -x\n"),
        modules("an option in another section", "", Accepts, "[other \"a\"]\n\turl = -x\n"),
        modules("lines of DOS", "", Accepts, "[submodule \"a\"]\r\n\tpath = a\r\n\turl = https://example.com/a\r\n"),
        modules("the marks of a conflict", "", Accepts, "<<<<<<< ours\n[submodule \"a\"]\n=======\n>>>>>>> theirs\n"),
        case(".gitmodules with a byte order mark and an option", "", link, |forge| {
            let text = format!("\u{feff}# {}\n[submodule \"a\"]\n\turl = -x\n", forge.blob());
            forge.holding(b".gitmodules", text.as_bytes())
        }),
        case(".gitmodules of more than 16 MiB", "", Refuses("is larger than 16777216 bytes"), |forge| {
            let text = format!("# {}\n{}", forge.blob(), "\n".repeat(16 << 20));
            forge.holding(b".gitmodules", text.as_bytes())
        }),
    ]
}

fn urls() -> Vec<Case> {
    let bad = Refuses("has a submodule with the URL");
    let mut cases: Vec<Case> = [
        "-uploadpack=x",
        "../../:x",
        "..//x",
        ".././:x",
        "./%0ax",
        "../%0a",
        "http::x",
        "https::-x",
        "http://",
        "https:///x",
        "https://%0ahost/",
        "https://host/%0a",
        "http://a b/",
        "https://host:0/",
        "https://host:99999/",
        "https://host:8x/",
        "http://host/%zz",
        "https://host/..",
        "https://host/../../x",
        "https://@/x",
        "ftp://host/%0A",
    ]
    .into_iter()
    .map(|bad_url| url(bad_url, "gitmodulesUrl", bad))
    .collect();
    for good in [
        "./x",
        "../x",
        "git@example.com:x.git",
        "ssh://host/x",
        "/srv/x.git",
        "https://u:p@host:443/a/../b?c",
        "https://[::1]/x",
        "",
    ] {
        cases.push(url(good, "", Accepts));
    }
    cases.push(url("git://host/%0a", "gitmodulesUrl", bad));
    cases.push(url("ssh://host/a\nb", "", bad));
    cases
}

const BAD: &str = "[submodule \"..\"]\n\turl = a\n";

fn names() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in [
        &b".GITMODULES"[..],
        b".gitmodules ",
        b".gitmodules.",
        b".gitmodules::$DATA",
        b"gitmod~1",
        b"GITMOD~4",
        b"gi7eba~1",
        b"gi7eb~10",
        b"~1000000",
        b"a\\.gitmodules",
        b"a\\gitmod~1",
        ".git\u{200c}modules".as_bytes(),
    ] {
        let shown = name.escape_ascii();
        cases.push(case(
            format!("a bad name in `{shown}`"),
            "gitmodulesName",
            Refuses("has a submodule with the name"),
            |f| f.holding(name, format!("# {}\n{BAD}", f.blob()).as_bytes()),
        ));
        cases.push(case(format!("a symlink `{shown}`"), "gitmodulesSymlink", Refuses("must not be a symlink"), |f| {
            f.named("120000", name)
        }));
    }
    for name in [&b"gitmod~5"[..], b"gitmodules", b".gitmodulesx", b"x/.gitmodules"] {
        if name.contains(&b'/') {
            continue;
        }
        cases.push(case(format!("a bad name in `{}`", name.escape_ascii()), "", Accepts, |f| {
            f.holding(name, format!("# {}\n{BAD}", f.blob()).as_bytes())
        }));
    }
    cases.push(case("a symlink `.gitmodules`", "gitmodulesSymlink", Refuses("must not be a symlink"), |f| {
        f.named("120000", b".gitmodules")
    }));
    cases.push(case("a directory `.gitmodules`", "gitmodulesBlob", Refuses("is not a file"), |f| {
        f.named("40000", b".gitmodules")
    }));
    cases.push(case("a submodule `.gitmodules`", "gitmodulesBlob", Refuses("is not a file"), |f| {
        let module = f.commit(&f.plain());
        f.commit(&f.tree(&[entry("160000", b".gitmodules", &module)]))
    }));
    cases.push(case("a directory `.gitattributes`", "gitattributesBlob", Refuses("is not a file"), |f| {
        f.named("40000", b".gitattributes")
    }));
    for name in [&b".gitattributes"[..], b".gitignore", b".mailmap"] {
        cases.push(case(format!("a symlink `{}`", name.escape_ascii()), "", Accepts, |f| f.named("120000", name)));
    }
    cases.push(case(
        "a bad name in `.gitmodules` of a directory",
        "gitmodulesName",
        Refuses("has a submodule with the name"),
        |f| {
            let blob = f.object(Kind::Blob, format!("# {}\n{BAD}", f.blob()).as_bytes());
            let below = f.tree(&[entry("100644", b".gitmodules", &blob)]);
            f.commit(&f.tree(&[entry("40000", b"dir", &below)]))
        },
    ));
    cases.push(case(
        "the same file under another name first",
        "gitmodulesName",
        Refuses("has a submodule with the name"),
        |f| {
            let blob = f.object(Kind::Blob, format!("# {}\n{BAD}", f.blob()).as_bytes());
            f.commit(&f.tree(&[entry("100644", b".a", &blob), entry("100644", b".gitmodules", &blob)]))
        },
    ));
    cases
}

fn attributes() -> Vec<Case> {
    let line = |name: &'static str, git, ours, text: fn(&str) -> Vec<u8>| {
        case(format!(".gitattributes with {name}"), git, ours, move |f: &Forge| {
            f.holding(b".gitattributes", &text(&f.blob()))
        })
    };
    let long = Refuses("has a line of 2048 bytes or more");
    vec![
        line("a line of 2047 bytes", "", Accepts, |id| format!("# {id}\n{}\n", "a".repeat(2047)).into_bytes()),
        line("a line of 2048 bytes", "gitattributesLineLength", long, |id| {
            format!("# {id}\n{}\n", "a".repeat(2048)).into_bytes()
        }),
        line("a last line of 2048 bytes", "gitattributesLineLength", long, |id| {
            format!("# {id}\n{}", "a".repeat(2048)).into_bytes()
        }),
        line("a line of 2048 bytes behind a NUL", "", Accepts, |id| {
            format!("# {id}\n\0\n{}\n", "a".repeat(2048)).into_bytes()
        }),
        line("programs that it would run", "", Accepts, |id| {
            format!("# {id}\n* filter=x diff=y merge=z\n").into_bytes()
        }),
        case("a line of 2048 bytes in `gitatt~1`", "gitattributesLineLength", long, |f| {
            f.holding(b"gitatt~1", format!("# {}\n{}\n", f.blob(), "a".repeat(2048)).as_bytes())
        }),
        case("a line of 2048 bytes in `gi7d29~1`", "gitattributesLineLength", long, |f| {
            f.holding(b"gi7d29~1", format!("# {}\n{}\n", f.blob(), "b".repeat(2048)).as_bytes())
        }),
    ]
}

#[tokio::test]
async fn settings_that_could_run_programs_get_in_nowhere() {
    let mut cases = texts();
    cases.extend(urls());
    cases.extend(names());
    cases.extend(attributes());
    judge(cases).await;
}

#[tokio::test]
async fn settings_that_the_repository_has_already_as_a_file_are_checked_when_git_would_read_them() {
    let lane = super::lane().await;
    lane.write("harmless", BAD);
    lane.commit("as a file");
    assert_eq!(super::refused(&lane.capture().await), "");
    let forge = Forge::new(&lane, 0);
    let blob = lane.inside(["rev-parse", "HEAD:harmless"]);
    let tip = forge.commit(&forge.tree(&[entry("100644", b".gitmodules", &blob)]));
    forge.point(&tip);
    let capture = lane.capture().await;
    assert!(super::refused(&capture).contains("has a submodule with the name"), "{capture:#?}");
    lane.repo.assert_sound();
}

#[tokio::test]
async fn what_the_base_itself_has_is_not_held_against_the_agent() {
    let repo = crate::repo::Repo::new();
    repo.write(".gitmodules", "[submodule \"..\"]\n\turl = a\n");
    repo.commit("before anybody checked");
    let lane = crate::capture::Lane::new(repo, hedgerow_worktree::GitAccess::Private).await;
    lane.write("new", "new\n");
    let tip = lane.commit("inside");
    let capture = lane.capture().await;
    assert_eq!((super::refused(&capture).as_str(), capture.tip.as_str()), ("", tip.as_str()));
}
