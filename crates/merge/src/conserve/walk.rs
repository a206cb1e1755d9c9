//! Looks at four trees at once, and only at what could lack something.
//!
//! Where the result is as the one side has it and the other side left the base as it was, nothing below a directory is
//! lost, so a check costs what both sides changed in the same directories.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use gix::objs::FindExt;
use gix::objs::tree::EntryRef;

use super::Versions;
use crate::engine::{depth, join};
use crate::{Error, Result};

/// The trees of a merge: the base, both sides and the result.
pub(super) type Trees = [Option<ObjectId>; 4];

/// Whether nothing can be lost here, whatever it is: compares the base, ours, theirs and the result.
fn settled<T: PartialEq>([base, ours, theirs, result]: &[T; 4]) -> bool {
    (ours == result && (theirs == base || theirs == ours)) || (theirs == result && ours == base)
}

/// Shows every file that could lack something, until one is found to; says whether one was.
pub(super) fn any(
    session: &gix::Repository,
    trees: &Trees,
    path: &BStr,
    lacks: &mut dyn FnMut(&Versions) -> Result<bool>,
) -> Result<bool> {
    depth(path)?;
    let mut buffers = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let mut lists: [Vec<EntryRef<'_>>; 4] = Default::default();
    for ((tree, buffer), list) in trees.iter().zip(&mut buffers).zip(&mut lists) {
        let Some(tree) = tree else { continue };
        let entries =
            session.objects.find_tree_iter(tree, buffer).map_err(Error::git("check a result: read a tree"))?;
        *list = entries.collect::<std::result::Result<_, _>>().map_err(Error::git("check a result: read a tree"))?;
    }
    let mut heads = [0; 4];
    loop {
        let first = |n: usize| lists[n].get(heads[n]);
        let Some(least) = (0..4).filter_map(first).min() else { return Ok(false) };
        let (name, is_tree) = (least.filename, least.mode.is_tree());
        let mut found = [None; 4];
        for (n, place) in found.iter_mut().enumerate() {
            if let Some(entry) = lists[n].get(heads[n])
                && entry.filename == name
                && entry.mode.is_tree() == is_tree
            {
                *place = Some((entry.mode, entry.oid.to_owned()));
                heads[n] += 1;
            }
        }
        if settled(&found) {
            continue;
        }
        let path = join(path, name);
        let lost = if is_tree {
            any(session, &found.map(|entry| entry.map(|(_, id)| id)), path.as_bstr(), lacks)?
        } else {
            let [base, ours, theirs, result] = found;
            lacks(&Versions { path, base, ours, theirs, result })?
        };
        if lost {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_alone_did_is_settled_and_nothing_else_is() {
        assert!(settled(&[0, 0, 0, 0]) && settled(&[0, 1, 0, 1]) && settled(&[0, 0, 1, 1]) && settled(&[0, 1, 1, 1]));
        assert!(!settled(&[0, 1, 0, 0]) && !settled(&[0, 0, 1, 0]) && !settled(&[0, 0, 0, 1]));
        assert!(!settled(&[0, 1, 1, 0]) && !settled(&[0, 1, 2, 1]) && !settled(&[0, 1, 2, 2]));
    }
}
