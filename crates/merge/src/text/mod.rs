//! Merging text by lines: where both sides changed the same lines, and the file with markers there.
//!
//! The rules are those of git's own merge of text, so that ranges and markers are the ones that git would show.

mod lines;
mod markers;
mod regions;
mod union;

pub(crate) use lines::{Hunk, Text, Texts, lines};
pub(crate) use markers::{Labels, render};
pub(crate) use regions::{Region, Taken, conflicting_regions, regions};
pub(crate) use union::union;
