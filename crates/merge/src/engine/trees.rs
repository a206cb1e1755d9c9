//! One three-way merge of trees, as git's default strategy makes it.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::content::Contents;
use super::halt::Halt;
use super::report::Report;
use super::walk::{self, Walked};
use super::{entries, moves, renames, tree, write};

/// A merged tree.
pub(super) struct MergedTrees {
    /// The tree. Of a merge that conflicts, nothing, unless it is that of a virtual base.
    pub(super) tree: Option<ObjectId>,
    /// What conflicts.
    pub(super) report: Report,
}

/// Merges two sides; `contents` knows how deep below the merge itself this is.
pub(super) fn merge(contents: &mut Contents<'_>, trees: [ObjectId; 3]) -> Result<MergedTrees, Halt> {
    let [base, ours, theirs] = trees;
    let mut report = Report::default();
    if base == ours || ours == theirs {
        return Ok(MergedTrees { tree: Some(theirs), report });
    }
    if base == theirs {
        return Ok(MergedTrees { tree: Some(ours), report });
    }
    let session = contents.session;
    let Walked { mut paths, moves: found } = walk::walk(session, trees)?;
    let mut added = [Vec::new(), Vec::new()];
    if contents.depth == 0 && found.iter().any(|moves| !moves.needed.is_empty()) {
        added = found.each_ref().map(|moves| moves.added.iter().map(|(path, _)| path.clone()).collect());
    }
    let [ours_moved, theirs_moved] = found;
    let renames =
        [renames::find(session, contents.budget, ours_moved)?, renames::find(session, contents.budget, theirs_moved)?];
    if contents.depth == 0 {
        let has = |side: usize, path: &BString| tree::has(session, trees[side], path.as_bstr());
        moves::suggest(&paths, &renames, &added, has, &mut report)?;
    }
    moves::apply(&mut paths, &renames, contents, &mut report)?;
    let edits = entries::merge(paths, contents, &mut report)?;
    let tree = if report.is_empty() || contents.depth > 0 { Some(write::write(session, ours, edits)?) } else { None };
    Ok(MergedTrees { tree, report })
}
