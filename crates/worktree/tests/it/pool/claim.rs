//! What a claim makes of a slot.

use std::os::unix::fs::symlink;
use std::path::Path;

use hedgerow_worktree::{
    Base, CommitId, Disposition, Error, Fate, GitAccess, LocalOptions, LocalWorktrees, Message, Request,
    WorktreeManager,
    pool::{Check, Exhausted, Pool},
};

use super::{by_git, chmod, content, filled, open, options, records, slot, slots};
use crate::child;
use crate::repo::{Repo, branch, git_in, id, request, status, write};

/// Commits that differ in every way in which commits can differ.
fn eventful(repo: &Repo) -> Vec<CommitId> {
    let path = |name: &str| repo.path().join(name);
    let mut commits = vec![repo.head()];
    let mut commit = |message: &str| commits.push(repo.commit(message));
    repo.write("edited", "one\n");
    repo.write("mode", "#!/bin/sh\n");
    repo.write("dir/deep/er/file", "a file that becomes a directory\n");
    repo.write("file", "and the other way round\n");
    repo.write("gone/entirely/x", "x\n");
    symlink("edited", path("link")).unwrap();
    repo.write("becomes-link", "a file\n");
    commit("second");
    repo.write("edited", "two\n");
    chmod(&path("mode"), 0o755);
    std::fs::remove_dir_all(path("dir/deep")).unwrap();
    repo.write("dir/deep", "a file now\n");
    std::fs::remove_file(path("file")).unwrap();
    repo.write("file/below/it", "a directory now\n");
    std::fs::remove_dir_all(path("gone")).unwrap();
    std::fs::remove_file(path("link")).unwrap();
    symlink("mode", path("link")).unwrap();
    std::fs::remove_file(path("becomes-link")).unwrap();
    symlink("/nowhere/at/all", path("becomes-link")).unwrap();
    repo.write("dir-name", "sorts between a directory and what is in it\n");
    repo.write("dir.name", "so does this\n");
    commit("third");
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write("a.txt", "windows\nlines\n");
    repo.write("src/b.txt", "also\n");
    commit("fourth");
    repo.write(".gitattributes", "*.txt text eol=lf\n");
    commit("fifth");
    repo.write("src/.gitattributes", "*.txt text eol=crlf\n");
    commit("sixth");
    commits
}

#[tokio::test]
async fn a_claim_at_another_commit_equals_what_git_makes_byte_for_byte() {
    let repo = Repo::new();
    let commits = eventful(&repo);
    let pool = open(&repo, 1).await;
    let git: Vec<_> = commits.iter().map(|commit| by_git(&repo, commit.as_str())).collect();
    let last = commits.len() - 1;
    let mut ways: Vec<_> = (0..last).flat_map(|n| [(n, n + 1), (n + 1, n)]).collect();
    ways.extend([(0, last), (last, 0)]);
    for (from, to) in &ways {
        pool.refill(&Base::Commit(commits[*from].clone())).await.unwrap();
        let wanted = commits[*to].clone();
        let worktree = pool.create(Request::detached(id(&format!("w-{from}-{to}")), wanted)).await.unwrap();
        assert_eq!(content(worktree.path()), git[*to], "from {from} to {to}");
        assert_eq!(status(worktree.path()), "", "from {from} to {to}");
        assert_eq!(git_in(worktree.path(), ["diff-index", "--cached", "HEAD"]), "", "from {from} to {to}");
        assert_eq!(pool.release(worktree, Disposition::Discard).await.unwrap().fate, Fate::Removed);
    }
    assert_eq!(pool.status().await.unwrap().claims.hits, ways.len() as u64, "every one of them came from a slot");
    repo.assert_sound();
}

#[tokio::test]
async fn a_claim_writes_as_many_files_as_differ_however_many_there_are() {
    let repo = Repo::new();
    for n in 0..300 {
        repo.write(&format!("many/{}/{n}", n % 7), &format!("{n}\n"));
    }
    repo.commit("many");
    let pool = filled(&repo, 2).await;
    repo.write("many/3/3", "another\n");
    repo.write("new", "file\n");
    std::fs::remove_file(repo.path().join("many/0/7")).unwrap();
    repo.commit("few differ");

    let worktree = pool.create(request("same")).await.unwrap();
    let claims = pool.status().await.unwrap().claims;
    assert_eq!((claims.hits, claims.written, claims.deleted), (1, 2, 1));
    assert_eq!(status(worktree.path()), "");
    pool.refill(&Base::Head).await.unwrap();
    let again = pool.create(request("again")).await.unwrap();
    let claims = pool.status().await.unwrap().claims;
    assert_eq!((claims.hits, claims.written, claims.deleted), (2, 2, 1), "the refill had written the difference");
    assert_eq!(status(again.path()), "");
}

#[tokio::test]
async fn the_nearest_slot_is_taken_and_the_base_may_move_while_slots_are_idle() {
    let repo = Repo::new();
    let old = repo.head();
    let pool = filled(&repo, 2).await;
    repo.write("new", "file\n");
    let new = repo.commit("moved");
    let mut options = options(2);
    options.slots = 1.try_into().unwrap();
    let one = Pool::open(repo.manager(), options).await.unwrap();
    let done = one.refill(&Base::Commit(new.clone())).await.unwrap();
    assert_eq!((done.moved, done.made, done.dropped.len()), (1, 0, 1), "and shrunk");
    let done = pool.refill(&Base::Commit(old.clone())).await.unwrap();
    assert_eq!((done.moved, done.made), (1, 1));
    one.refill(&Base::Commit(new.clone())).await.unwrap();
    drop(pool.create(Request::detached(id("new"), new)).await.unwrap());
    assert_eq!(pool.status().await.unwrap().claims.written, 0);
}

#[tokio::test]
async fn an_exhausted_pool_says_so_and_leaves_nothing_behind() {
    let repo = Repo::new();
    let mut options = options(1);
    options.exhausted = Exhausted::Refuse;
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    pool.refill(&Base::Head).await.unwrap();
    let first = pool.create(request("first")).await.unwrap();
    repo.purge();
    let before = repo.git(["for-each-ref"]);
    let error = pool.create(request("second")).await.unwrap_err();
    assert!(matches!(error, Error::Exhausted { .. }) && error.is_transient(), "{error}");
    repo.purge();
    assert_eq!(repo.git(["for-each-ref"]), before);
    assert!(!pool.worktrees().trees().join("second").exists());
    pool.refill(&Base::Head).await.unwrap();
    let second = pool.create(request("second")).await.unwrap();
    let status = pool.status().await.unwrap();
    assert_eq!((status.claims.hits, status.claims.misses, status.ready.len()), (2, 1, 0));
    drop((first, second));
    repo.assert_sound();
}

#[tokio::test]
async fn without_a_slot_a_creation_makes_its_files_itself() {
    let repo = Repo::new();
    let pool = open(&repo, 1).await;
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"));
    assert_eq!(pool.status().await.unwrap().claims.misses, 1);
}

#[tokio::test]
async fn git_never_hears_of_a_slot_and_a_recovery_leaves_it_alone() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    repo.git(["worktree", "prune"]);
    repo.git(["gc", "-q"]);
    let recovery = pool.recover().await.unwrap();
    assert!(recovery.adopted.is_empty() && recovery.mended.is_empty() && recovery.left.is_empty(), "{recovery:?}");
    assert_eq!(pool.list().await.unwrap().len(), 0);
    let mode = std::os::unix::fs::MetadataExt::mode(&slot(&pool).metadata().unwrap());
    assert_eq!(mode & 0o777, 0o700, "an idle slot is closed to other users");
    assert!(!slot(&pool).join(".git").exists());
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 1);
    assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"));
    assert_eq!(slots(pool.worktrees()).len(), 0);
    repo.assert_sound();
}

#[tokio::test]
async fn a_private_worktree_comes_from_a_slot_as_well_and_goes_back() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let mut wanted = request("fix");
    wanted.git = GitAccess::Private;
    let worktree = pool.create(wanted).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 1);
    write(&worktree.path().join("work"), "done\n");
    let message = Message { text: "work".into(), name: "A".into(), email: "a@example.com".into() };
    assert_eq!(pool.capture(&worktree, message).await.unwrap().files, 1);
    assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    assert!(!slot(&pool).join("work").exists());
}

/// What somebody can do to an idle slot, at a place that no claim has to look at.
type Deed = fn(&Path);

const DEEDS: [(&str, Deed); 7] = [
    ("an edit with its old time", |tree| {
        let path = tree.join("src/deep/er/mod.rs");
        let time = path.metadata().unwrap().modified().unwrap();
        std::fs::write(&path, "//! Weep.\n").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }),
    ("a further file", |tree| write(&tree.join("src/deep/extra"), "x\n")),
    ("a directory behind a symlink", |tree| {
        std::fs::rename(tree.join("src/deep"), tree.join("src/real")).unwrap();
        symlink("real", tree.join("src/deep")).unwrap();
    }),
    ("another mode", |tree| chmod(&tree.join("src/main.rs"), 0o755)),
    ("another mode of a directory", |tree| chmod(&tree.join("src/deep"), 0o777)),
    ("a missing file", |tree| std::fs::remove_file(tree.join("src/main.rs")).unwrap()),
    ("a second name", |tree| {
        std::fs::hard_link(tree.join("src/main.rs"), tree.parent().unwrap().parent().unwrap().join("outside")).unwrap();
    }),
];

#[tokio::test]
async fn a_slot_that_somebody_wrote_into_is_not_handed_out_when_everything_is_checked() {
    let repo = Repo::new();
    let expected = by_git(&repo, "HEAD");
    let mut options = options(1);
    options.check = Check::Everything;
    let pool = Pool::open(repo.manager(), options).await.unwrap();
    for (n, (what, deed)) in DEEDS.into_iter().enumerate() {
        pool.refill(&Base::Head).await.unwrap();
        deed(&slot(&pool));
        let worktree = pool.create(request(&format!("w{n}"))).await.unwrap();
        let status = pool.status().await.unwrap();
        assert_eq!((status.claims.hits, status.dirty), (0, 1), "{what}");
        assert_eq!(content(worktree.path()), expected, "{what}");
    }
    pool.refill(&Base::Head).await.unwrap();
    let worktree = pool.create(request("clean")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 1);
    assert_eq!(content(worktree.path()), expected);
}

#[tokio::test]
async fn a_refill_finds_every_slot_that_somebody_wrote_into() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let clean = content(&slot(&pool));
    for (what, deed) in DEEDS {
        deed(&slot(&pool));
        pool.refill(&Base::Head).await.unwrap();
        assert_eq!(content(&slot(&pool)), clean, "{what}");
    }
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 1);
    assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"));
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn a_slot_that_was_touched_where_a_claim_looks_is_not_handed_out() {
    let at_root: [(&str, Deed); 4] = [
        ("a further file at the root", |tree| write(&tree.join("extra"), "x\n")),
        ("another mode of the root", |tree| chmod(tree, 0o755)),
        ("a replaced root", |tree| {
            let aside = tree.with_file_name("aside");
            std::fs::rename(tree, &aside).unwrap();
            std::fs::create_dir(tree).unwrap();
        }),
        ("an edit of a file that differs", |tree| write(&tree.join("README"), "HELLO\n")),
    ];
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    for (n, (what, deed)) in at_root.into_iter().enumerate() {
        deed(&slot(&pool));
        repo.write("README", &format!("hello again {n}\n"));
        repo.commit("differs in a file");
        let worktree = pool.create(request(&format!("w{n}"))).await.unwrap();
        assert_eq!(pool.status().await.unwrap().claims.hits, 0, "{what}");
        assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"), "{what}");
        let done = pool.refill(&Base::Head).await.unwrap();
        assert_eq!(done.made + done.recycled, 1, "{what}");
    }
}

#[tokio::test]
async fn a_damaged_record_or_index_costs_the_slot_and_nothing_else() {
    for suffix in ["json", "index"] {
        let repo = Repo::new();
        let pool = filled(&repo, 1).await;
        for entry in std::fs::read_dir(records(&repo)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == suffix) {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x20;
                bytes.truncate(bytes.len() - 1);
                std::fs::write(&path, bytes).unwrap();
            }
        }
        let worktree = pool.create(request("fix")).await.unwrap();
        assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"), "{suffix}");
        assert_eq!(pool.status().await.unwrap().claims.hits, 0, "{suffix}");
        let done = pool.refill(&Base::Head).await.unwrap();
        assert_eq!((done.made, done.dropped.len()), (1, 1), "{suffix}: {done:?}");
        assert_eq!(slots(pool.worktrees()).len(), 1, "{suffix}");
    }
}

#[tokio::test]
async fn slots_filled_under_other_settings_are_not_handed_out() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    repo.git(["config", "core.autocrlf", "true"]);
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 0);
    assert_eq!(std::fs::read(worktree.path().join("README")).unwrap(), b"hello\r\n");
    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!((done.made, done.dropped.len()), (1, 1));
    assert_eq!(content(&slot(&pool)).get(Path::new("README")).unwrap().1, b"hello\r\n");
}

#[tokio::test]
async fn a_drained_pool_leaves_nothing() {
    let repo = Repo::new();
    let pool = filled(&repo, 2).await;
    let worktree = pool.create(Request::new(id("fix"), branch("fix"), Base::Head)).await.unwrap();
    pool.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(pool.drain().await.unwrap(), 2);
    assert_eq!(slots(pool.worktrees()).len(), 0);
    let left: Vec<_> = std::fs::read_dir(records(&repo)).unwrap().collect();
    assert_eq!(left.len(), 1, "the lock of the pool: {left:?}");
}

#[tokio::test]
async fn a_slot_whose_commit_was_collected_as_garbage_is_replaced() {
    let repo = Repo::new();
    repo.git(["checkout", "-q", "-b", "gone"]);
    repo.write("new", "file\n");
    let gone = repo.commit("soon gone");
    let pool = open(&repo, 1).await;
    pool.refill(&Base::Commit(gone)).await.unwrap();
    repo.git(["checkout", "-q", "main"]);
    repo.git(["branch", "-D", "gone"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.hits, 0);
    assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"));
    let done = pool.refill(&Base::Head).await.unwrap();
    assert_eq!((done.made, done.dropped.len()), (1, 1), "{done:?}");
}

#[tokio::test]
async fn managers_with_trees_in_different_places_do_not_take_each_others_slots_away() {
    let repo = Repo::new();
    let here = filled(&repo, 1).await;
    let elsewhere = LocalOptions::default().trees(Some(repo.root().join("elsewhere")));
    let elsewhere = LocalWorktrees::open_with(repo.path(), elsewhere).unwrap();
    let there = Pool::open(elsewhere, options(1)).await.unwrap();
    assert_eq!(there.refill(&Base::Head).await.unwrap().made, 1);
    let worktree = there.create(request("there")).await.unwrap();
    there.release(worktree, Disposition::Archive).await.unwrap();
    let again = open(&repo, 1).await;
    assert_eq!(again.worktrees().purge().await.unwrap().left, Vec::<String>::new());
    assert_eq!((again.status().await.unwrap().ready.len(), slots(there.worktrees()).len()), (1, 1));
    assert_eq!(there.refill(&Base::Head).await.unwrap().recycled, 1);
    let worktree = here.create(request("here")).await.unwrap();
    assert_eq!(here.status().await.unwrap().claims.hits, 1);
    assert_eq!(status(worktree.path()), "");
}

#[tokio::test]
async fn a_process_with_another_umask_gets_files_with_its_own_modes() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let mut child = child::start_private("pool-claim-many", &[repo.path().to_str().unwrap(), "p", "1"]);
    assert!(child.wait().unwrap().success());
    let tree = pool.worktrees().trees().join("p-0");
    let mode = |path: &str| std::os::unix::fs::MetadataExt::mode(&tree.join(path).metadata().unwrap()) & 0o777;
    assert_eq!((mode(""), mode("src/deep"), mode("README")), (0o700, 0o700, 0o600));
    assert_eq!(slots(pool.worktrees()).len(), 1, "the slot was left to others");
}

#[tokio::test]
async fn programs_stay_executable_where_the_repository_does_not_trust_modes() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    repo.write("run", "#!/bin/sh\n");
    chmod(&repo.path().join("run"), 0o755);
    repo.commit("a program");
    repo.git(["config", "core.fileMode", "false"]);
    pool.refill(&Base::Head).await.unwrap();
    repo.write("run", "#!/bin/sh\ntrue\n");
    repo.commit("a better program");
    let worktree = pool.create(request("fix")).await.unwrap();
    assert_eq!(pool.status().await.unwrap().claims.written, 1);
    assert_eq!(content(worktree.path()), by_git(&repo, "HEAD"));
}

#[tokio::test]
async fn the_place_of_a_submodule_comes_and_goes_with_the_commits() {
    let repo = Repo::new();
    let before = repo.head();
    let head = before.as_str();
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{head},modules/inner")]);
    repo.git(["commit", "-qm", "a submodule"]);
    let pool = open(&repo, 1).await;
    for (n, (from, to)) in [(before.clone(), repo.head()), (repo.head(), before)].into_iter().enumerate() {
        pool.refill(&Base::Commit(from)).await.unwrap();
        let git = by_git(&repo, to.as_str());
        let worktree = pool.create(Request::detached(id(&format!("w{n}")), to)).await.unwrap();
        assert_eq!(content(worktree.path()), git, "{n}");
        pool.release(worktree, Disposition::Discard).await.unwrap();
    }
    assert_eq!(pool.status().await.unwrap().claims.hits, 2);
}
