//! Commits that do the same, whatever they are made on: what git calls the same patch.
//!
//! Compared are the lines that are removed and added with three lines around them, white space aside, the names of the
//! files, and the whole content of what has no lines. Line numbers, messages and authors do not count.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::BString;
use gix::diff::tree::{Recorder, recorder};
use gix::objs::tree::EntryMode;
use gix::objs::{FindExt, Kind};

use crate::conserve::text_of;
use crate::engine::{check_size, hunks};
use crate::{Error, Result, graph};

/// So many lines around a change are a part of it.
const CONTEXT: usize = 3;

/// What one file was and is.
type Sides = [Option<(EntryMode, ObjectId)>; 2];

/// The files that a commit changes.
type Files = BTreeMap<BString, Sides>;

/// Whether two commits do the same. Merges and commits that change nothing do not.
pub(crate) fn same(session: &gix::Repository, one: ObjectId, other: ObjectId) -> Result<bool> {
    let (Some(first), Some(second)) = (files(session, one)?, files(session, other)?) else { return Ok(false) };
    Ok(outline(&first) == outline(&second) && id(session, &first)? == id(session, &second)?)
}

/// For each of the commits that is on the way to `onto`, from where that left `tip`, under another id: that id.
pub(crate) fn applied(
    session: &gix::Repository,
    commits: &[ObjectId],
    tip: ObjectId,
    onto: ObjectId,
) -> Result<BTreeMap<ObjectId, ObjectId>> {
    let mut wanted: BTreeMap<_, Vec<(ObjectId, Files)>> = BTreeMap::new();
    for commit in commits {
        if let Some(files) = files(session, *commit)? {
            wanted.entry(outline(&files)).or_default().push((*commit, files));
        }
    }
    let mut found = BTreeMap::new();
    let walk = session.rev_walk([onto]).with_hidden([tip]).all();
    for info in walk.map_err(Error::git(format!("walk back from {onto}")))? {
        let theirs = info.map_err(Error::git("read the commits of the target"))?.id;
        let Some(done) = files(session, theirs)? else { continue };
        // Few commits change the same files, so few are compared by lines.
        let Some(candidates) = wanted.get(&outline(&done)) else { continue };
        let done = id(session, &done)?;
        for (commit, files) in candidates {
            if id(session, files)? == done {
                found.insert(*commit, theirs);
            }
        }
    }
    Ok(found)
}

/// What a commit changes; nothing of a merge, or where nothing is changed.
fn files(session: &gix::Repository, commit: ObjectId) -> Result<Option<Files>> {
    let parents = graph::parents(session, commit)?;
    if parents.len() > 1 {
        return Ok(None);
    }
    let before = match parents.first() {
        Some(parent) => graph::tree_of(session, *parent)?,
        None => graph::empty_tree(session)?,
    };
    let after = graph::tree_of(session, commit)?;
    // What nobody can look at is no patch that somebody else made, too.
    if check_size(session, before, after).is_err() || check_size(session, after, before).is_err() {
        return Ok(None);
    }
    let action = format!("compare commit {commit} with its parent");
    let (mut old, mut new, mut recorder) = (Vec::new(), Vec::new(), Recorder::default());
    let old = session.find_tree_iter(&before, &mut old).map_err(Error::git(action.as_str()))?;
    let new = session.find_tree_iter(&after, &mut new).map_err(Error::git(action.as_str()))?;
    gix::diff::tree(old, new, gix::diff::tree::State::default(), session, &mut recorder)
        .map_err(Error::git(action.as_str()))?;
    let mut files = Files::new();
    for record in recorder.records {
        let (path, sides): (_, Sides) = match record {
            recorder::Change::Addition { entry_mode, oid, path, .. } => (path, [None, Some((entry_mode, oid))]),
            recorder::Change::Deletion { entry_mode, oid, path, .. } => (path, [Some((entry_mode, oid)), None]),
            recorder::Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path } => {
                (path, [Some((previous_entry_mode, previous_oid)), Some((entry_mode, oid))])
            }
        };
        let sides = sides.map(|side| side.filter(|(mode, _)| mode.is_no_tree()));
        if sides != [None, None] {
            let known = files.entry(path).or_insert([None, None]);
            *known = [known[0].or(sides[0]), known[1].or(sides[1])];
        }
    }
    Ok((!files.is_empty()).then_some(files))
}

/// What can be compared without reading a file.
fn outline(files: &Files) -> BTreeSet<(BString, [Option<u16>; 2])> {
    let modes = |sides: &Sides| sides.map(|side| side.map(|(mode, _)| mode.value()));
    files.iter().map(|(path, sides)| (path.clone(), modes(sides))).collect()
}

/// What is the same for the same patch, of commits with the same outline.
fn id(session: &gix::Repository, files: &Files) -> Result<ObjectId> {
    let mut text = Vec::new();
    for (path, sides) in files {
        text.extend_from_slice(path);
        text.push(0);
        let content = |side: Option<(EntryMode, ObjectId)>| match side {
            Some((mode, id)) => text_of(session, mode, id),
            None => Ok(Some(Vec::new())),
        };
        match (content(sides[0])?, content(sides[1])?) {
            (Some(before), Some(after)) => lines(&before, &after, &mut text),
            _ => {
                for (_, id) in sides.iter().flatten() {
                    text.extend_from_slice(id.as_slice());
                }
            }
        }
        text.push(0);
    }
    gix::objs::compute_hash(session.object_hash(), Kind::Blob, &text).map_err(Error::git("name a patch"))
}

/// The lines that differ, each with a sign, and those around them.
fn lines(before: &[u8], after: &[u8], text: &mut Vec<u8>) {
    let [old, new] = [before, after].map(|text| text.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>());
    let mut line = |sign: u8, line: &[u8]| {
        text.push(sign);
        text.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        text.push(b'\n');
    };
    let mut shown = 0;
    let changes = hunks(before, after);
    for (n, (from, to)) in changes.iter().enumerate() {
        for context in &old[from.start.saturating_sub(CONTEXT).max(shown)..from.start] {
            line(b' ', context);
        }
        old[from.clone()].iter().for_each(|removed| line(b'-', removed));
        new[to.clone()].iter().for_each(|added| line(b'+', added));
        let next = changes.get(n + 1).map_or(old.len(), |(next, _)| next.start);
        shown = (from.end + CONTEXT).min(next);
        old[from.end..shown].iter().for_each(|context| line(b' ', context));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let mut text = Vec::new();
        lines(before.as_bytes(), after.as_bytes(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn three_lines_around_a_change_count_and_each_once() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(shown(before, &before.replace('5', "x")), " 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
        let twice = before.replace('3', "x").replace('6', "y");
        assert_eq!(shown(before, &twice), " 1\n 2\n-3\n+x\n 4\n 5\n-6\n+y\n 7\n 8\n 9\n");
        assert_eq!(shown("", "a  b\n"), "+ab\n");
        assert_eq!(shown("a\n", ""), "-a\n");
    }
}
