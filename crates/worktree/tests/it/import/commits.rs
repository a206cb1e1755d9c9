//! Commits: every line of their headers.

use gix::objs::Kind;

use super::forge::{Forge, WHO};
use super::{Accepts, Case, Ours, Refuses, case, judge};

/// The commit that a change makes of a sound one.
fn changed(name: &'static str, git: &'static str, ours: Ours, change: impl Fn(String) -> String + 'static) -> Case {
    case(name, git, ours, move |forge: &Forge| forge.object(Kind::Commit, change(sound(forge)).as_bytes()))
}

fn sound(forge: &Forge) -> String {
    let (tree, base) = (forge.plain(), forge.base());
    format!("tree {tree}\nparent {base}\nauthor {WHO}\ncommitter {WHO}\n\nmessage\n")
}

/// With another author, or another committer.
fn written(name: &'static str, git: &'static str, ours: Ours, who: &'static str) -> [Case; 2] {
    let by =
        move |role: &'static str| move |text: String| text.replace(&format!("{role} {WHO}"), &format!("{role} {who}"));
    let mut author = changed(name, git, ours, by("author"));
    let mut committer = changed(name, git, ours, by("committer"));
    author.name = format!("author `{name}`");
    committer.name = format!("committer `{name}`");
    [author, committer]
}

fn people() -> Vec<Case> {
    let zone = "has a malformed time zone";
    let date = "has a malformed date";
    [
        written("A <a@b> 0 +0000", "", Accepts, "A <a@b> 0 +0000"),
        written("A <a@b>  1 +0000", "", Accepts, "A <a@b>  1 +0000"),
        written("A <> 1 -9999", "", Accepts, "A <> 1 -9999"),
        written(" <a@b> 1 +0000", "", Accepts, " <a@b> 1 +0000"),
        written("A <a@b> 9223372036854775807 +0000", "", Accepts, "A <a@b> 9223372036854775807 +0000"),
        written(
            "A <a@b> 9223372036854775808 +0000",
            "badDateOverflow",
            Refuses("does not fit into 64 bits"),
            "A <a@b> 9223372036854775808 +0000",
        ),
        written(
            "A <a@b> 18446744073709551616 +0000",
            "badDateOverflow",
            Refuses("does not fit into 64 bits"),
            "A <a@b> 18446744073709551616 +0000",
        ),
        written("A <a@b> 01 +0000", "zeroPaddedDate", Refuses(date), "A <a@b> 01 +0000"),
        written("A <a@b> -1 +0000", "badDate", Refuses(date), "A <a@b> -1 +0000"),
        written("A <a@b> x +0000", "badDate", Refuses(date), "A <a@b> x +0000"),
        written("A <a@b> 1x +0000", "badDate", Refuses(date), "A <a@b> 1x +0000"),
        written("A <a@b> 1", "badDate", Refuses("has no time zone"), "A <a@b> 1"),
        written("A <a@b> 1 0000", "badTimezone", Refuses(zone), "A <a@b> 1 0000"),
        written("A <a@b> 1 +000", "badTimezone", Refuses(zone), "A <a@b> 1 +000"),
        written("A <a@b> 1 +00000", "badTimezone", Refuses(zone), "A <a@b> 1 +00000"),
        written("A <a@b> 1 +0000 ", "badTimezone", Refuses(zone), "A <a@b> 1 +0000 "),
        written("A <a@b>1 +0000", "missingSpaceBeforeDate", Refuses("has no space before its date"), "A <a@b>1 +0000"),
        written("A <a@b>", "missingSpaceBeforeDate", Refuses("has no space before its date"), "A <a@b>"),
        written("A <a@b 1 +0000", "badEmail", Refuses("has no end of its mail address"), "A <a@b 1 +0000"),
        written("A <a<b> 1 +0000", "badEmail", Refuses("has a malformed mail address"), "A <a<b> 1 +0000"),
        written("A a@b> 1 +0000", "badName", Refuses("has a malformed name"), "A a@b> 1 +0000"),
        written("A a@b 1 +0000", "missingEmail", Refuses("has no mail address"), "A a@b 1 +0000"),
        written(
            "A<a@b> 1 +0000",
            "missingSpaceBeforeEmail",
            Refuses("has no space before its mail address"),
            "A<a@b> 1 +0000",
        ),
        written(
            "<a@b> 1 +0000",
            "missingNameBeforeEmail",
            Refuses("has no space before its mail address"),
            "<a@b> 1 +0000",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn headers() -> Vec<Case> {
    let repeated = Refuses("a line of its header is repeated");
    vec![
        changed("a sound commit", "", Accepts, |text| text),
        changed("no message", "", Accepts, |text| text.replace("\nmessage\n", "")),
        changed("a message that does not end its line", "", Accepts, |text| text.trim_end().to_owned()),
        changed("no committer", "missingCommitter", Refuses("it has no committer"), |text| {
            text.replace("committer ", "x-committer ")
        }),
        changed("no author", "missingAuthor", Refuses("it has no author"), |text| {
            text.replace(&format!("author {WHO}\n"), "")
        }),
        changed("two authors", "multipleAuthors", Refuses("it has no committer"), |text| {
            text.replace("author", &format!("author {WHO}\nauthor"))
        }),
        changed("two committers", "", repeated, |text| {
            text.replace("committer", &format!("committer {WHO}\ncommitter"))
        }),
        changed("an author behind the committer", "", repeated, |text| {
            text.replace("\n\n", &format!("\nauthor {WHO}\n\n"))
        }),
        changed("a parent behind the committer", "", repeated, |text| {
            text.replace("\n\n", &format!("\nparent {}\n\n", "1".repeat(40)))
        }),
        changed("no tree", "bogus commit object", Refuses("it has no tree"), |text| text.replace("tree ", "tre ")),
        changed("a tree that is no id", "bogus commit object", Refuses("it has no tree"), |text| {
            text.replacen("tree ", "tree x", 1)
        }),
        changed("a tree behind the parent", "bogus commit object", Refuses("it has no tree"), |text| {
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines.swap(0, 1);
            lines.join("\n")
        }),
        changed("a parent that is no id", "bad parents", Refuses("a parent is not an object id"), |text| {
            text.replace("parent ", "parent x")
        }),
        changed("a parent behind the author", "missingAuthor", Refuses("it has no author"), |text| {
            let mut lines: Vec<&str> = text.split('\n').collect();
            lines.swap(1, 3);
            lines.join("\n")
        }),
        changed("a NUL in the message", "nulInCommit", Refuses("it has a NUL byte"), |text| {
            text.replace("message", "mess\0age")
        }),
        changed("a NUL in the header", "nulInHeader", Refuses("it has a NUL byte"), |text| {
            text.replace("U Thor", "U\0Thor")
        }),
        changed("a header that does not end", "unterminatedHeader", Refuses("its header does not end"), |text| {
            text.replace("\n\nmessage\n", "\nx")
        }),
        changed("no bytes at all", "bogus commit object", Refuses("its header does not end"), |_| String::new()),
        changed("an encoding that does not exist", "", Accepts, |text| text.replace("\n\n", "\nencoding NO-SUCH\n\n")),
        changed("a signature", "", Accepts, |text| text.replace("\n\n", "\ngpgsig -----BEGIN\n x\n -----END\n\n")),
        changed("a tag that was merged", "", Accepts, |text| {
            text.replace(
                "\n\n",
                &format!("\nmergetag object {}\n type commit\n tag x\n tagger {WHO}\n\n", "1".repeat(40)),
            )
        }),
        changed("headers that nobody knows", "", Accepts, |text| text.replace("\n\n", "\nx y\nHG:extra z\n\n")),
        changed("control characters and no UTF-8", "", Accepts, |text| {
            text.replace("U Thor", "\u{1}\u{7f} Thor").replace("message", "\u{1b}[2J")
        }),
        changed("no parent", "", Accepts, |text| {
            text.lines().filter(|line| !line.starts_with("parent")).collect::<Vec<_>>().join("\n") + "\n"
        }),
    ]
}

fn targets() -> Vec<Case> {
    let with = |forge: &Forge, tree: &str, parent: &str| {
        let text = format!("tree {tree}\nparent {parent}\nauthor {WHO}\ncommitter {WHO}\n\nx\n");
        forge.object(Kind::Commit, text.as_bytes())
    };
    vec![
        case("a tree that is not there", "broken link", Refuses("is missing"), move |f| {
            with(f, &"73".repeat(20), f.base())
        }),
        case("a parent that is not there", "broken link", Refuses("is missing"), move |f| {
            with(f, &f.plain(), &"74".repeat(20))
        }),
        case("a null parent", "broken link", Refuses("a parent is not an object id"), move |f| {
            with(f, &f.plain(), &"0".repeat(40))
        }),
        case("a null tree", "bad tree pointer", Refuses("it has no tree"), move |f| with(f, &"0".repeat(40), f.base())),
        case("a tree that is a file", "not a tree", Refuses("where a tree is expected"), move |f| {
            with(f, &f.blob(), f.base())
        }),
        case("a parent that is a tree", "not a commit", Refuses("where a commit is expected"), move |f| {
            with(f, &f.plain(), &f.plain())
        }),
        case("a parent twice", "", Accepts, move |f| {
            let text =
                format!("tree {}\nparent {1}\nparent {1}\nauthor {WHO}\ncommitter {WHO}\n\nx\n", f.plain(), f.base());
            f.object(Kind::Commit, text.as_bytes())
        }),
        case("a flaw in a commit below", "badTimezone", Refuses("has a malformed time zone"), move |f| {
            let bad = sound(f).replace("+0000", "+00");
            let bad = f.object(Kind::Commit, bad.as_bytes());
            with(f, &f.plain(), &bad)
        }),
    ]
}

#[tokio::test]
async fn a_commit_that_git_refuses_gets_in_nowhere() {
    let mut cases = people();
    cases.extend(headers());
    cases.extend(targets());
    judge(cases).await;
}
