//! Brings an agent's objects into the real object database, after all of them were checked.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, Write};

use super::loose::Object;
use super::store::Store;
use super::verify::Settings;
use super::{Input, Keep, base, edit, freshen, limits, verify};
use crate::Result;

/// Takes histories over from a store into a repository.
#[derive(Debug)]
pub(super) struct Importer<'a> {
    repo: &'a gix::Repository,
    store: &'a Store,
    input: &'a Input,
}

/// Everything that a history has and the repository has not, in the order in which it must be written: what is referred
/// to comes first, so that whatever is in the repository is complete at any moment.
#[derive(Debug, Default)]
struct Plan {
    /// What each object was taken for; it cannot be two things.
    seen: HashMap<ObjectId, Kind>,
    /// Files that git itself reads, and as what.
    settings: HashSet<(ObjectId, Settings)>,
    blobs: Vec<ObjectId>,
    trees: Vec<ObjectId>,
    commits: Vec<ObjectId>,
}

impl<'a> Importer<'a> {
    pub(super) fn new(repo: &'a gix::Repository, store: &'a Store, input: &'a Input) -> Self {
        Self { repo, store, input }
    }

    /// Takes over the history of the commit `tip`; the inner error says why it was refused, and nothing was written then.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub(super) fn import(&self, tip: ObjectId) -> Result<std::result::Result<(), String>> {
        let mut plan = Plan::default();
        if let Err(why) = self.commits(tip, &mut plan) {
            return Ok(Err(why));
        }
        let dry = self.input.keep == Keep::Nothing;
        let mut room = limits::MEMORY_BYTES;
        let blobs = plan.blobs.iter().filter(|_| !dry);
        for &id in blobs.chain(&plan.trees).chain(&plan.commits) {
            // Read again, and checked again: loose objects may have changed in between.
            let object = match self.object(id) {
                Ok(object) => object,
                Err(why) => return Ok(Err(why)),
            };
            if dry {
                match room.checked_sub(object.data.len()) {
                    Some(left) => room = left,
                    None => {
                        let limit = limits::mib(limits::MEMORY_BYTES as u64);
                        return Ok(Err(limits::beyond("the history is too large to be looked at in memory", limit)));
                    }
                }
            }
            let write = || self.repo.objects.write_buf(object.kind, &object.data);
            edit::stored("store an object of the agent", write)?;
        }
        Ok(Ok(()))
    }

    /// Takes over files alone; the inner error says why they were refused.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub(super) fn blobs(&self, ids: &[ObjectId]) -> Result<std::result::Result<(), String>> {
        for &id in ids {
            let object = match self.find(id, Kind::Blob) {
                Ok(object) => object,
                Err(why) => return Ok(Err(why)),
            };
            let write = || self.repo.objects.write_buf(Kind::Blob, &object.data);
            edit::stored("store an object of the agent", write)?;
        }
        Ok(Ok(()))
    }

    /// The commit that an id names, through annotated tags.
    pub(super) fn peel(&self, id: ObjectId) -> std::result::Result<ObjectId, String> {
        let (mut id, mut expected) = (id, None);
        for _ in 0..limits::TAG_DEPTH {
            let (kind, data) = match self.repo.try_find_header(id).map_err(|e| e.to_string())? {
                Some(header) if header.kind() == Kind::Tag => {
                    (Kind::Tag, self.repo.find_object(id).map_err(|e| e.to_string())?.data.clone())
                }
                Some(header) => (header.kind(), Vec::new()),
                None => self.store.find(id).map(|object| (object.kind, object.data))?,
            };
            if let Some(expected) = expected.filter(|expected| *expected != kind) {
                return Err(format!("object {id} is a {kind}, and a tag says that it is a {expected}"));
            }
            match kind {
                Kind::Commit => return Ok(id),
                Kind::Tag => {
                    let (target, kind) = verify::tag(id, &data)?;
                    (id, expected) = (target, Some(kind));
                }
                kind => return Err(format!("{id} is a {kind}, not a commit")),
            }
        }
        Err("a tag names a tag too many times".into())
    }

    fn commits(&self, tip: ObjectId, plan: &mut Plan) -> std::result::Result<(), String> {
        let mut waiting = Vec::new();
        let mut found = Vec::new();
        let mut roots = Vec::new();
        // Each is looked up before it waits, so that a name that is repeated a million times waits once.
        if !self.known(tip, Kind::Commit, plan)? {
            waiting.push(tip);
        }
        while let Some(id) = waiting.pop() {
            let links = verify::commit(id, &self.find(id, Kind::Commit)?.data)?;
            roots.push(links.tree);
            for parent in &links.parents {
                if !self.known(*parent, Kind::Commit, plan)? {
                    waiting.push(*parent);
                }
            }
            found.push((id, links.parents.into_boxed_slice()));
        }
        plan.commits = by_descent(found);
        roots.into_iter().try_for_each(|tree| self.trees(tree, plan))
    }

    fn trees(&self, root: ObjectId, plan: &mut Plan) -> std::result::Result<(), String> {
        let mut waiting = Vec::new();
        if !self.known(root, Kind::Tree, plan)? {
            waiting.push((root, 0, false));
        }
        while let Some((id, depth, expanded)) = waiting.pop() {
            if expanded {
                plan.trees.push(id);
                continue;
            }
            if depth > limits::TREE_DEPTH {
                return Err(limits::beyond(format!("tree {root} is too deep"), limits::TREE_DEPTH));
            }
            let object = self.find(id, Kind::Tree)?;
            waiting.push((id, depth, true));
            for entry in verify::tree(id, &object.data)? {
                match entry.kind {
                    // As for commits: before it waits.
                    EntryKind::Tree => {
                        if !self.known(entry.id, Kind::Tree, plan)? {
                            waiting.push((entry.id, depth + 1, false));
                        }
                    }
                    // The commit of a submodule is in another repository.
                    EntryKind::Commit => {}
                    _ => {
                        if !self.known(entry.id, Kind::Blob, plan)? {
                            self.find(entry.id, Kind::Blob)?;
                            plan.blobs.push(entry.id);
                        }
                        if let Some(settings) = entry.settings.filter(|_| entry.kind != EntryKind::Link)
                            && plan.settings.insert((entry.id, settings))
                        {
                            self.settings(entry.id, settings)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether nothing needs to be done for this object; the repository's own objects are taken to be complete.
    fn known(&self, id: ObjectId, kind: Kind, plan: &mut Plan) -> std::result::Result<bool, String> {
        match plan.seen.insert(id, kind) {
            None => {}
            Some(before) if before == kind => return Ok(true),
            Some(before) => return Err(format!("object {id} is named as a {before} and as a {kind}")),
        }
        if plan.seen.len() > limits::OBJECTS {
            return Err(limits::beyond("the history has too many objects", limits::OBJECTS));
        }
        // The library knows it by heart, and git misses it all the same.
        if id.is_empty_tree() {
            return Ok(false);
        }
        match self.repo.try_find_header(id).map_err(|e| e.to_string())? {
            None => Ok(false),
            Some(header) if header.kind() == kind => {
                if self.input.keep == Keep::Objects {
                    freshen::loose(self.repo, id);
                }
                Ok(true)
            }
            Some(header) => Err(format!("object {id} is a {}, where a {kind} is expected", header.kind())),
        }
    }

    /// Checks a file that git itself reads. What the base has already is not held against the agent.
    fn settings(&self, id: ObjectId, settings: Settings) -> std::result::Result<(), String> {
        let problem = match self.repo.try_find_header(id).map_err(|e| e.to_string())? {
            None => settings.problem(&self.find(id, Kind::Blob)?.data),
            Some(header) if header.size() > limits::OBJECT_BYTES => Some("it is too large".into()),
            Some(_) => settings.problem(&self.repo.find_object(id).map_err(|e| e.to_string())?.data),
        };
        match problem {
            Some(why) if !base::reads(self.repo, self.input.base, id, settings) => Err(format!("blob {id}: {why}")),
            _ => Ok(()),
        }
    }

    /// Every git has the empty tree, whether it is stored or not.
    fn object(&self, id: ObjectId) -> std::result::Result<Object, String> {
        if id.is_empty_tree() {
            return Ok(Object { kind: Kind::Tree, data: Vec::new() });
        }
        self.store.find(id)
    }

    fn find(&self, id: ObjectId, kind: Kind) -> std::result::Result<Object, String> {
        let object = self.object(id)?;
        if object.kind == kind {
            Ok(object)
        } else {
            Err(format!("object {id} is a {}, where a {kind} is expected", object.kind))
        }
    }
}

/// Sorts commits so that parents come before their children.
fn by_descent(found: Vec<(ObjectId, Box<[ObjectId]>)>) -> Vec<ObjectId> {
    let order: Vec<ObjectId> = found.iter().map(|(id, _)| *id).collect();
    let mut ours: HashMap<ObjectId, Box<[ObjectId]>> = found.into_iter().collect();
    let mut parents_first = Vec::new();
    for start in order {
        let mut path = vec![(start, false)];
        while let Some((id, expanded)) = path.pop() {
            if expanded {
                parents_first.push(id);
            } else if let Some(parents) = ours.remove(&id) {
                path.push((id, true));
                path.extend(parents.iter().filter(|parent| ours.contains_key(*parent)).map(|parent| (*parent, false)));
            }
        }
    }
    parents_first
}
