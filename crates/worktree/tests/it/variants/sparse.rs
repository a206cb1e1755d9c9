//! Trees of which a part is left out.

use hedgerow_worktree::{Disposition, Error, Fate, GitAccess, Request, Sparse, WorktreeManager};

use super::{message, request, snapshot};
use crate::repo::{Repo, git_in, status, write};

fn repo() -> Repo {
    let repo = Repo::new();
    for path in ["docs/guide", "docs/de/guide", "tools/a/x", "tools/b/x", "we*ird/x", "top"] {
        repo.write(path, "x\n");
    }
    repo.commit("more");
    repo
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What `git sparse-checkout set` makes of a worktree.
fn by_git(repo: &Repo, name: &str, mode: &str, patterns: &[&str]) -> std::path::PathBuf {
    let path = repo.root().join(name);
    repo.git(["worktree", "add", "-q", "--detach", "--no-checkout", path.to_str().unwrap()]);
    git_in(&path, [&["sparse-checkout", "set", "--skip-checks", mode][..], patterns].concat());
    git_in(&path, ["checkout", "-q"]);
    path
}

#[tokio::test]
async fn patterns_of_a_task_leave_out_what_git_leaves_out_and_git_lists_them() {
    let repo = repo();
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    let manager = repo.manager();
    let cases: [(&str, &[&str]); 6] = [
        ("--cone", &["docs"]),
        ("--cone", &["tools/a", "we*ird", "docs/de", "docs"]),
        ("--cone", &[]),
        ("--no-cone", &["/docs/**/guide", "!/docs/de/"]),
        ("--no-cone", &["*.rs", "top"]),
        ("--no-cone", &["nothing-like-this"]),
    ];
    for (n, (mode, patterns)) in cases.into_iter().enumerate() {
        let theirs = by_git(&repo, &format!("theirs-{n}"), mode, patterns);
        let kind = if mode == "--cone" { Sparse::Cone } else { Sparse::Patterns };
        let shared = std::fs::read(repo.path().join(".git/config")).unwrap();
        let wanted = Request { sparse: kind(words(patterns)), ..crate::repo::request(&format!("ours-{n}")) };
        let ours = manager.create(wanted).await.unwrap();
        assert_eq!(std::fs::read(repo.path().join(".git/config")).unwrap(), shared, "{patterns:?}");
        assert_eq!(snapshot(ours.path()), snapshot(&theirs), "{mode} {patterns:?}");
        for question in [&["ls-files", "-t"][..], &["sparse-checkout", "list"], &["status", "--porcelain"]] {
            assert_eq!(git_in(ours.path(), question), git_in(&theirs, question), "{mode} {patterns:?}");
        }
        let file = |tree: &std::path::Path| {
            let path = git_in(tree, ["rev-parse", "--path-format=absolute", "--git-path", "info/sparse-checkout"]);
            std::fs::read_to_string(path).unwrap()
        };
        assert_eq!(file(ours.path()), file(&theirs), "{mode} {patterns:?}");
        git_in(ours.path(), ["sparse-checkout", "reapply"]);
        assert_eq!(snapshot(ours.path()), snapshot(&theirs));
        git_in(ours.path(), ["sparse-checkout", "disable"]);
        assert!(ours.path().join("src/main.rs").exists() && status(ours.path()).is_empty());
    }
    repo.assert_sound();
    assert_eq!(status(repo.path()), "", "the main checkout became sparse too");
}

#[tokio::test]
async fn without_a_place_for_the_setting_it_is_refused_with_the_way_out_and_with_a_view_it_works() {
    let repo = repo();
    let manager = repo.manager();
    let before = repo.traces();
    let sparse = Sparse::Cone(words(&["docs"]));
    let refused = manager.create(Request { sparse: sparse.clone(), ..request() }).await.unwrap_err().to_string();
    assert!(refused.contains("extensions.worktreeConfig true"), "{refused}");
    assert_eq!(repo.traces(), before);

    let wanted = Request { sparse, git: GitAccess::Private, ..request() };
    let worktree = manager.create(wanted).await.unwrap();
    assert!(worktree.path().join("docs/guide").exists() && !worktree.path().join("src").exists());
    let view = format!("--git-dir={}", worktree.mounts()[1].source.display());
    let tree = format!("--work-tree={}", worktree.path().display());
    let inside = |args: &[&str]| git_in(worktree.path(), [&[view.as_str(), &tree], args].concat());
    assert_eq!(inside(&["sparse-checkout", "list"]), "docs");
    assert_eq!(inside(&["status", "--porcelain"]), "");
    assert_eq!(status(worktree.path()), "", "on the host nothing is missing either");
    repo.assert_sound();
}

#[tokio::test]
async fn a_task_may_have_all_files_although_the_main_checkout_is_sparse() {
    let repo = repo();
    repo.git(["sparse-checkout", "set", "--cone", "docs"]);
    let manager = repo.manager();
    let all = manager.create(Request { sparse: Sparse::Everything, ..request() }).await.unwrap();
    assert!(all.path().join("src/main.rs").exists());
    assert_eq!(status(all.path()), "");
    git_in(all.path(), ["checkout", "-q", "--detach"]);
    assert!(all.path().join("src/main.rs").exists(), "git left files out after all");
    let other = Sparse::Cone(words(&["tools/a"]));
    let other = manager.create(Request { sparse: other, ..crate::repo::request("other") }).await.unwrap();
    assert!(other.path().join("tools/a/x").exists() && !other.path().join("docs").exists());
    assert_eq!(git_in(other.path(), ["sparse-checkout", "list"]), "tools/a");
    repo.assert_sound();
}

#[tokio::test]
async fn a_sparse_index_and_an_empty_pattern_file_of_the_main_checkout_are_inherited_as_git_does_it() {
    let repo = repo();
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "docs"]);
    let manager = repo.manager();
    let worktree = manager.create(request()).await.unwrap();
    let theirs = repo.root().join("theirs");
    repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
    assert_eq!(snapshot(worktree.path()), snapshot(&theirs));
    assert_eq!(status(worktree.path()), "");
    assert_eq!(git_in(worktree.path(), ["sparse-checkout", "list"]), "docs");
    repo.assert_sound();

    std::fs::write(repo.path().join(".git/info/sparse-checkout"), "").unwrap();
    let empty = manager.create(crate::repo::request("empty")).await.unwrap();
    let theirs = repo.root().join("theirs-empty");
    repo.git(["worktree", "add", "-q", "--detach", theirs.to_str().unwrap()]);
    assert_eq!(snapshot(empty.path()), snapshot(&theirs));
    assert_eq!(status(empty.path()), "");
}

#[tokio::test]
async fn what_is_left_out_is_no_deletion_and_what_an_agent_puts_there_is_its_work() {
    for git in [GitAccess::Direct, GitAccess::Private] {
        let repo = repo();
        repo.git(["config", "extensions.worktreeConfig", "true"]);
        let manager = repo.manager();
        let sparse = Sparse::Cone(words(&["docs"]));
        let worktree = manager.create(Request { sparse, git, ..request() }).await.unwrap();
        let nothing = manager.capture(&worktree, message()).await.unwrap();
        assert!(nothing.is_empty(), "left-out files were taken for deleted: {nothing:?}");

        write(&worktree.path().join("docs/guide"), "better\n");
        write(&worktree.path().join("src/main.rs"), "fn main() { work() }\n");
        let capture = manager.capture(&worktree, message()).await.unwrap();
        let changed = repo.git(["diff", "--name-status", "main", capture.tip.as_str()]);
        assert_eq!(changed, "M\tdocs/guide\nM\tsrc/main.rs", "{git:?}");
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
    }
}

#[tokio::test]
async fn patterns_that_git_would_misread_are_refused() {
    let repo = repo();
    let manager = repo.manager();
    for sparse in [Sparse::Cone(words(&["../outside"])), Sparse::Cone(words(&[""])), Sparse::Patterns(words(&["a\nb"]))]
    {
        let before = repo.traces();
        let refused = manager.create(Request { sparse, git: GitAccess::Private, ..request() }).await;
        assert!(matches!(refused, Err(Error::InvalidName { .. })), "{refused:?}");
        assert_eq!(repo.traces(), before);
    }
}
