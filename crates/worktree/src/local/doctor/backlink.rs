//! Finds the tree of an entry that does not say, or wrongly says, where it is: by the `.git` file that names the entry.

use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::facts;

/// How many directories are looked at in each place.
const MOST: usize = 10_000;

/// The trees that name this entry, beside the place where it was, the repository and its other trees.
pub(in crate::local) fn trees_of(layout: &Layout, entry: &Path, expected: Option<&Path>) -> Vec<PathBuf> {
    let mut places: Vec<&Path> = vec![&layout.trees];
    places.extend(layout.trees.parent());
    places.extend(layout.main.as_deref().and_then(Path::parent));
    places.extend(expected.and_then(Path::parent));
    places.sort();
    places.dedup();
    let mut found = Vec::new();
    for place in places {
        let children = std::fs::read_dir(place).into_iter().flatten().flatten().take(MOST);
        let trees = children.filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(trees.map(|child| child.path()).filter(|tree| facts::names(tree, entry)));
    }
    found
}
