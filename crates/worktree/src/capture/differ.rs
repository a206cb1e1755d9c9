//! What a tree has other than another one, without looking into what both have.

use std::collections::BTreeMap;
use std::fmt;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryMode};

use super::tree::Changes;
use super::{base, limits};

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) mode: EntryMode,
    pub(crate) id: ObjectId,
}

/// One path that is not the same in both. A directory is none, but those in it are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: BString,
    pub(crate) before: Option<Item>,
    pub(crate) after: Option<Item>,
}

/// Why it cannot be told what differs.
#[derive(Debug)]
pub(crate) enum Unknown {
    /// More than was asked for, or longer paths than are looked at.
    TooMuch,
    /// A tree cannot be read.
    Unreadable(String),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch => f.write_str("too many paths differ, or too long ones"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// The differences between two trees, at most so many, sorted by path; no tree is an empty one. Either may be hostile.
pub(crate) fn between(
    repo: &gix::Repository,
    before: Option<ObjectId>,
    after: Option<ObjectId>,
    most: usize,
) -> Result<Vec<Change>, Unknown> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    // Directories with other trees, whose paths end with a slash.
    let mut waiting = vec![(BString::default(), before, after)];
    while let Some((dir, before, after)) = waiting.pop() {
        if before == after {
            continue;
        }
        let mut both: BTreeMap<BString, [Option<Item>; 2]> = BTreeMap::new();
        for (side, tree) in [before, after].into_iter().enumerate() {
            for (name, item) in entries(repo, tree).map_err(Unknown::Unreadable)? {
                both.entry(name).or_default()[side] = Some(item);
            }
        }
        for (name, [before, after]) in both.into_iter().filter(|(_, [before, after])| before != after) {
            let mut path = dir.clone();
            path.extend_from_slice(&name);
            bytes += path.len();
            if path.len() > limits::PATH_BYTES || bytes > limits::ALL_PATH_BYTES {
                return Err(Unknown::TooMuch);
            }
            let tree = |item: Option<Item>| item.filter(|item| item.mode.is_tree()).map(|item| item.id);
            let file = |item: Option<Item>| item.filter(|item| !item.mode.is_tree());
            if tree(before).is_some() || tree(after).is_some() {
                let mut below = path.clone();
                below.push(b'/');
                waiting.push((below, tree(before), tree(after)));
            }
            if file(before).is_some() || file(after).is_some() {
                found.push(Change { path, before: file(before), after: file(after) });
            }
        }
        // In each directory that waits something differs.
        if found.len() + waiting.len() > most {
            return Err(Unknown::TooMuch);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// What `new` has other than `old`; in words why it cannot be told.
pub(super) fn changes(repo: &gix::Repository, old: ObjectId, new: ObjectId) -> Result<Changes, String> {
    let found = between(repo, Some(old), Some(new), limits::PATHS).map_err(|unknown| match unknown {
        Unknown::TooMuch => "its tree has too many paths, or too long ones".to_owned(),
        Unknown::Unreadable(why) => why,
    })?;
    let item = |item: Item| base::Item { kind: item.mode.kind(), id: item.id };
    Ok(found.into_iter().map(|change| (change.path, change.after.map(item))).collect())
}

/// The entries of a tree; no tree is an empty one. In words why they cannot be read.
pub(crate) fn entries(repo: &gix::Repository, tree: Option<ObjectId>) -> Result<Vec<(BString, Item)>, String> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let object = repo.find_object(tree).map_err(|e| e.to_string())?;
    let entries = TreeRefIter::from_bytes(&object.data, repo.object_hash()).map(|entry| {
        let entry = entry.map_err(|e| format!("tree {tree}: {e}"))?;
        // Old trees may hold modes such as 100664, which mean the same.
        let mode = EntryKind::from(entry.mode).into();
        Ok((entry.filename.to_owned(), Item { mode, id: entry.oid.to_owned() }))
    });
    entries.collect()
}
