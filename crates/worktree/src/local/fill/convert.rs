//! Decides which files are written otherwise than they are stored, and converts them; never with a program.

use std::borrow::Cow;
use std::path::Path;

use gix::ObjectId;
use gix::attrs::StateRef;
use gix::attrs::search::Outcome;
use gix::bstr::{BStr, ByteSlice};
use gix::filter::plumbing::pipeline::convert::ToWorktreeOutcome;
use gix::filter::plumbing::pipeline::convert::to_worktree::{Options, UnknownEncoding};
use gix::filter::plumbing::{Pipeline, driver::apply::Delay};
use gix::index::entry::Mode;
use gix::index::{Entry, State};
use gix::objs::Find;
use gix::worktree::Stack;
use gix::worktree::stack::State as StackState;

use crate::Result;
use crate::capture::fault;

const NAMES: [&str; 5] = ["filter", "ident", "eol", "text", "working-tree-encoding"];
/// What a line that asks for a conversion has in it; the last is an old name of another.
const HINTS: [&str; 5] = ["filter", "ident", "eol", "encoding", "crlf"];

/// Applies the attributes of the commit. Each thread has its own.
#[derive(Clone)]
pub(super) struct Converter {
    stack: Stack,
    matches: Outcome,
    pipeline: Pipeline,
    /// Whether the configuration converts files that no attribute mentions.
    by_config: bool,
}

impl Converter {
    /// What the attributes of this index and the repository's configuration ask for; none when that is nothing at all.
    pub(super) fn new(
        repo: &gix::Repository,
        index: &State,
        into: &Path,
        options: &mut gix::worktree::state::checkout::Options,
    ) -> Result<Option<Self>> {
        let config = repo.config_snapshot();
        let text = |key: &str| config.string(key).map(|value| value.to_string().to_ascii_lowercase());
        let autocrlf = text("core.autocrlf").is_some_and(|_| config.boolean("core.autocrlf") != Some(false));
        let by_config = autocrlf || text("core.eol").is_some_and(|value| value == "crlf");
        if !by_config && !is_asked_for(repo, index)? {
            return Ok(None);
        }
        let attributes = std::mem::take(&mut options.attributes);
        let state = StackState::AttributesStack(attributes);
        let fold = options.fs.ignore_case;
        let stack = Stack::from_state_and_ignore_case(into, fold, state, index, index.path_backing());
        let matches = stack.selected_attribute_matches(NAMES);
        let mut pipeline = options.filters.clone();
        pipeline.options_mut().drivers.clear();
        Ok(Some(Self { stack, matches, pipeline, by_config }))
    }

    /// Whether the file is written as it is stored, and would be by every program that git may be told to run.
    pub(super) fn is_plain(&mut self, path: &BStr, mode: Mode, objects: &dyn Find) -> std::io::Result<bool> {
        let at = self.stack.at_entry(path, Some(mode), objects)?;
        at.matching_attributes(&mut self.matches);
        if self.by_config {
            return Ok(false);
        }
        Ok(self.matches.iter_selected().all(|found| match (found.assignment.name.as_str(), found.assignment.state) {
            ("text", _) => true,
            ("eol", StateRef::Value(value)) => value.as_bstr() != "crlf",
            (_, state) => matches!(state, StateRef::Unset | StateRef::Unspecified),
        }))
    }

    /// What git writes for this entry, whose blob has this content.
    pub(super) fn convert<'a>(
        &'a mut self,
        content: &'a [u8],
        path: &BStr,
        entry: &Entry,
        objects: &dyn Find,
    ) -> gix::Result<Cow<'a, [u8]>> {
        let at = self.stack.at_entry(path, Some(entry.mode), objects).map_err(gix::Error::from_error)?;
        let options = Options { can_delay: Delay::Forbid, unknown_encoding: UnknownEncoding::Ignore };
        let attributes = &mut |_: &BStr, out: &mut Outcome| {
            at.matching_attributes(out);
        };
        let converted = self.pipeline.convert_to_worktree(content, path, attributes, options)?;
        Ok(match converted {
            ToWorktreeOutcome::Unchanged(bytes) => Cow::Borrowed(bytes),
            ToWorktreeOutcome::Buffer(bytes) => as_git_closes_keywords(bytes, entry.id),
            // A program cannot be asked for: there are no drivers.
            ToWorktreeOutcome::Process(_) => Cow::Borrowed(content),
        })
    }
}

/// Puts the space before the end of each keyword that git has there and the library has not.
fn as_git_closes_keywords(content: &[u8], id: ObjectId) -> Cow<'_, [u8]> {
    let keyword = format!("$Id: {id}$");
    if content.find(&keyword).is_none() {
        return Cow::Borrowed(content);
    }
    Cow::Owned(content.replace(&keyword, format!("$Id: {id} $")))
}

/// Whether any attribute file mentions a conversion; mostly none does, and then no path needs to be looked at.
fn is_asked_for(repo: &gix::Repository, index: &State) -> Result<bool> {
    let hints = |text: &[u8]| HINTS.iter().any(|hint| text.windows(hint.len()).any(|part| part == hint.as_bytes()));
    let globals = repo.attribute_global_paths().map_err(fault::git("find the attribute files"))?;
    let files = globals.into_iter().chain([repo.common_dir().join("info/attributes")]);
    if files.into_iter().any(|path| std::fs::read(path).is_ok_and(|text| hints(&text))) {
        return Ok(true);
    }
    Ok(index.entries().iter().any(|entry| {
        let path = entry.path(index);
        let named = path == ".gitattributes" || path.ends_with(b"/.gitattributes");
        named && repo.find_blob(entry.id).map_or(true, |blob| hints(&blob.data))
    }))
}
