//! Where a three-way merge of lines takes one side, and where it cannot.

use std::ops::Range;

use super::{Hunk, Texts};

/// How many lines may lie between two conflicts that are shown as one.
const GAP: usize = 3;

/// Lines that at least one side changed. Lines between regions are the same on all sides, or changed alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) taken: Taken,
    pub(crate) base: Range<usize>,
    pub(crate) ours: Range<usize>,
    pub(crate) theirs: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Only ours changed them.
    Ours,
    /// Only theirs changed them.
    Theirs,
    /// Both changed them.
    Conflict,
    /// Both changed them to the same.
    Same,
}

/// The regions of a merge, with conflicts that hold all lines that a side changed with them.
pub(crate) fn regions(texts: &Texts<'_>) -> Vec<Region> {
    let ours = texts.changes(&texts.base.tokens, &texts.ours.tokens);
    let theirs = texts.changes(&texts.base.tokens, &texts.theirs.tokens);
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut found = Vec::new();
    loop {
        match (ours.peek().copied(), theirs.peek().copied()) {
            (None, None) => return found,
            (Some(we), None) => {
                append(&mut found, one_sided(Taken::Ours, we, texts.base.lines.len(), texts.theirs.lines.len()));
                ours.next();
            }
            (None, Some(they)) => {
                append(&mut found, one_sided(Taken::Theirs, they, texts.base.lines.len(), texts.ours.lines.len()));
                theirs.next();
            }
            (Some(we), Some(they)) if we.before.end < they.before.start => {
                append(&mut found, one_sided(Taken::Ours, we, they.before.start, they.after.start));
                ours.next();
            }
            (Some(we), Some(they)) if they.before.end < we.before.start => {
                append(&mut found, one_sided(Taken::Theirs, they, we.before.start, we.after.start));
                theirs.next();
            }
            (Some(we), Some(they)) => {
                let alike = we.before == they.before
                    && texts.ours.tokens[we.after.clone()] == texts.theirs.tokens[they.after.clone()];
                if !alike {
                    append(&mut found, both(we, they));
                }
                let (our_end, their_end) = (we.before.end, they.before.end);
                if our_end >= their_end {
                    theirs.next();
                }
                if their_end >= our_end {
                    ours.next();
                }
            }
        }
    }
}

/// A change that one side made. `base` and `other` are the same place behind it in the base and in the other side.
fn one_sided(taken: Taken, change: &Hunk, base: usize, other: usize) -> Region {
    // A change that has just conflicted comes here too, to join that conflict; then only the end counts.
    let unchanged = (change.before.start + other).saturating_sub(base)..change.before.end + other - base;
    let (ours, theirs) = match taken {
        Taken::Theirs => (unchanged, change.after.clone()),
        _ => (change.after.clone(), unchanged),
    };
    Region { taken, base: change.before.clone(), ours, theirs }
}

/// Two changes that meet, each widened to what the other replaced.
fn both(we: &Hunk, they: &Hunk) -> Region {
    let base = we.before.start.min(they.before.start)..we.before.end.max(they.before.end);
    // With earlier changes of its side in between, only the end counts: the region becomes part of the one before.
    let widened = |hunk: &Hunk| {
        let start = hunk.after.start.saturating_sub(hunk.before.start - base.start);
        start..hunk.after.end + (base.end - hunk.before.end)
    };
    Region { taken: Taken::Conflict, ours: widened(we), theirs: widened(they), base }
}

/// Adds a region, or makes the last one larger when they touch.
fn append(found: &mut Vec<Region>, region: Region) {
    match found.last_mut() {
        Some(last) if region.ours.start <= last.ours.end || region.theirs.start <= last.theirs.end => {
            if last.taken != region.taken {
                last.taken = Taken::Conflict;
            }
            last.base.end = region.base.end;
            last.ours.end = region.ours.end;
            last.theirs.end = region.theirs.end;
        }
        _ => found.push(region),
    }
}

/// The regions with conflicts as small as git makes them when it shows both sides only.
pub(crate) fn conflicting_regions(texts: &Texts<'_>) -> Vec<Region> {
    without_common_lines(texts, regions(texts))
}

/// Splits conflicts by what both sides have in common, and joins those that are close together again.
pub(super) fn without_common_lines(texts: &Texts<'_>, regions: Vec<Region>) -> Vec<Region> {
    let mut split = Vec::new();
    for region in regions {
        if region.taken != Taken::Conflict || region.ours.is_empty() || region.theirs.is_empty() {
            split.push(region);
            continue;
        }
        let changes =
            texts.changes(&texts.ours.tokens[region.ours.clone()], &texts.theirs.tokens[region.theirs.clone()]);
        if changes.is_empty() {
            split.push(Region { taken: Taken::Same, ..region });
            continue;
        }
        let shift = |range: &Range<usize>, by: usize| range.start + by..range.end + by;
        split.extend(changes.iter().map(|change| Region {
            ours: shift(&change.before, region.ours.start),
            theirs: shift(&change.after, region.theirs.start),
            ..region.clone()
        }));
    }
    let mut joined: Vec<Region> = Vec::new();
    for region in split {
        match joined.last_mut() {
            Some(last)
                if (last.taken, region.taken) == (Taken::Conflict, Taken::Conflict)
                    && region.ours.start - last.ours.end <= GAP =>
            {
                last.ours.end = region.ours.end;
                last.theirs.end = region.theirs.end;
                last.base.end = region.base.end;
            }
            _ => joined.push(region),
        }
    }
    joined
}

/// Takes lines off conflicts that both sides begin or end with.
pub(super) fn without_common_ends(texts: &Texts<'_>, mut regions: Vec<Region>) -> Vec<Region> {
    for region in regions.iter_mut().filter(|region| region.taken == Taken::Conflict) {
        let (ours, theirs) = (&texts.ours.tokens, &texts.theirs.tokens);
        let some = |region: &Region| !region.ours.is_empty() && !region.theirs.is_empty();
        while some(region) && ours[region.ours.start] == theirs[region.theirs.start] {
            region.ours.start += 1;
            region.theirs.start += 1;
        }
        while some(region) && ours[region.ours.end - 1] == theirs[region.theirs.end - 1] {
            region.ours.end -= 1;
            region.theirs.end -= 1;
        }
    }
    regions
}
