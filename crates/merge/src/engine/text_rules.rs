//! How a file is merged as text, by the target's attributes.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::attrs::StateRef;
use gix::bstr::{BStr, ByteSlice};

use super::changes::above;
use super::{attributes, failed};
use crate::Result;

const MARKER_SIZE: &str = "conflict-marker-size";
const DRIVER: &str = "merge";
const DEFAULT_SIZE: usize = 7;
/// A number in a file of the repository must not decide how much memory is used.
const LONGEST: usize = 1000;

/// How one file is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextRules {
    /// The length of its conflict markers.
    pub(crate) marker_size: usize,
    pub(crate) driver: Driver,
}

/// Which of git's own ways to merge a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Text,
    /// Not by lines.
    Binary,
    /// By lines, and both sides where they conflict.
    Union,
}

/// What the attributes in `tree` say about the file at `path`.
pub(crate) fn text_rules(session: &gix::Repository, tree: ObjectId, path: &BStr) -> Result<TextRules> {
    let directories: BTreeSet<_> = above(path).map(ToOwned::to_owned).collect();
    let mut stack = attributes::of_tree(session, tree, &directories)?;
    let mut found = stack.selected_attribute_matches([MARKER_SIZE, DRIVER]);
    let at = stack.at_entry(path, None, &session.objects).map_err(failed("read the target's attributes"))?;
    at.matching_attributes(&mut found);
    let mut rules = TextRules { marker_size: DEFAULT_SIZE, driver: Driver::Text };
    for matched in found.iter_selected() {
        match (matched.assignment.name.as_str(), matched.assignment.state) {
            (MARKER_SIZE, StateRef::Value(value)) => {
                let size = value.as_bstr().to_str().ok().and_then(|text| text.parse::<usize>().ok());
                rules.marker_size = size.filter(|size| *size > 0).map_or(DEFAULT_SIZE, |size| size.min(LONGEST));
            }
            (DRIVER, StateRef::Unset) => rules.driver = Driver::Binary,
            (DRIVER, StateRef::Value(value)) if value.as_bstr() == "binary" => rules.driver = Driver::Binary,
            (DRIVER, StateRef::Value(value)) if value.as_bstr() == "union" => rules.driver = Driver::Union,
            _ => {}
        }
    }
    Ok(rules)
}
