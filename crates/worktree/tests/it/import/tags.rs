//! Annotated tags: they are followed to a commit, and never taken over themselves.

use gix::objs::Kind;

use super::forge::{Forge, WHO, deflated, id_of, loose};
use super::{lane, refused};

struct Tag {
    name: &'static str,
    /// What git says is wrong with it.
    git: &'static str,
    /// Words of our reason, or none when the commit behind it is taken over.
    ours: Option<&'static str>,
    text: fn(&str) -> String,
}

const TAGS: [Tag; 13] = [
    Tag { name: "a sound tag", git: "", ours: None, text: sound },
    Tag {
        name: "a tag without a tagger",
        git: "",
        ours: None,
        text: |id| sound(id).replace(&format!("tagger {WHO}\n"), ""),
    },
    Tag { name: "a tag without a message", git: "", ours: None, text: |id| sound(id).replace("\nnote\n", "") },
    Tag { name: "a tag with a strange name", git: "", ours: None, text: |id| sound(id).replace("tag v1", "tag a..b") },
    Tag {
        name: "a tag without an object",
        git: "could not be parsed",
        ours: Some("it names nothing"),
        text: |id| sound(id).replace("object ", "objec "),
    },
    Tag {
        name: "a tag of no id",
        git: "could not be parsed",
        ours: Some("it names nothing"),
        text: |id| sound(id).replace("object ", "object x"),
    },
    Tag {
        name: "a tag without a type",
        git: "could not be parsed",
        ours: Some("it has no type"),
        text: |id| sound(id).replace("type commit\n", ""),
    },
    Tag {
        name: "a tag of an unknown type",
        git: "could not be parsed",
        ours: Some("it has no type"),
        text: |id| sound(id).replace("type commit", "type comit"),
    },
    Tag {
        name: "a tag without a name",
        git: "could not be parsed",
        ours: Some("it has no name"),
        text: |id| sound(id).replace("tag v1\n", ""),
    },
    Tag {
        name: "a tag with a bad time zone",
        git: "badTimezone",
        ours: Some("has a malformed time zone"),
        text: |id| sound(id).replace("+0000", "+00"),
    },
    Tag {
        name: "a tag with a NUL in its header",
        git: "nulInHeader",
        ours: Some("it has a NUL byte in its header"),
        text: |id| sound(id).replace("v1", "v\0"),
    },
    Tag {
        name: "a tag whose header does not end",
        git: "unterminatedHeader",
        ours: Some("its header does not end"),
        text: |id| sound(id).replace("\n\nnote\n", ""),
    },
    Tag {
        name: "a tag that lies about the type",
        git: "is a tree, not a commit",
        ours: Some("and a tag says that it is a tree"),
        text: |id| sound(id).replace("type commit", "type tree"),
    },
];

fn sound(id: &str) -> String {
    format!("object {id}\ntype commit\ntag v1\ntagger {WHO}\n\nnote\n")
}

#[tokio::test]
async fn a_tag_that_git_refuses_leads_nowhere() {
    for (n, tag) in TAGS.iter().enumerate() {
        let lane = lane().await;
        let forge = Forge::new(&lane, n);
        let commit = forge.commit(&forge.plain());
        let text = (tag.text)(&commit);
        let id = forge.object(Kind::Tag, text.as_bytes());
        forge.write("refs/tags/v1", format!("{id}\n"));
        let theirs = alone(&lane.view(), &text);
        assert_eq!(theirs.is_empty(), tag.git.is_empty(), "{}: {theirs}", tag.name);
        assert!(theirs.contains(tag.git), "{}: {theirs}", tag.name);
        let capture = lane.capture().await;
        let rescued: Vec<_> = capture.rescued.iter().map(|rescue| rescue.commit.as_str()).collect();
        match tag.ours {
            None => assert_eq!((rescued, refused(&capture).as_str()), (vec![commit.as_str()], ""), "{}", tag.name),
            Some(why) => {
                assert!(rescued.is_empty() && refused(&capture).contains(why), "{}: {capture:#?}", tag.name);
            }
        }
        assert!(!crate::repo::try_git(lane.repo.path(), ["cat-file", "-e", &id]).status.success(), "{}", tag.name);
        lane.repo.assert_sound();
    }
}

/// What git says about the format of a tag.
fn alone(view: &std::path::Path, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    crate::repo::git_in(dir.path(), ["init", "-q", "--bare"]);
    std::fs::write(dir.path().join("objects/info/alternates"), format!("{}\n", view.join("objects").display()))
        .unwrap();
    let id = id_of(Kind::Tag, text.as_bytes());
    loose(dir.path(), &id, &deflated(&[format!("tag {}\0", text.len()).as_bytes(), text.as_bytes()].concat()));
    let output = crate::repo::try_git(dir.path(), ["fsck", "--strict", "--no-dangling"]);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    text.lines().filter(|line| line.starts_with("error")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn tags_that_name_one_another_end_somewhere() {
    let lane = lane().await;
    let forge = Forge::new(&lane, 0);
    let commit = forge.commit(&forge.plain());
    let mut id = commit.clone();
    for depth in 0..20 {
        let text = sound(&id).replace("v1", &format!("v{depth}"));
        let text = if depth == 0 { text } else { text.replace("type commit", "type tag") };
        id = forge.object(Kind::Tag, text.as_bytes());
        if depth == 4 {
            forge.write("refs/tags/near", format!("{id}\n"));
        }
    }
    forge.write("refs/tags/far", format!("{id}\n"));
    let capture = lane.capture().await;
    assert_eq!(capture.rescued.iter().map(|r| r.commit.as_str()).collect::<Vec<_>>(), [commit.as_str()]);
    assert_eq!(refused(&capture), "refs/tags/far: a tag names a tag too many times");
}

#[tokio::test]
async fn a_tag_of_a_file_or_of_nothing_is_named_and_not_followed() {
    let lane = lane().await;
    let forge = Forge::new(&lane, 0);
    let blob = forge.blob();
    let of_blob = forge.object(Kind::Tag, sound(&blob).replace("type commit", "type blob").as_bytes());
    let of_nothing = forge.object(Kind::Tag, sound(&"75".repeat(20)).as_bytes());
    forge.write("refs/tags/blob", format!("{of_blob}\n"));
    forge.write("refs/tags/nothing", format!("{of_nothing}\n"));
    let capture = lane.capture().await;
    assert!(capture.rescued.is_empty(), "{capture:#?}");
    let why = refused(&capture);
    assert!(why.contains("is a blob, not a commit") && why.contains("is missing"), "{why}");
}
