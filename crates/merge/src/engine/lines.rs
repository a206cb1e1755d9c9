//! Merging lines.
//!
//! As in git's merges, what could be matched in several places is matched as late as possible, without the guesses by
//! indentation that make diffs nicer to read: where a change is taken to be decides what it conflicts with.

use std::ops::Range;

use gix::diff::blob::sources::byte_lines;
use gix::diff::blob::{Algorithm, Diff, InternedInput, Token};

/// Lines of the base that a side replaced by some of its own.
struct Change {
    base: Range<usize>,
    side: Range<usize>,
}

/// The merged text, or nothing where both sides changed the same or adjacent lines differently.
pub(crate) fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let mut input = InternedInput::new(byte_lines(base), byte_lines(ours));
    let our_changes = changes(&input);
    let our_lines = std::mem::take(&mut input.after);
    input.update_after(byte_lines(theirs));
    let their_changes = changes(&input);
    let (base, their_lines) = (input.before.as_slice(), input.after.as_slice());

    let (mut one, mut other) = (our_changes.as_slice(), their_changes.as_slice());
    let mut out: Vec<Token> = Vec::with_capacity(base.len().max(our_lines.len()));
    let mut done = 0;
    loop {
        let start = match (one.first(), other.first()) {
            (Some(a), Some(b)) => a.base.start.min(b.base.start),
            (Some(change), None) | (None, Some(change)) => change.base.start,
            (None, None) => break,
        };
        let mut end = start;
        let (mut taken, mut opposite) = (0, 0);
        loop {
            let touches =
                |list: &[Change], at: usize| list.get(at).filter(|change| change.base.start <= end).map(|c| c.base.end);
            if let Some(reached) = touches(one, taken) {
                (end, taken) = (end.max(reached), taken + 1);
            } else if let Some(reached) = touches(other, opposite) {
                (end, opposite) = (end.max(reached), opposite + 1);
            } else {
                break;
            }
        }
        out.extend_from_slice(&base[done..start]);
        let ours = side(base, &our_lines, &one[..taken], start..end);
        let theirs = side(base, their_lines, &other[..opposite], start..end);
        match (taken, opposite) {
            (_, 0) => out.extend(ours),
            (0, _) => out.extend(theirs),
            _ if ours == theirs => out.extend(ours),
            _ => return None,
        }
        (one, other, done) = (&one[taken..], &other[opposite..], end);
    }
    out.extend_from_slice(&base[done..]);
    Some(out.iter().flat_map(|token| input.interner[*token]).copied().collect())
}

/// The lines of one text that another one has not, where a merge takes them to be.
pub(super) fn replaced(before: &[u8], after: &[u8]) -> Vec<Range<usize>> {
    changes(&InternedInput::new(byte_lines(before), byte_lines(after))).into_iter().map(|change| change.base).collect()
}

/// The lines of one text that another one has not, and what it has instead.
pub(crate) fn hunks(before: &[u8], after: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let input = InternedInput::new(byte_lines(before), byte_lines(after));
    changes(&input).into_iter().map(|change| (change.base, change.side)).collect()
}

fn changes(input: &InternedInput<&[u8]>) -> Vec<Change> {
    let mut diff = Diff::compute(Algorithm::Histogram, input);
    diff.postprocess_no_heuristic(input);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| Change { base: range(hunk.before), side: range(hunk.after) }).collect()
}

/// What a side has where the base has `range`.
fn side(base: &[Token], lines: &[Token], changes: &[Change], range: Range<usize>) -> Vec<Token> {
    let (mut out, mut done) = (Vec::new(), range.start);
    for change in changes {
        out.extend_from_slice(&base[done..change.base.start]);
        out.extend_from_slice(&lines[change.side.clone()]);
        done = change.base.end;
    }
    out.extend_from_slice(&base[done..range.end]);
    out
}

#[cfg(test)]
mod tests {
    use super::merge;

    fn merged(base: &str, ours: &str, theirs: &str) -> Option<String> {
        let both = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        let turned = merge(base.as_bytes(), theirs.as_bytes(), ours.as_bytes());
        assert_eq!(both, turned, "the sides can be exchanged");
        both.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn changes_merge_as_long_as_a_line_is_between_them() {
        assert_eq!(merged("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n").as_deref(), Some("A\nb\nC\n"));
        assert_eq!(merged("a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n"), None);
        assert_eq!(merged("a\nb", "a\nb\n", "A\nb"), None);
        assert_eq!(merged("", "x\n", "y\n"), None);
    }

    #[test]
    fn the_same_change_twice_is_one() {
        assert_eq!(merged("a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\nd\n").as_deref(), Some("a\nX\nc\nd\n"));
        assert_eq!(merged("a\nb\nc\nd\n", "a\nX\nc\nd\n", "a\nX\nc\nD\n").as_deref(), Some("a\nX\nc\nD\n"));
        assert_eq!(merged("a\nb\n", "", "").as_deref(), Some(""));
    }

    #[test]
    fn a_block_among_like_ones_was_inserted_as_late_as_it_can_be() {
        let block = |version: &str| format!("[[package]]\nname = \"w\"\nversion = \"{version}\"\n\n");
        let base = block("2");
        let ours = block("1") + &block("2");
        // Before its line `version` a block of ours ends and another one begins.
        assert_eq!(merged(&base, &ours, &block("3")), None);
    }
}
