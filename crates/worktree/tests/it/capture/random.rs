//! Random edits, of which git says what they must become.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hedgerow_worktree::GitAccess;
use proptest::prelude::*;

use super::Lane;
use crate::repo::Repo;

#[derive(Clone, Debug)]
enum Edit {
    Write(String, Vec<u8>),
    Remove(String),
    Executable(String),
    Link(String, String),
    Directory(String),
    Rename(String, String),
    Commit,
}

fn name() -> impl Strategy<Value = String> {
    // Few names, so that files, directories and links meet in the same place.
    let part = prop::sample::select(vec!["a", "b", "a.b", "a-b", "c.log", "x", "\u{e9}", ".gitignore", "a b"]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let ignore = prop::sample::select(vec![
        "*.log\n", "!c.log\n", "/a\n", "a/\n", "x/**\n", "**/b\n", "#\n", "a b\n", "*\n!a\n",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::sample::select(vec!["", "1\n", "2\n", "a\r\nb\n"]).prop_map(|text| text.as_bytes().to_vec()),
        ignore.prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => (name(), content()).prop_map(|(name, content)| Edit::Write(name, content)),
        3 => name().prop_map(Edit::Remove),
        1 => name().prop_map(Edit::Executable),
        1 => (name(), name()).prop_map(|(name, target)| Edit::Link(name, target)),
        1 => name().prop_map(Edit::Directory),
        2 => (name(), name()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => Just(Edit::Commit),
    ]
}

/// Does what is possible, and leaves the rest.
fn apply(lane: &Lane, edit: &Edit) {
    let at = |name: &String| lane.tree().join(name);
    let clear = |path: &Path| {
        let real = path.symlink_metadata().is_ok_and(|m| m.is_dir());
        let _ = if real { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    };
    let parent = |path: &PathBuf| {
        let mut dir = lane.tree().to_owned();
        for part in path.parent().unwrap().strip_prefix(lane.tree()).unwrap() {
            dir.push(part);
            if dir.symlink_metadata().is_ok_and(|m| !m.is_dir()) {
                fs::remove_file(&dir).unwrap();
            }
            let _ = fs::create_dir(&dir);
        }
    };
    match edit {
        Edit::Write(name, content) => {
            parent(&at(name));
            clear(&at(name));
            fs::write(at(name), content).unwrap();
        }
        Edit::Remove(name) => clear(&at(name)),
        Edit::Executable(name) => {
            if at(name).symlink_metadata().is_ok_and(|m| m.is_file()) {
                fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        Edit::Link(name, target) => {
            parent(&at(name));
            clear(&at(name));
            symlink(target, at(name)).unwrap();
        }
        Edit::Directory(name) => {
            parent(&at(name));
            let _ = fs::create_dir(at(name));
        }
        Edit::Rename(from, to) => {
            let _ = fs::rename(at(from), at(to));
        }
        Edit::Commit => {
            lane.inside(["add", "-A"]);
            lane.inside(["commit", "-q", "--allow-empty", "-m", "by the agent"]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_end_in_the_tree_that_git_would_make(rounds in prop::collection::vec(prop::collection::vec(edit(), 1..25), 1..4)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let repo = Repo::empty();
            for (name, content) in [("a/b", "1\n"), ("a/a.b/x", "2\n"), ("x", "3\n"), ("c.log", "4\n"), ("b/a b", "5\n")] {
                repo.write(name, content);
            }
            repo.commit("first");
            let lane = Lane::new(repo, GitAccess::Private).await;
            for round in rounds {
                round.iter().for_each(|edit| apply(&lane, edit));
                let parent = lane.inside(["rev-parse", "HEAD"]);
                let capture = lane.capture().await;
                // What was tracked at the base stays tracked, as what the agent committed does.
                lane.assert_captured(&capture, &parent);
            }
        });
    }
}
