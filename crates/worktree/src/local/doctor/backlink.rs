//! Finds the tree of an entry that does not say, or wrongly says, where it is: by the `.git` file that names the entry.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::layout::Layout;
use super::facts::{self, Named};
use crate::Result;
use crate::capture::fault;
use crate::disk::{self, Identity};

/// How many things may be in each place.
const MOST: usize = 10_000;

/// What the directories beside the repository and its trees name as their entries. Each place is looked through once, when
/// it is first needed, however many trees are missing.
#[derive(Debug)]
pub(in crate::local) struct Backlinks<'a> {
    layout: &'a Layout,
    places: RefCell<HashMap<PathBuf, Rc<std::result::Result<Place, String>>>>,
}

/// What the directories in one place name.
#[derive(Debug, Default)]
struct Place {
    /// The directories by what their `.git` says.
    by_name: HashMap<PathBuf, Vec<PathBuf>>,
    /// The directories by the entry that this leads to.
    by_inode: HashMap<u64, Vec<(Identity, PathBuf)>>,
    /// Those of which it cannot be told, and why.
    unknown: Vec<(PathBuf, String)>,
}

impl<'a> Backlinks<'a> {
    pub(in crate::local) fn new(layout: &'a Layout) -> Self {
        Self { layout, places: RefCell::default() }
    }

    /// The trees that name this entry, beside the place where it was, the repository and its other trees. `may_be` tells
    /// whether a directory whose `.git` cannot be read may be the tree.
    ///
    /// Fails where a place that is there cannot be looked through whole, so that nobody takes a tree for deleted because
    /// of it.
    pub(in crate::local) fn trees_of(
        &self,
        entry: &Path,
        expected: Option<&Path>,
        may_be: impl Fn(&Path) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let layout = self.layout;
        let mut places: Vec<&Path> = vec![&layout.trees];
        places.extend(layout.trees.parent());
        places.extend(layout.main.as_deref().unwrap_or(&layout.common).parent());
        places.extend(expected.and_then(Path::parent));
        places.sort();
        places.dedup();
        let identity = disk::identity(entry);
        let mut found = BTreeSet::new();
        for place in places {
            let looked = self.place(place);
            let known = looked.as_ref().as_ref().map_err(|why| fault::strange(place, why))?;
            found.extend(known.by_name.get(entry).into_iter().flatten().cloned());
            let same = |one: &&(Identity, PathBuf)| Some(one.0) == identity;
            let alike = identity.and_then(|identity| known.by_inode.get(&identity.inode()));
            found.extend(alike.into_iter().flatten().filter(same).map(|(_, tree)| tree.clone()));
            if let Some((tree, why)) = known.unknown.iter().find(|(tree, _)| is_of_owner(tree, entry) && may_be(tree)) {
                return Err(fault::strange(tree, &format!("it may be the tree, but its .git cannot be read: {why}")));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn place(&self, place: &Path) -> Rc<std::result::Result<Place, String>> {
        let mut places = self.places.borrow_mut();
        let look = || Rc::new(look(place).map_err(|e| fault::with_causes(&e)));
        Rc::clone(places.entry(place.to_owned()).or_insert_with(look))
    }
}

/// Whether both are the same user's: who makes an entry makes its tree. What cannot be told may be.
fn is_of_owner(tree: &Path, entry: &Path) -> bool {
    let owner = |path: &Path| path.symlink_metadata().map(|meta| meta.uid()).ok();
    owner(tree).zip(owner(entry)).is_none_or(|(one, other)| one == other)
}

fn look(place: &Path) -> Result<Place> {
    let mut found = Place::default();
    for tree in directories(place)? {
        match facts::named_by(&tree) {
            Named::Nothing => {}
            Named::Entry(named) => {
                if let Some(identity) = disk::identity(&named) {
                    found.by_inode.entry(identity.inode()).or_default().push((identity, tree.clone()));
                }
                found.by_name.entry(named).or_default().push(tree);
            }
            Named::Unknown(why) => found.unknown.push((tree, why)),
        }
    }
    Ok(found)
}

/// The directories in a place; none where there is no such place.
fn directories(place: &Path) -> Result<Vec<PathBuf>> {
    const ACTION: &str = "look for a tree that was moved in";
    let children = match std::fs::read_dir(place) {
        Ok(children) => children,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(fault::io(ACTION, place)(e)),
    };
    let mut found = Vec::new();
    for (number, child) in children.enumerate() {
        if number == MOST {
            return Err(fault::strange(place, &format!("more than {MOST} things are in it, too many to find a tree")));
        }
        let child = child.map_err(fault::io(ACTION, place))?;
        match child.file_type() {
            Ok(kind) if kind.is_dir() => found.push(child.path()),
            Ok(_) => {}
            // It has gone meanwhile.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(fault::io(ACTION, child.path())(e)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn layout(dir: &Path) -> Layout {
        let (common, trees) = (dir.join("repo/.git"), dir.join("repo.worktrees"));
        for made in [&common, &trees] {
            std::fs::create_dir_all(made).unwrap();
        }
        let state = common.join("hedgerow");
        let (main, hidden) = (Some(dir.join("repo")), crate::HiddenRepositories::default());
        let (left, gate) = (Arc::default(), Arc::default());
        Layout { common, main, state, trees, git: None, owner: "test".into(), left, hidden, threads: 1, gate }
    }

    fn tree(layout: &Layout, name: &str) -> (PathBuf, PathBuf) {
        let (tree, entry) = (layout.trees.join(name), layout.admins().join(name));
        std::fs::create_dir(&tree).unwrap();
        std::fs::create_dir_all(&entry).unwrap();
        std::fs::write(tree.join(".git"), format!("gitdir: {}\n", entry.display())).unwrap();
        (tree, entry)
    }

    #[test]
    fn many_missing_trees_cost_one_look_at_each_place() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let (one, entry_of_one) = tree(&layout, "one");
        let places = Backlinks::new(&layout);
        assert_eq!(places.trees_of(&entry_of_one, None, |_| true).unwrap(), [one]);
        let (later, entry_of_later) = tree(&layout, "later");
        assert!(places.trees_of(&entry_of_later, None, |_| true).unwrap().is_empty(), "it was looked at again");
        assert_eq!(Backlinks::new(&layout).trees_of(&entry_of_later, None, |_| true).unwrap(), [later]);
    }

    #[test]
    fn an_entry_that_is_reached_by_another_path_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let (one, entry) = tree(&layout, "one");
        std::os::unix::fs::symlink(dir.path(), dir.path().join("link")).unwrap();
        let through = dir.path().join("link/repo/.git/worktrees/one");
        std::fs::write(one.join(".git"), format!("gitdir: {}\n", through.display())).unwrap();
        assert_eq!(Backlinks::new(&layout).trees_of(&entry, None, |_| true).unwrap(), [one]);
    }

    #[test]
    fn a_directory_whose_git_file_cannot_be_read_may_be_any_tree_that_it_is_not_known_not_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let (one, entry) = tree(&layout, "one");
        std::fs::rename(one.join(".git"), one.join("git")).unwrap();
        std::os::unix::fs::symlink("git", one.join(".git")).unwrap();
        let places = Backlinks::new(&layout);
        assert!(places.trees_of(&entry, None, |found| found == one).is_err());
        assert!(places.trees_of(&entry, None, |found| found != one).unwrap().is_empty());
        for (to, known) in [(".", true), ("absent", true), ("git", false)] {
            std::fs::remove_file(one.join(".git")).unwrap();
            std::os::unix::fs::symlink(to, one.join(".git")).unwrap();
            assert_eq!(Backlinks::new(&layout).trees_of(&entry, None, |_| true).is_ok(), known, "{to}");
        }
    }
}
