//! The merged file, with both sides between markers where they conflict.

use super::regions::{without_common_ends, without_common_lines};
use super::{Region, Taken, Texts, regions};
use crate::MarkerStyle;

/// What is written behind markers. An empty label leaves nothing behind its marker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) ours: &'a [u8],
    pub(crate) theirs: &'a [u8],
}

/// Merges the three versions.
pub(crate) fn render(texts: &Texts<'_>, style: MarkerStyle, size: usize, labels: Labels<'_>) -> Vec<u8> {
    let regions = regions(texts);
    let regions = match style {
        MarkerStyle::Merge => without_common_lines(texts, regions),
        MarkerStyle::Diff3 => regions,
        MarkerStyle::Zdiff3 => without_common_ends(texts, regions),
    };
    let mut out = Vec::new();
    let mut done = 0;
    let ours = &texts.ours.lines;
    for region in &regions {
        match region.taken {
            // What was not touched, and what both have, is as ours has it.
            Taken::Ours | Taken::Same => {}
            Taken::Theirs => {
                out.extend(ours[done..region.ours.start].concat());
                out.extend(texts.theirs.lines[region.theirs.clone()].concat());
                done = region.ours.end;
            }
            Taken::Conflict => {
                out.extend(ours[done..region.ours.start].concat());
                conflict(&mut out, texts, region, style, size, labels);
                done = region.ours.end;
            }
        }
    }
    out.extend(ours[done..].concat());
    out
}

fn conflict(
    out: &mut Vec<u8>,
    texts: &Texts<'_>,
    region: &Region,
    style: MarkerStyle,
    size: usize,
    labels: Labels<'_>,
) {
    let end: &[u8] = if ends_in_crlf(texts, region) { b"\r\n" } else { b"\n" };
    let marker = |out: &mut Vec<u8>, sign: u8, label: &[u8]| {
        out.extend(std::iter::repeat_n(sign, size));
        if !label.is_empty() {
            out.push(b' ');
            out.extend_from_slice(label);
        }
        out.extend_from_slice(end);
    };
    let lines = |out: &mut Vec<u8>, lines: &[&[u8]]| {
        out.extend(lines.concat());
        // A marker starts a line, also after a last line that had no end.
        if lines.last().is_some_and(|last| !last.ends_with(b"\n")) {
            out.extend_from_slice(end);
        }
    };
    marker(out, b'<', labels.ours);
    lines(out, &texts.ours.lines[region.ours.clone()]);
    if style != MarkerStyle::Merge {
        marker(out, b'|', labels.base);
        lines(out, &texts.base.lines[region.base.clone()]);
    }
    marker(out, b'=', b"");
    lines(out, &texts.theirs.lines[region.theirs.clone()]);
    marker(out, b'>', labels.theirs);
}

/// Whether lines around a conflict end in CR and LF on all sides, as far as they tell.
fn ends_in_crlf(texts: &Texts<'_>, region: &Region) -> bool {
    let before = |start: usize| start.saturating_sub(1);
    let mut verdict = line_end(&texts.ours.lines, before(region.ours.start));
    if verdict != Some(false) {
        verdict = line_end(&texts.theirs.lines, before(region.theirs.start));
    }
    if verdict != Some(false) {
        verdict = line_end(&texts.base.lines, 0);
    }
    verdict.unwrap_or(false)
}

/// Whether a line ends in CR and LF; a last line without any end is judged by the one before it.
fn line_end(lines: &[&[u8]], number: usize) -> Option<bool> {
    let line = lines.get(number)?;
    if line.ends_with(b"\n") {
        return Some(line.ends_with(b"\r\n"));
    }
    let earlier = number.checked_sub(1)?;
    Some(lines[earlier].ends_with(b"\r\n"))
}
