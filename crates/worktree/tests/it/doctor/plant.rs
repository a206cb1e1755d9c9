//! Plants the half-built entries by hand, as a creation that died at each of its steps leaves them.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hedgerow_worktree::doctor::{Remedy, Trouble};

use crate::repo::Repo;

/// One half-built worktree.
pub(super) struct Planted {
    pub(super) number: u32,
    /// Its entry of `.git/worktrees`, if there is one.
    pub(super) entry: Option<PathBuf>,
    /// Its tree, if there is one.
    pub(super) tree: Option<PathBuf>,
    /// Where its tree is or should be.
    pub(super) place: PathBuf,
    pub(super) trouble: Trouble,
    pub(super) remedy: Remedy,
}

impl Planted {
    /// Which commands of git fail in the main checkout because of it.
    pub(super) fn breaks(&self) -> &'static [&'static str] {
        match self.number {
            4 => &["list", "add", "fetch", "fsck", "gc", "branch"],
            6 => &["fetch", "fsck", "gc"],
            3 | 5 | 14 => &["fsck"],
            _ => &[],
        }
    }
}

/// Makes everything below a directory old enough not to be work in progress.
pub(super) fn age(path: &Path) {
    let meta = path.symlink_metadata().unwrap();
    if meta.is_symlink() {
        return;
    }
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            age(&entry.unwrap().path());
        }
    }
    let at = SystemTime::now() - Duration::from_secs(3600);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(at)).unwrap();
}

/// A complete worktree of git's own: its entry and its tree.
pub(super) fn add(repo: &Repo, name: &str) -> (PathBuf, PathBuf) {
    let trees = repo.root().join("repo.worktrees");
    std::fs::create_dir_all(&trees).unwrap();
    let tree = trees.join(name);
    repo.git(["worktree", "add", "-q", "--detach", tree.to_str().unwrap()]);
    (repo.path().join(".git/worktrees").join(name), tree)
}

fn remove(entry: &Path, files: &[&str]) {
    for file in files {
        let path = entry.join(file);
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
}

/// Leaves nothing but these files in an entry.
fn only(entry: &Path, files: &[&str]) {
    for found in std::fs::read_dir(entry).unwrap() {
        let name = found.unwrap().file_name().into_string().unwrap();
        if !files.contains(&name.as_str()) {
            remove(entry, &[&name]);
        }
    }
}

/// Plants the state of this number, old enough to be nobody's work in progress.
pub(super) fn plant(repo: &Repo, number: u32) -> Planted {
    plant_all(repo, [number]).remove(0)
}

/// Plants states beside each other; the worktrees are all made first, because some states keep git from making more.
pub(super) fn plant_all(repo: &Repo, numbers: impl IntoIterator<Item = u32>) -> Vec<Planted> {
    let made: Vec<_> = numbers.into_iter().map(|number| (number, add(repo, &format!("x{number:02}")))).collect();
    // A place in which nothing else lies might be one where a disk is mounted at times.
    std::fs::write(repo.root().join("repo.worktrees/.keep"), "").unwrap();
    made.into_iter().map(|(number, (entry, tree))| damage(number, entry, tree)).collect()
}

fn damage(number: u32, entry: PathBuf, tree: PathBuf) -> Planted {
    let write = |file: &str, text: &str| std::fs::write(entry.join(file), text).unwrap();
    let emptied = |tree: &Path| {
        for found in std::fs::read_dir(tree).unwrap() {
            let path = found.unwrap().path();
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false if path.ends_with(".git") => {}
                false => std::fs::remove_file(path).unwrap(),
            }
        }
    };
    let gone = || std::fs::remove_dir_all(&tree).unwrap();
    if !matches!(number, 1 | 8 | 9 | 11) {
        write("locked", "initializing\n");
    }
    match number {
        1 => only(&entry, &[]),
        2 => only(&entry, &["locked"]),
        3 => only(&entry, &["locked", "gitdir"]),
        4 => {
            only(&entry, &["locked", "gitdir"]);
            write("commondir", "");
        }
        5 => only(&entry, &["locked", "gitdir", "commondir"]),
        6 => {
            only(&entry, &["locked", "gitdir", "commondir"]);
            write("HEAD", &format!("{}\n", "0".repeat(40)));
        }
        7 | 8 => remove(&entry, &["index"]),
        9..=11 => {}
        12 => {
            remove(&entry, &["index"]);
            write("index.lock", "");
            std::fs::remove_file(tree.join("README")).unwrap();
        }
        13 => remove(&entry, &["commondir"]),
        14 => write("HEAD", ""),
        15 => write("gitdir", ""),
        _ => panic!("there are fifteen states"),
    }
    match number {
        1..=3 | 9 | 10 => gone(),
        4..=6 => emptied(&tree),
        11 => std::fs::remove_dir_all(&entry).unwrap(),
        _ => {}
    }
    for path in [&entry, &tree].into_iter().filter(|path| path.exists()) {
        age(path);
    }
    let (trouble, remedy) = match number {
        1 => (Trouble::Empty, Remedy::Quarantine),
        2 => (Trouble::LockOnly, Remedy::Quarantine),
        3 => (Trouble::Unfinished, Remedy::Quarantine),
        4 => (Trouble::CommondirEmpty, Remedy::Quarantine),
        5 => (Trouble::HeadMissing, Remedy::Quarantine),
        6 => (Trouble::HeadNull, Remedy::Quarantine),
        7 | 8 | 12 => (Trouble::IndexMissing, Remedy::Complete),
        9 | 10 => (Trouble::TreeMissing, Remedy::Quarantine),
        11 => (Trouble::StrayTree, Remedy::ByHand),
        13 => (Trouble::CommondirMissing, Remedy::Complete),
        14 => (Trouble::HeadDamaged, Remedy::Complete),
        _ => (Trouble::GitdirDamaged, Remedy::Complete),
    };
    let there = |path: PathBuf| path.exists().then_some(path);
    Planted { number, entry: there(entry), place: tree.clone(), tree: there(tree), trouble, remedy }
}
