//! What cannot be used is refused with what is wrong and what to do.

use std::path::Path;

use hedgerow_worktree::{Base, BranchName, CommitId, Error, LocalWorktrees, Request, WorktreeId, WorktreeManager};

use crate::repo::{Repo, branch, git_in, id, request, write};

fn refusal(path: &Path) -> String {
    match LocalWorktrees::open(path) {
        Err(Error::Repository { path: named, problem }) => {
            assert!(!problem.is_empty());
            format!("{named:?}: {problem}")
        }
        other => panic!("{path:?} was taken: {other:?}"),
    }
}

#[test]
fn only_exactly_a_repository_is_opened() {
    let repo = Repo::new();
    let root = repo.root();
    assert!(refusal(&root).contains("parent directories are not searched"));
    assert!(refusal(&repo.path().join("src")).contains("no repository is there"));
    assert!(refusal(&repo.path().join("README")).contains("README"));
    assert!(refusal(&root.join("missing")).contains("missing"));
    assert!(refusal(&repo.path().join(".git/objects")).contains("objects"));
    for path in [repo.path().to_owned(), repo.path().join(".git"), repo.bare()] {
        LocalWorktrees::open(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }
}

#[test]
fn a_linked_worktree_is_not_taken_for_the_repository() {
    let repo = Repo::new();
    let linked = repo.root().join("linked");
    repo.git(["worktree", "add", "-q", linked.to_str().unwrap()]);
    assert!(refusal(&linked).contains("linked worktree"));
    assert!(refusal(&repo.path().join(".git/worktrees/linked")).contains("linked worktree"));
}

#[test]
fn a_git_file_of_an_agent_is_not_followed_blindly() {
    let repo = Repo::new();
    let fake = repo.root().join("fake");
    write(&fake.join(".git"), "gitdir: /no/such/place\n");
    assert!(refusal(&fake).contains("/no/such/place"));
    write(&fake.join(".git"), "nonsense");
    assert!(refusal(&fake).contains("gitdir: "));
}

#[test]
fn refs_that_cannot_be_seen_are_refused_and_not_taken_for_absent() {
    let repo = Repo::new();
    let config = repo.path().join(".git/config");
    let before = std::fs::read_to_string(&config).unwrap();
    let v1 = before.replace("repositoryformatversion = 0", "repositoryformatversion = 1");
    std::fs::write(&config, format!("{v1}[extensions]\n\trefStorage = reftable\n")).unwrap();
    assert!(refusal(repo.path()).contains("git refs migrate --ref-format=files"));
    std::fs::write(&config, format!("{v1}[extensions]\n\tobjectFormat = sha512\n")).unwrap();
    assert!(refusal(repo.path()).contains("SHA-256"));
    std::fs::write(&config, format!("{v1}[extensions]\n\tfromTheFuture = true\n")).unwrap();
    assert!(refusal(repo.path()).contains("fromthefuture"));
    std::fs::write(&config, format!("{before}[extensions]\n\tworktreeConfig = true\n[core]\n\tbare = true\n")).unwrap();
    assert!(refusal(repo.path()).contains("config.worktree"));
    std::fs::write(&config, "[core\nnonsense").unwrap();
    assert!(refusal(repo.path()).contains("config"));
}

#[test]
fn a_repository_of_real_git_with_another_format_is_refused() {
    let repo = Repo::new();
    let path = repo.root().join("tables");
    git_in(&repo.root(), ["init", "-q", "--ref-format=reftable", path.to_str().unwrap()]);
    assert!(refusal(&path).contains("refStorage"));
}

#[tokio::test]
async fn an_unborn_branch_has_nothing_to_start_from() {
    let repo = Repo::empty();
    let before = repo.traces();
    let refused = repo.manager().create(request("fix")).await.unwrap_err();
    match refused {
        Error::Base { revision, problem } => {
            assert_eq!(revision, "HEAD");
            assert!(problem.contains("main") && problem.contains("first commit"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(repo.traces(), before);
}

#[tokio::test]
async fn bases_that_are_no_commits_are_refused() {
    let repo = Repo::new();
    repo.git(["tag", "-a", "-m", "tag", "v1"]);
    let object = |revision: &str| CommitId::new(repo.git(["rev-parse", revision])).unwrap();
    let bases = [
        Base::Branch(branch("missing")),
        Base::Commit(object("HEAD^{tree}")),
        Base::Commit(object("HEAD:README")),
        Base::Commit(object("v1")),
        Base::Commit(CommitId::new("0123456789012345678901234567890123456789").unwrap()),
        Base::Commit(CommitId::new("0".repeat(40)).unwrap()),
        Base::Commit(CommitId::new("0".repeat(64)).unwrap()),
    ];
    let before = repo.traces();
    for base in bases {
        let asked = format!("{base:?}");
        let refused = repo.manager().create(Request::new(id("fix"), branch("fix"), base)).await;
        assert!(matches!(refused, Err(Error::Base { .. })), "{asked}: {refused:?}");
        assert_eq!(repo.traces(), before);
    }
}

#[test]
fn names_that_git_or_the_file_system_would_mangle_are_refused() {
    for bad in [
        "",
        "-x",
        "--help",
        "HEAD",
        "@",
        "a..b",
        "a b",
        "a.lock",
        "a/",
        "/a",
        "a//b",
        "refs/heads/a",
        "a~1",
        "a:b",
        "a\0",
    ] {
        assert!(matches!(BranchName::new(bad), Err(Error::InvalidName { .. })), "{bad:?}");
    }
    for bad in ["", ".", "..", "-x", ".hidden", "a/b", "a b", "a.lock", "a..b", "ü", "a\0", &"x".repeat(65)] {
        assert!(matches!(WorktreeId::new(bad), Err(Error::InvalidName { .. })), "{bad:?}");
    }
}
