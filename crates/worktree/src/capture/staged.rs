//! Keeps what only the agent's git directory knows: which commit `HEAD` is, and what is staged.
//!
//! Like a stash of git's: a commit of the files whose second parent is a commit of the index, and a third one of the
//! sides of conflicts, if there are any. Its message names all of them, so that a restored worktree can be as it was.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{Commit, Kind, WriteTo};

use super::base::{self, Base, Item};
use super::beneath::Dir;
use super::import::Importer;
use super::index::{self, Staged};
use super::observe::{own_dir, staged_tree};
use super::refs::Refs;
use super::store::Store;
use super::tree::{Changes, Tree};
use super::{Input, commit, contains, differ, durable, edit, fault, limits, open_base, verify};
use crate::{GitAccess, Message, Notice, Result, view};

/// Whose commits these are.
const NAME: &str = "hedgerow";
const EMAIL: &str = "hedgerow@localhost";
const HEAD: &str = "Hedgerow-Head";
const BASE: &str = "Hedgerow-Base";
const INDEX: &str = "Hedgerow-Index";
const CONFLICTS: &str = "Hedgerow-Conflicts";

/// What was made of a captured worktree.
#[derive(Debug)]
pub(crate) struct Kept {
    /// A commit of everything.
    pub(crate) commit: ObjectId,
    /// Whether something is in there that is in no file and in no other commit.
    pub(crate) staged: Difference,
    /// Why something that is staged is held by nothing, if so.
    pub(crate) unkept: Option<String>,
    /// What could not be kept, or needs a word.
    pub(crate) notices: Vec<Notice>,
}

/// Whether the index holds something of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It has the files, or the last commit.
    None,
    /// It has something that neither has.
    Some,
}

/// Whether the agent's index is, byte for byte, the one that the worktree was made with.
fn is_as_made(input: &Input) -> bool {
    let Ok(now) = own_dir(input).and_then(|own| own.read(b"index", limits::INDEX_BYTES).map_err(|e| e.to_string()))
    else {
        return false;
    };
    std::fs::read(&input.index).is_ok_and(|made| made == now)
}

/// Makes a commit of the captured `tip` from which [`read`] can tell everything; `tip` itself where that is all there is.
///
/// The objects are durable when this returns. What is staged and cannot be read is a notice, and the files are kept alone.
///
/// # Errors
/// When the repository cannot be read or written.
pub(crate) fn keep(
    repo: &gix::Repository,
    input: &Input,
    tip: ObjectId,
    head: std::result::Result<ObjectId, String>,
) -> Result<Kept> {
    let mut kept = Kept { commit: tip, staged: Difference::None, unkept: None, notices: Vec::new() };
    let head = match head {
        Ok(head) if contains(repo, tip, head)? => head,
        Ok(head) => {
            let why = format!("HEAD is at {head}, from which the files do not go on");
            kept.unkept = alone(repo, input, head);
            kept.notices.push(Notice::NotStaged { why });
            return Ok(kept);
        }
        Err(why) => {
            let has_index = own_dir(input).is_ok_and(|own| own.stat(b"index").is_ok());
            kept.unkept = has_index.then(|| why.clone());
            kept.notices.push(Notice::NotStaged { why });
            return Ok(kept);
        }
    };
    // Most are, and then there is nothing to be compared.
    let is_of_base = || base::root(repo, head).is_ok_and(|root| base::root(repo, input.base) == Ok(root));
    if tip == head && is_as_made(input) && is_of_base() {
        return Ok(kept);
    }
    let staged = own_dir(input).and_then(|own| index::read(&own, repo.object_hash())).unwrap_or_else(|why| {
        kept.unkept = Some(why.clone());
        kept.notices.push(Notice::NotStaged { why });
        None
    });
    let base = open_base(repo, input)?;
    let roots = base::root(repo, head).and_then(|head| Ok((head, base::root(repo, tip)?)));
    let (of_head, of_tip) = roots.map_err(|why| fault::strange(&input.common, &why))?;
    let of_index = match staged.as_ref().map(|staged| trees(repo, input, &base, of_head, staged)) {
        None => None,
        Some(Ok(trees)) => Some(trees?),
        Some(Err(why)) => {
            kept.unkept = Some(why.clone());
            kept.notices.push(Notice::NotStaged { why });
            None
        }
    };
    let (index, conflicts) = of_index.map_or((of_head, None), |(index, conflicts)| (index, conflicts));
    if let Some(staged) = staged.filter(|_| conflicts.is_some()) {
        let mut paths: Vec<&BString> = staged.sides.iter().map(|(path, ..)| path).collect();
        paths.dedup();
        let conflict = |path: &&BString| Notice::Conflict { path: path.to_str_lossy().into_owned().into() };
        kept.notices.extend(paths.iter().take(limits::NOTICES).map(conflict));
    }
    if tip == head && index == of_head && conflicts.is_none() {
        return Ok(kept);
    }
    // A capture that moved the branch on which `HEAD` is leaves the index at what was committed before.
    let parents = repo.find_commit(tip).map_err(fault::git("read a commit"))?;
    let before = parents.parent_ids().filter_map(|parent| base::root(repo, parent.detach()).ok());
    let known = before.chain([of_head, of_tip, base.root()]).any(|root| root == index);
    if !known || conflicts.is_some() {
        kept.staged = Difference::Some;
    }
    let make = Make { repo, tip };
    let mut parents = vec![tip, make.commit(index, vec![head], "What was staged".into())?];
    let mut text =
        format!("Keep worktree {} as it was\n\n{HEAD}: {head}\n{BASE}: {}\n{INDEX}: {index}\n", input.id, input.base);
    if let Some(conflicts) = conflicts {
        text.push_str(&format!("{CONFLICTS}: {conflicts}\n"));
        parents.push(make.commit(conflicts, vec![head], "The sides of conflicts".into())?);
    }
    kept.commit = make.commit(of_tip, parents, text)?;
    durable::sync(repo, input.base, &[kept.commit])?;
    Ok(kept)
}

/// Why what is staged is not what this commit has, if so.
fn alone(repo: &gix::Repository, input: &Input, head: ObjectId) -> Option<String> {
    let looked = || -> std::result::Result<bool, String> {
        let Some(staged) = index::read(&own_dir(input)?, repo.object_hash())? else { return Ok(false) };
        let base = open_base(repo, input).map_err(|e| fault::with_causes(&e))?;
        let of_head = base::root(repo, head)?;
        let trees = trees(repo, input, &base, of_head, &staged)?.map_err(|e| fault::with_causes(&e))?;
        Ok(trees != (of_head, None))
    };
    match looked() {
        Ok(false) => None,
        Ok(true) => Some(format!("it is not what HEAD at {head} has, from which the files do not go on")),
        Err(why) => Some(why),
    }
}

/// What `HEAD` is, in words why it cannot be told. To be asked before a capture: that may move the branch it is on.
pub(crate) fn head(repo: &gix::Repository, input: &Input) -> std::result::Result<ObjectId, String> {
    let own = own_dir(input)?;
    let common = Dir::open(&input.common).map_err(|e| e.to_string())?;
    let refs = if input.git == GitAccess::Private { &own } else { &common };
    let mut head = (Refs { own: &own, common: refs, hash: repo.object_hash() }).head()?;
    // What an earlier release put on the branch, before it failed, is none of the agent's.
    while head != input.base
        && let Some(parent) = under_ours(repo, head)
    {
        head = parent;
    }
    Ok(head)
}

/// The parent of a commit that a release made.
fn under_ours(repo: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    let commit = repo.find_commit(id).ok()?;
    let who = commit.committer().ok()?;
    let parent = commit.parent_ids().next().map(gix::Id::detach);
    parent.filter(|_| who.name == NAME && who.email == EMAIL)
}

type Trees = (ObjectId, Option<ObjectId>);

/// The tree of the index, and that of the sides of its conflicts; in words why they cannot be made.
fn trees(
    repo: &gix::Repository,
    input: &Input,
    base: &Base,
    of_head: ObjectId,
    staged: &Staged,
) -> std::result::Result<Result<Trees>, String> {
    let agent = Tree::new(base, differ::changes(repo, base.root(), of_head)?);
    let tree = staged_tree(&agent, staged);
    let changed = tree.changes().values().flatten().filter(|item| item.kind != EntryKind::Commit);
    let sides = staged.sides.iter().map(|(.., item)| item).filter(|item| item.kind != EntryKind::Commit);
    let missing: Vec<ObjectId> = changed.chain(sides).map(|item| item.id).filter(|id| !is_blob(repo, *id)).collect();
    if !missing.is_empty() {
        fetch(repo, input, &missing)?;
    }
    let named = tree.changes().iter().filter_map(|(path, item)| Some((path, (*item)?)));
    for (path, item) in named.chain(staged.sides.iter().map(|(path, _, item)| (path, *item))) {
        if let Some(why) = read_by_git(repo, base, path.as_bstr(), item)? {
            return Err(format!("it has {path:?}: {why}"));
        }
    }
    Ok(write(repo, &tree, staged))
}

fn write(repo: &gix::Repository, tree: &Tree<'_>, staged: &Staged) -> Result<Trees> {
    let index = tree.write(repo)?;
    if staged.sides.is_empty() {
        return Ok((index, None));
    }
    let sides: Changes = staged
        .sides
        .iter()
        .map(|(path, stage, item)| (format!("{stage}/").into_bytes(), path, item))
        .map(|(mut at, path, item)| {
            at.extend_from_slice(path);
            (BString::from(at), Some(*item))
        })
        .collect();
    let empty = edit::put(repo, Kind::Tree, b"")?;
    Ok((index, Some(edit::edit(repo, empty, &sides)?)))
}

/// Why git must not read this file, if it is one that git itself reads, and the base has another one.
fn read_by_git(
    repo: &gix::Repository,
    base: &Base,
    path: &BStr,
    item: Item,
) -> std::result::Result<Option<String>, String> {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let Some(settings) = verify::settings(name) else { return Ok(None) };
    if let Some(why) = settings.kind_problem(item.kind) {
        return Ok(Some(why.into()));
    }
    if item.kind == EntryKind::Link {
        return Ok(None);
    }
    let header = repo.find_header(item.id).map_err(|e| e.to_string())?;
    if header.size() > limits::OBJECT_BYTES {
        return Ok(Some("it is too large".into()));
    }
    let content = repo.find_object(item.id).map_err(|e| e.to_string())?;
    let problem = settings.problem(&content.data);
    Ok(problem.filter(|_| !base.reads(item.id, settings)))
}

fn is_blob(repo: &gix::Repository, id: ObjectId) -> bool {
    repo.try_find_header(id).ok().flatten().is_some_and(|header| header.kind() == Kind::Blob)
}

/// Takes over blobs that only the view has.
fn fetch(repo: &gix::Repository, input: &Input, missing: &[ObjectId]) -> std::result::Result<(), String> {
    if input.git == GitAccess::Direct {
        return Err(format!("its object {} is missing", missing[0]));
    }
    let git = own_dir(input)?;
    let store = Store::open(&git, &view::dir(&input.common, &input.id), repo.object_hash())?;
    Importer::new(repo, &store, input).blobs(missing).map_err(|e| fault::with_causes(&e))?
}

/// Makes commits of our own.
pub(super) struct Make<'a> {
    pub(super) repo: &'a gix::Repository,
    /// Whose time they bear.
    pub(super) tip: ObjectId,
}

impl Make<'_> {
    /// A commit that is the same however often it is made: it bears the time of the captured one.
    pub(super) fn commit(&self, tree: ObjectId, parents: Vec<ObjectId>, message: String) -> Result<ObjectId> {
        let of_tip = self.repo.find_commit(self.tip).map_err(fault::git("read a commit"))?;
        let who = Message { text: String::new(), name: NAME.into(), email: EMAIL.into() };
        let mut who = commit::signature(&who);
        who.time = gix::date::Time::new(of_tip.time().map_err(fault::git("read a commit"))?.seconds, 0);
        let commit = Commit {
            tree,
            parents: parents.into(),
            author: who.clone(),
            committer: who,
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        };
        let mut data = Vec::new();
        commit.write_to(&mut data).map_err(fault::git("encode a commit"))?;
        edit::put(self.repo, Kind::Commit, &data)
    }
}

/// What a rescued commit says of the worktree that it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    /// What `HEAD` was.
    pub(crate) head: ObjectId,
    /// The commit whose attributes say how its files were converted.
    pub(crate) base: ObjectId,
    /// The tree of the index.
    pub(crate) index: ObjectId,
    /// The tree of the sides of conflicts, each side in a directory of its number.
    pub(crate) conflicts: Option<ObjectId>,
}

/// Reads what [`keep`] wrote; none from any other commit. Everything that it names is in the history of the commit.
///
/// # Errors
/// When the commit cannot be read.
pub(crate) fn read(repo: &gix::Repository, id: ObjectId) -> Result<Option<Former>> {
    let commit = repo.find_commit(id).map_err(fault::git(format!("read commit {id}")))?;
    let who = commit.committer().map_err(fault::git("read a commit"))?;
    if who.name != NAME || who.email != EMAIL {
        return Ok(None);
    }
    let message = commit.message_raw().map_err(fault::git("read a commit"))?;
    let value = |name: &str| {
        let line = message.lines().find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b": "))?;
        ObjectId::from_hex(line).ok()
    };
    let parents: Vec<ObjectId> = commit.parent_ids().map(gix::Id::detach).collect();
    let (Some(head), Some(base), Some(index)) = (value(HEAD), value(BASE), value(INDEX)) else { return Ok(None) };
    let conflicts = value(CONFLICTS);
    // Its author could be forged by whoever commits; that it fits together could not do any harm then.
    let is_tree_of = |parent: Option<&ObjectId>, tree| {
        parent.is_some_and(|parent| base::root(repo, *parent).is_ok_and(|root| root == tree))
    };
    let whole = is_tree_of(parents.get(1), index)
        && conflicts.is_none_or(|tree| is_tree_of(parents.get(2), tree))
        && contains(repo, parents[0], head)?
        && contains(repo, head, base)?;
    Ok(whole.then_some(Former { head, base, index, conflicts }))
}
