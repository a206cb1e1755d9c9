//! Files as lines, and what was changed from one to another.

use std::ops::Range;

use gix::bstr::ByteSlice;
use gix::diff::blob::{Algorithm, Diff, Interner, NoSliderHeuristic, Token};

/// Three versions of a file. Equal lines have equal tokens.
pub(crate) struct Texts<'a> {
    pub(crate) base: Text<'a>,
    pub(crate) ours: Text<'a>,
    pub(crate) theirs: Text<'a>,
    tokens: u32,
}

/// One version.
pub(crate) struct Text<'a> {
    /// Each with its line feed, but for the last one, which may have none.
    pub(crate) lines: Vec<&'a [u8]>,
    pub(crate) tokens: Vec<Token>,
}

/// Lines that were replaced by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hunk {
    pub(crate) before: Range<usize>,
    pub(crate) after: Range<usize>,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(base: &'a [u8], ours: &'a [u8], theirs: &'a [u8]) -> Self {
        let mut interner = Interner::new(64);
        let mut text = |content: &'a [u8]| {
            let lines: Vec<_> = lines(content).collect();
            let tokens = lines.iter().map(|line| interner.intern(*line)).collect();
            Text { lines, tokens }
        };
        let (base, ours, theirs) = (text(base), text(ours), text(theirs));
        Self { base, ours, theirs, tokens: interner.num_tokens() }
    }

    /// What was changed, as git's merge sees it: by histogram, each change as far down as it can be.
    pub(crate) fn changes(&self, before: &[Token], after: &[Token]) -> Vec<Hunk> {
        let mut diff = Diff::default();
        diff.compute_with(Algorithm::Histogram, before, after, self.tokens);
        diff.postprocess_with(before, after, NoSliderHeuristic);
        let range = |range: Range<u32>| range.start as usize..range.end as usize;
        diff.hunks().map(|hunk| Hunk { before: range(hunk.before), after: range(hunk.after) }).collect()
    }
}

/// The lines of a file, each with its end.
pub(crate) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.lines_with_terminator()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof!["", "a", "b", "c"], 0..30).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_text_to_the_other(before in text(), after in text()) {
            let texts = Texts::new(before.as_bytes(), after.as_bytes(), b"");
            let (old, new) = (&texts.base.lines, &texts.ours.lines);
            let (mut at, mut made) = (0, Vec::new());
            for hunk in texts.changes(&texts.base.tokens, &texts.ours.tokens) {
                made.extend_from_slice(&old[at..hunk.before.start]);
                prop_assert_eq!(made.len(), hunk.after.start);
                made.extend_from_slice(&new[hunk.after.clone()]);
                at = hunk.before.end;
            }
            made.extend_from_slice(&old[at..]);
            prop_assert_eq!(&made, new);
        }
    }
}
