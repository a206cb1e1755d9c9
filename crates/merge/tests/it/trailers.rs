//! Trailers that are added to messages, against `git interpret-trailers`.

use std::fs;

use hedgerow_merge::{CherryPick, MergeStrategy};

use crate::scene::{Scene, candidate};

/// Ends of messages, each with what makes it hard to tell trailers from text.
const MESSAGES: &[&str] = &[
    "Subject\n",
    "Subject: looks like a trailer\n",
    "Subject\n\nText.\n",
    "Subject\n\nText\nmore: of it\n",
    "Subject\n\nTask: one\n",
    "Subject\n\nText.\n\nTask: one\nAgent: a\n",
    "Subject\n\nText.\n\nTask: one\n  goes on\nAgent: a\n",
    "Subject\n\nText.\n\nTask: fix-42\n",
    "Subject\n\nText.\n\nTask: fix-42\nAgent: a\n",
    "Subject\n\nText.\n\nSigned-off-by: A <a@b>\nno trailer\nnor this\n",
    "Subject\n\nText.\n\nSigned-off-by: A <a@b>\n1\n2\n3\n4\n",
    "Subject\n\nText.\n\n(cherry picked from commit 1111111111111111111111111111111111111111)\n",
    "Subject\n\nText.\n\nNot a key: value\nTask: one\n",
    "Subject\n\nText.\n\nTask: one\n\n\n",
    "Subject\n\n---\n\nTask: one\n",
    "Subject\nsecond line\nTask: one\n",
];

#[test]
fn trailers_are_added_where_git_adds_them() {
    let scene = Scene::simple();
    for message in MESSAGES {
        scene.git(&["checkout", "-q", "-B", "messages", "change~1"]);
        let file = scene.beside("message");
        fs::write(&file, message).unwrap();
        let path = file.to_str().unwrap();
        scene.sh(&format!("echo more >more; git add more; git commit -q --cleanup=verbatim -F {path}"));
        let change = scene.change("messages");
        let pick = CherryPick::default().prepare(&scene.open(), &scene.target("main"), &change).unwrap();
        let commit = candidate(pick).commit;
        let arguments = ["interpret-trailers", "--no-divider", "--trailer", "Task: fix-42", path];
        let expected = scene.git(&arguments);
        assert_eq!(scene.git(&["log", "-1", "--format=%B", commit.as_str()]), expected, "{message:?}");
        scene.git(&["checkout", "-q", "main"]);
    }
}
