//! Finds the tree of an entry that does not say, or wrongly says, where it is: by the `.git` file that names the entry.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::facts;
use crate::Result;
use crate::capture::fault;

/// How many things may be in each place.
const MOST: usize = 10_000;

/// The trees that name this entry, beside the place where it was, the repository and its other trees.
///
/// Fails where a place that is there cannot be looked through whole, so that nobody takes a tree for deleted because of it.
pub(in crate::local) fn trees_of(layout: &Layout, entry: &Path, expected: Option<&Path>) -> Result<Vec<PathBuf>> {
    let mut places: Vec<&Path> = vec![&layout.trees];
    places.extend(layout.trees.parent());
    places.extend(layout.main.as_deref().unwrap_or(&layout.common).parent());
    places.extend(expected.and_then(Path::parent));
    places.sort();
    places.dedup();
    let mut found = Vec::new();
    for place in places {
        found.extend(directories(place)?.into_iter().filter(|tree| facts::names(tree, entry)));
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
