//! What a created worktree is like, compared with what git itself makes.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hedgerow_worktree::{
    Base, BranchName, Disposition, Error, GitAccess, Head, LocalOptions, LocalWorktrees, Request, Taken,
    WorktreeManager,
};

use crate::child;
use crate::repo::{Repo, assert_sound, branch, git_in, id, request, status, try_git, write};

#[tokio::test]
async fn a_new_worktree_is_clean_on_its_branch_and_sound_for_git() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix-1")).await.unwrap();

    assert_eq!(worktree.path(), repo.root().join("repo.worktrees/fix-1"));
    assert_eq!(worktree.base(), &repo.head());
    assert_eq!(worktree.branch(), Some(&branch("fix-1")));
    assert_eq!(status(worktree.path()), "");
    assert_eq!(git_in(worktree.path(), ["diff-files"]), "", "the stat data of the index is not that of the files");
    assert_eq!(git_in(worktree.path(), ["symbolic-ref", "HEAD"]), "refs/heads/fix-1");
    assert_eq!(git_in(worktree.path(), ["log", "-g", "--format=%H", "HEAD"]), repo.head().as_str());
    let listed = repo.git(["worktree", "list", "--porcelain"]);
    assert!(listed.contains("locked hedgerow worktree fix-1: leased"), "{listed}");
    repo.assert_sound();
    git_in(worktree.path(), ["commit", "-q", "--allow-empty", "-m", "work"]);
    repo.assert_sound();
}

#[tokio::test]
async fn nothing_of_the_users_checkout_is_touched() {
    let repo = Repo::new();
    repo.write("README", "unfinished\n");
    repo.write("untracked", "mine\n");
    repo.git(["stash", "list"]);
    let config = std::fs::read(repo.path().join(".git/config")).unwrap();
    let before = (status(repo.path()), repo.git(["rev-parse", "HEAD"]));
    let _worktree = repo.manager().create(request("fix-1")).await.unwrap();
    assert_eq!((status(repo.path()), repo.git(["rev-parse", "HEAD"])), before);
    assert_eq!(std::fs::read(repo.path().join(".git/config")).unwrap(), config, "no tracking, no other setting");
}

#[tokio::test]
async fn a_detached_worktree_is_exactly_one_commit() {
    let repo = Repo::new();
    let first = repo.head();
    repo.write("README", "second\n");
    repo.commit("second");
    let worktree = repo.manager().create(Request::detached(id("gate"), first.clone())).await.unwrap();
    assert_eq!(worktree.branch(), None);
    assert_eq!(git_in(worktree.path(), ["rev-parse", "HEAD"]), first.as_str());
    assert!(!try_git(worktree.path(), ["symbolic-ref", "-q", "HEAD"]).status.success());
    assert_eq!(std::fs::read_to_string(worktree.path().join("README")).unwrap(), "hello\n");
    assert_eq!(status(worktree.path()), "");
    repo.assert_sound();
}

#[tokio::test]
async fn the_base_may_be_another_branch() {
    let repo = Repo::new();
    repo.git(["branch", "stable"]);
    repo.commit("second");
    let request = Request::new(id("fix"), branch("fix"), Base::Branch(branch("stable")));
    let worktree = repo.manager().create(request).await.unwrap();
    assert_eq!(worktree.base().as_str(), repo.git(["rev-parse", "stable"]));
    assert_ne!(worktree.base(), &repo.head());
}

#[tokio::test]
async fn the_base_survives_a_garbage_collection_while_the_worktree_lives() {
    let repo = Repo::new();
    repo.commit("to be forgotten");
    let base = repo.head();
    let worktree = repo.manager().create(Request::detached(id("gate"), base.clone())).await.unwrap();
    repo.git(["reset", "-q", "--hard", "HEAD~1"]);
    std::fs::write(
        repo.path().join(".git/worktrees").join(admin_of(&repo, "gate")).join("HEAD"),
        "ref: refs/heads/main\n",
    )
    .unwrap();
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
    repo.git(["cat-file", "-e", base.as_str()]);
    drop(worktree);
}

fn admin_of(repo: &Repo, id: &str) -> String {
    let entries = std::fs::read_dir(repo.path().join(".git/worktrees")).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.find(|name| name.starts_with(id)).unwrap()
}

#[tokio::test]
async fn a_tree_is_byte_for_byte_what_git_makes_of_it() {
    let repo = Repo::empty();
    repo.write(".gitattributes", "*.bat text eol=crlf\n*.txt text=auto\n*.l1 working-tree-encoding=ISO-8859-1\n");
    repo.write("run.bat", "one\r\ntwo\r\n");
    repo.write("plain.txt", "one\ntwo\n");
    repo.write("name with spaces/ümläut-ß.txt", "x\n");
    std::fs::write(repo.path().join("old.l1"), [0xe4, 0xf6, 10]).unwrap();
    std::fs::write(repo.path().join("blob.bin"), [0, 13, 10, 255]).unwrap();
    repo.write("tool.sh", "#!/bin/sh\n");
    std::fs::set_permissions(repo.path().join("tool.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("tool.sh", repo.path().join("link")).unwrap();
    symlink("no/such/thing", repo.path().join("dangling")).unwrap();
    repo.git(["config", "core.autocrlf", "true"]);
    repo.commit("first");

    let ours = repo.manager().create(request("ours")).await.unwrap();
    let theirs = repo.root().join("theirs");
    repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);

    assert_eq!(snapshot(ours.path()), snapshot(&theirs));
    assert_eq!(git_in(ours.path(), ["ls-files", "--stage"]), git_in(&theirs, ["ls-files", "--stage"]));
    assert_eq!(status(ours.path()), "");
}

#[tokio::test]
async fn expanded_keywords_are_no_change_for_git() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.id ident\n");
    repo.write("keyword.id", "$Id$\n");
    repo.commit("keyword");
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    let file = worktree.path().join("keyword.id");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&repo.git(["rev-parse", "HEAD:keyword.id"])), "{text}");
    // With another inode git must read it again.
    std::fs::copy(&file, worktree.path().join("copy")).unwrap();
    std::fs::rename(worktree.path().join("copy"), &file).unwrap();
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn an_encoding_that_cannot_be_written_is_refused_and_not_mangled() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.rc text working-tree-encoding=UTF-16LE-BOM\n");
    std::fs::write(repo.path().join("res.rc"), [0xff, 0xfe, b'h', 0, b'\n', 0]).unwrap();
    repo.commit("wide");
    let before = repo.traces();
    let refused = repo.manager().create(request("fix")).await.unwrap_err().to_string();
    assert!(refused.contains("res.rc") && refused.contains("working-tree-encoding"), "{refused}");
    assert_eq!(repo.traces(), before);
}

/// Every path with its kind, mode and content.
fn snapshot(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let meta = path.symlink_metadata().unwrap();
            if name == ".git" {
                continue;
            } else if meta.is_dir() {
                dirs.push(path);
            } else if meta.is_symlink() {
                found.push((name, format!("symlink to {:?}", std::fs::read_link(&path).unwrap())));
            } else {
                let mode = meta.permissions().mode();
                found.push((name, format!("{mode:o} {:?}", std::fs::read(&path).unwrap())));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn filter_programs_of_the_repository_are_never_run() {
    let repo = Repo::new();
    let trap = repo.root().join("ran");
    let program = format!("touch {}; cat", trap.display());
    repo.write(".gitattributes", "*.rs filter=trap\n");
    repo.commit("attributes");
    repo.git(["config", "filter.trap.smudge", &program]);
    repo.git(["config", "filter.trap.clean", &program]);
    repo.git(["config", "filter.trap.required", "true"]);
    let hook = repo.path().join(".git/hooks/post-checkout");
    write(&hook, &format!("#!/bin/sh\ntouch {}\n", trap.display()));
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("src/main.rs")).unwrap(), "fn main() {}\n");
    assert!(!trap.exists(), "a program of the repository's configuration was run");
}

#[tokio::test]
async fn a_sparse_checkout_is_inherited_as_git_does_it() {
    let repo = Repo::new();
    repo.write("docs/guide", "x\n");
    repo.commit("docs");
    repo.git(["sparse-checkout", "set", "--cone", "docs"]);
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert!(worktree.path().join("docs/guide").exists());
    assert!(!worktree.path().join("src").exists(), "what the patterns leave out was checked out");
    assert_eq!(status(worktree.path()), "");
    assert_eq!(git_in(worktree.path(), ["sparse-checkout", "list"]), "docs");
    repo.assert_sound();
}

#[tokio::test]
async fn a_bare_repository_has_worktrees_too() {
    let repo = Repo::new();
    let bare = repo.bare();
    let manager = LocalWorktrees::open(&bare).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    assert_eq!(worktree.path(), repo.root().join("bare.git.worktrees/fix"));
    assert_eq!(status(worktree.path()), "");
    assert_sound(&bare);
}

#[tokio::test]
async fn a_separate_git_directory_is_followed() {
    let repo = Repo::new();
    let separate = repo.root().join("elsewhere");
    repo.git(["init", "-q", "--separate-git-dir", separate.to_str().unwrap()]);
    let manager = repo.manager();
    assert_eq!(manager.repository(), separate);
    let worktree = manager.create(request("fix")).await.unwrap();
    assert_eq!(worktree.path(), repo.root().join("repo.worktrees/fix"));
    assert_eq!(status(worktree.path()), "");
    repo.assert_sound();
}

#[tokio::test]
async fn trees_go_where_the_options_say() {
    let repo = Repo::new();
    let trees = repo.root().join("some/where else");
    let options = LocalOptions::default().trees(Some(trees.clone()));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let worktree = manager.create(request("fix")).await.unwrap();
    assert_eq!(worktree.path(), trees.join("fix"));
    assert_eq!(status(worktree.path()), "");

    let inside = LocalOptions::default().trees(Some(repo.path().join("trees")));
    let refused = LocalWorktrees::open_with(repo.path(), inside).unwrap_err();
    assert!(matches!(refused, Error::Repository { .. }), "{refused}");
}

#[tokio::test]
async fn the_state_directory_is_private_and_inside_the_common_directory() {
    let repo = Repo::new();
    let manager = repo.manager();
    assert_eq!(manager.state_dir(), repo.path().join(".git/hedgerow"));
    let mode = manager.state_dir().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_private_view_is_mounted_after_the_tree() {
    let repo = Repo::new();
    let mut wanted = request("fix");
    wanted.git = GitAccess::Private;
    let worktree = repo.manager().create(wanted).await.unwrap();
    let mounts = worktree.mounts();
    assert_eq!(mounts[0].source, worktree.path());
    assert!(mounts.len() > 1, "the view must be mounted too");
    assert!(mounts.iter().all(|mount| mount.source.exists()), "{mounts:?}");
    let state = repo.manager().state_dir().to_owned();
    assert!(mounts.iter().any(|mount| mount.source.starts_with(&state)));
    repo.assert_sound();
}

#[tokio::test]
async fn damaged_entries_of_others_never_block_a_creation() {
    let repo = Repo::new();
    let manager = repo.manager();
    let admins = repo.path().join(".git/worktrees");
    std::fs::create_dir_all(admins.join("empty")).unwrap();
    write(&admins.join("empty-commondir/commondir"), "");
    write(&admins.join("empty-gitdir/gitdir"), "");
    write(&admins.join("nul/gitdir"), "/a\0b/.git");
    write(&admins.join("binary/HEAD"), "\u{1}\u{2}");
    write(&admins.join("only-locked/locked"), "");
    std::fs::create_dir_all(admins.join("strange/HEAD")).unwrap();
    symlink("/no/such/place", admins.join("link")).unwrap();
    write(&admins.join("file"), "not a directory");
    let worktree = manager.create(request("fix")).await.unwrap();
    std::fs::remove_dir_all(admins.join("empty-commondir")).unwrap();
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn somebody_elses_config_lock_does_not_disturb() {
    let repo = Repo::new();
    write(&repo.path().join(".git/config.lock"), "");
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert_eq!(status(worktree.path()), "");
    assert!(repo.path().join(".git/config.lock").exists());
}

#[tokio::test]
async fn a_lock_on_the_packed_refs_that_a_killed_git_left_does_not_stop_creations() {
    let repo = Repo::new();
    repo.git(["pack-refs", "--all"]);
    let lock = repo.path().join(".git/packed-refs.lock");
    write(&lock, "");
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert_eq!(status(worktree.path()), "");
    // Also what fails is undone beside it.
    let before = repo.traces();
    let mut seeded = request("other");
    seeded.seed.lists = vec!["src".into()];
    assert!(repo.manager().create(seeded).await.is_err());
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn variables_of_gits_own_change_nothing() {
    let (repo, other) = (Repo::new(), Repo::new());
    other.write("README", "of another repository\n");
    other.commit("other");
    let git = other.path().join(".git");
    let at = |path: &str| git.join(path).to_str().unwrap().to_owned();
    let environment = [
        ("GIT_DIR", git.to_str().unwrap().to_owned()),
        ("GIT_COMMON_DIR", git.to_str().unwrap().to_owned()),
        ("GIT_WORK_TREE", other.path().to_str().unwrap().to_owned()),
        ("GIT_INDEX_FILE", at("index")),
        ("GIT_OBJECT_DIRECTORY", at("objects")),
        ("GIT_NAMESPACE", "elsewhere".into()),
        ("GIT_CONFIG_COUNT", "1".into()),
        ("GIT_CONFIG_KEY_0", "core.autocrlf".into()),
        ("GIT_CONFIG_VALUE_0", "true".into()),
    ];
    let environment: Vec<_> = environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let args = [repo.path().to_str().unwrap(), "env", "1"];
    assert!(child::start_in("create-many", &args, &environment).wait().unwrap().success());
    let worktree = repo.manager().adopt(&id("env-0")).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("README")).unwrap(), "hello\n");
    assert_eq!(worktree.base(), &repo.head());
    assert_eq!(status(worktree.path()), "");
    assert!(!git.join("hedgerow").exists());
    repo.assert_sound();
}

#[tokio::test]
async fn what_is_taken_is_refused_and_nothing_of_the_loser_is_left() {
    let repo = Repo::new();
    let manager = repo.manager();
    let _winner = manager.create(request("first")).await.unwrap();
    repo.git(["branch", "loose"]);
    repo.git(["branch", "dir/packed"]);
    repo.git(["pack-refs", "--all"]);
    repo.git(["branch", "dir2/loose"]);
    write(&repo.root().join("repo.worktrees/occupied-path/file"), "mine");
    repo.git(["worktree", "add", "-q", "--orphan", "-b", "unborn", repo.root().join("unborn").to_str().unwrap()]);
    let before = repo.traces();

    let on = |name: &str, on: &str| Request::new(id(name), branch(on), Base::Head);
    let cases = [
        ("worktree id", on("first", "other")),
        ("branch", on("second", "first")),
        ("branch", on("second", "loose")),
        ("branch", on("second", "main")),
        ("branch", on("second", "dir")),
        ("branch", on("second", "dir2")),
        ("branch", on("second", "loose/below")),
        ("branch", on("second", "dir/packed/below")),
        ("branch", on("second", "unborn")),
        ("path", on("occupied-path", "other")),
    ];
    for (expected, request) in cases {
        let asked = format!("{request:?}");
        match manager.create(request).await {
            Err(Error::Occupied { what, problem, .. }) => {
                assert_eq!(what.to_string(), expected, "{asked}: {problem}");
            }
            other => panic!("{asked}: {other:?}"),
        }
        assert_eq!(repo.traces(), before, "{asked} left something behind");
    }
}

#[tokio::test]
async fn a_failed_checkout_leaves_nothing() {
    let repo = Repo::new();
    repo.write("lost", "this object will be missing\n");
    repo.commit("second");
    let blob = repo.git(["rev-parse", "HEAD:lost"]);
    std::fs::remove_file(repo.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let manager = repo.manager();
    let before = repo.traces();
    let mut detached = request("fix");
    detached.head = Head::Detached;
    for request in [request("fix"), detached] {
        let failed = manager.create(request).await.unwrap_err();
        assert!(matches!(failed, Error::Git { .. }), "{failed:?}");
        assert_eq!(repo.traces(), before);
    }
}

#[tokio::test]
async fn a_seed_of_many_patterns_is_remembered_and_one_of_too_many_is_refused_before_anything_is_made() {
    let repo = Repo::new();
    let manager = repo.manager();
    let before = repo.traces();
    let with = |count: usize| {
        let mut request = request("fix");
        request.seed.patterns = (0..count).map(|n| format!("/some/directory/of/a/project/file-{n}")).collect();
        request
    };
    assert!(manager.create(with(50_000)).await.unwrap_err().to_string().contains("record"));
    assert_eq!(repo.traces(), before);
    drop(manager.create(with(3_000)).await.unwrap());
    let mut recovery = manager.recover().await.unwrap();
    assert_eq!(recovery.left, Vec::<String>::new());
    manager.release(recovery.adopted.pop().unwrap(), Disposition::Archive).await.unwrap();
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn who_wants_what_a_worktree_has_is_told_which_one_and_of_the_id_first() {
    let repo = Repo::new();
    let manager = repo.manager();
    let holder = manager.create(request("holder")).await.unwrap();
    let said = async |name: &str, branch: &str| {
        let branch = BranchName::new(branch).unwrap();
        let e = manager.create(Request::new(id(name), branch, Base::Head)).await.unwrap_err();
        let Error::Occupied { what, problem, .. } = e else { panic!("{e:?}") };
        (what, problem)
    };
    // Whether it is on its branch or, for the moment, on another one.
    for also in ["once", "twice"] {
        let (what, problem) = said("other", "holder").await;
        assert_eq!(what, Taken::Branch);
        assert!(
            problem.contains("worktree holder at ") && problem.contains(holder.path().to_str().unwrap()),
            "{problem}"
        );
        git_in(holder.path(), ["checkout", "-q", "-b", also]);
    }
    assert_eq!(said("holder", "holder").await.0, Taken::Id);
    assert_eq!(manager.release(holder, Disposition::Keep).await.unwrap().notices, []);
    let (what, problem) = said("holder", "holder").await;
    assert!(what == Taken::Id && problem.contains("adopt"), "{problem}");
}
