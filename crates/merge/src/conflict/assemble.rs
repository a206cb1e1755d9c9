//! From what the engine found to what callers get.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::id;
use crate::engine::{self, Driver};
use crate::{Conflict, ConflictKind, ConflictPath, ConflictPaths, Entry, Error, RepoPath, Result, Terms, graph};

/// More versions of one path than anybody would look at. Histories that cross more often show their best base alone.
const MOST: usize = 64;

/// A conflict as an engine finds it: three sides, of which the base may be a virtual one.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The name in the result; empty for the trees as a whole.
    pub(crate) path: BString,
    pub(crate) kind: ConflictKind,
    pub(crate) base: Option<Entry>,
    pub(crate) ours: Option<Entry>,
    pub(crate) theirs: Option<Entry>,
}

impl Found {
    /// A conflict of the trees as a whole.
    pub(crate) fn whole(kind: ConflictKind) -> Self {
        Self { path: BString::default(), kind, base: None, ours: None, theirs: None }
    }
}

/// Makes the public value. `found` may be in any order.
pub(crate) fn conflict(
    session: &gix::Repository,
    ours: ObjectId,
    theirs: ObjectId,
    bases: &[ObjectId],
    found: Vec<Found>,
) -> Result<Conflict> {
    let target = graph::tree_of(session, ours)?;
    let mut paths = Vec::with_capacity(found.len());
    for Found { path, mut kind, base, ours: we, theirs: they } in found {
        if matches!(kind, ConflictKind::Content | ConflictKind::AddAdd)
            && engine::text_rules(session, target, path.as_bstr())?.driver == Driver::Binary
        {
            kind = ConflictKind::Binary;
        }
        let terms = if path.is_empty() {
            let whole = |commit| tree(session, commit).map(Some);
            let base = bases.first().map(|base| tree(session, *base)).transpose()?;
            Terms::three_way(base, whole(ours)?, whole(theirs)?)
        } else if let [_, _, ..] = bases {
            // The merge was made from a virtual base that is in no repository.
            let at = base.as_ref().map_or(path.as_bstr(), |entry| entry.path.as_bytes().as_bstr());
            let sum = Expand { session, path: at, left: MOST }.value(bases)?;
            let (adds, removes) = match sum {
                Some(sum) => sum,
                None => (vec![entry_at(session, bases[0], at)?], Vec::new()),
            };
            Terms::sum(we, they, removes, adds)
        } else {
            Terms::three_way(base, we, they)
        };
        paths.push(ConflictPath { id: id::of(kind, &terms)?, path: RepoPath::of(path.as_bstr()), kind, terms });
    }
    paths.sort_by(|a, b| (&a.path, a.kind, &a.id).cmp(&(&b.path, b.kind, &b.id)));
    paths.dedup_by(|later, first| later.path == first.path && later.id == first.id);
    let paths = ConflictPaths::new(paths).map_err(Error::git("report a conflict"))?;
    let bases = bases.iter().copied().map(graph::public).collect::<Result<_>>()?;
    Ok(Conflict { ours: graph::public(ours)?, theirs: graph::public(theirs)?, bases, paths })
}

fn tree(session: &gix::Repository, commit: ObjectId) -> Result<Entry> {
    let id = graph::tree_of(session, commit)?.to_string();
    Ok(Entry { path: RepoPath::new(""), mode: 0o040_000, id })
}

/// What a commit has at a path, if it is no directory.
pub(crate) fn entry_at(session: &gix::Repository, commit: ObjectId, path: &gix::bstr::BStr) -> Result<Option<Entry>> {
    entry_in(session, graph::tree_of(session, commit)?, path)
}

/// What a tree has at a path, if it is no directory.
pub(crate) fn entry_in(session: &gix::Repository, tree: ObjectId, path: &gix::bstr::BStr) -> Result<Option<Entry>> {
    let tree = session.find_tree(tree).map_err(Error::git("read a tree"))?;
    let entry = tree.lookup_entry(path.split(|b| *b == b'/')).map_err(Error::git("look up a path"))?;
    let entry = entry.filter(|entry| entry.mode().is_no_tree());
    Ok(entry.map(|entry| Entry {
        path: RepoPath::new(path.as_bytes()),
        mode: entry.mode().value().into(),
        id: entry.object_id().to_string(),
    }))
}

/// Versions to add, and versions to take off.
type Sum = (Vec<Option<Entry>>, Vec<Option<Entry>>);

struct Expand<'a> {
    session: &'a gix::Repository,
    path: &'a gix::bstr::BStr,
    left: usize,
}

impl Expand<'_> {
    /// What the virtual base of several commits stands for, or `None` when that is too much.
    fn value(&mut self, commits: &[ObjectId]) -> Result<Option<Sum>> {
        let (mut adds, mut removes) = (Vec::new(), Vec::new());
        let mut joined = Vec::new();
        // The oldest first, as they are merged.
        for commit in graph::oldest_first(self.session, commits)? {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            if !joined.is_empty() {
                let under = self.session.merge_bases_many(commit, &joined);
                let under = under.map_err(Error::git(format!("find the merge bases of {commit}")))?;
                let under: Vec<_> = under.into_iter().map(|id| id.detach()).collect();
                let Some((more, fewer)) = self.value(&under)? else { return Ok(None) };
                adds.extend(fewer);
                removes.extend(more);
            }
            adds.push(entry_at(self.session, commit, self.path)?);
            joined.push(commit);
        }
        // Without a commit in common, the bases come from nothing.
        if adds.is_empty() {
            adds.push(None);
        }
        Ok(Some((adds, removes)))
    }
}
