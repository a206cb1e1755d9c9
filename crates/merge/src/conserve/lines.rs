//! The same for the lines of one file.

use std::collections::HashMap;

use gix::ObjectId;
use gix::objs::tree::EntryMode;

use super::{Lost, Whose};
use crate::text::{Hunk, Text, Texts};
use crate::{Error, Result};

/// How much of a file decides whether it is binary; git looks at as much.
const BINARY_PROBE: usize = 8000;

/// The content of a regular file that is text.
pub(crate) fn text(session: &gix::Repository, mode: EntryMode, id: ObjectId) -> Result<Option<Vec<u8>>> {
    if !mode.is_blob() {
        return Ok(None);
    }
    let mut object = session.find_object(id).map_err(Error::git(format!("check a result: read {id}")))?;
    let is_binary = object.data.iter().take(BINARY_PROBE).any(|byte| *byte == 0);
    Ok((!is_binary).then(|| std::mem::take(&mut object.data)))
}

/// How often one line is there, and what became of it.
#[derive(Default)]
struct Count {
    base: i64,
    result: i64,
    added: [i64; 2],
    removed: [i64; 2],
}

/// What of both sides is not in the result.
///
/// Lines are counted, because their places are a matter of how changes are looked at. What both sides added may be the same
/// addition, so it is asked for once; the bounds are those between which every merge without a conflict is.
pub(super) fn losses(base: &[u8], ours: &[u8], theirs: &[u8], result: &[u8]) -> Vec<(Whose, Lost)> {
    let texts = Texts::new(base, ours, theirs);
    let mut counts: HashMap<&[u8], Count> = HashMap::new();
    for line in &texts.base.lines {
        counts.entry(without_end(line)).or_default().base += 1;
    }
    for (side, text) in [&texts.ours, &texts.theirs].into_iter().enumerate() {
        for hunk in texts.changes(&texts.base.tokens, &text.tokens) {
            count(&mut counts, side, &hunk, &texts.base, text);
        }
    }
    for line in crate::text::lines(result) {
        counts.entry(without_end(line)).or_default().result += 1;
    }
    let mut missing = [0, 0, 0];
    let mut extra = [0, 0, 0];
    for Count { base, result, added, removed } in counts.values() {
        let kept = base - removed[0] - removed[1];
        let least = kept + added[0].max(added[1]);
        let most = kept + added[0] + added[1] + removed[0].min(removed[1]);
        let whose = |numbers: &[i64; 2]| match (numbers[0] > 0, numbers[1] > 0) {
            (false, true) => 1,
            (true, _) => 0,
            (false, false) => 2,
        };
        missing[whose(added)] += (least - result).max(0);
        extra[whose(removed)] += (result - most).max(0);
    }
    let sides = [Whose::Target, Whose::Change, Whose::Both];
    let number = |lines: i64| usize::try_from(lines).unwrap_or_default();
    let missing = sides.into_iter().zip(missing).map(|(whose, lines)| (whose, Lost::Added { lines: number(lines) }));
    let extra = sides.into_iter().zip(extra).map(|(whose, lines)| (whose, Lost::Removed { lines: number(lines) }));
    let some = |lost: &Lost| !matches!(lost, Lost::Path | Lost::Added { lines: 0 } | Lost::Removed { lines: 0 });
    missing.chain(extra).filter(|(_, lost)| some(lost)).collect()
}

fn count<'a>(counts: &mut HashMap<&'a [u8], Count>, side: usize, hunk: &Hunk, base: &Text<'a>, text: &Text<'a>) {
    for line in &base.lines[hunk.before.clone()] {
        counts.entry(without_end(line)).or_default().removed[side] += 1;
    }
    for line in &text.lines[hunk.after.clone()] {
        counts.entry(without_end(line)).or_default().added[side] += 1;
    }
}

/// A last line gets an end when another one comes after it; it is still that line.
fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_added_is_missed_and_what_it_removed_is_noticed() {
        let (base, ours, theirs) = (b"a\nb\nc\nd\ne\n", b"A\nb\nc\nd\ne\n", b"a\nb\nc\nd\nE\nf\n");
        assert_eq!(losses(base, ours, theirs, b"A\nb\nc\nd\nE\nf\n"), []);
        let lost = losses(base, ours, theirs, b"A\nb\nc\nd\nE\n");
        assert_eq!(lost, [(Whose::Change, Lost::Added { lines: 1 })]);
        let lost = losses(base, ours, theirs, ours);
        assert_eq!(lost, [(Whose::Change, Lost::Added { lines: 2 }), (Whose::Change, Lost::Removed { lines: 1 })]);
        let lost = losses(base, ours, theirs, b"A\nb\nd\nE\nf\n");
        assert_eq!(lost, [(Whose::Both, Lost::Added { lines: 1 })]);
    }

    #[test]
    fn the_same_addition_on_both_sides_is_asked_for_once() {
        assert_eq!(losses(b"a\n", b"a\nnew\nx\n", b"a\nnew\n", b"a\nnew\nx\n"), []);
        assert_eq!(losses(b"a\n", b"a\nnew\n", b"new\na\n", b"new\na\nnew\n"), []);
    }
}
