//! One three-way merge of trees by gix, with every option set here.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::BString;
use gix::diff::Rewrites;
use gix::diff::blob::Algorithm;
use gix::merge::blob::builtin_driver::{binary, text};
use gix::merge::plumbing::blob;
use gix::merge::plumbing::tree::{Conflict, Error as NoAncestor, Options, ResolveWith, TreatAsUnresolved};
use gix::objs::{Kind, Write};

use super::changes::Changes;
use super::{attributes, failed, renames};
use crate::Result;

/// Rename detection as git's merge does it.
pub(super) const RENAMES: Rewrites = Rewrites { copies: None, percentage: Some(0.5), limit: 7000, track_empty: false };

/// git's `core.bigFileThreshold`: larger files are not merged line by line.
const BIG_FILE: u64 = 512 * 1024 * 1024;

/// All that merging trees needs, for one target.
pub(super) struct Workbench<'s> {
    pub(super) session: &'s gix::Repository,
    /// Whose attributes count.
    target_tree: ObjectId,
}

/// A merged tree.
pub(super) struct MergedTrees {
    /// As merged as possible; useful as a result only if nothing is unresolved.
    pub(super) tree: ObjectId,
    /// What git calls a conflict. In a virtual base, also what was decided there without leaving markers.
    pub(super) unresolved: Vec<Conflict>,
}

impl<'s> Workbench<'s> {
    pub(super) fn new(session: &'s gix::Repository, target_tree: ObjectId) -> Self {
        Self { session, target_tree }
    }

    /// Merges two sides, each given with what it changed. `depth` is 0 for the merge itself and grows for the virtual
    /// bases under it.
    pub(super) fn merge(
        &self,
        base: ObjectId,
        (ours, we): (ObjectId, &Changes),
        (theirs, they): (ObjectId, &Changes),
        depth: u8,
    ) -> Result<MergedTrees> {
        let mut directories = BTreeSet::new();
        we.directories(&mut directories);
        they.directories(&mut directories);
        let rewrites = renames::can_matter(we, they).then_some(RENAMES);
        let trees = match rewrites {
            Some(_) => renames::without_unneeded(self.session, base, (ours, we), (theirs, they))?,
            None => [base, ours, theirs],
        };
        let attempt = |binary_base| {
            let merge = self.merge_platform(&directories)?;
            Ok(self.attempt(trees, merge, self.diff_platform()?, options(depth, rewrites, binary_base)))
        };
        let found = match attempt(binary::ResolveWith::Ancestor)? {
            // A binary file that both bases added has no ancestor to fall back to. Which side is taken does not matter:
            // the path is among the unresolved ones.
            Err(error) if depth > 0 && error.downcast_any_ref::<NoAncestor>().is_some() => {
                attempt(binary::ResolveWith::Ours)?
            }
            other => other,
        }
        .map_err(failed("merge trees"))?;
        let (tree, conflicts) = found;
        let verdict = if depth == 0 { TreatAsUnresolved::git() } else { TreatAsUnresolved::forced_resolution() };
        Ok(MergedTrees { tree, unresolved: conflicts.into_iter().filter(|c| c.is_unresolved(verdict)).collect() })
    }

    fn attempt(
        &self,
        [base, ours, theirs]: [ObjectId; 3],
        mut merge: blob::Platform,
        mut diff: gix::diff::blob::Platform,
        options: Options,
    ) -> gix::Result<(ObjectId, Vec<Conflict>)> {
        let labels = text::Labels {
            ancestor: Some("base".into()),
            current: Some("target".into()),
            other: Some("change".into()),
        };
        let mut outcome = gix::merge::plumbing::tree(
            &base,
            &ours,
            &theirs,
            labels,
            self.session,
            |content| self.session.write_buf(Kind::Blob, content),
            &mut gix::diff::tree::State::default(),
            &mut diff,
            &mut merge,
            options,
        )?;
        let tree = outcome.tree.write(|tree| self.session.write(tree))?;
        Ok((tree, outcome.conflicts))
    }

    /// Merges blobs as they are stored, by the target's attributes in the given directories.
    fn merge_platform(&self, directories: &BTreeSet<BString>) -> Result<blob::Platform> {
        let options = blob::pipeline::Options { large_file_threshold_bytes: BIG_FILE };
        let pipeline = blob::Pipeline::new(blob::pipeline::WorktreeRoots::default(), self.no_filters(), options);
        let attributes = attributes::of_tree(self.session, self.target_tree, directories)?;
        // No drivers: attributes that name one get the built-in text merge.
        let (drivers, options) = (Vec::new(), blob::platform::Options::default());
        Ok(blob::Platform::new(pipeline, blob::pipeline::Mode::ToGit, attributes, drivers, options))
    }

    /// Reads blobs as they are stored, to compare them.
    pub(super) fn diff_platform(&self) -> Result<gix::diff::blob::Platform> {
        use gix::diff::blob::{Pipeline, Platform, pipeline, platform};
        let options = platform::Options {
            algorithm: Some(Algorithm::Histogram),
            skip_internal_diff_if_external_is_configured: false,
        };
        let pipeline_options = pipeline::Options { large_file_threshold_bytes: BIG_FILE, ..Default::default() };
        let pipeline =
            Pipeline::new(pipeline::WorktreeRoots::default(), self.no_filters(), Vec::new(), pipeline_options);
        Ok(Platform::new(options, pipeline, pipeline::Mode::ToGit, attributes::none(self.session)?))
    }

    fn no_filters(&self) -> gix::filter::plumbing::Pipeline {
        gix::filter::plumbing::Pipeline::new(Default::default(), self.session.object_hash(), Default::default())
    }
}

fn options(depth: u8, rewrites: Option<Rewrites>, binary_base: binary::ResolveWith) -> Options {
    let virtual_base = depth > 0;
    Options {
        rewrites,
        blob_merge: blob::platform::merge::Options {
            is_virtual_ancestor: virtual_base,
            resolve_binary_with: virtual_base.then_some(binary_base),
            text: text::Options {
                diff_algorithm: Algorithm::Histogram,
                // Also in a virtual base: markers that no side has keep one of them from winning unseen.
                conflict: text::Conflict::Keep {
                    style: text::ConflictStyle::Merge,
                    marker_size: text::Conflict::DEFAULT_MARKER_SIZE.try_into().expect("it is not zero"),
                },
            },
        },
        blob_merge_command_ctx: Default::default(),
        fail_on_conflict: None,
        marker_size_multiplier: depth,
        symlink_conflicts: virtual_base.then_some(binary_base),
        tree_conflicts: virtual_base.then_some(ResolveWith::Ancestor),
    }
}
