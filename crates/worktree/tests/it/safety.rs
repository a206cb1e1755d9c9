//! What a report says about a worktree, whatever git was told not to show.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hedgerow_worktree::{
    GitAccess, LocalOptions, LocalWorktrees, Request, SafetyReport, Seed, WorktreeManager,
    safety::{Fact, Operation},
};

use crate::capture::Lane;
use crate::repo::{Repo, git_in, id, request, try_git, write};

const BOTH: [GitAccess; 2] = [GitAccess::Direct, GitAccess::Private];

async fn inspect(lane: &Lane) -> SafetyReport {
    lane.manager.inspect(&id("lane")).await.unwrap()
}

fn files(fact: &Fact) -> Option<(&'static str, Vec<&str>)> {
    let (kind, paths) = match fact {
        Fact::Changed(paths) => ("changed", paths),
        Fact::ChangedUnseen(paths) => ("unseen", paths),
        Fact::Staged(paths) => ("staged", paths),
        Fact::Unmerged(paths) => ("unmerged", paths),
        Fact::Untracked(paths) => ("untracked", paths),
        Fact::Precious(paths) => ("precious", paths),
        Fact::NestedRepositories(paths) => ("nested", paths),
        Fact::Submodules(paths) => ("submodules", paths),
        _ => return None,
    };
    assert_eq!(paths.count, paths.first.len());
    Some((kind, paths.first.iter().map(|path| path.to_str().unwrap()).collect()))
}

/// The report says this of the files, and nothing else at all.
fn assert_files(report: &SafetyReport, expected: &[(&str, &[&str])]) {
    let found: Vec<_> = report.facts.iter().map(|fact| files(fact).unwrap_or_else(|| panic!("{report}"))).collect();
    let expected: Vec<_> = expected.iter().map(|(kind, paths)| (*kind, paths.to_vec())).collect();
    assert_eq!(found, expected, "{report}");
    assert_eq!(report.unknowns, [], "{report}");
    assert_eq!(report.is_safe(), expected.is_empty());
}

/// Everything in the repository but the records, whose times may be looked at: objects and refs.
fn objects(repo: &Repo) -> (String, String) {
    (repo.git(["count-objects", "-v"]), repo.git(["for-each-ref"]))
}

#[tokio::test]
async fn an_untouched_worktree_is_safe() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        let report = inspect(&lane).await;
        assert_files(&report, &[]);
        assert_eq!(report.to_string(), "nothing would be lost\n");
    }
}

#[tokio::test]
async fn every_kind_of_change_is_named_and_looking_writes_nothing() {
    for git in BOTH {
        let repo = Repo::new();
        repo.write("doc", "text\n");
        repo.commit("more");
        let lane = Lane::new(repo, git).await;
        lane.write("staged", "s");
        lane.inside(["add", "staged"]);
        lane.inside(["rm", "-q", "--cached", "doc"]);
        lane.write("README", "changed\n");
        std::fs::remove_file(lane.tree().join("src/main.rs")).unwrap();
        std::fs::set_permissions(lane.tree().join("src/deep/er/mod.rs"), PermissionsExt::from_mode(0o755)).unwrap();
        lane.write("dir/untracked", "u");
        symlink("nowhere", lane.tree().join("link")).unwrap();
        let before = objects(&lane.repo);
        let report = inspect(&lane).await;
        let changed: &[&str] = &["README", "doc", "src/deep/er/mod.rs", "src/main.rs"];
        assert_files(
            &report,
            &[("changed", changed), ("staged", &["doc", "staged"]), ("untracked", &["dir/untracked", "link"])],
        );
        assert_eq!(objects(&lane.repo), before, "looking has written something");
        assert_eq!(report.to_string().lines().count(), report.facts.len());
    }
}

#[tokio::test]
async fn files_that_git_was_told_not_to_show_are_seen() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.inside(["update-index", "--assume-unchanged", "README"]);
        lane.inside(["update-index", "--skip-worktree", "src/main.rs"]);
        lane.inside(["config", "status.showUntrackedFiles", "no"]);
        lane.inside(["config", "core.excludesFile", "/dev/stdin"]);
        lane.write("README", "edited behind its back\n");
        lane.write("src/main.rs", "edited behind its back\n");
        lane.write("new", "n");
        assert_eq!(lane.inside(["status", "--porcelain"]), "", "git shows it after all");
        let report = inspect(&lane).await;
        assert_files(&report, &[("unseen", &["README", "src/main.rs"]), ("untracked", &["new"])]);
        let capture = lane.capture().await;
        assert_eq!(lane.repo.git(["show", &format!("{}:README", capture.tip)]), "edited behind its back");
        assert_eq!(lane.repo.git(["show", &format!("{}:src/main.rs", capture.tip)]), "edited behind its back");
    }
}

#[tokio::test]
async fn a_file_that_a_sparse_checkout_leaves_out_and_somebody_wrote_is_not_lost() {
    let repo = Repo::new();
    repo.git(["sparse-checkout", "set", "--cone", "src"]);
    repo.write("other/place", "x\n");
    repo.git(["add", "--sparse", "-A"]);
    repo.git(["commit", "-q", "-m", "more"]);
    let lane = Lane::new(repo, GitAccess::Direct).await;
    assert!(!lane.tree().join("other/place").exists());
    assert_files(&inspect(&lane).await, &[]);
    lane.write("other/place", "written by hand\n");
    assert_files(&inspect(&lane).await, &[("unseen", &["other/place"])]);
    let capture = lane.capture().await;
    assert_eq!(lane.repo.git(["show", &format!("{}:other/place", capture.tip)]), "written by hand");
}

#[tokio::test]
async fn a_changed_ignore_file_hides_nothing_that_was_tracked() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write(".gitignore", "*\n");
    lane.write("README", "changed\n");
    lane.write("build", "out\n");
    let report = inspect(&lane).await;
    assert_files(&report, &[("changed", &["README"])]);
}

#[tokio::test]
async fn ignored_files_that_are_listed_are_named_unless_the_main_checkout_has_them() {
    let repo = Repo::new();
    repo.write(".gitignore", ".env*\n/local.db\n/node_modules\n/target\n");
    repo.commit("ignore");
    repo.write(".env", "SECRET=1\n");
    let options = LocalOptions::default().precious(["*.db"]);
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    let worktree = manager.create(Request { seed: Seed::environment(), ..request("fix") }).await.unwrap();
    let tree = worktree.path();
    write(&tree.join("node_modules/pkg/.env"), "of somebody's package\n");
    write(&tree.join("target/cache.db"), "of a build\n");
    assert_files(&manager.inspect(&id("fix")).await.unwrap(), &[]);

    write(&tree.join(".env"), "SECRET=2\n");
    write(&tree.join(".env.local"), "MINE=1\n");
    write(&tree.join("local.db"), "rows\n");
    let report = manager.inspect(&id("fix")).await.unwrap();
    let [Fact::Precious(paths)] = &report.facts[..] else { panic!("{report}") };
    let mut found = paths.first.clone();
    found.sort();
    assert_eq!(found, [".env", ".env.local", "local.db"].map(PathBuf::from));
}

#[tokio::test]
async fn commits_on_the_branch_on_no_branch_or_left_behind_are_counted() {
    for git in BOTH {
        let lane = Lane::new(Repo::new(), git).await;
        lane.write("one", "1");
        lane.commit("one");
        let report = inspect(&lane).await;
        assert!(matches!(&report.facts[..], [Fact::Commits(commits)] if commits.count == 1), "{report}");

        lane.inside(["switch", "-q", "--detach"]);
        lane.write("two", "2");
        let two = lane.commit("two");
        let report = inspect(&lane).await;
        assert!(matches!(&report.facts[..], [Fact::Commits(commits)] if commits.count == 2), "{report}");

        lane.inside(["reset", "-q", "--hard", "HEAD~1"]);
        let report = inspect(&lane).await;
        let [Fact::Commits(one), Fact::Rewritten(left)] = &report.facts[..] else { panic!("{report}") };
        assert_eq!((one.count, left.count, left.first[0].as_str()), (1, 1, two.as_str()));
        assert!(!report.is_safe());
    }
}

#[tokio::test]
async fn commits_that_another_ref_holds_are_not_counted() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.write("one", "1");
    lane.commit("one");
    lane.repo.git(["tag", "-a", "-m", "kept", "v1", "lane"]);
    assert_files(&inspect(&lane).await, &[]);
}

#[tokio::test]
async fn stashes_are_told_apart_by_the_worktree_that_made_them() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    lane.repo.write("README", "of the main checkout\n");
    lane.repo.git(["stash", "-q"]);
    assert_files(&inspect(&lane).await, &[]);
    lane.write("README", "of the lane\n");
    lane.inside(["stash", "-q"]);
    let mine = lane.repo.git(["rev-parse", "stash@{0}"]);
    let report = inspect(&lane).await;
    let [Fact::SharedStashes(stashes)] = &report.facts[..] else { panic!("{report}") };
    assert_eq!((stashes.count, stashes.first[0].as_str()), (1, mine.as_str()));
    assert!(report.is_safe(), "the stash stays where it is");

    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    for n in ["1", "2"] {
        lane.write("README", n);
        lane.inside(["stash", "-q"]);
    }
    let report = inspect(&lane).await;
    assert!(matches!(&report.facts[..], [Fact::Stashes(stashes)] if stashes.count == 2), "{report}");
    assert!(!report.is_safe(), "the private stash goes with the worktree");
}

pub(crate) fn try_inside(lane: &Lane, args: &[&str]) {
    match lane.worktree.git() {
        GitAccess::Direct => drop(try_git(lane.tree(), args)),
        GitAccess::Private => {
            let mut all =
                vec!["--git-dir".to_owned(), lane.view().display().to_string(), "--work-tree".into(), ".".into()];
            all.extend(args.iter().map(|arg| (*arg).to_owned()));
            drop(try_git(lane.tree(), all));
        }
    }
}

#[tokio::test]
async fn an_operation_in_progress_is_named() {
    for git in BOTH {
        for (operation, args) in [
            (Operation::Merge, &["merge", "side"][..]),
            (Operation::Rebase, &["rebase", "side"]),
            (Operation::Rebase, &["rebase", "--apply", "side"]),
            (Operation::CherryPick, &["cherry-pick", "side"]),
            (Operation::Revert, &["revert", "--no-edit", "HEAD~1"]),
            (Operation::Bisect, &["bisect", "start"]),
            (Operation::Am, &["am", "../patch"]),
        ] {
            let lane = Lane::new(Repo::new(), git).await;
            lane.inside(["switch", "-q", "-c", "side"]);
            lane.write("README", "theirs\n");
            lane.commit("theirs");
            let patch = lane.inside(["format-patch", "--stdout", "-1"]);
            std::fs::write(lane.tree().parent().unwrap().join("patch"), patch + "\n\n").unwrap();
            lane.inside(["switch", "-q", "lane"]);
            lane.write("README", "ours\n");
            lane.commit("ours");
            lane.write("README", "ours again\n");
            lane.commit("ours again");
            try_inside(&lane, args);
            let report = inspect(&lane).await;
            let found = report.facts.contains(&Fact::Operation(operation));
            assert!(found, "{git:?} {operation:?}: {report}");
            assert!(!report.is_safe());
        }
    }
}

#[tokio::test]
async fn a_conflict_is_named() {
    let lane = Lane::new(Repo::new(), GitAccess::Private).await;
    lane.inside(["switch", "-q", "-c", "side"]);
    lane.write("README", "theirs\n");
    lane.commit("theirs");
    lane.inside(["switch", "-q", "lane"]);
    lane.write("README", "ours\n");
    lane.commit("ours");
    try_inside(&lane, &["merge", "side"]);
    let report = inspect(&lane).await;
    assert!(report.facts.iter().any(|fact| files(fact) == Some(("unmerged", vec!["README"]))), "{report}");
}

#[tokio::test]
async fn repositories_and_submodules_inside_are_named_even_below_what_is_ignored() {
    let repo = Repo::new();
    let library = repo.root().join("library");
    std::fs::create_dir(&library).unwrap();
    git_in(&library, ["init", "-q"]);
    git_in(&library, ["commit", "-q", "--allow-empty", "-m", "first"]);
    repo.write(".gitignore", "/node_modules\n");
    repo.git(["-c", "protocol.file.allow=always", "submodule", "-q", "add", library.to_str().unwrap(), "sub"]);
    repo.commit("with a submodule");
    let lane = Lane::new(repo, GitAccess::Direct).await;
    assert_files(&inspect(&lane).await, &[]);
    for nested in ["node_modules/pkg", "vendor/lib"] {
        let nested = lane.tree().join(nested);
        std::fs::create_dir_all(&nested).unwrap();
        git_in(&nested, ["init", "-q"]);
        git_in(&nested, ["commit", "-q", "--allow-empty", "-m", "history of its own"]);
    }
    std::fs::create_dir(lane.tree().join("node_modules/empty")).unwrap();
    git_in(&lane.tree().join("node_modules/empty"), ["init", "-q"]);
    lane.inside(["-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init"]);
    let report = inspect(&lane).await;
    let facts: Vec<_> = report.facts.iter().filter_map(files).collect();
    assert!(facts.contains(&("submodules", vec!["sub"])), "{report}");
    let nested = facts.iter().find(|(kind, _)| *kind == "nested").unwrap();
    let mut nested = nested.1.clone();
    nested.sort_unstable();
    assert_eq!(nested, ["node_modules/pkg", "vendor/lib"]);
}

struct Sleeper(Child);

impl Sleeper {
    fn new(dir: &Path, input: Stdio) -> Self {
        Self(Command::new("sleep").arg("600").current_dir(dir).stdin(input).spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_process_that_works_in_there_or_has_a_file_open_is_named() {
    let lane = Lane::new(Repo::new(), GitAccess::Direct).await;
    let working = Sleeper::new(&lane.tree().join("src/deep"), Stdio::null());
    let file = std::fs::File::open(lane.tree().join("README")).unwrap();
    let reading = Sleeper::new(Path::new("/"), file.into());
    let report = inspect(&lane).await;
    let [Fact::Processes(found)] = &report.facts[..] else { panic!("{report}") };
    let mut pids: Vec<_> = found.first.iter().map(|process| process.pid).collect();
    pids.sort_unstable();
    let mut expected = [working.0.id(), reading.0.id()];
    expected.sort_unstable();
    assert_eq!(pids, expected, "{report}");
    assert!(!report.is_safe());
    drop((working, reading));
    assert_files(&inspect(&lane).await, &[]);
}

#[tokio::test]
async fn what_cannot_be_read_never_looks_clean() {
    type Damage = fn(&Lane, &Path);
    let damages: [(&str, Damage); 6] = [
        ("a torn index", |_, own| std::fs::write(own.join("index"), "DIRC").unwrap()),
        ("no HEAD", |_, own| std::fs::remove_file(own.join("HEAD")).unwrap()),
        ("another tree", |lane, _| {
            std::fs::rename(lane.tree(), lane.tree().with_extension("moved")).unwrap();
            std::fs::create_dir(lane.tree()).unwrap();
        }),
        ("no tree", |lane, _| std::fs::remove_dir_all(lane.tree()).unwrap()),
        ("another .git file", |lane, _| std::fs::write(lane.tree().join(".git"), "gitdir: /nowhere\n").unwrap()),
        ("a .git directory", |lane, _| {
            std::fs::remove_file(lane.tree().join(".git")).unwrap();
            std::fs::create_dir(lane.tree().join(".git")).unwrap();
        }),
    ];
    for git in BOTH {
        for (what, damage) in damages {
            let lane = Lane::new(Repo::new(), git).await;
            let own = match git {
                GitAccess::Private => lane.view(),
                GitAccess::Direct => PathBuf::from(lane.inside(["rev-parse", "--absolute-git-dir"])),
            };
            damage(&lane, &own);
            let report = lane.manager.inspect(&id("lane")).await.unwrap();
            assert!(!report.unknowns.is_empty() && !report.is_safe(), "{git:?} {what}: {report}");
        }
    }
    assert!(Repo::new().manager().inspect(&id("nothing")).await.is_err());
}
