//! What a tree has other than another one, without looking into what both have.

use std::collections::BTreeMap;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::TreeRefIter;
use gix::objs::tree::EntryKind;

use super::base::Item;
use super::limits;
use super::tree::Changes;

type Names = BTreeMap<BString, Item>;

/// What `new` has other than `old`; in words why it cannot be told. The new tree may be hostile.
pub(super) fn changes(repo: &gix::Repository, old: ObjectId, new: ObjectId) -> Result<Changes, String> {
    let mut differ = Differ { repo, found: Changes::new(), bytes: 0, waiting: Vec::new() };
    differ.pair(BString::default(), Some(old), Some(new));
    while let Some((dir, old, new)) = differ.waiting.pop() {
        differ.directory(&dir, old, new)?;
        if differ.found.len() + differ.waiting.len() > limits::PATHS || differ.bytes > limits::ALL_PATH_BYTES {
            return Err("its tree has too many paths, or too long ones".into());
        }
    }
    Ok(differ.found)
}

struct Differ<'a> {
    repo: &'a gix::Repository,
    found: Changes,
    bytes: usize,
    /// Directories with other trees, whose paths end with a slash.
    waiting: Vec<(BString, Option<ObjectId>, Option<ObjectId>)>,
}

impl Differ<'_> {
    fn pair(&mut self, dir: BString, old: Option<ObjectId>, new: Option<ObjectId>) {
        if old != new {
            self.waiting.push((dir, old, new));
        }
    }

    fn directory(&mut self, dir: &BString, old: Option<ObjectId>, new: Option<ObjectId>) -> Result<(), String> {
        let old = old.map_or_else(|| Ok(Names::new()), |id| self.names(id))?;
        let new = new.map_or_else(|| Ok(Names::new()), |id| self.names(id))?;
        for (name, item) in &new {
            let before = old.get(name);
            if before == Some(item) {
                continue;
            }
            let path = self.path(dir, name)?;
            if is_tree(item) {
                self.pair(below(&path), before.filter(|item| is_tree(item)).map(|item| item.id), Some(item.id));
                if before.is_some_and(|before| !is_tree(before)) {
                    self.found.insert(path, None);
                }
            } else {
                if let Some(before) = before.filter(|before| is_tree(before)) {
                    self.pair(below(&path), Some(before.id), None);
                }
                self.found.insert(path, Some(*item));
            }
        }
        for (name, item) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
            let path = self.path(dir, name)?;
            if is_tree(item) {
                self.pair(below(&path), Some(item.id), None);
            } else {
                self.found.insert(path, None);
            }
        }
        Ok(())
    }

    fn path(&mut self, dir: &BString, name: &BString) -> Result<BString, String> {
        let mut path = dir.clone();
        path.extend_from_slice(name);
        self.bytes += path.len();
        if path.len() > limits::PATH_BYTES {
            return Err("its paths are too long".into());
        }
        Ok(path)
    }

    fn names(&self, id: ObjectId) -> Result<Names, String> {
        let object = self.repo.find_object(id).map_err(|e| e.to_string())?;
        let entries = TreeRefIter::from_bytes(&object.data, self.repo.object_hash()).map(|entry| {
            let entry = entry.map_err(|e| format!("tree {id}: {e}"))?;
            Ok((entry.filename.to_owned(), Item { kind: entry.mode.kind(), id: entry.oid.to_owned() }))
        });
        entries.collect()
    }
}

fn is_tree(item: &Item) -> bool {
    item.kind == EntryKind::Tree
}

fn below(path: &BString) -> BString {
    let mut dir = path.clone();
    dir.push(b'/');
    dir
}
