//! What was rescued comes back as it was: files, modes, links, deletions, and what was staged or not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hedgerow_worktree::{
    Base, CommitId, Disposition, Fate, GitAccess, LocalWorktrees, Notice, Released, Request, Rescue, Worktree,
    WorktreeManager,
};
use proptest::prelude::*;

use crate::capture::{Lane, git_as};
use crate::repo::{Repo, git_in, id, request, try_git};

const BOTH: [GitAccess; 2] = [GitAccess::Direct, GitAccess::Private];

/// Every file and link below a directory: its path, whether it is executable, and its content or target.
fn contents(dir: &Path) -> Vec<(PathBuf, &'static str, Vec<u8>)> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<(PathBuf, &'static str, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if name == Path::new(".git") {
                continue;
            }
            if meta.is_dir() {
                walk(root, &path, found);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.push((name, "link", target.to_string_lossy().into_owned().into_bytes()));
            } else {
                let kind = if meta.permissions().mode() & 0o100 != 0 { "executable" } else { "file" };
                found.push((name, kind, fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

fn inside(manager: &LocalWorktrees, worktree: &Worktree, args: &[&str]) -> String {
    match worktree.git() {
        GitAccess::Direct => git_in(worktree.path(), args),
        GitAccess::Private => {
            git_as(&manager.state_dir().join(format!("views/{}/git", worktree.id())), worktree.path(), args)
        }
    }
}

/// All that can be seen of a worktree.
#[derive(Debug, PartialEq)]
struct Look {
    contents: Vec<(PathBuf, &'static str, Vec<u8>)>,
    status: String,
    staged: String,
    head: String,
}

impl Look {
    fn at(manager: &LocalWorktrees, worktree: &Worktree) -> Self {
        let git = |args: &[&str]| inside(manager, worktree, args);
        Self {
            contents: contents(worktree.path()),
            status: git(&["status", "--porcelain=v2", "--untracked-files=all"]),
            staged: git(&["ls-files", "--stage"]),
            head: git(&["rev-parse", "HEAD"]),
        }
    }
}

/// Archives the lane and restores it under another name: how it looked, how it looks now, and what happened.
async fn there_and_back(lane: Lane) -> (Repo, LocalWorktrees, Worktree, Look, Released) {
    let Lane { repo, manager, worktree } = lane;
    let git = worktree.git();
    let before = Look::at(&manager, &worktree);
    let base = worktree.base().clone();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "{released:?}");
    let rescue = released.rescues.last().cloned().unwrap_or(Rescue::new("", base));
    repo.git(["gc", "-q", "--prune=now"]);
    let restored = manager.restore(&rescue, Request { git, ..request("again") }).await.unwrap();
    assert_eq!(inside(&manager, &restored, &["symbolic-ref", "HEAD"]), "refs/heads/again");
    (repo, manager, restored, before, released)
}

async fn assert_round_trip(lane: Lane) {
    let (repo, manager, restored, before, _) = there_and_back(lane).await;
    assert_eq!(Look::at(&manager, &restored), before);
    let look = Look::at(&manager, &restored);
    assert_eq!(look, before, "looking at it changed it");
    repo.assert_sound();
}

#[tokio::test]
async fn files_modes_links_deletions_and_the_index_come_back() {
    for git in BOTH {
        let repo = Repo::new();
        for name in ["edited", "staged", "both", "deleted", "forgotten", "mode"] {
            repo.write(name, "first\n");
        }
        repo.commit("more");
        let lane = Lane::new(repo, git).await;
        lane.write("committed", "c");
        lane.commit("committed");
        lane.write("edited", "only in the tree\n");
        lane.write("staged", "in the index and in the tree\n");
        lane.write("both", "in the index\n");
        lane.write("new", "added\n");
        lane.inside(["add", "staged", "both", "new"]);
        lane.write("both", "in the tree\n");
        fs::remove_file(lane.tree().join("deleted")).unwrap();
        lane.inside(["rm", "-q", "--cached", "forgotten"]);
        fs::set_permissions(lane.tree().join("mode"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("edited", lane.tree().join("link")).unwrap();
        lane.write("only-in-the-index", "gone from the tree\n");
        lane.inside(["add", "only-in-the-index"]);
        fs::remove_file(lane.tree().join("only-in-the-index")).unwrap();
        assert_round_trip(lane).await;
    }
}

#[tokio::test]
async fn what_is_staged_and_nowhere_else_is_rescued_even_where_the_tree_is_clean() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("README", "staged and taken back\n");
        lane.inside(["add", "README"]);
        lane.write("README", "hello\n");
        let blob = lane.inside(["rev-parse", ":README"]);
        let (repo, manager, restored, before, released) = there_and_back(lane).await;
        assert_eq!(Look::at(&manager, &restored), before);
        let [rescue] = &released.rescues[..] else { panic!("{released:?}") };
        assert_eq!(repo.git(["rev-parse", &format!("{}^2:README", rescue.reference)]), blob);
    }
}

#[tokio::test]
async fn work_that_is_merged_but_has_something_else_staged_is_rescued() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("README", "work\n");
    lane.commit("work");
    lane.repo.git(["merge", "-q", "--ff-only", "lane"]);
    lane.write("README", "staged\n");
    lane.inside(["add", "README"]);
    lane.write("README", "work\n");
    let into = lane.repo.head();
    let released = lane.manager.release(lane.worktree, Disposition::Merged { into }).await.unwrap();
    assert_eq!((&released.fate, released.rescues.len()), (&Fate::Removed, 1));
}

#[tokio::test]
async fn a_conflict_comes_back_with_all_its_sides() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.inside(["switch", "-q", "-c", "side"]);
        lane.write("README", "theirs\n");
        lane.write("new/er", "theirs\n");
        lane.commit("theirs");
        lane.inside(["switch", "-q", "lane"]);
        lane.write("README", "ours\n");
        lane.write("new/er", "ours\n");
        lane.commit("ours");
        let merge: &[&str] = &["merge", "-q", "side"];
        match git {
            GitAccess::Direct => drop(try_git(lane.tree(), merge)),
            GitAccess::Private => {
                let view = lane.view();
                let mut args = vec!["--git-dir", view.to_str().unwrap(), "--work-tree", "."];
                args.extend(merge);
                drop(try_git(lane.tree(), args));
            }
        }
        assert!(lane.inside(["status", "--porcelain"]).contains("UU README"));
        let (_repo, manager, restored, before, released) = there_and_back(lane).await;
        let after = Look::at(&manager, &restored);
        assert_eq!((after.contents, after.staged), (before.contents, before.staged));
        let conflicts: Vec<_> = released
            .notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Conflict { path } => Some(path.to_str().unwrap()),
                _ => None,
            })
            .collect();
        assert_eq!(conflicts, ["README", "new/er"]);
    }
}

#[tokio::test]
async fn an_index_that_lies_keeps_the_tree() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        let own = match git {
            GitAccess::Private => lane.view(),
            GitAccess::Direct => PathBuf::from(lane.inside(["rev-parse", "--absolute-git-dir"])),
        };
        lane.write("work", "w");
        let mut bytes = fs::read(own.join("index")).unwrap();
        let at = bytes.windows(6).position(|part| part == b"README").unwrap();
        bytes[at..at + 6].copy_from_slice(b"../../");
        let end = bytes.len() - 20;
        bytes[end..].fill(0);
        fs::write(own.join("index"), bytes).unwrap();
        let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
        assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("staged")), "{released:?}");
        assert_eq!(lane.repo.git(["show", "lane:work"]), "w");
    }
}

#[tokio::test]
async fn an_index_that_names_a_missing_object_keeps_the_tree() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("work", "w");
        lane.inside(["update-index", "--add", "--cacheinfo", "100644,0123456789012345678901234567890123456789,gone"]);
        let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
        assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("0123")), "{released:?}");
    }
}

#[tokio::test]
async fn line_ends_come_back_where_git_could_bring_them_back() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.txt text eol=crlf\n*.sh text eol=lf\n*.bin -text\n");
    repo.write("old.txt", "one\r\ntwo\r\n");
    repo.commit("attributes");
    let lane = Lane::new(repo, GitAccess::Direct).await;
    lane.write("old.txt", "one\r\ntwo\r\nthree\r\n");
    lane.write("new.txt", "a\r\nb\r\n");
    lane.write("new.sh", "a\nb\n");
    lane.write("new.bin", "a\r\nb\n");
    assert_round_trip(lane).await;
}

#[tokio::test]
async fn attributes_that_came_with_the_work_do_not_change_its_files() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("unix", "a\nb\n");
    lane.write("dos", "a\r\nb\r\n");
    lane.write(".gitattributes", "* text eol=crlf\n");
    let (_repo, _manager, restored, before, _) = there_and_back(lane).await;
    assert_eq!(contents(restored.path()), before.contents);
}

#[tokio::test]
async fn a_restored_worktree_is_captured_like_any_other() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.write("one", "1");
    lane.commit("one");
    lane.write("two", "2");
    let (repo, manager, restored, _, released) = there_and_back(lane).await;
    let message = crate::capture::message();
    let capture = manager.capture(&restored, message).await.unwrap();
    let rescued = released.rescues.last().unwrap().commit.as_str();
    let tree = |commit: &str| repo.git(["rev-parse", &format!("{commit}^{{tree}}")]);
    assert_eq!((tree(capture.tip.as_str()), capture.files), (tree(rescued), 1));
    let head = CommitId::new(repo.git(["rev-parse", &format!("{}^", capture.tip)])).unwrap();
    assert_eq!(&head, restored.base());
    let again = manager.release(restored, Disposition::Archive).await.unwrap();
    assert_eq!(tree(again.rescues.last().unwrap().commit.as_str()), tree(rescued));
    repo.assert_sound();
}

#[tokio::test]
async fn a_message_that_pretends_to_be_ours_is_not_believed() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("work", "w");
    lane.inside(["add", "-A"]);
    let base = lane.base().to_owned();
    let text = format!("x\n\nHedgerow-Head: {base}\nHedgerow-Base: {base}\nHedgerow-Index: {base}\n");
    lane.inside(["-c", "user.name=hedgerow", "commit", "-q", "-m", &text]);
    let head = lane.inside(["rev-parse", "HEAD"]);
    let (_repo, manager, restored, _, _) = there_and_back(lane).await;
    assert_eq!(inside(&manager, &restored, &["rev-parse", "HEAD"]), head);
    assert_eq!(inside(&manager, &restored, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn what_is_taken_is_not_restored_over() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("work", "w");
    let (_repo, manager, restored, _, released) = there_and_back(lane).await;
    let rescue = released.rescues.last().unwrap();
    assert!(manager.restore(rescue, request("again")).await.is_err());
    let gone =
        Rescue::new(rescue.reference.clone(), CommitId::new("0123456789012345678901234567890123456789").unwrap());
    assert!(manager.restore(&gone, request("third")).await.is_err());
    assert!(manager.inspect(&id("third")).await.is_err(), "a failed restore leaves nothing");
    drop(restored);
}

#[derive(Clone, Debug)]
enum Step {
    Write(String, String),
    Remove(String),
    Executable(String),
    Link(String, String),
    Add(String),
    AddAll,
    Forget(String),
    Commit,
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "a.b", "c d", "\u{e9}"]), 1..3).prop_map(|p| p.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (name(), prop::sample::select(vec!["", "1\n", "2\n", "3"])).prop_map(|(n, c)| Step::Write(n, c.into())),
        2 => name().prop_map(Step::Remove),
        1 => name().prop_map(Step::Executable),
        1 => (name(), name()).prop_map(|(n, t)| Step::Link(n, t)),
        3 => name().prop_map(Step::Add),
        1 => Just(Step::AddAll),
        2 => name().prop_map(Step::Forget),
        1 => Just(Step::Commit),
    ]
}

/// Does what is possible, and leaves the rest.
fn apply(lane: &Lane, step: &Step) {
    let at = |name: &String| lane.tree().join(name);
    let git = |args: &[&str]| {
        let view = lane.view();
        let mut all = Vec::new();
        if lane.worktree.git() == GitAccess::Private {
            all.extend(["--git-dir", view.to_str().unwrap(), "--work-tree", "."]);
        }
        all.extend(args);
        drop(try_git(lane.tree(), all));
    };
    let clear = |name: &String| {
        let path = at(name);
        let _ = if path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    };
    match step {
        Step::Write(name, content) => {
            clear(name);
            let _ = fs::create_dir_all(at(name).parent().unwrap());
            let _ = fs::write(at(name), content);
        }
        Step::Remove(name) => clear(name),
        Step::Executable(name) => {
            if at(name).symlink_metadata().is_ok_and(|m| m.is_file()) {
                fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        Step::Link(name, target) => {
            clear(name);
            let _ = symlink(target, at(name));
        }
        Step::Add(name) => git(&["add", "--", name]),
        Step::AddAll => git(&["add", "-A"]),
        Step::Forget(name) => git(&["rm", "-q", "-r", "-f", "--cached", "--", name]),
        Step::Commit => git(&["commit", "-q", "-m", "by the agent"]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_with_any_index_comes_back(steps in prop::collection::vec(step(), 1..20), private in any::<bool>()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let repo = Repo::empty();
            for (name, content) in [("a/b", "1\n"), ("a/a.b", "2\n"), ("b", "3\n"), ("c d", "4\n")] {
                repo.write(name, content);
            }
            repo.commit("first");
            let git = if private { GitAccess::Private } else { GitAccess::Direct };
            let lane = Lane::new(repo, git).await;
            steps.iter().for_each(|step| apply(&lane, step));
            assert_round_trip(lane).await;
        });
    }
}

#[tokio::test]
async fn an_index_in_two_files_keeps_the_tree_while_something_is_staged_there() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.inside(["update-index", "--split-index"]);
    lane.write("README", "staged alone\n");
    lane.inside(["add", "README"]);
    lane.write("README", "in the file\n");
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert!(matches!(&released.fate, Fate::Kept { why: Some(why), .. } if why.contains("staged")), "{released:?}");
}

#[tokio::test]
async fn a_tree_that_somebody_deleted_leaves_what_was_staged() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("README", "staged alone\n");
    lane.inside(["add", "README"]);
    fs::remove_dir_all(lane.tree()).unwrap();
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    let rescue = &released.rescues.last().unwrap().reference;
    assert_eq!(lane.repo.git(["show", &format!("{rescue}^2:README")]), "staged alone");
}

#[tokio::test]
async fn what_is_staged_in_a_worktree_that_began_at_a_rescue_comes_back_too() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("README", "first\n");
    lane.inside(["add", "README"]);
    lane.write("README", "second\n");
    let released = lane.manager.release(lane.worktree, Disposition::Archive).await.unwrap();
    let first = released.rescues.last().unwrap().clone();
    let asked = Request { base: Base::Commit(first.commit.clone()), ..request("next") };
    let worktree = lane.manager.create(asked).await.unwrap();
    fs::write(worktree.path().join("src/main.rs"), "staged alone\n").unwrap();
    git_in(worktree.path(), ["add", "src/main.rs"]);
    fs::write(worktree.path().join("src/main.rs"), "in the file\n").unwrap();
    let released = lane.manager.release(worktree, Disposition::Archive).await.unwrap();
    let rescue = released.rescues.iter().rev().find(|rescue| rescue.commit != first.commit).unwrap();
    let again = lane.manager.restore(rescue, request("again")).await.unwrap();
    assert_eq!(git_in(again.path(), ["show", ":src/main.rs"]), "staged alone");
    assert_eq!(fs::read(again.path().join("src/main.rs")).unwrap(), b"in the file\n");
    assert_eq!(git_in(again.path(), ["rev-parse", "HEAD"]), first.commit.as_str());
}
