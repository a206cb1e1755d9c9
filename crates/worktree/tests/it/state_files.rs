//! Strange things in the places of this crate's own small files: whoever can write there must not keep anybody from the
//! other worktrees, from a release, or from an id.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use hedgerow_worktree::{Disposition, Fate, WorktreeManager};

use crate::repo::{Repo, id, request, write};

#[derive(Clone, Copy, Debug)]
enum Thing {
    Fifo,
    Directory,
    FullDirectory,
    Symlink,
    SymlinkToDirectory,
}

const THINGS: [Thing; 5] =
    [Thing::Fifo, Thing::Directory, Thing::FullDirectory, Thing::Symlink, Thing::SymlinkToDirectory];

impl Thing {
    fn put(self, path: &Path) {
        let _ = fs::remove_file(path);
        match self {
            Self::Fifo => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            Self::Directory => fs::create_dir(path).unwrap(),
            Self::FullDirectory => write(&path.join("in/it"), "something"),
            Self::Symlink => symlink("/nowhere/at/all", path).unwrap(),
            Self::SymlinkToDirectory => symlink("/", path).unwrap(),
        }
    }
}

/// The admin directory of the only worktree.
fn admin(repo: &Repo) -> String {
    let mut entries = fs::read_dir(repo.path().join(".git/worktrees")).unwrap();
    let name = entries.next().unwrap().unwrap().file_name().into_string().unwrap();
    assert!(entries.next().is_none());
    name
}

#[tokio::test]
async fn a_lease_that_is_no_file_keeps_nobody_from_its_worktree_or_the_others() {
    for thing in THINGS {
        let repo = Repo::new();
        for name in ["fix", "other"] {
            let worktree = repo.manager().create(request(name)).await.unwrap();
            write(&worktree.path().join("work"), name);
        }
        let manager = repo.manager();
        thing.put(&manager.state_dir().join("worktrees/fix.lease"));
        assert_eq!(manager.list().await.unwrap().len(), 2, "{thing:?}");
        manager.doctor().await.unwrap();
        let recovery = manager.recover().await.unwrap();
        assert_eq!(recovery.adopted.len(), 2, "{thing:?}: {:?}", recovery.left);
        for worktree in recovery.adopted {
            let released = manager.release(worktree, Disposition::Archive).await.unwrap();
            assert_eq!(released.fate, Fate::Removed, "{thing:?}");
        }
        drop(manager.create(request("fix")).await.unwrap());
    }
}

#[tokio::test]
async fn whatever_is_in_the_place_of_the_note_of_a_removal_the_worktree_can_be_released() {
    for thing in THINGS {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        write(&worktree.path().join("work"), "the only copy\n");
        let note: PathBuf = manager.state_dir().join(format!("trash/{}.left", admin(&repo)));
        thing.put(&note);
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{thing:?}");
        let rescue = &released.rescues.last().unwrap().reference;
        assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy", "{thing:?}");
        assert_eq!(manager.purge().await.unwrap().left, Vec::<String>::new(), "{thing:?}");
        assert!(note.symlink_metadata().is_err(), "{thing:?}");
        let again = manager.create(request("fix")).await.unwrap();
        assert_eq!(manager.release(again, Disposition::Archive).await.unwrap().fate, Fate::Removed, "{thing:?}");
    }
}

#[tokio::test]
async fn a_history_that_cannot_be_made_smaller_takes_no_rescue_from_whoever_releases() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    write(&worktree.path().join("work"), "the only copy\n");
    let history = manager.state_dir().join("history");
    let told = fs::read_to_string(&history).unwrap();
    write(&history, &told.repeat((3 << 20) / told.len()));
    fs::create_dir(manager.state_dir().join("history.tmp")).unwrap();
    let released = manager.release(worktree, Disposition::Archive).await.unwrap();
    assert_eq!(released.fate, Fate::Removed);
    let rescue = &released.rescues.last().unwrap().reference;
    assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy");
}

#[tokio::test]
async fn rescue_refs_are_not_written_to_where_a_link_in_their_place_leads() {
    for above in ["refs/hedgerow", "refs/hedgerow/rescue", "refs/hedgerow/rescue/fix"] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        write(&worktree.path().join("work"), "the only copy\n");
        let (place, elsewhere) = (repo.path().join(".git").join(above), repo.root().join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        if place.is_dir() {
            fs::rename(&place, repo.root().join("aside")).unwrap();
        }
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(&elsewhere, &place).unwrap();
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{above}");
        assert!(fs::read_dir(&elsewhere).unwrap().next().is_none(), "{above}: something was written behind the link");
        let rescues = manager.rescues(&id("fix")).await.unwrap();
        let rescue = &rescues.last().unwrap().reference;
        assert_eq!(repo.git(["show", &format!("{rescue}:work")]), "the only copy", "{above}");
    }
}
