//! A conflicting file with markers, as git would leave it in a checkout.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};
use serde::{Deserialize, Serialize};

use super::assemble::entry_at;
use crate::text::{Labels, Texts, render};
use crate::{Conflict, ConflictKind, ConflictPath, Entry, Error, Repository, Result, engine, graph};

/// How much of a file decides whether it is binary; git looks at as much.
const BINARY_PROBE: usize = 8000;
/// How deep bases of bases are followed.
const DEPTH: usize = 16;

/// What is between markers; git's `merge.conflictStyle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkerStyle {
    /// Both sides, without what they have in common.
    #[default]
    Merge,
    /// Both sides and the base, whole.
    Diff3,
    /// Both sides and the base, without what both sides begin or end with.
    Zdiff3,
}

/// How to write markers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Markers {
    /// What is between them.
    pub style: MarkerStyle,
    /// The name behind the first marker.
    pub ours: String,
    /// The name behind the base's marker.
    pub base: String,
    /// The name behind the last marker.
    pub theirs: String,
}

impl Markers {
    /// Markers that name the sides `target`, `base` and `change`.
    pub fn new(style: MarkerStyle) -> Self {
        Self { style, ours: "target".into(), base: "base".into(), theirs: "change".into() }
    }
}

/// A conflicting path as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// The merged text, with markers where both sides changed the same lines.
    Text(Vec<u8>),
    /// There is nothing to put markers around: a side is missing, binary, a link or a submodule. Choose an entry.
    NoText,
}

impl Repository {
    /// The conflicting file with markers, byte for byte as git writes it.
    ///
    /// The length of markers is that of the attribute `conflict-marker-size` in the target's tree. Where sides have it
    /// under different names, the names are behind the labels. Nothing is written.
    ///
    /// # Errors
    /// [`Error::Object`](crate::Error::Object) when one of the conflict's commits or files is not in this repository.
    pub fn render(&self, conflict: &Conflict, path: &ConflictPath, markers: &Markers) -> Result<Rendered> {
        self.in_memory(|session| {
            let Some(versions) = versions_with(session, conflict, path, markers.style)? else {
                return Ok(Rendered::NoText);
            };
            let names = [path.base(), path.ours(), path.theirs()];
            let names = names.map(|entry| entry.map_or(&path.path, |entry| &entry.path));
            let labels = [(&markers.base, names[0]), (&markers.ours, names[1]), (&markers.theirs, names[2])];
            let differ = names.iter().any(|name| *name != names[0]);
            let [base, ours, theirs] = labels.map(|(label, name)| match differ {
                true => [label.as_bytes(), b":", name.as_bytes()].concat(),
                false => label.clone().into_bytes(),
            });
            let texts = Texts::new(&versions.base, &versions.ours, &versions.theirs);
            let labels = Labels { base: &base, ours: &ours, theirs: &theirs };
            Ok(Rendered::Text(render(&texts, markers.style, versions.size, labels)))
        })
    }
}

/// The contents of a conflicting file.
pub(crate) struct Versions {
    pub(crate) base: Vec<u8>,
    pub(crate) ours: Vec<u8>,
    pub(crate) theirs: Vec<u8>,
    /// The length of its markers.
    pub(crate) size: usize,
}

/// The contents, or `None` when they are not text on all sides.
pub(crate) fn versions(
    session: &gix::Repository,
    conflict: &Conflict,
    path: &ConflictPath,
) -> Result<Option<Versions>> {
    versions_with(session, conflict, path, MarkerStyle::Merge)
}

fn versions_with(
    session: &gix::Repository,
    conflict: &Conflict,
    path: &ConflictPath,
    style: MarkerStyle,
) -> Result<Option<Versions>> {
    let (Some(ours), Some(theirs)) = (path.ours(), path.theirs()) else { return Ok(None) };
    if path.path.is_empty() || path.kind == ConflictKind::Binary {
        return Ok(None);
    }
    let (Some(ours), Some(theirs)) = (text(session, ours)?, text(session, theirs)?) else { return Ok(None) };
    let target = graph::tree_of(session, graph::commit(session, &conflict.ours)?)?;
    let size = engine::text_rules(session, target, path.path.as_bytes().as_bstr())?.marker_size;
    let base = match path.terms.removes() {
        [None] => Some(Vec::new()),
        [Some(base)] => text(session, base)?,
        _ => {
            let bases: Vec<_> =
                conflict.bases.iter().map(|base| graph::commit(session, base)).collect::<Result<_>>()?;
            let at = path.base().map_or(path.path.as_bytes(), |base| base.path.as_bytes()).as_bstr();
            joined(session, &bases, at, Joining { style, size, depth: 1 })?
        }
    };
    Ok(base.map(|base| Versions { base, ours, theirs, size }))
}

/// The content of a regular file that is text.
fn text(session: &gix::Repository, entry: &Entry) -> Result<Option<Vec<u8>>> {
    if entry.mode & 0o170_000 != 0o100_000 {
        return Ok(None);
    }
    let id = ObjectId::from_hex(entry.id.as_bytes()).map_err(Error::git("read the id of a version"))?;
    let found = session.try_find_object(id).map_err(Error::git(format!("read object {id}")))?;
    let mut found =
        found.ok_or_else(|| graph::unusable(id, "it is not in the repository; prepare the change again"))?;
    let is_binary = found.data.iter().take(BINARY_PROBE).any(|byte| *byte == 0);
    Ok((!is_binary).then(|| std::mem::take(&mut found.data)))
}

#[derive(Clone, Copy)]
struct Joining {
    style: MarkerStyle,
    size: usize,
    depth: usize,
}

/// The text of several bases merged with each other, conflicts between markers that are longer the deeper they are.
fn joined(session: &gix::Repository, bases: &[ObjectId], at: &BStr, how: Joining) -> Result<Option<Vec<u8>>> {
    let content = |commit| match entry_at(session, commit, at)? {
        Some(entry) => text(session, &entry),
        None => Ok(Some(Vec::new())),
    };
    let mut rest = graph::oldest_first(session, bases)?.into_iter();
    let Some(first) = rest.next().filter(|_| how.depth < DEPTH) else { return Ok(Some(Vec::new())) };
    let Some(mut folded) = content(first)? else { return Ok(None) };
    let mut done = vec![first];
    for next in rest {
        let under = session.merge_bases_many(next, &done).map_err(Error::git("find the bases of merge bases"))?;
        let under: Vec<_> = under.into_iter().map(|id| id.detach()).collect();
        let below = joined(session, &under, at, Joining { depth: how.depth + 1, ..how })?;
        let (Some(below), Some(other)) = (below, content(next)?) else { return Ok(None) };
        let base = match under.as_slice() {
            [] => "empty tree".to_owned(),
            [one] => one.to_hex_with_len(7).to_string(),
            _ => "merged common ancestors".to_owned(),
        };
        let labels =
            Labels { base: base.as_bytes(), ours: b"Temporary merge branch 1", theirs: b"Temporary merge branch 2" };
        let texts = Texts::new(&below, &folded, &other);
        let merged = render(&texts, how.style, how.size + 2 * how.depth, labels);
        folded = merged;
        done.push(next);
    }
    Ok(Some(folded))
}
