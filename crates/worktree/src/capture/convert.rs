//! Line ends and encodings, as the attributes of the base say; never a program.

use std::path::PathBuf;

use gix::ObjectId;
use gix::attrs::StateRef;
use gix::bstr::BStr;
use gix::filter::plumbing::Pipeline;
use gix::filter::plumbing::pipeline::CrlfRoundTripCheck;
use gix::filter::plumbing::pipeline::convert::{ToGitOutcome, ToWorktreeOutcome};
use gix::glob::pattern::Case;
use gix::worktree::Stack;
use gix::worktree::stack::State;
use gix::worktree::stack::state::Attributes;
use gix::worktree::stack::state::attributes::Source;

use super::base::Base;
use super::beneath::Dir;
use super::fault;
use super::notices::path_of;
use crate::Result;

/// Converts files to what git stores.
pub(super) struct Converter<'a> {
    repo: &'a gix::Repository,
    pipeline: Pipeline,
    attributes: Stack,
}

impl<'a> Converter<'a> {
    /// A converter for the attributes in the tree of `base`, or none if nothing can need conversion.
    ///
    /// The agent's own `.gitattributes` have no say: they could name an encoding that loses its work.
    pub(super) fn new(repo: &'a gix::Repository, common: &Dir, base: &Base, case: Case) -> Result<Option<Self>> {
        let config = repo.config_snapshot();
        let info = common.file(b"info/attributes").is_ok().then(|| common.path().join("info/attributes"));
        let index = base.index().state();
        let attributes = index.entries().iter().any(|entry| entry.path(index).ends_with(b".gitattributes"));
        if !attributes && info.is_none() && config.string("core.autocrlf").is_none() {
            return Ok(None);
        }
        let action = "prepare the conversion of line ends";
        let mut collection = gix::attrs::search::MetadataCollection::default();
        let globals = gix::attrs::Search::new_globals(std::iter::empty::<PathBuf>(), &mut Vec::new(), &mut collection);
        let globals = globals.map_err(fault::git(action))?;
        let state = State::AttributesStack(Attributes::new(globals, info, Source::IdMapping, collection));
        let mappings = state.id_mappings_from_index(index, index.path_backing(), case);
        let mut options = gix::filter::Pipeline::options(repo).map_err(fault::git(action))?;
        // A driver is a program, and its arguments or its script may lie in the tree.
        options.drivers.clear();
        options.crlf_roundtrip_check = CrlfRoundTripCheck::Skip;
        let pipeline = Pipeline::new(gix::command::Context::default(), repo.object_hash(), options);
        let attributes = Stack::new(common.path(), state, case, Vec::new(), mappings);
        Ok(Some(Self { repo, pipeline, attributes }))
    }

    /// Whether the file is one of Git LFS.
    pub(super) fn is_large(&mut self, path: &BStr) -> bool {
        let mut matches = self.attributes.selected_attribute_matches(["filter"]);
        let Ok(at) = self.attributes.at_entry(path, None, &self.repo.objects) else { return false };
        at.matching_attributes(&mut matches);
        let lfs = |state: StateRef<'_>| matches!(state, StateRef::Value(value) if value.as_bstr() == "lfs");
        matches.iter_selected().any(|found| lfs(found.assignment.state))
    }

    /// What git stores for a file of this content. What cannot be converted stays as it is.
    pub(super) fn convert(&mut self, path: &BStr, content: Vec<u8>, previous: Option<ObjectId>) -> Vec<u8> {
        let Ok(platform) = self.attributes.at_entry(path, None, &self.repo.objects) else { return content };
        let relative = path_of(path);
        let repo = self.repo;
        let converted = self.pipeline.convert_to_git(
            content.as_slice(),
            &relative,
            &mut |_, out| {
                platform.matching_attributes(out);
            },
            &mut |buffer| {
                let Some(id) = previous else { return Ok(None) };
                let blob = gix::objs::Find::try_find(&repo.objects, &id, buffer)?;
                Ok(blob.filter(|blob| blob.kind == gix::objs::Kind::Blob).map(|_| ()))
            },
        );
        match converted {
            Ok(ToGitOutcome::Buffer(bytes)) => bytes.to_vec(),
            _ => content,
        }
    }
}

impl Converter<'_> {
    /// What git writes into a file of what it has stored. What cannot be converted stays as it is.
    pub(super) fn write_form(&mut self, path: &BStr, content: &[u8]) -> Vec<u8> {
        let Ok(platform) = self.attributes.at_entry(path, None, &self.repo.objects) else { return content.to_vec() };
        let attributes = &mut |_: &BStr, out: &mut gix::attrs::search::Outcome| {
            platform.matching_attributes(out);
        };
        match self.pipeline.convert_to_worktree(content, path, attributes, Default::default()) {
            Ok(ToWorktreeOutcome::Buffer(bytes)) => bytes.to_vec(),
            _ => content.to_vec(),
        }
    }
}

impl std::fmt::Debug for Converter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converter").finish_non_exhaustive()
    }
}
