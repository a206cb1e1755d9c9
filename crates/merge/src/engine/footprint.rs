//! What a change touches, from the trees before and after it.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::attrs::StateRef;
use gix::bstr::{BString, ByteSlice};
use gix::diff::tree::recorder::Change;
use gix::objs::FindExt;
use gix::objs::tree::EntryMode;
use gix::worktree::Stack;

use super::changes::above;
use super::{attributes, failed, lines};
use crate::Result;
use crate::queue::{Footprint, Hunk, Touch};

/// Larger files count as touched all over: which lines differ is not worth the time.
const TEXT_BYTES: usize = 4 << 20;
/// git looks for a zero byte in so many bytes to tell binary files.
const BINARY_PREFIX: usize = 8000;

/// A file that both trees have.
struct Modified {
    path: BString,
    before: (EntryMode, ObjectId),
    after: (EntryMode, ObjectId),
}

/// Everything that differs between two trees, with the lines of the first one.
pub(crate) fn footprint(session: &gix::Repository, base: ObjectId, tip: ObjectId) -> Result<Footprint> {
    let mut found = Footprint::default();
    if base == tip {
        return Ok(found);
    }
    let (mut base_buf, mut tip_buf) = (Vec::new(), Vec::new());
    let before = session.find_tree_iter(&base, &mut base_buf).map_err(failed("read a tree"))?;
    let after = session.find_tree_iter(&tip, &mut tip_buf).map_err(failed("read a tree"))?;
    let mut recorder = gix::diff::tree::Recorder::default();
    gix::diff::tree(before, after, gix::diff::tree::State::default(), session, &mut recorder)
        .map_err(failed("compare trees"))?;
    let (mut modified, mut gone, mut adds) = (Vec::new(), Vec::new(), false);
    for record in recorder.records {
        match record {
            Change::Addition { entry_mode, path, .. } if entry_mode.is_no_tree() => {
                adds = true;
                found.files.push(all_of(&path));
            }
            Change::Deletion { entry_mode, path, .. } if entry_mode.is_no_tree() => found.files.push(all_of(&path)),
            Change::Deletion { path, .. } => gone.push(path.to_string()),
            Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path, .. } => {
                let (was_file, is_file) = (previous_entry_mode.is_no_tree(), entry_mode.is_no_tree());
                let (before, after) = ((previous_entry_mode, previous_oid), (entry_mode, oid));
                match (was_file, is_file) {
                    (true, true) => modified.push(Modified { path, before, after }),
                    (false, false) => {}
                    _ => found.files.push(all_of(&path)),
                }
            }
            Change::Addition { .. } => {}
        }
    }
    // Where nothing is added, nothing moved away.
    if adds {
        found.moved = gone;
    }
    if !modified.is_empty() {
        let mut directories = BTreeSet::new();
        for file in &modified {
            directories.extend(above(file.path.as_bstr()).map(ToOwned::to_owned));
        }
        let mut stack = attributes::of_tree(session, base, &directories)?;
        for file in &modified {
            found.files.push(Touch { path: file.path.to_string(), hunks: hunks(session, file, &mut stack)? });
        }
    }
    found.lines = found.files.iter().map(|file| file.hunks.iter().map(|hunk| hunk.lines).sum::<u32>().max(1)).sum();
    found.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn all_of(path: &BString) -> Touch {
    Touch { path: path.to_string(), hunks: Vec::new() }
}

/// The lines that differ; none where the file cannot be merged line by line.
fn hunks(session: &gix::Repository, file: &Modified, stack: &mut Stack) -> Result<Vec<Hunk>> {
    let ((old_mode, old), (new_mode, new)) = (file.before, file.after);
    if !old_mode.is_blob() || old_mode != new_mode || !by_line(session, file, stack)? {
        return Ok(Vec::new());
    }
    let before = session.find_object(old).map_err(failed("read a file"))?;
    let after = session.find_object(new).map_err(failed("read a file"))?;
    let (before, after) = (before.data.as_slice(), after.data.as_slice());
    let is_text = |text: &[u8]| text.len() <= TEXT_BYTES && !text[..text.len().min(BINARY_PREFIX)].contains(&0);
    if !is_text(before) || !is_text(after) {
        return Ok(Vec::new());
    }
    let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
    let hunk = |lines: std::ops::Range<usize>| Hunk { first: number(lines.start + 1), lines: number(lines.len()) };
    Ok(lines::replaced(before, after).into_iter().map(hunk).collect())
}

/// Whether the attributes let the file be merged line by line.
fn by_line(session: &gix::Repository, file: &Modified, stack: &mut Stack) -> Result<bool> {
    let mut found = stack.selected_attribute_matches(["merge"]);
    stack
        .at_entry(file.path.as_bstr(), Some(file.after.0.into()), &session.objects)
        .map_err(failed("read attributes"))?
        .matching_attributes(&mut found);
    let by_line = found.iter_selected().all(|found| match found.assignment.state {
        StateRef::Unset => false,
        StateRef::Value(name) => name.as_bstr() != "binary",
        StateRef::Set | StateRef::Unspecified => true,
    });
    Ok(by_line)
}
