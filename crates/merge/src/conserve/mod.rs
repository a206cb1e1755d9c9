//! Whether a result has what both sides did: the check that no engine is trusted without.
//!
//! It compares trees path by path, and lines by counting them, and knows nothing of how the result was made. What only one
//! side changed is as that side has it; where both changed a file, the lines that each of them added or removed are added
//! or removed. Files that a side renamed are found by their lines. From several merge bases, only whole
//! paths are asked for, and only what each of them asks for.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::diff::tree::recorder;
use gix::objs::FindExt;
use gix::objs::tree::EntryMode;
use serde::{Deserialize, Serialize};

use crate::engine::{self, Driver};
use crate::{Error, RepoPath, Result};

mod landing;
mod lines;
mod walk;

pub use landing::MergeInside;
pub(crate) use landing::{Checked, Landed, check, inside, left_out, of_trees};
pub(crate) use lines::text as text_of;

/// Something that a side did and a result has not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loss {
    /// Where.
    pub path: RepoPath,
    /// Whose work it is.
    pub whose: Whose,
    /// How much of it.
    pub what: Lost,
}

/// Whose work is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// The target's.
    Target,
    /// The change's.
    Change,
    /// What both left as it was.
    Both,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lost {
    /// What was made of the path as a whole: it was added, changed or deleted, and the result shows nothing of that.
    Path,
    /// Lines that were added, or left alone, and are not there.
    Added {
        /// How many.
        lines: usize,
    },
    /// Lines that were removed, or were never there, and are there.
    Removed {
        /// How many.
        lines: usize,
    },
}

/// The trees of a merge.
#[derive(Clone, Debug)]
pub(crate) struct Merge<'a> {
    pub(crate) bases: &'a [ObjectId],
    pub(crate) ours: ObjectId,
    pub(crate) theirs: ObjectId,
    pub(crate) result: ObjectId,
}

/// What a tree has at a path.
type Found = Option<(EntryMode, ObjectId)>;

/// One path in all trees.
struct Versions {
    path: BString,
    base: Found,
    ours: Found,
    theirs: Found,
    result: Found,
}

/// What of both sides is not in the result. Empty when all of it is.
pub(crate) fn losses(session: &gix::Repository, merge: &Merge<'_>) -> Result<Vec<Loss>> {
    let mut common: Option<Vec<Loss>> = None;
    for base in merge.bases {
        let found = Check { session, base: *base, merge }.losses()?;
        common = Some(match common {
            None => found,
            // Which lines are whose cannot be told from one of several bases alone.
            Some(earlier) => {
                earlier.into_iter().filter(|loss| loss.what == Lost::Path && found.contains(loss)).collect()
            }
        });
    }
    Ok(common.unwrap_or_default())
}

/// A path, and what is lost there.
type Open = (Versions, Vec<Loss>);

struct Check<'a> {
    session: &'a gix::Repository,
    base: ObjectId,
    merge: &'a Merge<'a>,
}

impl Check<'_> {
    fn losses(&self) -> Result<Vec<Loss>> {
        if !self.lacks_any()? {
            return Ok(Vec::new());
        }
        // New names may explain it, so now everything that changed counts.
        let (open, gone) = self.look()?;
        self.without_renames(open, &gone)
    }

    /// Whether anything is lost, renames aside: whether [`look`](Self::look) would find something.
    fn lacks_any(&self) -> Result<bool> {
        let Merge { ours, theirs, result, .. } = *self.merge;
        let trees = [self.base, ours, theirs, result].map(Some);
        walk::any(self.session, &trees, b"".as_bstr(), &mut |versions| Ok(!self.at(versions)?.is_empty()))
    }

    /// Every path at which something is lost, renames aside; and those that are gone with good reason.
    fn look(&self) -> Result<(Vec<Open>, Vec<Versions>)> {
        let Merge { ours, theirs, result, .. } = *self.merge;
        let mut paths = BTreeSet::new();
        for (from, to) in [(self.base, ours), (self.base, theirs), (ours, result)] {
            // What is said to be a result may be anything.
            engine::check_paths(self.session, from, to)?;
            engine::check_size(self.session, to, from)?;
            self.differing(from, to, &mut paths)?;
        }
        let mut trees = Vec::new();
        for tree in [self.base, ours, theirs, result] {
            trees.push(self.session.find_tree(tree).map_err(Error::git("check a result: read a tree"))?);
        }
        let mut open = Vec::new();
        let mut gone = Vec::new();
        for path in paths {
            let at = |tree: &gix::Tree<'_>| -> Result<Found> {
                let entry = tree.lookup_entry(path.split(|b| *b == b'/'));
                let entry = entry.map_err(Error::git("check a result: look up a path"))?;
                let entry = entry.filter(|entry| entry.mode().is_no_tree());
                Ok(entry.map(|entry| (entry.mode(), entry.object_id())))
            };
            let [base, ours, theirs, result] = [at(&trees[0])?, at(&trees[1])?, at(&trees[2])?, at(&trees[3])?];
            let versions = Versions { path, base, ours, theirs, result };
            let found = self.at(&versions)?;
            if !found.is_empty() {
                open.push((versions, found));
            } else if versions.base.is_some() && versions.result.is_none() {
                gone.push(versions);
            }
        }
        Ok((open, gone))
    }

    /// The paths of files that differ between two trees.
    fn differing(&self, from: ObjectId, to: ObjectId, paths: &mut BTreeSet<BString>) -> Result<()> {
        if from == to {
            return Ok(());
        }
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let old = self.session.find_tree_iter(&from, &mut old).map_err(Error::git("check a result: read a tree"))?;
        let new = self.session.find_tree_iter(&to, &mut new).map_err(Error::git("check a result: read a tree"))?;
        let mut recorder = gix::diff::tree::Recorder::default();
        gix::diff::tree(old, new, gix::diff::tree::State::default(), self.session, &mut recorder)
            .map_err(Error::git("check a result: compare trees"))?;
        paths.extend(recorder.records.into_iter().filter_map(|change| match change {
            recorder::Change::Addition { entry_mode, path, .. }
            | recorder::Change::Deletion { entry_mode, path, .. } => entry_mode.is_no_tree().then_some(path),
            recorder::Change::Modification { entry_mode, previous_entry_mode, path, .. } => {
                (entry_mode.is_no_tree() || previous_entry_mode.is_no_tree()).then_some(path)
            }
        }));
        Ok(())
    }

    /// What is lost at one path, renames aside.
    fn at(&self, versions: &Versions) -> Result<Vec<Loss>> {
        let Versions { path, base, ours, theirs, result } = versions;
        let loss = |whose, what| Loss { path: RepoPath::of(path.as_bstr()), whose, what };
        let whole = |expected: &Found, whose| {
            if expected == result { Vec::new() } else { vec![loss(whose, Lost::Path)] }
        };
        Ok(match (ours != base, theirs != base) {
            (false, false) => whole(base, Whose::Both),
            (true, false) => whole(ours, Whose::Target),
            (false, true) => whole(theirs, Whose::Change),
            (true, true) if ours == theirs => whole(ours, Whose::Both),
            (true, true) => match self.by_lines(versions)? {
                Some(found) => found.into_iter().map(|(whose, what)| loss(whose, what)).collect(),
                None => [(ours, Whose::Target), (theirs, Whose::Change)]
                    .into_iter()
                    .filter(|(side, _)| *side != result)
                    .map(|(_, whose)| loss(whose, Lost::Path))
                    .collect(),
            },
        })
    }

    /// What is lost of a file that both sides changed, or `None` when it has no lines on all sides.
    fn by_lines(&self, versions: &Versions) -> Result<Option<Vec<(Whose, Lost)>>> {
        let Versions { path, base, ours, theirs, result } = versions;
        let (Some(ours), Some(theirs), Some(result)) = (ours, theirs, result) else { return Ok(None) };
        let base_mode = base.map(|(mode, _)| mode);
        let kept_mode = [ours.0, theirs.0]
            .into_iter()
            .any(|mode| mode == result.0 && (Some(mode) != base_mode || ours.0 == theirs.0));
        let text = |(mode, id): (EntryMode, ObjectId)| lines::text(self.session, mode, id);
        let base = base.map_or(Ok(Some(Vec::new())), text)?;
        let (Some(base), Some(ours), Some(theirs), Some(result), true) =
            (base, text(*ours)?, text(*theirs)?, text(*result)?, kept_mode)
        else {
            return Ok(None);
        };
        let mut found = lines::losses(&base, &ours, &theirs, &result);
        if engine::text_rules(self.session, self.merge.ours, path.as_bstr())?.driver == Driver::Union {
            // Both versions of a line are asked for there, so the one that a side removed may come from the other.
            found.retain(|(_, lost)| !matches!(lost, Lost::Removed { .. }));
        }
        Ok(Some(found))
    }

    /// Leaves out what is explained by a file's new name: together, its old and its new path lose nothing.
    fn without_renames(&self, open: Vec<Open>, gone: &[Versions]) -> Result<Vec<Loss>> {
        let mut explained: BTreeSet<&BString> = BTreeSet::new();
        let name = |path: &BString| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
        // Files mostly keep their name in another directory, so few pairs are left for the second look.
        for look in [Look::SameName, Look::Any] {
            // A name that neither side gave it is nobody's rename.
            let named = |new: &Versions| new.result.is_some() && (new.ours.is_some() || new.theirs.is_some());
            for (new, _) in open.iter().filter(|(new, _)| new.base.is_none() && named(new)) {
                let missing = open.iter().map(|(old, _)| (old, Explained::NotYet));
                let old_names = missing.chain(gone.iter().map(|old| (old, Explained::Itself)));
                for (old, already) in old_names.filter(|(old, _)| old.base.is_some() && old.result.is_none()) {
                    let settled = already == Explained::Itself || explained.contains(&old.path);
                    let unlike = look == Look::SameName && name(&old.path) != name(&new.path);
                    if unlike || (settled && explained.contains(&new.path)) {
                        continue;
                    }
                    // The side that renamed it has the new name only, the other one whichever it has.
                    let renamed = Versions {
                        path: new.path.clone(),
                        base: old.base,
                        ours: new.ours.or(old.ours),
                        theirs: new.theirs.or(old.theirs),
                        result: new.result,
                    };
                    if self.at(&renamed)?.is_empty() {
                        explained.extend([&new.path, &old.path]);
                    }
                }
            }
        }
        let left = open.iter().filter(|(versions, _)| !explained.contains(&versions.path));
        Ok(left.flat_map(|(_, found)| found.clone()).collect())
    }
}

/// Which pairs of an old and a new name are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    SameName,
    Any,
}

/// Whether something at a path is still to be explained.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explained {
    NotYet,
    Itself,
}

#[cfg(test)]
mod tests {
    use gix::objs::tree::EntryKind;
    use proptest::prelude::*;

    use super::*;

    /// A file and a directory of one name are never there together.
    const PATHS: [&str; 7] = ["a", "d/a", "d/b", "d/e/a", "d/e/b", "d.x", "z/a"];

    fn tree(session: &gix::Repository, files: &[u8]) -> ObjectId {
        let empty = session.write_object(gix::objs::Tree::empty()).unwrap().detach();
        let mut editor = session.edit_tree(empty).unwrap();
        for (path, what) in PATHS.iter().zip(files).filter(|(_, what)| **what > 0) {
            let kind = if *what > 3 { EntryKind::BlobExecutable } else { EntryKind::Blob };
            let text = ["", "one\n", "one\ntwo\n", "two\n"][usize::from(what % 4)];
            editor.upsert(*path, kind, session.write_blob(text).unwrap()).unwrap();
        }
        editor.write().unwrap().detach()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_quick_look_says_what_the_whole_one_says(
            files in prop::collection::vec(prop::collection::vec(0_u8..6, PATHS.len()), 4),
            alike in prop::collection::vec(0_usize..16, PATHS.len()),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let session = gix::init_bare(dir.path()).unwrap().with_object_memory();
            let mut files = files;
            for (path, alike) in alike.into_iter().enumerate() {
                // Mostly, versions are the same, as in a merge.
                let [base, other] = [files[0][path], files[1][path]];
                let versions = match alike {
                    0..=3 => [base, base, base, base],
                    4..=7 => [base, other, base, other],
                    8..=11 => [base, base, other, other],
                    _ => continue,
                };
                for (tree, version) in files.iter_mut().zip(versions) {
                    tree[path] = version;
                }
            }
            let trees: Vec<_> = files.iter().map(|files| tree(&session, files)).collect();
            let merge = Merge { bases: &[], ours: trees[1], theirs: trees[2], result: trees[3] };
            let check = Check { session: &session, base: trees[0], merge: &merge };
            prop_assert_eq!(check.lacks_any().unwrap(), !check.look().unwrap().0.is_empty());
        }
    }
}
