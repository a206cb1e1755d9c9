//! What a power failure undoes of a removal, in every combination, costs nobody any work and blocks nobody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hedgerow_worktree::pool::Pool;
use hedgerow_worktree::{Base, Disposition, Fate, LocalOptions, LocalWorktrees, Mended, WorktreeManager};
use serde_json::{Value, json};

use crate::pool;
use crate::repo::{Repo, id, request, write};

const WORK: &str = "the work of an agent\n";

/// Keeps anybody from deleting anything.
fn hold(manager: &LocalWorktrees) -> std::fs::File {
    let file = std::fs::File::create(manager.state_dir().join("purge")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    file
}

/// What the removal of `fix` has done, each of which may be undone.
#[derive(Debug)]
struct Removal {
    tree: PathBuf,
    trash: PathBuf,
    link: PathBuf,
    record: [PathBuf; 2],
    index: [PathBuf; 2],
    gitdir: [PathBuf; 2],
}

/// Where the tree of a removed worktree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    Trash,
    Pool,
}

/// A pool of one slot.
async fn pooled(manager: &LocalWorktrees) -> Pool {
    Pool::open(manager.clone(), pool::options(1)).await.unwrap()
}

/// Has everything of the pool be of an earlier boot.
fn age_slots(manager: &LocalWorktrees) {
    for place in std::fs::read_dir(manager.state_dir().join("pool")).unwrap() {
        for file in std::fs::read_dir(place.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let mut slot: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                slot["origin"]["boot"] = json!("before");
                std::fs::write(&path, slot.to_string()).unwrap();
            }
        }
    }
}

impl Removal {
    /// Archives a worktree with work in it, all of which is written but not deleted, then as it is after a reboot.
    async fn done(manager: &LocalWorktrees, goes: Goes) -> Self {
        let pool = pooled(manager).await;
        if goes == Goes::Pool {
            assert_eq!(pool.refill(&Base::Head).await.unwrap().made, 1);
        }
        let through: &dyn WorktreeManager = if goes == Goes::Pool { &pool } else { manager };
        let worktree = through.create(request("fix")).await.unwrap();
        let tree = worktree.path().to_owned();
        write(&tree.join("work"), WORK);
        let records = manager.state_dir().join("worktrees");
        let [record, index] = ["fix.json", "fix.index"].map(|name| records.join(name));
        let text: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        let admin = text["admin"].as_str().unwrap();
        let left = |suffix: &str| manager.state_dir().join("trash").join(format!("{admin}.{suffix}"));
        let entry = manager.repository().join("worktrees").join(admin);
        assert_eq!(through.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
        let [trash] = match goes {
            Goes::Trash => [text["trash"].as_str().unwrap().into()],
            Goes::Pool => pool::slots(manager).try_into().unwrap(),
        };
        let removal = Self {
            trash,
            link: left("left"),
            record: [record, left("json")],
            index: [index, left("index")],
            gitdir: [entry.join("gitdir"), entry.join("gitdir.left")],
            tree,
        };
        let mut after: Value = serde_json::from_slice(&std::fs::read(&removal.record[1]).unwrap()).unwrap();
        assert_eq!(after["stage"], json!("Leased"), "the record was written anew");
        after["holder"]["boot"] = json!("before");
        std::fs::write(&removal.record[1], after.to_string()).unwrap();
        if goes == Goes::Pool {
            age_slots(manager);
        }
        removal
    }

    /// Undoes those of the steps whose bits are set.
    fn undo(&self, steps: u32) {
        let back = |[before, after]: &[PathBuf; 2]| std::fs::rename(after, before).unwrap();
        let undone = |step: u32| steps & (1 << step) != 0;
        if undone(LINK) {
            std::fs::remove_file(&self.link).unwrap();
        }
        if undone(TREE) {
            std::fs::rename(&self.trash, &self.tree).unwrap();
        }
        if undone(RECORD) {
            back(&self.record);
            back(&self.index);
        }
        if undone(GITDIR) {
            back(&self.gitdir);
        }
    }
}

const LINK: u32 = 0;
const TREE: u32 = 1;
const RECORD: u32 = 2;
const GITDIR: u32 = 3;

#[tokio::test]
async fn whatever_a_power_failure_undoes_of_a_removal_no_work_is_lost_and_the_id_is_free_after_it() {
    for steps in 0..1 << 4 {
        undone_is_mended(steps, Goes::Trash, &[]).await;
    }
}

#[tokio::test]
async fn whatever_a_power_failure_undoes_of_a_removal_into_the_pool_recovery_ends_before_and_after_the_pool_is_opened()
{
    for steps in 0..1 << 4 {
        undone_is_mended(steps, Goes::Pool, &["recover", "pool"]).await;
        undone_is_mended(steps, Goes::Pool, &["pool", "recover"]).await;
    }
}

/// Removes a worktree, undoes some of the steps, and starts again, in this order if a pool has to do with it.
async fn undone_is_mended(steps: u32, goes: Goes, order: &[&str]) {
    let undone = |step: u32| steps & (1 << step) != 0;
    let repo = Repo::new();
    let manager = repo.manager();
    let held = hold(&manager);
    let removal = Removal::done(&manager, goes).await;
    removal.undo(steps);
    drop(held);
    drop(manager);

    // No git is at work here that deletion would have to wait for.
    let options = LocalOptions::default().grace(Some(Duration::ZERO));
    let manager = LocalWorktrees::open_with(repo.path(), options).unwrap();
    if order.first() == Some(&"pool") {
        drop(pooled(&manager).await);
    }
    let recovery = manager.recover().await.unwrap();
    if order.last() == Some(&"pool") {
        drop(pooled(&manager).await);
    }
    let moment = format!("with the steps {steps:04b} undone, {goes:?} {order:?}");
    assert_eq!(recovery.left, Vec::<String>::new(), "{moment}");
    let rescues = manager.rescues(&id("fix")).await.unwrap();
    let work = |reference: &str| repo.git(["show", &format!("{reference}:work")]);
    assert_eq!(work(&rescues[0].reference), WORK.trim_end(), "{moment}");
    match (undone(TREE), undone(RECORD)) {
        (true, true) => {
            assert_eq!(recovery.adopted.len(), 1, "{moment}");
            for worktree in recovery.adopted {
                assert_eq!(std::fs::read_to_string(worktree.path().join("work")).unwrap(), WORK);
                let fate = manager.release(worktree, Disposition::Archive).await.unwrap().fate;
                assert_eq!(fate, Fate::Removed, "{moment}");
                let lost = goes == Goes::Pool && removal.trash.exists();
                assert!(!lost, "it went where nobody keeps a place for it any more, {moment}");
            }
        }
        (false, true) => assert_eq!(recovery.mended, [Mended::RemovalFinished(id("fix"))], "{moment}"),
        (false, false) => assert_eq!(recovery.mended, [], "{moment}"),
        (true, false) => {
            // No record names it, so nobody dares to delete it.
            manager.purge().await.unwrap();
            assert_eq!(std::fs::read_to_string(removal.tree.join("work")).unwrap(), WORK, "{moment}");
            std::fs::remove_dir_all(&removal.tree).unwrap();
        }
    }
    assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new(), "{moment}");
    assert!(!removal.trash.exists() && !removal.link.is_symlink(), "{moment}");
    repo.assert_sound();
    let again = manager.create(request("fix")).await.unwrap();
    assert_eq!(manager.release(again, Disposition::Archive).await.unwrap().fate, Fate::Removed, "{moment}");
}

/// A link of the removal that was taken back.
fn stale(link: &Path, lease: &str) {
    let since = json!({ "boot": "before", "millis": 1 });
    let trash = link.with_file_name("elsewhere");
    let text = json!({ "lease": lease, "tip": null, "since": since, "trash": trash }).to_string();
    std::os::unix::fs::symlink(text, link).unwrap();
}

#[tokio::test]
async fn what_says_that_an_earlier_lease_was_leaving_says_nothing_about_the_next_one() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let text = std::fs::read(manager.state_dir().join("worktrees/fix.json")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    let link = manager.state_dir().join(format!("trash/{}.left", record["admin"].as_str().unwrap()));
    let lease = record["holder"]["lease"].as_str().unwrap().to_owned();
    drop(worktree);

    // A removal that was begun, and whose tree stands: taken back, it is leased under another number.
    stale(&link, &lease);
    let worktree = manager.recover().await.unwrap().adopted.pop().expect("its tree is there");
    assert!(!link.is_symlink());
    // A power failure brings the link back, and the tree is not to be seen at that moment.
    stale(&link, &lease);
    let (path, aside) = (worktree.path().to_owned(), repo.root().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    drop(worktree);
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.mended.is_empty() && recovery.left.len() == 1, "it was taken for removed: {recovery:?}");
    std::fs::rename(&aside, &path).unwrap();
    let worktree = manager.recover().await.unwrap().adopted.pop().expect("its tree is there again");
    // Its own removal is not hindered by it.
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    repo.purge();
    assert!(!link.is_symlink());
}

#[tokio::test]
async fn what_is_no_link_of_ours_says_nothing() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let text = std::fs::read(manager.state_dir().join("worktrees/fix.json")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    let link = manager.state_dir().join(format!("trash/{}.left", record["admin"].as_str().unwrap()));
    std::fs::write(&link, "{").unwrap();
    let worktree = {
        manager.capture(&worktree, crate::capture::message()).await.unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("{\"lease\":", &link).unwrap();
        manager.capture(&worktree, crate::capture::message()).await.unwrap();
        worktree
    };
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    repo.purge();
    assert!(link.symlink_metadata().is_err());
}
