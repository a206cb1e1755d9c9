//! Submodules and Git LFS, which need git's own program and are only touched when a request asks for it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use hedgerow_worktree::{
    Disposition, Error, Fate, FileUrls, Lfs, LocalOptions, LocalWorktrees, Request, Submodules, WorktreeManager,
};

use crate::repo::{Repo, git_in, request, status, write};
use crate::variants::{message, snapshot};

/// Where this machine has git.
fn git() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&paths).map(|dir| dir.join("git")).find(|path| path.exists()).unwrap().canonicalize().unwrap()
}

fn manager(repo: &Repo, git: PathBuf) -> LocalWorktrees {
    LocalWorktrees::open_with(repo.path(), LocalOptions::default().git(Some(git))).unwrap()
}

/// A repository with a submodule in which there is another one.
fn nest() -> (Repo, Repo, Repo) {
    let (outer, middle, inner) = (Repo::new(), Repo::new(), Repo::new());
    let add = |to: &Repo, what: &Repo, path: &str| {
        let url = what.path().to_str().unwrap();
        to.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--name", path, url, path]);
        to.commit("submodule");
    };
    add(&middle, &inner, "deep/inner");
    add(&outer, &middle, "libs/middle");
    (outer, middle, inner)
}

fn filled(files: FileUrls) -> Request {
    Request { submodules: Submodules::Fill(files), ..request("fix") }
}

#[tokio::test]
async fn without_a_policy_submodules_are_empty_directories_as_after_git_worktree_add() {
    let (repo, _middle, _inner) = nest();
    let worktree = repo.manager().create(request("fix")).await.unwrap();
    assert_eq!(std::fs::read_dir(worktree.path().join("libs/middle")).unwrap().count(), 0);
    assert_eq!(status(worktree.path()), "");
    assert_eq!(git_in(worktree.path(), ["submodule", "status"]).chars().next(), Some('-'));
    let released = repo.manager().release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
}

#[tokio::test]
async fn submodules_are_filled_as_git_fills_them_and_the_shared_configuration_stays() {
    let (repo, _middle, _inner) = nest();
    let manager = manager(&repo, git());
    let config = std::fs::read(repo.path().join(".git/config")).unwrap();
    let worktree = manager.create(filled(FileUrls::Allow)).await.unwrap();
    assert_eq!(std::fs::read(repo.path().join(".git/config")).unwrap(), config, "git init'ed them for everybody");

    let theirs = repo.root().join("theirs");
    repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
    git_in(&theirs, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive"]);
    assert_eq!(snapshot(worktree.path()), snapshot(&theirs));
    assert!(worktree.path().join("libs/middle/deep/inner/README").exists());
    assert_eq!(status(worktree.path()), "");
    let state = git_in(worktree.path(), ["submodule", "status", "--recursive"]);
    assert_eq!(state, git_in(&theirs, ["submodule", "status", "--recursive"]));
    assert!(manager.capture(&worktree, message()).await.unwrap().is_empty());
    repo.assert_sound();
    // A look inside changes nothing that counts.
    git_in(&worktree.path().join("libs/middle"), ["status"]);
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed, "a submodule that nobody touched kept the tree");
}

#[tokio::test]
async fn work_in_a_submodule_keeps_the_tree() {
    let plants: [fn(&std::path::Path); 4] = [
        |sub| write(&sub.join("README"), "edited\n"),
        |sub| write(&sub.join("new"), "new\n"),
        |sub| drop(git_in(sub, ["commit", "-q", "--allow-empty", "-m", "work"])),
        |sub| drop(git_in(sub, ["branch", "aside"])),
    ];
    for plant in plants {
        let (repo, _middle, _inner) = nest();
        let manager = manager(&repo, git());
        let worktree = manager.create(filled(FileUrls::Allow)).await.unwrap();
        let sub = worktree.path().join("libs/middle");
        plant(&sub);
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        match released.fate {
            Fate::Kept { why: Some(why), .. } => assert!(why.contains("libs/middle"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert!(sub.join("README").exists());
    }
}

#[tokio::test]
async fn a_submodule_at_a_path_of_this_machine_is_refused_unless_it_is_allowed() {
    let (repo, _middle, _inner) = nest();
    let manager = manager(&repo, git());
    let before = repo.traces();
    match manager.create(filled(FileUrls::Refuse)).await {
        Err(Error::Program { problem, .. }) => assert!(problem.contains("transport 'file' not allowed"), "{problem}"),
        other => panic!("{other:?}"),
    }
    let left: Vec<_> = repo.traces().into_iter().filter(|trace| !before.contains(trace)).collect();
    assert_eq!(left, ["repo/.git/hedgerow/history.lock"; 0]);
}

#[tokio::test]
async fn no_program_means_a_refusal_that_says_so() {
    let (repo, _middle, _inner) = nest();
    let before = repo.traces();
    let lfs = Request { lfs: Lfs::Fetch, ..request("fix") };
    for wanted in [filled(FileUrls::Allow), lfs.clone()] {
        match repo.manager().create(wanted).await {
            Err(Error::Program { problem, .. }) => assert!(problem.contains("`LocalOptions::git`"), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
    let missing = manager(&repo, "/no/such/git".into()).create(lfs).await;
    assert!(matches!(&missing, Err(Error::Program { problem, .. }) if problem.contains("started")), "{missing:?}");
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn neither_the_environment_nor_hooks_nor_templates_reach_the_git_that_fills() {
    let (repo, middle, _inner) = nest();
    let trap = repo.root().join("ran");
    let script = format!("#!/bin/sh\ntouch {}\n", trap.display());
    for hook in ["post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"] {
        for at in [repo.path().join(".git/hooks"), middle.path().join(".git/hooks")] {
            write(&at.join(hook), &script);
            std::fs::set_permissions(at.join(hook), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let program = repo.root().join("monitor");
    write(&program, &script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(["config", "core.fsmonitor", program.to_str().unwrap()]);
    repo.git(["config", "submodule.libs/middle.update", &format!("!{}", program.display())]);
    std::fs::remove_file(&trap).ok();
    let manager = manager(&repo, git());
    let worktree = manager.create(filled(FileUrls::Allow)).await.unwrap();
    assert!(worktree.path().join("libs/middle/README").exists());
    assert!(!trap.exists(), "something that the repository names was run");
}

/// git with a stand-in for Git LFS that puts the file of every pointer into the tree, as `git lfs pull` does.
fn with_lfs(repo: &Repo, content: &str) -> PathBuf {
    let bin = repo.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(git(), bin.join("git")).unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\n[ \"$1\" = version ] && exit 0\n[ \"$1\" = pull ]\ncd \"$GIT_WORK_TREE\"\n\
         for file in *.bin; do printf '{content}' > \"$file\"; done\n"
    );
    write(&bin.join("git-lfs"), &script);
    std::fs::set_permissions(bin.join("git-lfs"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin.join("git")
}

#[tokio::test]
async fn files_of_git_lfs_are_fetched_on_demand_and_captured_as_their_pointers() {
    let repo = Repo::new();
    let content = "large\n";
    let oid = crate::variants::sha256(content.as_bytes());
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len());
    repo.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repo.write("a.bin", &pointer);
    repo.commit("pointer");

    let absent = manager(&repo, git());
    let before = repo.traces();
    if !git_has_lfs() {
        match absent.create(Request { lfs: Lfs::Fetch, ..request("fix") }).await {
            Err(Error::Program { problem, .. }) => assert!(problem.contains("git lfs"), "{problem}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(repo.traces(), before);
    }
    let pointers = absent.create(request("pointers")).await.unwrap();
    assert_eq!(std::fs::read_to_string(pointers.path().join("a.bin")).unwrap(), pointer);

    let manager = manager(&repo, with_lfs(&repo, "large\\n"));
    let worktree = manager.create(Request { lfs: Lfs::Fetch, ..request("fix") }).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("a.bin")).unwrap(), content);
    assert!(manager.capture(&worktree, message()).await.unwrap().is_empty(), "a fetched file replaced its pointer");
    write(&worktree.path().join("README"), "work\n");
    manager.capture(&worktree, message()).await.unwrap();
    assert_eq!(repo.git(["diff", "--name-only", "main", "fix"]), "README");
    repo.assert_sound();
}

fn git_has_lfs() -> bool {
    crate::repo::try_git(std::path::Path::new("/"), ["lfs", "version"]).status.success()
}
