//! What a killed process leaves of a pool.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use hedgerow_worktree::{Base, Disposition, Fate, LocalOptions, LocalWorktrees, WorktreeManager, pool::Pool};
use serde_json::{Value, json};

use super::{by_git, content, filled, open, options, records, slot, slots};
use crate::child;
use crate::repo::{Repo, git_in, id, request, write};

/// What the process does that is killed: claims, works, releases, and refills at a base that moves to and fro.
pub(crate) async fn cycle(path: &str, prefix: &str) {
    let manager = LocalWorktrees::open(path).unwrap();
    let pool = Pool::open(manager, options(2)).await.unwrap();
    let say = |line: &str| {
        let mut out = std::io::stdout();
        writeln!(out, "{line}").unwrap();
        out.flush().unwrap();
    };
    say("begin");
    for n in 0.. {
        let name = format!("{prefix}-{n}");
        let worktree = pool.create(request(&name)).await.unwrap();
        write(&worktree.path().join("work"), &format!("the work of {name}\n"));
        say(&format!("wrote {name}"));
        let released = pool.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed);
        let base = if n % 2 == 0 { "main" } else { "other" };
        pool.refill(&Base::Branch(crate::repo::branch(base))).await.unwrap();
    }
}

/// Kills a process after so long, and returns the names of the worktrees in which it had worked by then.
fn kill_after(repo: &Repo, prefix: &str, pause: Duration) -> Vec<String> {
    let mut child = child::start("pool-cycle", &[repo.path().to_str().unwrap(), prefix]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("begin")), "the child ended before it began");
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter_map(|line| line.strip_prefix("wrote ").map(str::to_owned)).collect()
}

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost_and_everything_converges() {
    let repo = Repo::new();
    for n in 0..60 {
        repo.write(&format!("many/{n}"), &format!("{n}\n"));
    }
    repo.commit("many");
    repo.git(["branch", "other"]);
    repo.write("many/7", "another\n");
    std::fs::remove_file(repo.path().join("many/8")).unwrap();
    repo.write("new", "file\n");
    repo.commit("moved");
    let expected = by_git(&repo, "HEAD");
    let mut seed = 0x9e37_79b9_u32;
    for round in 0..6 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pause = Duration::from_millis(u64::from(seed >> 16) % 400);
        let worked = kill_after(&repo, &format!("r{round}"), pause);
        repo.git(["worktree", "prune"]);
        repo.assert_sound();

        let pool = open(&repo, 2).await;
        let recovery = pool.recover().await.unwrap();
        assert_eq!(recovery.left, Vec::<String>::new(), "round {round}");
        let adopted: HashMap<_, _> =
            recovery.adopted.iter().map(|w| (w.id().to_string(), w.path().to_owned())).collect();
        for name in worked {
            let expected = format!("the work of {name}");
            let found = match adopted.get(&name) {
                Some(tree) => std::fs::read_to_string(tree.join("work")).unwrap(),
                None => {
                    let rescues = pool.rescues(&id(&name)).await.unwrap();
                    let rescue = rescues.last().unwrap_or_else(|| panic!("the work of {name} is lost"));
                    repo.git(["show", &format!("{}:work", rescue.commit)])
                }
            };
            assert_eq!(found.trim_end(), expected, "round {round}");
        }
        for worktree in recovery.adopted {
            assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        }
        pool.refill(&Base::Head).await.unwrap();
        let after = pool.status().await.unwrap();
        assert_eq!((after.ready.len(), after.filling, after.dirty), (2, 0, 0), "round {round}");
        assert_eq!(slots(pool.worktrees()).len(), 2, "round {round}");
        let worktree = pool.create(request(&format!("check-{round}"))).await.unwrap();
        assert_eq!(content(worktree.path()), expected, "round {round}");
        pool.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(pool.recover().await.unwrap().mended.len(), 0, "round {round}");
    }
    repo.assert_sound();
}

/// The record of the only slot.
fn record(repo: &Repo, slot: &Path) -> (std::path::PathBuf, Value) {
    let token = slot.file_name().unwrap().to_str().unwrap().rsplit_once('.').unwrap().1;
    let path = records(repo).join(format!("{token}.json"));
    let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    (path, value)
}

fn set(repo: &Repo, slot: &Path, key: &str, value: Value) {
    let (path, mut record) = record(repo, slot);
    record[key] = value;
    write(&path, &record.to_string());
}

#[tokio::test]
async fn half_made_slots_and_those_of_an_earlier_boot_are_cleared_away() {
    let elsewhen = json!({ "setting": "any", "seeded": [], "boot": "another boot" });
    for (key, value) in [("stage", json!("Partial")), ("origin", elsewhen), ("version", json!(0))] {
        let repo = Repo::new();
        let pool = filled(&repo, 1).await;
        set(&repo, &slot(&pool), key, value);
        let pool = open(&repo, 1).await;
        assert_eq!(slots(pool.worktrees()).len(), 0, "{key}");
        assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 1, "{key}");
    }
}

#[tokio::test]
async fn a_tree_that_a_crash_of_the_machine_may_have_torn_does_not_go_into_the_pool() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let worktree = pool.create(request("fix")).await.unwrap();
    let path = repo.path().join(".git/hedgerow/worktrees/fix.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["origin"]["boot"] = json!("another boot");
    write(&path, &record.to_string());
    assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    assert_eq!(slots(pool.worktrees()).len(), 0);
}

#[tokio::test]
async fn a_refill_that_was_killed_while_it_changed_a_slot_is_made_good_by_the_next() {
    let repo = Repo::new();
    let pool = filled(&repo, 1).await;
    let tree = slot(&pool);
    let expected = content(&tree);
    set(&repo, &tree, "stage", json!("Dirty"));
    std::fs::remove_file(tree.join("README")).unwrap();
    write(&tree.join("src/from-the-next-commit"), "x\n");
    let (path, _) = record(&repo, &tree);
    // The next index is there already, but the record does not say so yet.
    std::fs::write(path.with_extension("").with_extension("0.index"), "half written").unwrap();
    let pool = open(&repo, 1).await;
    assert_eq!(pool.refill(&Base::Head).await.unwrap().recycled, 1);
    assert_eq!(content(&slot(&pool)), expected);
}

#[tokio::test]
async fn a_release_that_was_killed_on_the_way_into_the_pool_loses_nothing_from_any_step() {
    for step in 0..3 {
        let repo = Repo::new();
        let pool = filled(&repo, 1).await;
        let worktree = pool.create(request("fix")).await.unwrap();
        let tree = worktree.path().to_owned();
        write(&tree.join("work"), "done\n");
        let path = repo.path().join(".git/hedgerow/worktrees/fix.json");
        let before: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let index = std::fs::read(repo.path().join(".git/hedgerow/worktrees/fix.index")).unwrap();
        let admin = Path::new(before["admin"].as_str().unwrap()).to_owned();
        let gitdir = std::fs::read(repo.path().join(".git/worktrees").join(&admin).join("gitdir")).unwrap();
        let released = pool.release(worktree, Disposition::Archive).await.unwrap();
        let idle = slot(&pool);

        // Back to a moment before the id was given up.
        let mut record = before.clone();
        record["trash"] = json!(idle);
        record["stage"] = json!({ "Removing": { "tip": null } });
        write(&path, &record.to_string());
        std::fs::write(repo.path().join(".git/hedgerow/worktrees/fix.index"), &index).unwrap();
        let _ = std::fs::remove_file(repo.path().join(".git/hedgerow/trash").join(&admin).with_extension("json"));
        if step > 0 {
            std::fs::write(repo.path().join(".git/worktrees").join(&admin).join("gitdir"), &gitdir).unwrap();
            std::fs::rename(&idle, &tree).unwrap();
            let tip = released.rescues.last().unwrap().commit.as_str();
            repo.git(["branch", "fix", tip]);
        }
        if step > 1 {
            // A pool is opened before anybody recovers, and finds a slot without a tree.
            drop(open(&repo, 1).await);
        }
        let recovery = pool.recover().await.unwrap();
        // A tree that did not go is somebody's again.
        assert_eq!((recovery.left.len(), recovery.adopted.len()), (0, usize::from(step > 0)), "step {step}");
        for worktree in recovery.adopted {
            assert_eq!(pool.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed, "step {step}");
        }
        assert!(!tree.exists(), "step {step}");
        let pool = open(&repo, 1).await;
        let done = pool.refill(&Base::Head).await.unwrap();
        assert_eq!(done.recycled + done.made, 1, "step {step}");
        assert_eq!(slots(pool.worktrees()).len(), 1, "step {step}");
        let rescue = &released.rescues.last().unwrap().commit;
        assert_eq!(git_in(repo.path(), ["show", &format!("{rescue}:work")]), "done", "step {step}");
        let again = pool.create(request("fix")).await.unwrap();
        assert_eq!(content(again.path()), by_git(&repo, "HEAD"), "step {step}");
        repo.assert_sound();
    }
}

#[tokio::test]
async fn what_somebody_put_in_the_place_of_a_slot_is_not_deleted() {
    for what in ["open", "refill", "drain", "half made"] {
        let repo = Repo::new();
        let pool = filled(&repo, 1).await;
        let tree = slot(&pool);
        std::fs::rename(&tree, repo.root().join("moved")).unwrap();
        write(&tree.join("precious"), "a person's\n");
        match what {
            "open" => drop(open(&repo, 1).await),
            "refill" => assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 1),
            "drain" => assert_eq!(pool.drain().await.unwrap(), 1),
            _ => {
                set(&repo, &tree, "stage", json!("Partial"));
                assert_eq!(pool.refill(&Base::Head).await.unwrap().dropped.len(), 1);
            }
        }
        // Nor by whoever comes later and finds no record of it.
        pool.refill(&Base::Head).await.unwrap();
        let aside = format!("{}.replaced", tree.display());
        assert_eq!(std::fs::read(Path::new(&aside).join("precious")).unwrap(), b"a person's\n", "{what}");
        assert_eq!(slots(pool.worktrees()).len(), 1, "{what}");
    }
}

#[tokio::test]
async fn repositories_with_one_directory_of_trees_leave_each_others_slots_alone() {
    let (one, other) = (Repo::new(), Repo::new());
    let together = |repo: &Repo| {
        let trees = Some(one.root().join("trees"));
        let manager = LocalWorktrees::open_with(repo.path(), LocalOptions::default().trees(trees));
        Pool::open(manager.unwrap(), options(1))
    };
    let ours = together(&one).await.unwrap();
    assert_eq!(ours.refill(&Base::Head).await.unwrap().made, 1);
    let theirs = together(&other).await.unwrap();
    let done = theirs.refill(&Base::Head).await.unwrap();
    assert_eq!((done.made, done.dropped.len()), (1, 0), "{done:?}");
    assert_eq!(slots(ours.worktrees()).len(), 2);
    assert_eq!(ours.refill(&Base::Head).await.unwrap().kept, 1);
    theirs.drain().await.unwrap();
    assert_eq!(slots(ours.worktrees()).len(), 1);
    assert_eq!(content(ours.create(request("fix")).await.unwrap().path()), by_git(&one, "HEAD"));
    assert_eq!(ours.status().await.unwrap().claims.hits, 1);
}
