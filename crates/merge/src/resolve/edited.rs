//! Somebody edits the files: an agent, a person.

use std::fmt::Debug;

use async_trait::async_trait;
use gix::bstr::ByteSlice;

use super::{Answer, Case, Content, File, Fill, Intents, Reply, Resolver, involved};
use crate::conflict::{entry_in, versions};
use crate::engine::changed_files;
use crate::text;
use crate::{CommitId, ConflictPath, Error, MarkerStyle, Markers, RepoPath, Result, TreeId, graph};

/// How often somebody may try, if nobody says otherwise.
const TRIES: u32 = 3;

/// Somebody who edits files in a checkout.
#[async_trait]
pub trait Editor: Debug + Send + Sync + 'static {
    /// Edits a checkout of [`Brief::start`] and gives the tree that came of it, which must be in the repository.
    ///
    /// # Errors
    /// When the editing could not take place; not finding a solution is [`Edit::GaveUp`].
    async fn edit(&self, brief: &Brief) -> Result<Edit>;
}

/// What an editor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Brief {
    /// The commit to begin with: everything that merges is merged, conflicting text is between markers with both sides and
    /// their base, and of files without text there is one version. Its parents are the change and the target.
    pub start: CommitId,
    /// The files that may be changed. Everything else must stay.
    pub paths: Vec<RepoPath>,
    /// What both sides were made for.
    pub intents: Intents,
    /// The number of this try, from 1.
    pub attempt: u32,
    /// Why the try before was not accepted.
    pub objection: Option<String>,
}

/// What an editor comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It is done; this is the tree.
    Done {
        /// The tree.
        tree: TreeId,
    },
    /// There is no solution.
    GaveUp {
        /// Why.
        why: String,
    },
}

/// The resolver that lets an [`Editor`] edit the conflicting files, and accepts nothing else from it.
///
/// A result is refused, and the editor told why and asked again, when a file that does not conflict was changed or when
/// markers are left. What it drops of either side is not refused but listed, as for every resolver.
#[derive(Clone, Debug)]
pub struct Edited<E> {
    name: String,
    editor: E,
    tries: u32,
}

impl<E: Editor> Edited<E> {
    /// Lets somebody edit. The name is what certificates call them.
    pub fn new(name: impl Into<String>, editor: E) -> Self {
        Self { name: name.into(), editor, tries: TRIES }
    }

    /// Asks at most so often, 3 times if it is not set.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }
}

#[async_trait]
impl<E: Editor> Resolver for Edited<E> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        let fill = Fill::Markers(Markers::new(MarkerStyle::Diff3));
        let Some(start) = case.repository.sketch(case.conflict, case.answers, &fill)? else {
            return Ok(Reply::declined("the two sides do not merge at all"));
        };
        let mut paths: Vec<_> = case.open.iter().flat_map(|path| involved(path)).cloned().collect();
        paths.sort();
        paths.dedup();
        let intents = case.intents.clone();
        let mut brief = Brief { start, paths, intents, attempt: 0, objection: None };
        while brief.attempt < self.tries {
            brief.attempt += 1;
            match self.editor.edit(&brief).await? {
                Edit::GaveUp { why } => return Ok(Reply::declined(why)),
                Edit::Done { tree } => match accept(case, &brief, &tree)? {
                    Ok(answers) => return Ok(answers.into()),
                    Err(objection) => brief.objection = Some(objection),
                },
            }
        }
        let why = brief.objection.unwrap_or_else(|| "nobody may try".into());
        Ok(Reply::declined(format!("not solved in {} tries; the last: {why}", self.tries)))
    }
}

/// The answers that are in a tree, or what is wrong with it.
fn accept(case: &Case<'_>, brief: &Brief, tree: &TreeId) -> Result<std::result::Result<Vec<Answer>, String>> {
    case.repository.in_memory(|session| {
        let start = graph::tree_of(session, graph::commit(session, &brief.start)?)?;
        let edited =
            gix::ObjectId::from_hex(tree.as_str().as_bytes()).map_err(Error::git("read the edited tree's id"))?;
        for path in changed_files(session, start, edited)? {
            if !brief.paths.iter().any(|allowed| allowed.as_bytes() == path.as_slice()) {
                let path = RepoPath::of(path.as_bstr());
                return Ok(Err(format!("{path} was changed, which does not conflict; put it back")));
            }
        }
        let mut answers = Vec::new();
        for path in case.open {
            let mut files = Vec::new();
            for name in involved(path) {
                let entry = entry_in(session, edited, name.as_bytes().as_bstr())?;
                files.extend(entry.map(|entry| (name.clone(), File::of(&entry))));
            }
            if let Some(line) = marker_left(session, case, path, &files)? {
                return Ok(Err(format!(
                    "a marker is left in line {line} of {}; decide what shall be there",
                    path.path
                )));
            }
            answers.push(Answer { conflict: path.id.clone(), files });
        }
        Ok(Ok(answers))
    })
}

/// The number of the first line that is a marker which neither side had.
fn marker_left(
    session: &gix::Repository,
    case: &Case<'_>,
    path: &ConflictPath,
    files: &[(RepoPath, File)],
) -> Result<Option<usize>> {
    let Some(versions) = versions(session, case.conflict, path)? else { return Ok(None) };
    let is_marker = |line: &[u8]| {
        let line = line.trim_end();
        [b'<', b'|', b'>', b'='].into_iter().any(|sign| {
            let length = line.iter().take_while(|byte| **byte == sign).count();
            length == versions.size && line.get(length).is_none_or(|next| *next == b' ')
        })
    };
    for (_, file) in files {
        let Content::Object(id) = &file.content else { continue };
        let id = gix::ObjectId::from_hex(id.as_bytes()).map_err(Error::git("read an id"))?;
        let Ok(blob) = session.find_object(id) else { continue };
        for (number, line) in text::lines(&blob.data).enumerate() {
            let had = |version: &[u8]| text::lines(version).any(|there| there == line);
            if is_marker(line) && !had(&versions.ours) && !had(&versions.theirs) {
                return Ok(Some(number + 1));
            }
        }
    }
    Ok(None)
}
