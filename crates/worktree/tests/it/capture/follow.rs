//! After a capture the index is where the branch is, so that no commit inside takes back what was captured.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use hedgerow_worktree::{Capture, Disposition, Fate, GitAccess, Notice, WorktreeManager};

use super::{Lane, write};
use crate::repo::{Repo, git_in, id, request, try_git};

async fn direct() -> Lane {
    Lane::new(Repo::new(), GitAccess::Direct).await
}

/// git's own files of the worktree.
fn admin(lane: &Lane) -> PathBuf {
    PathBuf::from(git_in(lane.tree(), ["rev-parse", "--absolute-git-dir"]))
}

fn status(lane: &Lane) -> String {
    lane.inside(["status", "--porcelain"])
}

/// What git finds when it looks at every file, whatever it knows of their times.
fn looked_at(lane: &Lane) -> String {
    let output = try_git(lane.tree(), ["diff", "--name-status", "HEAD"]);
    String::from_utf8(output.stdout).unwrap()
}

fn behind(capture: &Capture) -> Option<&String> {
    capture.notices.iter().find_map(|notice| match notice {
        Notice::IndexBehind { why } => Some(why),
        _ => None,
    })
}

fn otherwise(capture: &Capture) -> Vec<String> {
    let path = |notice: &Notice| match notice {
        Notice::StagedOtherwise { path } => Some(path.display().to_string()),
        _ => None,
    };
    capture.notices.iter().filter_map(path).collect()
}

/// Nothing is there to be committed, whether git is asked before or after it looked at the files.
fn assert_clean(lane: &Lane, capture: &Capture) {
    assert_eq!(capture.notices, []);
    assert_eq!(lane.inside(["diff", "--cached", "--name-status"]), "");
    assert_eq!((status(lane), looked_at(lane)), (String::new(), String::new()));
    let commit = try_git(lane.tree(), ["commit", "-m", "nothing"]);
    let said = String::from_utf8(commit.stdout).unwrap();
    assert!(!commit.status.success() && said.contains("nothing to commit"), "{said}");
    lane.repo.assert_sound();
    assert!(!admin(lane).join("index.lock").exists() && !admin(lane).join("hedgerow-behind").exists());
    let staging = lane.manager.state_dir().join("staging");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_commit_after_a_capture_has_nothing_to_take_back() {
    let lane = direct().await;
    lane.write("new", "work\n");
    lane.write("src/other/deep/new", "work\n");
    lane.write("README", "changed\n");
    std::fs::remove_file(lane.tree().join("src/main.rs")).unwrap();
    std::fs::remove_dir_all(lane.tree().join("src/deep")).unwrap();
    lane.write("src/deep", "a file where a directory was\n");
    symlink("README", lane.tree().join("link")).unwrap();
    let capture = lane.capture().await;
    assert_clean(&lane, &capture);
    // And of a further turn only that is committed.
    lane.write("new", "more\n");
    lane.inside(["commit", "-aqm", "the next turn"]);
    assert_eq!(lane.inside(["show", "--format=", "--name-status"]), "M\tnew");
    assert_eq!(lane.inside(["rev-parse", "HEAD^"]), capture.tip.as_str());
    let next = lane.capture().await;
    assert_eq!((next.snapshot.as_ref(), next.tip.as_str()), (None, &lane.inside(["rev-parse", "HEAD"])[..]));
    assert_clean(&lane, &next);
}

#[tokio::test]
async fn captures_follow_one_another_and_git_looks_at_no_file_that_was_stored() {
    let lane = direct().await;
    for turn in 0..3 {
        lane.write("new", format!("{turn}\n"));
        lane.write(&format!("file-{turn}"), "x\n");
        // A file that was just written may be written again without any sign of it.
        std::thread::sleep(std::time::Duration::from_millis(60));
        let capture = lane.capture().await;
        assert_eq!(lane.inside(["diff-files", "--name-only"]), "", "git knows the files by their times");
        assert_clean(&lane, &capture);
    }
}

#[tokio::test]
async fn a_file_that_changes_right_after_a_capture_is_seen_to_be_changed() {
    let lane = direct().await;
    for turn in 0..30 {
        lane.write("new", format!("{turn:04}\n"));
        lane.capture().await;
        lane.write("new", format!("{:04}\n", turn + 1000));
        assert_eq!(status(&lane), " M new", "{turn}");
    }
}

#[tokio::test]
async fn what_the_agent_staged_of_its_own_stays_staged() {
    let lane = direct().await;
    lane.write("README", "staged\n");
    lane.write("only-staged", "x\n");
    lane.write("both", "same\n");
    lane.inside(["add", "-A"]);
    lane.inside(["rm", "-q", "--cached", "src/main.rs"]);
    lane.write("README", "changed after that\n");
    lane.write("src/main.rs", "changed as well\n");
    lane.write("new", "work\n");
    std::fs::remove_file(lane.tree().join("only-staged")).unwrap();
    let capture = lane.capture().await;
    assert_eq!(otherwise(&capture), ["README", "src/main.rs"]);
    assert_eq!(behind(&capture), None);
    // What is staged, and nothing else, goes into a commit.
    assert_eq!(lane.inside(["diff", "--cached", "--name-status"]), "M\tREADME\nA\tonly-staged\nD\tsrc/main.rs");
    assert_eq!(lane.inside(["show", ":README"]), "staged");
    assert_eq!(lane.inside(["show", ":only-staged"]), "x");
    lane.inside(["commit", "-qm", "what was staged"]);
    assert_eq!(lane.inside(["show", "HEAD:new"]), "work");
    assert_eq!(lane.inside(["show", "HEAD:both"]), "same");
}

#[tokio::test]
async fn a_conflict_stays_one_and_the_rest_follows() {
    let lane = direct().await;
    lane.inside(["checkout", "-qb", "other"]);
    lane.write("README", "theirs\n");
    lane.commit("theirs");
    lane.inside(["checkout", "-q", "lane"]);
    lane.write("README", "ours\n");
    lane.commit("ours");
    assert!(!try_git(lane.tree(), ["merge", "-q", "other"]).status.success());
    lane.write("new", "work\n");
    let unmerged = lane.inside(["ls-files", "-u"]);
    assert_eq!(unmerged.lines().count(), 3);
    let capture = lane.capture().await;
    assert_eq!(lane.inside(["ls-files", "-u"]), unmerged);
    assert_eq!(status(&lane), "UU README");
    assert_eq!((otherwise(&capture), behind(&capture)), (vec![], None));
    lane.write("README", "resolved\n");
    lane.inside(["add", "README"]);
    lane.inside(["commit", "-qm", "merged"]);
    assert_eq!(lane.inside(["diff", "--name-status", capture.tip.as_str(), "HEAD"]), "M\tREADME");
    assert_eq!(lane.inside(["rev-parse", "HEAD^2"]), lane.inside(["rev-parse", "other"]));
}

#[tokio::test]
async fn marks_in_the_index_are_kept_and_what_was_intended_is_there() {
    let lane = direct().await;
    lane.inside(["update-index", "--assume-unchanged", "README"]);
    lane.write("README", "changed unseen\n");
    lane.inside(["update-index", "--skip-worktree", "src/main.rs"]);
    lane.write("src/main.rs", "there all the same\n");
    lane.write("intended", "work\n");
    lane.inside(["add", "-N", "intended"]);
    let capture = lane.capture().await;
    assert_eq!(lane.inside(["ls-files", "-v"]), "h README\nH intended\nH src/deep/er/mod.rs\nS src/main.rs");
    assert_clean(&lane, &capture);
    assert_eq!(lane.inside(["show", ":README"]), "changed unseen");
}

#[tokio::test]
async fn every_form_that_git_gives_an_index_is_written_as_git_reads_it() {
    for (version, more) in [("2", false), ("3", true), ("4", false), ("4", true)] {
        let repo = Repo::new();
        for n in 0..40 {
            repo.write(&format!("dir-{}/file-{n}", n % 4), "x\n");
        }
        // One whose length does not fit.
        let long = format!("{}/file", vec!["y".repeat(200); 15].join("/"));
        repo.commit("many");
        let lane = Lane::new(repo, GitAccess::Direct).await;
        lane.inside(["update-index", "--index-version", version]);
        if more {
            lane.inside(["update-index", "--skip-worktree", "dir-3/file-3"]);
        }
        // Trees that git remembers, and untracked files.
        lane.inside(["update-index", "--force-untracked-cache"]);
        lane.inside(["commit", "-q", "--allow-empty", "-m", "trees"]);
        lane.inside(["status"]);
        lane.write("dir-1/a", "first\n");
        lane.write("dir-1/file-5", "changed\n");
        lane.write("dir-4/z", "last\n");
        lane.write(&long, "deep\n");
        std::fs::remove_file(lane.tree().join("dir-2/file-10")).unwrap();
        std::fs::remove_file(lane.tree().join("dir-0/file-0")).unwrap();
        let capture = lane.capture().await;
        assert_eq!(lane.inside(["fsck", "--strict"]), "", "version {version}");
        assert_eq!(lane.inside(["write-tree"]), lane.tree_of(capture.tip.as_str()));
        assert_clean(&lane, &capture);
        // One byte of it: the version is what it was.
        assert_eq!(std::fs::read(admin(&lane).join("index")).unwrap()[7], version.as_bytes()[0] - b'0');
    }
}

#[tokio::test]
async fn a_lock_of_a_living_git_is_respected_and_made_up_for() {
    let lane = direct().await;
    let lock = admin(&lane).join("index.lock");
    let mut tip = None;
    for (turn, text) in ["one\n", "two\n"].into_iter().enumerate() {
        std::fs::write(&lock, "somebody's").unwrap();
        lane.write("new", text);
        lane.write(&format!("turn-{turn}"), "x\n");
        let capture = lane.capture().await;
        assert!(behind(&capture).is_some_and(|why| why.contains("index.lock")), "{:?}", capture.notices);
        assert_eq!(std::fs::read(&lock).unwrap(), b"somebody's");
        tip = Some(capture.tip);
    }
    std::fs::remove_file(&lock).unwrap();
    assert!(status(&lane).contains("D  new"), "it is behind");
    let capture = lane.capture().await;
    assert_eq!(Some(&capture.tip), tip.as_ref());
    assert_clean(&lane, &capture);
}

#[tokio::test]
async fn whoever_adopts_a_worktree_whose_index_is_behind_brings_it_along() {
    for recovered in [true, false] {
        let Lane { repo, manager, worktree } = direct().await;
        let tree = worktree.path().to_owned();
        let lock = PathBuf::from(git_in(&tree, ["rev-parse", "--absolute-git-dir"])).join("index.lock");
        std::fs::write(&lock, "").unwrap();
        write(&tree.join("new"), "work\n");
        assert!(behind(&manager.capture(&worktree, super::message()).await.unwrap()).is_some());
        std::fs::remove_file(&lock).unwrap();
        drop(worktree);
        let worktree = if recovered {
            manager.recover().await.unwrap().adopted.pop().unwrap()
        } else {
            manager.adopt(&id("lane")).await.unwrap()
        };
        let lane = Lane { repo, manager, worktree };
        assert_eq!(status(&lane), "");
        assert!(!lock.with_file_name("hedgerow-behind").exists());
    }
}

#[tokio::test]
async fn a_release_that_keeps_its_tree_leaves_no_commit_to_be_taken_back_in_it() {
    let Lane { repo, manager, worktree } = direct().await;
    let tree = worktree.path().to_owned();
    write(&tree.join("new"), "work\n");
    repo_in(&tree.join("nested"));
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(released.fate, Fate::Kept { .. }));
    assert_eq!(git_in(&tree, ["diff", "--cached", "--name-status"]), "");
    drop(repo);
}

fn repo_in(path: &std::path::Path) {
    std::fs::create_dir(path).unwrap();
    git_in(path, ["init", "-q"]);
    write(&path.join("file"), "x\n");
    git_in(path, ["add", "-A"]);
    git_in(path, ["commit", "-qm", "inner"]);
}

#[tokio::test]
async fn what_was_staged_and_what_was_not_is_so_again_after_a_release_and_a_restore() {
    let Lane { repo, manager, worktree } = direct().await;
    write(&worktree.path().join("staged"), "x\n");
    git_in(worktree.path(), ["add", "staged"]);
    write(&worktree.path().join("new"), "work\n");
    let before = git_in(worktree.path(), ["status", "--porcelain"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    let rescue = released.rescues.last().unwrap();
    let worktree = manager.restore(rescue, request("again")).await.unwrap();
    assert_eq!(git_in(worktree.path(), ["status", "--porcelain"]), before);
    drop(repo);
}

#[tokio::test]
async fn an_index_that_is_none_stays_what_it_is_and_costs_a_notice() {
    let mut header = b"DIRC\0\0\0\x02\xff\xff\xff\xff".to_vec();
    header.extend([0; 200]);
    for (what, content) in [("garbage", b"garbage".to_vec()), ("empty", Vec::new()), ("cut", header)] {
        let lane = direct().await;
        let index = admin(&lane).join("index");
        std::fs::write(&index, &content).unwrap();
        lane.write("new", "work\n");
        let capture = lane.capture().await;
        assert!(behind(&capture).is_some(), "{what}: {:?}", capture.notices);
        assert_eq!(std::fs::read(&index).unwrap(), content, "{what}");
        assert_eq!(lane.repo.git(["show", "lane:new"]), "work");
    }
}

#[tokio::test]
async fn an_index_that_is_no_file_is_not_followed() {
    let lane = direct().await;
    let (index, victim) = (admin(&lane).join("index"), lane.repo.root().join("victim"));
    std::fs::rename(&index, &victim).unwrap();
    let bytes = std::fs::read(&victim).unwrap();
    for turn in 0..3 {
        let _ = std::fs::remove_file(&index);
        match turn {
            0 => symlink(&victim, &index).unwrap(),
            1 => std::fs::create_dir(&index).unwrap(),
            _ => {
                std::fs::remove_dir(&index).unwrap();
                // With holes, so that it costs nothing to make.
                std::fs::File::create(&index).unwrap().set_len(1 << 40).unwrap();
            }
        }
        lane.write("new", format!("work {turn}\n"));
        let capture = lane.capture().await;
        assert!(behind(&capture).is_some(), "{turn}: {:?}", capture.notices);
        assert_eq!(std::fs::read(&victim).unwrap(), bytes);
    }
    std::fs::remove_file(&index).unwrap();
    std::fs::rename(&victim, &index).unwrap();
    let capture = lane.capture().await;
    assert_clean(&lane, &capture);
}

#[tokio::test]
async fn a_note_that_an_agent_forged_does_no_more_than_the_agent_could() {
    for text in ["x".repeat(5000), "ffffffffffffffffffffffffffffffffffffffff\n".into(), "\0\n\n".into()] {
        let lane = direct().await;
        std::fs::write(admin(&lane).join("hedgerow-behind"), &text).unwrap();
        lane.write("new", "work\n");
        lane.capture().await;
        assert_eq!(lane.repo.git(["show", "lane:new"]), "work");
        assert_eq!(status(&lane), "", "{text:?}");
    }
    let lane = direct().await;
    let (note, victim) = (admin(&lane).join("hedgerow-behind"), lane.repo.root().join("victim"));
    std::fs::write(&victim, "precious").unwrap();
    for name in ["hedgerow-behind", "hedgerow-behind.new", "index.lock"] {
        symlink(&victim, note.with_file_name(name)).unwrap();
    }
    lane.write("new", "work\n");
    assert!(behind(&lane.capture().await).is_some());
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert!(note.symlink_metadata().unwrap().is_file());
}

#[tokio::test]
async fn a_split_index_and_a_detached_head_are_left_alone() {
    let lane = direct().await;
    lane.inside(["update-index", "--split-index"]);
    lane.write("new", "work\n");
    let capture = lane.capture().await;
    assert!(behind(&capture).is_some_and(|why| why.contains("split")), "{:?}", capture.notices);
    lane.inside(["update-index", "--no-split-index"]);
    let capture = lane.capture().await;
    assert_clean(&lane, &capture);
    // What HEAD names does not move, so nothing is staged the other way round.
    lane.inside(["checkout", "-q", "--detach"]);
    let before = lane.inside(["ls-files", "-s"]);
    lane.write("more", "work\n");
    let capture = lane.capture().await;
    assert_eq!(capture.notices, []);
    assert_eq!(status(&lane), "?? more");
    assert_eq!(lane.inside(["ls-files", "-s"]), before);
}

#[tokio::test]
async fn a_file_in_the_place_of_a_staged_directory_is_left_and_said() {
    let lane = direct().await;
    lane.write("dir/mine", "staged\n");
    lane.write("other", "staged\n");
    lane.inside(["add", "-A"]);
    std::fs::remove_dir_all(lane.tree().join("dir")).unwrap();
    std::fs::remove_file(lane.tree().join("other")).unwrap();
    lane.write("dir", "a file\n");
    lane.write("other/inside", "a directory\n");
    let capture = lane.capture().await;
    assert_eq!(otherwise(&capture), ["dir", "other/inside"]);
    assert_eq!(lane.inside(["ls-files"]), "README\ndir/mine\nother\nsrc/deep/er/mod.rs\nsrc/main.rs");
    lane.inside(["write-tree"]);
}

#[tokio::test]
async fn a_sparse_index_follows_where_it_has_files() {
    let repo = Repo::new();
    for dir in ["in", "out"] {
        repo.write(&format!("{dir}/file"), "x\n");
    }
    repo.commit("two directories");
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    let lane = Lane::new(repo, GitAccess::Direct).await;
    lane.inside(["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    assert!(lane.inside(["ls-files", "--sparse"]).contains("out/\n"));
    lane.write("in/new", "work\n");
    let capture = lane.capture().await;
    assert!(lane.inside(["ls-files", "--sparse"]).contains("out/\n"));
    assert_clean(&lane, &capture);
}

#[tokio::test]
async fn with_a_git_directory_of_its_own_nothing_is_staged_by_a_capture_and_a_commit_takes_nothing_back() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.write("new", "work\n");
    let first = lane.capture().await;
    assert_eq!(status(&lane), "?? new");
    lane.write("README", "the next turn\n");
    lane.inside(["commit", "-aqm", "the next turn"]);
    let second = lane.capture().await;
    let names = lane.repo.git(["diff", "--name-status", lane.base(), second.tip.as_str()]);
    assert_eq!(names, "M\tREADME\nA\tnew");
    // The first one is not in its history, and under a ref.
    let rescued: Vec<_> = second.rescued.iter().map(|rescue| &rescue.commit).collect();
    assert_eq!(rescued, [&first.tip]);
}
