//! The merged file, with the lines of both sides where they conflict.

use super::{Taken, Texts, conflicting_regions};

/// Merges the three versions. Where both changed the same lines, ours are followed by theirs.
pub(crate) fn union(texts: &Texts<'_>) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut done = 0;
    let ours = &texts.ours.lines;
    for region in conflicting_regions(texts) {
        if !matches!(region.taken, Taken::Theirs | Taken::Conflict) {
            continue;
        }
        out.extend(ours[done..region.ours.start].concat());
        done = region.ours.end;
        let theirs = texts.theirs.lines[region.theirs.clone()].concat();
        if region.taken == Taken::Conflict {
            out.extend(ours[region.ours.clone()].concat());
            // The last line of a file may have no end.
            if !theirs.is_empty() && out.last().is_some_and(|byte| *byte != b'\n') {
                out.extend_from_slice(end_of_lines(&texts.theirs.lines));
            }
        }
        out.extend(theirs);
    }
    out.extend(ours[done..].concat());
    out
}

/// How the lines of a text end.
fn end_of_lines(lines: &[&[u8]]) -> &'static [u8] {
    if lines.first().is_some_and(|line| line.ends_with(b"\r\n")) { b"\r\n" } else { b"\n" }
}
