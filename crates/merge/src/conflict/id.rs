//! The id of a conflict.

use gix::objs::Kind;

use crate::{ConflictId, ConflictKind, Entry, Error, Result, Terms};

/// Names a conflict by its kind and its terms, whose order does not count: it is the same one seen from the other side.
pub(super) fn of(kind: ConflictKind, terms: &Terms) -> Result<ConflictId> {
    let mut text = format!("conflict {kind}\n").into_bytes();
    for (sign, entries) in [(b'+', terms.adds()), (b'-', terms.removes())] {
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort();
        for entry in entries {
            text.push(sign);
            if let Some(Entry { path, mode, id }) = entry {
                text.extend_from_slice(format!(" {mode:o} {id} ").as_bytes());
                text.extend_from_slice(path.as_bytes());
            }
            // Cannot be in a path, so no path can forge another term.
            text.push(0);
        }
    }
    let hash =
        gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, &text).map_err(Error::git("name a conflict"))?;
    ConflictId::new(hash.to_string())
}
