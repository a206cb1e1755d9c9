//! Lists all worktrees of the repository, whoever made them and whatever became of them.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::doctor::Backlinks;
use super::layout::Layout;

use super::record::{self, Record, Stage};
use super::scan::{self, Admin, Head};
use super::{base, doctor, lease, moved, purge, refs};
use crate::capture::fault;
use crate::disk;
use crate::{BranchName, CommitId, Entry, Owner, Result, State, WorktreeId, repo};

/// Our own worktrees by id, then the others by path.
pub(super) fn list(layout: &Layout) -> Result<Vec<Entry>> {
    let repo = repo::open(&layout.common)?;
    // Before the records, so that nothing that appears meanwhile looks like a tree of nobody.
    let trees = trees(layout);
    let records = records(layout)?;
    // Before and after the look: one that has left may be purged meanwhile, and one that is there leave.
    let mut leaving = purge::leaving(layout)?;
    let admins = scan::all(&layout.admins()).map_err(fault::io("list", layout.admins()))?;
    leaving.extend(purge::leaving(layout)?);
    let admins = admins.into_iter().filter(|admin| !leaving.contains(&admin.name));
    let mut admins: HashMap<String, Admin> = admins.map(|admin| (admin.name.clone(), admin)).collect();
    let places = Backlinks::new(layout);
    let mut entries = Vec::new();
    for (id, found) in records {
        entries.push(match found {
            Ok((record, state)) => ours(&repo, layout, &places, admins.remove(&record.admin), record, state),
            Err(problem) => damaged(layout, id, problem),
        });
    }
    let mut foreign: Vec<_> = admins.into_values().map(|admin| foreign(&repo, layout, admin)).collect();
    foreign.sort_by(|a, b| a.path.cmp(&b.path));
    entries.extend(foreign);
    let known: HashSet<&PathBuf> = entries.iter().map(|entry| &entry.path).collect();
    let strays: Vec<_> = trees.into_iter().filter(|tree| !known.contains(tree)).collect();
    entries
        .extend(strays.into_iter().filter(|tree| disk::identity(tree).is_some() && doctor::is_stray(tree)).map(stray));
    Ok(entries)
}

/// What lies where our trees belong.
fn trees(layout: &Layout) -> Vec<PathBuf> {
    let children = std::fs::read_dir(&layout.trees).into_iter().flatten().flatten();
    let named = children.filter(|child| !child.file_name().as_encoded_bytes().starts_with(b"."));
    let mut found: Vec<_> = named.map(|child| child.path()).filter(|path| disk::identity(path).is_some()).collect();
    found.sort();
    found
}

/// A tree that neither git nor a record of ours knows.
fn stray(path: PathBuf) -> Entry {
    let problem = Some("git does not know it, and no record of ours does".to_owned());
    Entry { path, branch: None, head: None, owner: Owner::Foreign, locked: None, problem }
}

type Found = (WorktreeId, std::result::Result<(Record, State), String>);

fn records(layout: &Layout) -> Result<Vec<Found>> {
    // Under the lock, so that looking whether a lease is held never keeps anybody from taking it.
    let _turn = layout.turn()?;
    let mut found = Vec::new();
    for id in record::ids(layout)? {
        match Record::read(layout, &id) {
            Ok(None) => {}
            Ok(Some(record)) => {
                let state = state(layout, &record)?;
                found.push((id, Ok((record, state))));
            }
            Err(e) => found.push((id, Err(e.to_string()))),
        }
    }
    Ok(found)
}

/// What a worktree is doing. The caller holds the lock of the repository.
pub(super) fn state(layout: &Layout, record: &Record) -> Result<State> {
    Ok(match record.stage {
        Stage::Creating => State::Creating,
        Stage::Leased if record.is_on_offer() => State::Leased,
        Stage::Leased if lease::is_held(layout, &record.parts.id) => State::Leased,
        Stage::Leased => State::Orphaned,
        Stage::Kept => State::Kept,
        Stage::Removing { .. } => State::Removing,
    })
}

fn ours(
    repo: &gix::Repository,
    layout: &Layout,
    places: &Backlinks<'_>,
    admin: Option<Admin>,
    record: Record,
    state: State,
) -> Entry {
    let visible = matches!(state, State::Leased | State::Orphaned | State::Kept);
    let mut problems = Vec::new();
    if visible && admin.is_none() {
        problems.push("git does not know it any more".to_owned());
    }
    if visible && !record.has_tree() {
        problems.push(moved::problem_in(places, layout, &record));
    }
    let (head, locked) = match admin {
        Some(admin) => {
            problems.extend(admin.problem.filter(|_| visible));
            (admin.head, admin.locked)
        }
        None => (None, None),
    };
    let branch = record.parts.branch;
    // While the branch is there it says more than a HEAD that may be detached in the middle of a rebase.
    let tip = branch.as_ref().and_then(|branch| branch_tip(repo, branch));
    let head = tip.or_else(|| commit(repo, head.as_ref()));
    let owner = Owner::Hedgerow { id: record.parts.id, state };
    Entry { path: record.parts.path, branch, head, owner, locked, problem: joined(problems) }
}

fn foreign(repo: &gix::Repository, layout: &Layout, admin: Admin) -> Entry {
    let head = commit(repo, admin.head.as_ref());
    let branch = match admin.head {
        Some(Head::Branch(name)) => Some(name),
        _ => None,
    };
    let path = admin.tree.unwrap_or_else(|| layout.admins().join(&admin.name));
    Entry { path, branch, head, owner: Owner::Foreign, locked: admin.locked, problem: admin.problem }
}

/// A record that cannot be read is still a worktree with perhaps a living owner.
fn damaged(layout: &Layout, id: WorktreeId, problem: String) -> Entry {
    let path = layout.tree(&id);
    let owner = Owner::Hedgerow { id, state: State::Leased };
    Entry { path, branch: None, head: None, owner, locked: None, problem: Some(problem) }
}

fn commit(repo: &gix::Repository, head: Option<&Head>) -> Option<CommitId> {
    match head? {
        Head::Commit(id) => Some(id.clone()),
        Head::Branch(name) => branch_tip(repo, name),
    }
}

fn branch_tip(repo: &gix::Repository, branch: &BranchName) -> Option<CommitId> {
    refs::branch_tip(repo, branch).ok().flatten().map(base::commit_id)
}

fn joined(problems: Vec<String>) -> Option<String> {
    (!problems.is_empty()).then(|| problems.join("; "))
}
