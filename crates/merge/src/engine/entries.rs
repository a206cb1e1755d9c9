//! What each path comes to.

use gix::bstr::{BString, ByteSlice};
use gix::objs::tree::EntryKind;

use super::content::{Contents, Versions};
use super::halt::Halt;
use super::moves::beside;
use super::node::{BASE, Mask, Node, OURS, Paths, THEIRS, bit};
use super::report::Report;
use super::tree::Entry;
use crate::ConflictKind;

/// What paths come to, as far as that is not what our side had there; directories that one side changed are whole.
pub(super) type Edits = Vec<(BString, Option<Entry>)>;

/// Merges every path.
pub(super) fn merge(paths: Paths, contents: &mut Contents<'_>, report: &mut Report) -> Result<Edits, Halt> {
    let mut edits: Edits = Vec::new();
    let all: Vec<BString> = paths.keys().cloned().collect();
    // What is in a directory comes before the directory itself.
    for path in all.into_iter().rev() {
        let Some(node) = paths.get(&path) else { continue };
        let Some(settled) = node.settled else {
            if node.files() == 0 && node.directories() != 0 {
                continue;
            }
            let node = node.clone();
            let filled = node.directories() != 0 && {
                contents.budget.spend(edits.len() as u64)?;
                let below = |(other, entry): &(BString, Option<Entry>)| {
                    entry.is_some() && other.starts_with(&path) && other.get(path.len()) == Some(&b'/')
                };
                edits.iter().any(below)
            };
            if filled {
                aside(&paths, &path, node, contents, report, &mut edits)?;
            } else {
                let in_the_way = node.directories();
                let entry = one(&path, &without_directories(node), contents, report)?;
                // Where only a directory was, there is nothing to take away: its files are paths of their own.
                if entry.is_some() || in_the_way & bit(OURS) == 0 {
                    edits.push((path, entry));
                }
            }
            continue;
        };
        edits.push((path, settled));
    }
    Ok(edits)
}

/// The directory at the path is gone, or has nothing left.
fn without_directories(mut node: Node) -> Node {
    let directories = node.directories();
    if directories != 0 {
        node.trees = [None; 3];
    }
    node
}

/// A file whose path is a directory in the result.
fn aside(
    paths: &Paths,
    path: &BString,
    mut node: Node,
    contents: &mut Contents<'_>,
    report: &mut Report,
    edits: &mut Edits,
) -> Result<(), Halt> {
    if node.files() == bit(BASE) {
        return Ok(());
    }
    node.matching &= !node.directories();
    // The side that has the directory is not the one that the file is from.
    let side = if node.directories() & bit(OURS) != 0 { THEIRS } else { OURS };
    node.trees = [None; 3];
    // Whatever else is wrong with the file, it is in the way first.
    let entry = one(path, &node, contents, &mut Report::default())?;
    if entry.is_some() {
        report.at(path, ConflictKind::FileDirectory, &node);
        edits.push((beside(paths, path.as_bstr(), side), entry));
    }
    Ok(())
}

/// One path at which no directory is in the way.
fn one(path: &BString, node: &Node, contents: &mut Contents<'_>, report: &mut Report) -> Result<Option<Entry>, Halt> {
    let stages = node.stages;
    let virtual_base = contents.depth > 0;
    if node.matching != 0 {
        let side = if node.matching == bit(BASE) | bit(OURS) { THEIRS } else { OURS };
        if stages[side].is_some() {
            report.disputed(path, node);
        }
        return Ok(stages[side]);
    }
    let files: Mask = node.files();
    match (stages[OURS], stages[THEIRS]) {
        (Some(ours), Some(theirs)) if !ours.is_like(&theirs) => {
            report.at(path, ConflictKind::DistinctTypes, node);
            Ok(if virtual_base { stages[BASE] } else { Some(ours) })
        }
        (Some(ours), Some(theirs)) => {
            let names = node.names(path);
            let longer = 2 * contents.depth;
            let versions = Versions { path: path.as_bstr(), base: stages[BASE], ours, theirs, names, longer };
            let content = contents.merge(&versions)?;
            if content.clean {
                report.disputed(path, node);
            } else {
                let kind = match ours.kind {
                    EntryKind::Commit => ConflictKind::Submodule,
                    EntryKind::Link => ConflictKind::Symlink,
                    _ if ours.id == theirs.id => ConflictKind::DistinctModes,
                    _ if content.binary => ConflictKind::Binary,
                    _ if stages[BASE].is_none() => node.collision.unwrap_or(ConflictKind::AddAdd),
                    _ => ConflictKind::Content,
                };
                report.at(path, kind, node);
            }
            Ok(content.entry)
        }
        (one, other) if files & bit(BASE) != 0 && files != bit(BASE) => {
            let changed = one.or(other);
            let renamed = node.disputed && changed.map(|entry| entry.id) == stages[BASE].map(|entry| entry.id);
            if !renamed {
                report.at(path, ConflictKind::ModifyDelete, node);
            } else {
                report.disputed(path, node);
            }
            Ok(if virtual_base { stages[BASE] } else { changed })
        }
        (one, other) => {
            report.disputed(path, node);
            Ok(one.or(other))
        }
    }
}
