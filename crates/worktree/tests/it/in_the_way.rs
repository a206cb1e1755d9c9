//! Things that somebody has put in the places of this crate's own refs: no id may become unusable by them, and nothing
//! that they hold may be lost.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hedgerow_worktree::doctor::{Cure, Trouble};
use hedgerow_worktree::{CommitId, Disposition, Fate, LocalOptions, LocalWorktrees, WorktreeManager};

use crate::repo::{Repo, request, write};

/// What somebody else puts there.
#[derive(Clone, Copy, Debug)]
enum Thing {
    Ref,
    Packed,
    Symref,
    Symlink,
    SymlinkToDirectory,
    Fifo,
    Garbage,
    Huge,
    MissingObject,
    RefsBelow,
    PackedBelow,
    EmptyDirectories,
    FilesBelow,
}

const THINGS: [Thing; 13] = [
    Thing::Ref,
    Thing::Packed,
    Thing::Symref,
    Thing::Symlink,
    Thing::SymlinkToDirectory,
    Thing::Fifo,
    Thing::Garbage,
    Thing::Huge,
    Thing::MissingObject,
    Thing::RefsBelow,
    Thing::PackedBelow,
    Thing::EmptyDirectories,
    Thing::FilesBelow,
];

impl Thing {
    /// Puts it there. Returns the commit that is to be had from nowhere else, if there is one.
    fn put(self, repo: &Repo, name: &str) -> Option<CommitId> {
        let path = repo.path().join(".git").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let foreign = || {
            let tree = repo.git(["write-tree"]);
            repo.git(["commit-tree", "-m", name, &tree])
        };
        let commit = matches!(self, Self::Ref | Self::Packed | Self::RefsBelow | Self::PackedBelow).then(foreign);
        let raw = |path: &Path, text: &str| write(path, &format!("{text}\n"));
        match (self, &commit) {
            (Self::Ref, Some(commit)) => raw(&path, commit),
            (Self::RefsBelow, Some(commit)) => raw(&path.join("deep/er"), commit),
            (Self::Packed, Some(commit)) => pack(repo, name, commit),
            (Self::PackedBelow, Some(commit)) => pack(repo, &format!("{name}/deep/er"), commit),
            (Self::Symref, _) => raw(&path, "ref: refs/heads/main"),
            (Self::Symlink, _) => symlink("../../../HEAD", &path).unwrap(),
            (Self::SymlinkToDirectory, _) => symlink(repo.path().join(".git/info"), &path).unwrap(),
            (Self::Fifo, _) => {
                assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            }
            (Self::Garbage, _) => raw(&path, "no object id"),
            (Self::Huge, _) => std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap(),
            (Self::MissingObject, _) => raw(&path, &"0123456789".repeat(4)),
            (Self::EmptyDirectories, _) => std::fs::create_dir_all(path.join("a/b/c")).unwrap(),
            (Self::FilesBelow, _) => raw(&path.join("a.lock"), "no ref"),
            (other, None) => panic!("{other:?} holds a commit"),
        }
        commit.map(|commit| CommitId::new(commit).unwrap())
    }
}

fn pack(repo: &Repo, name: &str, commit: &str) {
    let path = repo.path().join(".git/packed-refs");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(path, format!("{text}{commit} {name}\n")).unwrap();
}

/// It was put aside, so nothing of it is lost.
async fn assert_held(repo: &Repo, commit: Option<&CommitId>, moment: &str) {
    let rescues = repo.manager().all_rescues().await.unwrap();
    if let Some(commit) = commit {
        assert!(rescues.iter().any(|held| held.rescue.commit == *commit), "{moment}: {rescues:?}");
    }
    let refs = repo.git(["for-each-ref", "--format=%(refname)"]);
    assert!(!refs.contains("hedgerow-moved"), "{moment}: {refs}");
}

/// Whether it can only be where nothing of ours lies below.
fn is_directory(thing: Thing) -> bool {
    matches!(thing, Thing::RefsBelow | Thing::PackedBelow | Thing::EmptyDirectories | Thing::FilesBelow)
}

/// Takes away what is there, and puts the thing in its place.
fn replace(repo: &Repo, thing: Thing, name: &str) -> Option<CommitId> {
    let path = repo.path().join(".git").join(name);
    match std::fs::remove_file(&path) {
        Err(_) if path.is_dir() && !matches!(thing, Thing::Packed) => std::fs::remove_dir_all(&path).unwrap(),
        _ => {}
    }
    thing.put(repo, name)
}

#[tokio::test]
async fn whatever_is_in_the_place_of_a_base_the_worktree_is_released_and_the_doctor_puts_it_aside() {
    let repo = Repo::new();
    let manager = repo.manager();
    for thing in THINGS {
        let moment = format!("{thing:?}");
        let worktree = manager.create(request("fix")).await.unwrap_or_else(|e| panic!("{moment}: {e}"));
        let pin = repo.pin("fix");
        assert_eq!(repo.git(["rev-parse", &pin]), repo.head().as_str(), "{moment}");
        let commit = replace(&repo, thing, &pin);
        write(&worktree.path().join("work"), &moment);
        let released = manager.release(worktree, Disposition::Archive).await.unwrap();
        assert_eq!(released.fate, Fate::Removed, "{moment}: {released:?}");
        repo.purge();
        let findings = manager.doctor().await.unwrap();
        // Nobody will need the place again, so only what git takes for a ref is in anybody's way.
        let is_ref = !matches!(thing, Thing::EmptyDirectories | Thing::FilesBelow);
        assert_eq!(findings.len(), usize::from(is_ref), "{moment}: {findings:?}");
        for finding in &findings {
            assert!(matches!(&finding.trouble, Trouble::RefInTheWay { reference } if *reference == pin), "{finding:?}");
            assert_eq!(manager.mend(finding).await.unwrap(), Cure::Completed, "{moment}");
        }
        assert_held(&repo, commit.as_ref(), &moment).await;
        assert_eq!(manager.doctor().await.unwrap(), [], "{moment}");
    }
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/base"]), "");
    repo.assert_sound();
    repo.git(["gc", "-q"]);
}

#[tokio::test]
async fn whatever_replaces_refs_while_a_worktree_lives_it_is_released_and_its_id_made_anew() {
    for place in ["refs/hedgerow/base", "refs/hedgerow/rescue/fix", "refs/hedgerow/rescue"] {
        let repo = Repo::new();
        let manager = repo.manager();
        for thing in THINGS.into_iter().filter(|thing| !is_directory(*thing)) {
            let moment = format!("{thing:?} at {place}");
            let worktree = manager.create(request("fix")).await.unwrap_or_else(|e| panic!("{moment}: {e}"));
            let commit = replace(&repo, thing, place);
            write(&worktree.path().join("work"), &moment);
            let released = manager.release(worktree, Disposition::Archive).await.unwrap();
            assert_eq!(released.fate, Fate::Removed, "{moment}: {released:?}");
            let work = format!("{}:work", released.rescues.last().unwrap().reference);
            assert_eq!(repo.git(["show", &work]), moment);
            let again = manager.create(request("fix")).await.unwrap_or_else(|e| panic!("{moment}: {e}"));
            assert_held(&repo, commit.as_ref(), &moment).await;
            let released = manager.release(again, Disposition::Archive).await.unwrap();
            assert_eq!(released.fate, Fate::Removed, "{moment}: {released:?}");
        }
        repo.assert_sound();
    }
}

#[tokio::test]
async fn the_doctor_finds_what_is_in_the_way_of_refs_and_mends_it() {
    const PIN: &str = "the base of this worktree";
    for place in [PIN, "refs/hedgerow/base/of-nobody", "refs/hedgerow/rescue/fix", "refs/hedgerow/rescue"] {
        let repo = Repo::new();
        let manager = repo.manager();
        let worktree = manager.create(request("fix")).await.unwrap();
        let pin = repo.pin("fix");
        let place = if place == PIN { pin.as_str() } else { place };
        assert_eq!(manager.doctor().await.unwrap(), [], "of a sound one");
        for thing in THINGS.into_iter().filter(|thing| place == pin || !is_directory(*thing)) {
            let moment = format!("{thing:?} at {place}");
            let commit = replace(&repo, thing, place);
            let findings = manager.doctor().await.unwrap();
            let is_it = |trouble: &Trouble| matches!(trouble, Trouble::RefInTheWay { reference } if reference == place);
            let finding = findings.iter().find(|finding| is_it(&finding.trouble));
            let finding = finding.unwrap_or_else(|| panic!("{moment}: {findings:?}"));
            assert_eq!(manager.mend(finding).await.unwrap(), Cure::Completed, "{moment}");
            assert_eq!(manager.doctor().await.unwrap(), [], "{moment}");
            assert_held(&repo, commit.as_ref(), &moment).await;
            if place == pin {
                assert_eq!(repo.git(["rev-parse", place]), worktree.base().as_str(), "{moment}");
            }
        }
        repo.assert_sound();
    }
}

#[tokio::test]
async fn what_has_a_name_of_any_length_among_the_bases_is_put_aside() {
    let repo = Repo::new();
    let manager = repo.manager();
    let names = [format!("{}-12345678", "a".repeat(64)), "b".repeat(240), format!("c{}", "ä".repeat(119)), "-".into()];
    for (thing, name) in
        [Thing::Ref, Thing::Garbage].into_iter().flat_map(|thing| names.iter().map(move |n| (thing, n)))
    {
        let moment = format!("{thing:?} at {name}");
        let commit = replace(&repo, thing, &format!("refs/hedgerow/base/{name}"));
        let findings = manager.doctor().await.unwrap();
        assert_eq!(findings.len(), 1, "{moment}: {findings:?}");
        assert_eq!(manager.mend(&findings[0]).await.unwrap(), Cure::Completed, "{moment}");
        assert_eq!(manager.doctor().await.unwrap(), [], "{moment}");
        assert_held(&repo, commit.as_ref(), &moment).await;
    }
    repo.assert_sound();
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_lock_of_a_base_does_not_keep_what_has_left() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("fix")).await.unwrap();
    let lock = repo.path().join(format!(".git/{}.lock", repo.pin("fix")));
    write(&lock.join("what/somebody"), "put there\n");
    assert_eq!(manager.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    repo.purge();
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/base"]), "");
    let quarantine = std::fs::read_dir(manager.state_dir().join("quarantine")).unwrap().map(|entry| entry.unwrap());
    assert!(quarantine.into_iter().any(|entry| entry.path().join("what/somebody").exists()), "it was deleted");
    drop(manager.create(request("fix")).await.unwrap());
}

#[tokio::test]
async fn a_base_that_cannot_be_read_for_a_while_is_given_up_by_a_later_purge() {
    let repo = Repo::new();
    let open = |grace| LocalWorktrees::open_with(repo.path(), LocalOptions::default().grace(Some(grace))).unwrap();
    let (patient, manager) = (open(Duration::from_secs(3600)), open(Duration::ZERO));
    let worktree = patient.create(request("fix")).await.unwrap();
    repo.git(["pack-refs", "--all"]);
    assert_eq!(patient.release(worktree, Disposition::Archive).await.unwrap().fate, Fate::Removed);
    let (packed, aside) = (repo.path().join(".git/packed-refs"), repo.root().join("aside"));
    std::fs::rename(&packed, &aside).unwrap();
    std::fs::create_dir(&packed).unwrap();
    let purged = manager.purge().await.unwrap();
    assert_eq!((purged.deleted, purged.left.len()), (0, 1), "{purged:?}");
    std::fs::remove_dir(&packed).unwrap();
    std::fs::rename(&aside, &packed).unwrap();
    let purged = manager.purge().await.unwrap();
    assert_eq!((purged.deleted, purged.left), (1, Vec::new()));
    assert_eq!(repo.git(["for-each-ref", "refs/hedgerow/base"]), "");
}

#[tokio::test]
async fn a_lock_that_somebody_left_on_a_ref_of_ours_is_found_and_taken_away() {
    let repo = Repo::new();
    let manager = repo.manager();
    let lock = repo.path().join(".git/refs/hedgerow/base/fix.lock");
    write(&lock, "");
    let hour = std::time::SystemTime::now() - Duration::from_secs(3600);
    let times = std::fs::FileTimes::new().set_modified(hour);
    std::fs::File::options().write(true).open(&lock).unwrap().set_times(times).unwrap();
    let findings = manager.doctor().await.unwrap();
    assert_eq!((findings.len(), &findings[0].trouble), (1, &Trouble::StaleLock), "{findings:?}");
    assert!(matches!(manager.mend(&findings[0]).await.unwrap(), Cure::Quarantined { .. }));
    drop(manager.create(request("fix")).await.unwrap());
}

#[tokio::test]
async fn a_ref_whose_name_leaves_no_room_for_a_lock_is_put_aside_all_the_same() {
    let repo = Repo::new();
    let manager = repo.manager();
    let tree = repo.git(["write-tree"]);
    let commit = repo.git(["commit-tree", "-m", "of somebody", &tree]);
    let name = "x".repeat(252);
    write(&repo.path().join(".git/refs/hedgerow/base").join(&name), &format!("{commit}\n"));
    let found = manager.doctor().await.unwrap();
    let finding = found.iter().find(|finding| matches!(finding.trouble, Trouble::RefInTheWay { .. })).unwrap();
    assert_eq!(manager.mend(finding).await.unwrap(), Cure::Completed);
    assert!(!repo.path().join(".git/refs/hedgerow/base").join(&name).exists());
    let held = repo.git(["for-each-ref", "--format=%(objectname)", "refs/hedgerow/rescue"]);
    assert_eq!(held, commit);
    let quarantine = std::fs::read_dir(manager.state_dir().join("quarantine")).unwrap();
    let notes = quarantine.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert!(notes.into_iter().any(|note| note.contains(&name)));
    assert!(manager.doctor().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_base_that_an_older_version_held_for_a_worktree_that_is_gone_is_given_up() {
    let repo = Repo::new();
    let manager = repo.manager();
    let worktree = manager.create(request("lives")).await.unwrap();
    let tree = repo.git(["write-tree"]);
    let alone = repo.git(["commit-tree", "-m", "held by nothing else", &tree]);
    let head = repo.head().to_string();
    for (name, commit) in [("gone", &head), ("gone-12345678", &head), ("lives", &head), ("alone", &alone)] {
        repo.git(["update-ref", &format!("refs/hedgerow/base/{name}"), commit]);
    }
    let own = repo.pin("lives");
    let recovery = manager.recover().await.unwrap();
    assert!(recovery.left.is_empty(), "{recovery:?}");
    let left = repo.git(["for-each-ref", "--format=%(refname)", "refs/hedgerow/base"]);
    assert_eq!(left, format!("refs/hedgerow/base/alone\nrefs/hedgerow/base/lives\n{own}"));
    drop(worktree);
}
