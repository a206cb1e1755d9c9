//! Many at once, and other people's git beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hedgerow_worktree::{
    Base, Capture, Disposition, Error, Fate, GitAccess, LocalOptions, LocalWorktrees, Request, Taken, Worktree,
    WorktreeManager,
};

use crate::capture::{git_as, message};
use crate::child;
use crate::repo::{Repo, branch, id, request, status, try_git, write};

/// Runs git again and again until it is dropped, and remembers whatever git complained about.
pub(crate) struct Loop {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<(usize, Vec<String>)>>,
}

impl Loop {
    pub(crate) fn start(dir: &Path, args: &'static [&'static str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, dir): (_, PathBuf) = (Arc::clone(&stop), dir.to_owned());
        let thread = std::thread::spawn(move || {
            let (mut runs, mut failures) = (0, Vec::new());
            while !flag.load(Ordering::Relaxed) {
                let output = try_git(&dir, args);
                runs += 1;
                if !output.status.success() {
                    failures.push(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)));
                }
            }
            (runs, failures)
        });
        Self { stop, thread: Some(thread) }
    }

    fn finish(self) {
        self.finish_except(&[]);
    }

    pub(crate) fn finish_except(mut self, excepted: &[&str]) {
        self.stop.store(true, Ordering::Relaxed);
        let (runs, mut failures) = self.thread.take().unwrap().join().unwrap();
        assert!(runs > 0);
        failures.retain(|failure| !excepted.iter().any(|excepted| failure.contains(excepted)));
        assert_eq!(failures, Vec::<String>::new(), "git was disturbed in {} of {runs} runs", failures.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_creations_at_once_all_succeed_beside_prune_gc_and_fetch() {
    let repo = Repo::new();
    for n in 0..40 {
        repo.write(&format!("src/file-{n}"), &"line\n".repeat(n));
    }
    repo.commit("more");
    repo.git(["remote", "add", "self", "."]);
    let manager = repo.manager();
    let others = [
        Loop::start(repo.path(), &["worktree", "prune"]),
        Loop::start(repo.path(), &["gc", "-q"]),
        Loop::start(repo.path(), &["fetch", "-q", "self"]),
        Loop::start(repo.path(), &["worktree", "list", "--porcelain"]),
    ];
    let mut creations = tokio::task::JoinSet::new();
    for n in 0..64 {
        let manager = manager.clone();
        creations.spawn(async move {
            let name = format!("agent-{n}");
            match n % 3 {
                0 => manager.create(Request { git: GitAccess::Private, ..request(&name) }).await,
                1 => manager.create(request(&name)).await,
                _ => manager.create(Request { head: hedgerow_worktree::Head::Detached, ..request(&name) }).await,
            }
        });
    }
    let mut worktrees = Vec::new();
    while let Some(done) = creations.join_next().await {
        worktrees.push(done.unwrap().expect("a creation failed"));
    }
    for other in others {
        other.finish();
    }
    assert_eq!(worktrees.len(), 64);
    let listed = repo.git(["worktree", "list", "--porcelain"]);
    for worktree in &worktrees {
        assert!(listed.contains(&format!("worktree {}\n", worktree.path().display())), "{}", worktree.id());
        assert_eq!(status(worktree.path()), "", "{}", worktree.id());
    }
    repo.assert_sound();

    let mut releases = tokio::task::JoinSet::new();
    let others = [
        Loop::start(repo.path(), &["worktree", "list", "--porcelain"]),
        Loop::start(repo.path(), &["fetch", "-q", "self"]),
        Loop::start(repo.path(), &["worktree", "prune"]),
        Loop::start(repo.path(), &["fsck", "--strict"]),
    ];
    for worktree in worktrees {
        let manager = manager.clone();
        releases.spawn(async move { manager.release(worktree, Disposition::Archive).await });
    }
    while let Some(done) = releases.join_next().await {
        assert_eq!(done.unwrap().expect("a release failed").fate, Fate::Removed);
    }
    for other in others {
        other.finish();
    }
    assert_eq!(repo.git(["worktree", "list", "--porcelain"]).matches("worktree ").count(), 1);
    repo.purge();
    assert_eq!(repo.git(["for-each-ref", "--format=%(refname)", "refs/heads", "refs/hedgerow"]), "refs/heads/main");
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_create_in_one_repository() {
    let repo = Repo::new();
    let mut children: Vec<_> =
        (0..6).map(|n| child::start("create-many", &[repo.path().to_str().unwrap(), &format!("p{n}"), "8"])).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "a process failed to create its worktrees");
    }
    let recovery = repo.manager().recover().await.unwrap();
    assert_eq!(recovery.left, Vec::<String>::new());
    assert_eq!(recovery.adopted.len(), 48);
    for worktree in &recovery.adopted {
        assert_eq!(status(worktree.path()), "");
    }
    repo.assert_sound();
}

/// Lets all requests loose at once; exactly one may win, and nothing of the others may be left.
async fn race(repo: &Repo, requests: Vec<(LocalWorktrees, Request)>) -> usize {
    let mut creations = tokio::task::JoinSet::new();
    for (manager, request) in requests {
        creations.spawn(async move { manager.create(request).await });
    }
    let (mut winners, mut losers) = (Vec::new(), 0);
    while let Some(done) = creations.join_next().await {
        match done.unwrap() {
            Ok(worktree) => winners.push(worktree),
            Err(Error::Occupied { .. }) => losers += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "with {losers} losers");
    let winner = &winners[0];
    for trace in repo.traces() {
        let known = trace.contains(winner.id().as_str())
            || trace == "refs/heads/main"
            || winner.branch().is_some_and(|branch| trace == format!("refs/heads/{branch}"));
        assert!(known, "{trace} is left of a loser");
    }
    assert_eq!(status(winner.path()), "");
    repo.assert_sound();
    losers
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_is_given_to_exactly_one_of_many() {
    let repo = Repo::new();
    // Managers of their own, as other processes would have.
    let requests =
        (0..8).map(|n| (repo.manager(), Request::new(id("same"), branch(&format!("b{n}")), Base::Head))).collect();
    assert_eq!(race(&repo, requests).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_branch_is_given_to_exactly_one_of_many() {
    let repo = Repo::new();
    let requests =
        (0..8).map(|n| (repo.manager(), Request::new(id(&format!("w{n}")), branch("same"), Base::Head))).collect();
    assert_eq!(race(&repo, requests).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_path_is_given_to_exactly_one_of_many_repositories() {
    let repo = Repo::new();
    let other = repo.bare();
    let trees = repo.root().join("trees");
    let manager =
        |path: &Path| LocalWorktrees::open_with(path, LocalOptions::default().trees(Some(trees.clone()))).unwrap();
    let (one, two) = (manager(repo.path()), manager(&other));
    let (one, two) = tokio::join!(one.create(request("same")), two.create(request("same")));
    let won = match (one, two) {
        (Ok(worktree), Err(Error::Occupied { what: Taken::Path, .. })) => worktree,
        (Err(Error::Occupied { what: Taken::Path, .. }), Ok(worktree)) => worktree,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(won.path()), "");
    let branches =
        [repo.path(), &other].map(|dir| try_git(dir, ["rev-parse", "-q", "--verify", "same"]).status.success());
    assert_eq!(branches.iter().filter(|there| **there).count(), 1, "the loser's branch is left");
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn git_itself_may_take_the_branch_first_but_never_both() {
    let repo = Repo::new();
    for n in 0..12 {
        let name = format!("contested-{n}");
        let theirs = repo.root().join(&name);
        let git = {
            let (path, name, theirs) = (repo.path().to_owned(), name.clone(), theirs.clone());
            std::thread::spawn(move || {
                let args = ["worktree", "add", "-q", "-b", &name, theirs.to_str().unwrap()];
                try_git(&path, args).status.success()
            })
        };
        let ours = repo.manager().create(request(&name)).await;
        let git = git.join().unwrap();
        assert!(git != ours.is_ok(), "git: {git}, hedgerow: {ours:?}");
        if let Err(e) = ours {
            assert!(matches!(e, Error::Occupied { what: Taken::Branch, .. }), "{e:?}");
        }
    }
    repo.assert_sound();
}

/// What an agent does in a round: a line of history that is rewritten, a branch beside it and a file that stays
/// uncommitted.
fn work_in(view: &Path, tree: &Path, round: usize) {
    let inside = |args: &[&str]| git_as(view, tree, args);
    let own = inside(&["symbolic-ref", "--short", "HEAD"]);
    inside(&["switch", "-q", "-c", &format!("side-{round}")]);
    inside(&["commit", "-q", "--allow-empty", "-m", &format!("beside, {round}")]);
    inside(&["switch", "-q", &own]);
    inside(&["commit", "-q", "--allow-empty", "-m", &format!("work, {round}")]);
    write(&tree.join("left"), &format!("{round}\n"));
}

/// Lets several agents work and be captured at once, and says what was captured.
async fn captured_at_once(
    manager: &LocalWorktrees,
    worktrees: Vec<Worktree>,
    round: usize,
) -> Vec<(Worktree, Capture)> {
    let mut captures = tokio::task::JoinSet::new();
    for worktree in worktrees {
        let manager = manager.clone();
        captures.spawn(async move {
            let view = manager.state_dir().join("views").join(worktree.id().as_str()).join("git");
            work_in(&view, worktree.path(), round);
            let capture = manager.capture(&worktree, message()).await.expect("a capture failed");
            (worktree, capture)
        });
    }
    captures.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_branch_and_no_rescue_is_lost_while_somebody_packs_the_refs() {
    let repo = Repo::new();
    let manager = repo.manager();
    let mut worktrees = Vec::new();
    for n in 0..12 {
        let name = format!("agent-{n}");
        worktrees.push(manager.create(Request { git: GitAccess::Private, ..request(&name) }).await.unwrap());
    }
    let packing = [(); 2].map(|()| Loop::start(repo.path(), &["pack-refs", "--all"]));
    let mut held = Vec::new();
    for round in 0..4 {
        let captured = captured_at_once(&manager, std::mem::take(&mut worktrees), round).await;
        held.retain(|(name, _): &(String, _)| name.starts_with("refs/hedgerow/"));
        for (worktree, capture) in captured {
            assert!(capture.notices.is_empty() && capture.rescued.len() > round, "{capture:#?}");
            held.push((format!("refs/heads/{}", worktree.id()), capture.tip));
            held.extend(capture.rescued.into_iter().map(|rescue| (rescue.reference, rescue.commit)));
            worktrees.push(worktree);
        }
        for (reference, commit) in &held {
            assert_eq!(repo.git(["rev-parse", "--verify", reference]), commit.as_str(), "{reference}, round {round}");
        }
    }
    for worktree in worktrees {
        let id = worktree.id().clone();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        for rescue in manager.rescues(&id).await.unwrap() {
            held.push((rescue.reference, rescue.commit));
        }
        let named = |rescue: &_| held.contains(rescue);
        assert!(released.rescues.into_iter().map(|rescue| (rescue.reference, rescue.commit)).all(|r| named(&r)));
    }
    for packing in packing {
        // Each gives up when it meets a lock, of the other one or of ours; it must find nothing else.
        packing.finish_except(&[".lock"]);
    }
    for (reference, commit) in held.iter().filter(|(name, _)| name.starts_with("refs/hedgerow/")) {
        assert_eq!(repo.git(["rev-parse", "--verify", reference]), commit.as_str(), "{reference}");
    }
    repo.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_purges_at_once_delete_is_counted_once() {
    let repo = Repo::new();
    let open = |grace| LocalWorktrees::open_with(repo.path(), LocalOptions::default().grace(Some(grace))).unwrap();
    let patient = open(Duration::from_secs(3600));
    for n in 0..24 {
        let worktree = patient.create(request(&format!("gone-{n}"))).await.unwrap();
        assert_eq!(patient.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    }
    let purge = |manager: LocalWorktrees| tokio::spawn(async move { manager.purge().await.unwrap() });
    let (one, other) = (purge(open(Duration::ZERO)), purge(open(Duration::ZERO)));
    let (one, other) = (one.await.unwrap(), other.await.unwrap());
    assert_eq!((one.deleted + other.deleted, one.left, other.left), (24, Vec::new(), Vec::new()));
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/base"]), "");
}
