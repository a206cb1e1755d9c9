//! What `git merge-tree --write-tree -z --no-messages` says.

use std::collections::BTreeMap;

use gix::ObjectId;

use super::run::Said;
use crate::conflict::Found;
use crate::{ConflictKind, Entry, RepoPath};

pub(super) enum Answer {
    /// The tree.
    Clean(String),
    /// Each path that conflicts.
    Conflict(Vec<Found>),
    /// There is no commit in common.
    Unrelated,
}

/// Base, ours and theirs of one path.
type Stages = [Option<Entry>; 3];

/// Nothing, if it is not of the form that is known.
pub(super) fn read(said: &Said) -> Option<Answer> {
    if !matches!(said.status, Some(0 | 1)) {
        let unrelated = String::from_utf8_lossy(&said.err).contains("unrelated histories");
        return unrelated.then_some(Answer::Unrelated);
    }
    let mut records = said.out.split(|byte| *byte == 0);
    let tree =
        String::from_utf8(records.next()?.to_vec()).ok().filter(|tree| ObjectId::from_hex(tree.as_bytes()).is_ok())?;
    if said.status == Some(0) {
        return Some(Answer::Clean(tree));
    }
    let mut stages: BTreeMap<Vec<u8>, Stages> = BTreeMap::new();
    for record in records.take_while(|record| !record.is_empty()) {
        let tab = record.iter().position(|byte| *byte == b'\t')?;
        let facts = std::str::from_utf8(&record[..tab]).ok()?;
        let mut facts = facts.split(' ');
        let (mode, id, stage) = (facts.next()?, facts.next()?, facts.next()?.parse::<usize>().ok()?);
        let (path, mode) = (record[tab + 1..].to_vec(), u32::from_str_radix(mode, 8).ok()?);
        let entry = Entry { path: RepoPath::new(path.as_slice()), mode, id: id.to_owned() };
        *stages.entry(path).or_default().get_mut(stage.checked_sub(1)?)? = Some(entry);
    }
    Some(Answer::Conflict(stages.into_iter().map(|(path, stages)| conflict(path, stages)).collect()))
}

/// The kind is told from the versions that are there; git's messages are for people.
fn conflict(path: Vec<u8>, [base, ours, theirs]: Stages) -> Found {
    let types = |side: &Entry| side.mode & 0o170_000;
    let kind = match (&base, &ours, &theirs) {
        (_, Some(ours), Some(theirs)) if types(ours) != types(theirs) => ConflictKind::DistinctTypes,
        (_, Some(ours), Some(_)) if types(ours) == 0o160_000 => ConflictKind::Submodule,
        (_, Some(ours), Some(_)) if types(ours) == 0o120_000 => ConflictKind::Symlink,
        (Some(_), Some(_), Some(_)) => ConflictKind::Content,
        (None, Some(_), Some(_)) => ConflictKind::AddAdd,
        (Some(_), _, _) => ConflictKind::ModifyDelete,
        _ => ConflictKind::Other,
    };
    Found { path: path.into(), kind, base, ours, theirs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: i32, out: &str) -> Said {
        let out = out.replace("TREE", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        Said { status: Some(status), out: out.into(), err: Vec::new() }
    }

    #[test]
    fn an_answer_that_is_cut_or_strange_is_not_taken_for_a_result() {
        for out in [
            "TREE\x00junk\x00\x00",
            "TREE\x00100644 id 4\tf\x00\x00",
            "TREE\x00100644 id 0\tf\x00\x00",
            "TREE\x00x id 1\tf\x00\x00",
        ] {
            assert!(read(&said(1, out)).is_none(), "{out:?}");
        }
        assert!(read(&said(128, "")).is_none());
        assert!(read(&said(1, "")).is_none() && read(&said(0, "t\x00")).is_none());
        assert!(read(&Said { status: None, out: b"TREE\x00".to_vec(), err: Vec::new() }).is_none(), "it was killed");
    }

    #[test]
    fn names_may_hold_anything_but_the_end_of_a_record() {
        let Some(Answer::Conflict(paths)) = read(&said(1, "TREE\x00100644 a 1\ta\tb\n\x00100644 b 2\ta\tb\n\x00\x00"))
        else {
            panic!("it is a conflict")
        };
        assert_eq!(
            (paths.len(), paths[0].path.as_slice(), paths[0].kind),
            (1, &b"a\tb\n"[..], ConflictKind::ModifyDelete)
        );
    }
}
