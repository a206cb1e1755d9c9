//! What lies in the tree, or is staged, and may not become a commit: it stays where it is, and is named.

use hedgerow_worktree::{Disposition, Fate, GitAccess, Notice, WorktreeManager};

use super::lane;
use crate::capture::Lane;
use crate::repo::Repo;

const BAD: &str = "[submodule \"a\"]\n\tpath = a\n\turl = -x\n";

fn unstorable(notices: &[Notice]) -> Vec<(String, String)> {
    let named = |notice: &Notice| match notice {
        Notice::Unstorable { path, why } => Some((path.display().to_string(), why.clone())),
        _ => None,
    };
    notices.iter().filter_map(named).collect()
}

#[tokio::test]
async fn settings_that_git_refuses_are_left_in_the_tree_in_both_modes() {
    for git in [GitAccess::Private, GitAccess::Direct] {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write(".gitmodules", BAD);
        lane.write("dir/.gitattributes", "a".repeat(3000));
        lane.write("dir/GITMOD~1", BAD);
        lane.write("work", "kept\n");
        let capture = lane.capture().await;
        let mut named = unstorable(&capture.notices);
        named.sort();
        let paths: Vec<&str> = named.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, [".gitmodules", "dir/.gitattributes", "dir/GITMOD~1"], "{capture:#?}");
        assert!(named[0].1.contains("URL \"-x\""), "{named:?}");
        let files = lane.repo.git(["ls-tree", "-r", "--name-only", capture.tip.as_str()]);
        assert!(files.lines().any(|name| name == "work") && !files.contains("git"), "{files}");
        lane.repo.assert_sound();
        // So the tree is not deleted with them in it.
        let tree = lane.tree().to_owned();
        let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
        assert!(matches!(released.fate, Fate::Kept { why: Some(_), .. }), "{released:?}");
        assert_eq!(std::fs::read_to_string(tree.join(".gitmodules")).unwrap(), BAD);
    }
}

#[tokio::test]
async fn settings_that_were_changed_into_bad_ones_stay_as_they_were_committed() {
    let repo = Repo::new();
    repo.write(".gitmodules", "[submodule \"a\"]\n\tpath = a\n\turl = ./a\n");
    repo.commit("with a submodule's settings");
    let lane = Lane::new(repo, GitAccess::Private).await;
    lane.write(".gitmodules", BAD);
    let capture = lane.capture().await;
    assert_eq!(unstorable(&capture.notices).len(), 1, "{capture:#?}");
    assert_eq!(capture.tip.as_str(), lane.base());
}

#[tokio::test]
async fn settings_that_git_refuses_and_that_are_staged_are_named() {
    let lane = lane().await;
    lane.write(".gitmodules", BAD);
    lane.inside(["add", "-f", ".gitmodules"]);
    std::fs::remove_file(lane.tree().join(".gitmodules")).unwrap();
    lane.write("work", "kept\n");
    let repo = lane.repo;
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    let Fate::Kept { why: Some(why), .. } = &released.fate else { panic!("{released:?}") };
    assert!(why.contains("URL"), "{why}");
    repo.git(["fsck", "--strict"]);
}
