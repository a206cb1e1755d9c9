//! Pure: an index in which some entries are replaced, and every other byte of an entry stays as it is.
//!
//! What is read may be anything: an agent can write it. What is put into it is not, and what is hostile in it stays in it.

use std::collections::{BTreeMap, BTreeSet};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::hash::Kind;
use gix::index::entry::Stat;

use super::super::base::Item;
use super::super::index::{self, Sum};
use super::write::{self, Put};

/// What shall become of one path.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What an entry may be now to be replaced; none stands for no entry.
    pub(super) before: Vec<Option<Item>>,
    /// What it shall be.
    pub(super) after: Option<Item>,
    /// What is known of the file; zeroes have git look at it.
    pub(super) stat: Stat,
}

/// The paths in question.
pub(super) type Steps = BTreeMap<BString, Step>;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Spliced {
    /// The new index; none where it would be the old one.
    pub(super) bytes: Option<Vec<u8>>,
    /// Paths that stay as they are, because something else is staged there.
    pub(super) otherwise: Vec<BString>,
}

/// Replaces what is as expected; in words why this index cannot be dealt with.
pub(super) fn splice(bytes: &[u8], hash: Kind, steps: &Steps) -> Result<Spliced, String> {
    let mut seen = Seen::new(steps);
    index::entries(bytes, hash, Sum::Ignored, &mut |entry| seen.look_at(entry))?;
    let (edits, otherwise) = seen.decide();
    let bytes = if edits.is_empty() { None } else { Some(write::apply(bytes, hash, &edits)?) };
    Ok(Spliced { bytes, otherwise })
}

/// What the index has at the path of a step.
#[derive(Debug, Default)]
struct Current {
    item: Option<Item>,
    assumed: bool,
    left_out: bool,
    conflict: bool,
}

/// What of the index matters for the steps.
struct Seen<'a> {
    steps: &'a Steps,
    found: BTreeMap<&'a BStr, Current>,
    /// The directories above paths that may be new.
    above: BTreeSet<&'a [u8]>,
    /// How long these paths are.
    lengths: BTreeSet<usize>,
    /// Files, or directories of a sparse index, where a new path needs a directory.
    files: BTreeSet<BString>,
    /// New paths below which something lies, and what, if that is a step itself.
    below: BTreeSet<(&'a BStr, Option<BString>)>,
}

impl<'a> Seen<'a> {
    fn new(steps: &'a Steps) -> Self {
        let new = || steps.iter().filter(|(_, step)| step.after.is_some()).map(|(path, _)| path);
        let above = new().flat_map(|path| slashes(path).map(|at| &path[..at])).collect();
        let lengths = new().map(|path| path.len()).collect();
        Self { steps, found: BTreeMap::new(), above, lengths, files: BTreeSet::new(), below: BTreeSet::new() }
    }

    fn look_at(&mut self, entry: &index::Entry) -> Result<(), String> {
        let path = entry.path.as_bstr();
        if self.above.contains(path.strip_suffix(b"/").unwrap_or(path)) {
            self.files.insert(path.to_owned());
        }
        let known = self.steps.get_key_value(path);
        for at in slashes(path).filter(|at| self.lengths.contains(at)) {
            if let Some((new, _)) = self.steps.get_key_value(path[..at].as_bstr()) {
                self.below.insert((new.as_bstr(), known.map(|(path, _)| path.clone())));
            }
        }
        if entry.is_dir() {
            return Ok(());
        }
        let item = entry.item()?;
        let Some((path, _)) = known else { return Ok(()) };
        let current = self.found.entry(path.as_bstr()).or_default();
        current.conflict |= entry.stage() != 0;
        // What is only intended has no content that could be committed, or lost.
        current.item = Some(item).filter(|_| !entry.is_intended());
        current.assumed = entry.is_assumed();
        current.left_out = entry.is_left_out();
        Ok(())
    }

    /// What is put in which place, or taken out, and the paths that are left.
    fn decide(mut self) -> (BTreeMap<BString, Option<Put>>, Vec<BString>) {
        let (mut edits, mut otherwise) = (BTreeMap::new(), Vec::new());
        let mut new = Vec::new();
        for (path, step) in self.steps {
            let there = self.found.remove(path.as_bstr());
            let is_new = there.is_none();
            let current = there.unwrap_or_default();
            // git commits nothing before that is resolved.
            if current.item == step.after || current.conflict {
                continue;
            }
            if !step.before.contains(&current.item) {
                otherwise.push(path.clone());
                continue;
            }
            let (assumed, left_out) = (current.assumed, current.left_out);
            let put = step.after.map(|item| Put { item, stat: step.stat, assumed, left_out });
            edits.insert(path.clone(), put);
            new.extend(is_new.then_some(path));
        }
        let goes = |path: &BString| edits.get(path).is_some_and(Option::is_none);
        let files: BTreeSet<&[u8]> =
            self.files.iter().filter(|path| !goes(path)).map(|path| path.strip_suffix(b"/").unwrap_or(path)).collect();
        let below: BTreeSet<&BStr> = self
            .below
            .iter()
            .filter(|(_, step)| step.as_ref().is_none_or(|path| !goes(path)))
            .map(|(path, _)| *path)
            .collect();
        let has_room =
            |path: &BString| !below.contains(path.as_bstr()) && !slashes(path).any(|at| files.contains(&path[..at]));
        let without: Vec<BString> = new.into_iter().filter(|path| !has_room(path)).cloned().collect();
        for path in without {
            edits.remove(&path);
            otherwise.push(path);
        }
        (edits, otherwise)
    }
}

/// Where directories end in a path.
fn slashes(path: &[u8]) -> impl Iterator<Item = usize> {
    path.find_iter(b"/")
}
