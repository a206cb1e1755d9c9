//! Notes as git keeps them: a ref whose tree has, for each commit, a file named by its id, in directories by its digits.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::tree::EntryKind;

use crate::ledger::{self, Entry};
use crate::refs::{self, RefName};
use crate::{Error, Result, commit, graph};

/// The ref, as git's `--ref=hedgerow` means it.
const NOTES: &str = "refs/notes/hedgerow";
/// Notes are for lines, and hostile ones are not read into memory.
const LONGEST: u64 = 16 << 20;

/// The note of a commit, or nothing.
pub(super) fn read(session: &gix::Repository, commit: ObjectId) -> Result<Vec<u8>> {
    let Some(tip) = refs::read(session, &RefName::own(NOTES))? else { return Ok(Vec::new()) };
    content(session, find(session, graph::tree_of(session, tip)?, commit)?.1)
}

/// Adds a line to the note of a commit, if it is not there. The session must keep objects in memory.
pub(super) fn append(
    session: &mut gix::Repository,
    commit: ObjectId,
    line: &[u8],
    keep: Option<ObjectId>,
) -> Result<()> {
    let who = commit::committer(session, commit)?;
    ledger::add(
        session,
        &RefName::own(NOTES),
        Entry { message: &format!("certify {commit}"), who: &who, keep },
        |session, tree| {
            let (path, note) = find(session, tree, commit)?;
            let mut text = content(session, note)?;
            if text.split_inclusive(|byte| *byte == b'\n').any(|there| there == line) {
                return Ok(tree);
            }
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(line);
            let blob = session.write_blob(&text).map_err(Error::git("write a note"))?.detach();
            let mut editor = session.edit_tree(tree).map_err(Error::git("write a note"))?;
            editor.upsert(path.as_str(), EntryKind::Blob, blob).map_err(Error::git("write a note"))?;
            Ok(editor.write().map_err(Error::git("write a note"))?.detach())
        },
    )
}

/// Where the note of a commit is, or would be put, and what is there.
fn find(session: &gix::Repository, tree: ObjectId, commit: ObjectId) -> Result<(String, Option<ObjectId>)> {
    let id = commit.to_string();
    let (mut path, mut rest, mut tree) = (String::new(), id.as_str(), tree);
    loop {
        let object = session.find_tree(tree).map_err(Error::git("read the notes"))?;
        let entry = |name: &str| -> Result<Option<(bool, ObjectId)>> {
            for entry in object.iter() {
                let entry = entry.map_err(Error::git("read the notes"))?;
                if entry.filename() == name.as_bytes().as_bstr() {
                    return Ok(Some((entry.mode().is_tree(), entry.object_id())));
                }
            }
            Ok(None)
        };
        if let Some((false, note)) = entry(rest)? {
            return Ok((format!("{path}{rest}"), Some(note)));
        }
        let (digits, longer) = rest.split_at(rest.len().min(2));
        match entry(digits)? {
            Some((true, below)) if !longer.is_empty() => {
                path = format!("{path}{digits}/");
                (rest, tree) = (longer, below);
            }
            // One level is enough for a hundred thousand notes, and git reads any.
            _ => {
                return Ok((
                    format!("{path}{}", if path.is_empty() { format!("{digits}/{longer}") } else { rest.into() }),
                    None,
                ));
            }
        }
    }
}

fn content(session: &gix::Repository, note: Option<ObjectId>) -> Result<Vec<u8>> {
    note.map_or(Ok(Vec::new()), |id| ledger::content(session, id, LONGEST))
}
