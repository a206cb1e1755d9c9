//! Compares the shared state of two moments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::change::{Change, Loss, What};
use super::fingerprint::{Fingerprint, Managed};
use super::keys;
use super::seen::Seen;
use crate::WorktreeId;
use crate::capture::way::{self, PINS};

/// Two moments, and who was at work in between.
pub(super) struct Comparison<'a> {
    pub(super) before: &'a Fingerprint,
    pub(super) after: &'a Fingerprint,
    /// The tasks whose own traces are expected.
    pub(super) tasks: &'a [WorktreeId],
    /// Whether the second commit contains the first; what cannot be told is not.
    pub(super) holds: &'a dyn Fn(&str, &str) -> bool,
}

impl Comparison<'_> {
    /// Everything that is not as it was and that nobody had leave to change.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut found = self.config();
        let (before, after) = (self.before, self.after);
        found.extend(files(&before.hooks, &after.hooks).map(|(path, what, now)| {
            let path = PathBuf::from(path);
            Change::Hook { path, what, now }
        }));
        found.extend(files(&before.files, &after.files).map(|(file, what, now)| Change::File { file, what, now }));
        found.extend(self.refs());
        found.extend(self.stash());
        found.extend(self.heads());
        found.extend(self.entries());
        found.extend(self.checkout());
        found
    }

    fn config(&self) -> Vec<Change> {
        let (before, after) = (&self.before.config, &self.after.config);
        let gone = |file: &str| {
            // The configuration of a worktree goes with it.
            let entry = file.strip_prefix("worktrees/").and_then(|rest| rest.split('/').next());
            entry.is_some_and(|entry| !self.after.entries.contains_key(entry))
        };
        let names = union(before, after).into_iter().filter(|file| before.get(file) != after.get(file) && !gone(file));
        names.filter_map(|file| self.config_file(&file, before.get(&file), after.get(&file))).collect()
    }

    fn config_file(&self, file: &str, was: Option<&Seen>, is: Option<&Seen>) -> Option<Change> {
        let now = print(is);
        let parse = |seen: Option<&Seen>| match seen {
            None => keys::parse(b""),
            Some(Seen::Link(target)) => Err(format!("it is a symlink to {target}")),
            Some(seen) => seen.bytes().ok_or_else(|| "it is no small file".to_owned()).and_then(keys::parse),
        };
        if is.is_none() && file == "config" {
            return Some(Change::ConfigBroken { file: file.to_owned(), problem: "it is gone".into(), now });
        }
        let (was, is) = match (parse(was), parse(is)) {
            (Ok(was), Ok(is)) => (was, is),
            (_, Err(problem)) | (Err(problem), _) => {
                return Some(Change::ConfigBroken { file: file.to_owned(), problem, now });
            }
        };
        let (mut dangerous, mut harmless) = (Vec::new(), Vec::new());
        for (key, was, is) in keys::differences(&was, &is) {
            if key.branch().is_some_and(|branch| self.is_own_branch(branch)) {
                continue;
            }
            let told = keys::told(&key, was.as_ref(), is.as_ref());
            if key.is_dangerous() { dangerous.push(told) } else { harmless.push(told) }
        }
        let nothing = dangerous.is_empty() && harmless.is_empty();
        (!nothing).then(|| Change::Config { file: file.to_owned(), dangerous, harmless, now })
    }

    fn refs(&self) -> Vec<Change> {
        let (before, after) = (&self.before.refs, &self.after.refs);
        let names = union(before, after).into_iter().filter(|name| before.get(name) != after.get(name));
        names.filter_map(|name| self.one_ref(name)).collect()
    }

    fn one_ref(&self, name: String) -> Option<Change> {
        let id = |refs: &BTreeMap<String, Option<String>>| refs.get(&name).cloned();
        let (was, is) = (id(&self.before.refs), id(&self.after.refs));
        let branch = name.strip_prefix("refs/heads/");
        let owner = branch.and_then(|branch| self.owner_of(branch));
        if name == "refs/stash" || self.is_expected_ref(&name, was.is_some(), is.is_some()) {
            return None;
        }
        let (was, is) = (was.flatten(), is.flatten());
        let loss = match (&was, &is) {
            (None, _) => Loss::Nothing,
            (Some(was), Some(is)) if (self.holds)(was, is) => Loss::Nothing,
            _ => Loss::Work,
        };
        // Another worktree's agent goes on with its own branch.
        if owner.is_some() && loss == Loss::Nothing {
            return None;
        }
        Some(Change::Ref { name, before: was, after: is, loss, owner })
    }

    /// Whether the task, or this crate itself, makes this ref come, move or go as it did.
    fn is_expected_ref(&self, name: &str, was: bool, is: bool) -> bool {
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            let of = |managed: &BTreeMap<String, Managed>| managed.values().any(|one| is_branch(one, branch));
            let stays = self.after.managed.values().any(|one| is_branch(one, branch) && !one.leaving);
            let released = self.managed().any(|(_, one)| is_branch(one, branch)) && !stays && !is;
            let made = of(&self.after.managed) && !of(&self.before.managed) && !was;
            return self.is_own_branch(branch) || released || made;
        }
        if let Some(admin) = name.strip_prefix(PINS) {
            let lives = self.after.managed.get(admin).is_some_and(|one| !one.leaving);
            return !lives || !was || self.is_own_entry(admin);
        }
        // What is put away is never taken back by anybody but people.
        if name.starts_with(way::MOVED) {
            return true;
        }
        name.starts_with("refs/hedgerow/") && (!name.starts_with("refs/hedgerow/rescue/") || !was)
    }

    fn stash(&self) -> Vec<Change> {
        let mut left = self.after.stash.clone();
        let mut found = Vec::new();
        for commit in &self.before.stash {
            match left.iter().position(|other| other == commit) {
                Some(at) => drop(left.remove(at)),
                None => found.push(Change::StashDropped { commit: commit.clone() }),
            }
        }
        found.extend(left.into_iter().map(|commit| Change::StashPushed { commit }));
        found
    }

    fn heads(&self) -> Vec<Change> {
        let (before, after) = (self.before, self.after);
        let change = |entry: Option<&String>, was: &str, is: &str| {
            (was != is).then(|| Change::Head { entry: entry.cloned(), before: was.to_owned(), after: is.to_owned() })
        };
        let main = change(None, &before.head, &after.head);
        let linked = before.entries.iter().filter(|(name, _)| !self.is_own_entry(name)).filter_map(|(name, was)| {
            let is = after.entries.get(name)?;
            change(Some(name), &was.head, &is.head)
        });
        main.into_iter().chain(linked).collect()
    }

    fn entries(&self) -> Vec<Change> {
        let (before, after) = (self.before, self.after);
        let mut found = Vec::new();
        for (name, was) in &before.entries {
            let owner = after.managed.get(name).filter(|one| !one.leaving).map(|one| one.id.clone());
            match after.entries.get(name) {
                // One that is leaving, or not in our records any more either, was released.
                None if before.managed.contains_key(name) && owner.is_none() => {}
                None => found.push(Change::EntryGone { entry: name.clone(), tree: was.tree.clone(), owner }),
                Some(is) if was.locked && !is.locked => found.push(Change::Unlocked { entry: name.clone(), owner }),
                Some(_) => {}
            }
        }
        for (name, is) in after.entries.iter().filter(|(name, _)| !before.entries.contains_key(*name)) {
            if !after.managed.contains_key(name) {
                found.push(Change::EntryAdded { entry: name.clone(), tree: is.tree.clone() });
            }
        }
        found
    }

    fn checkout(&self) -> Vec<Change> {
        let (Some(before), Some(after)) = (&self.before.checkout, &self.after.checkout) else { return Vec::new() };
        let mut found = Vec::new();
        if let Some(why) = before.unknown.as_ref().or(after.unknown.as_ref()) {
            let what = format!("not all of the main checkout could be looked at: {why}");
            found.push(Change::Unknown { what });
            return found;
        }
        if before.index != after.index {
            found.push(Change::Index);
        }
        for path in union(&before.files, &after.files) {
            let (was, is) = (before.files.get(&path), after.files.get(&path));
            if was == is {
                continue;
            }
            let kept = match was {
                None => true,
                // What lay uncommitted is safe if it was staged or committed since.
                Some(was) => was.print().is_some() && was.print() == after.staged.get(&path).map(String::as_str),
            };
            let untracked = |path: &str| !after.staged.contains_key(path);
            let what = match (was, is) {
                (_, Some(super::checkout::Stamp::Gone)) => What::Removed,
                (None, Some(_)) if untracked(&path) => What::Added,
                (Some(_), None) if untracked(&path) => What::Removed,
                _ => What::Changed,
            };
            // A file that was gone and is back held nothing.
            let held = was.is_some_and(|was| *was != super::checkout::Stamp::Gone);
            let loss = if kept || !held { Loss::Nothing } else { Loss::Work };
            if !(is.is_none() && loss == Loss::Nothing) {
                found.push(Change::Edited { path, what, loss });
            }
        }
        found
    }

    fn managed(&self) -> impl Iterator<Item = (&String, &Managed)> {
        self.before.managed.iter().chain(&self.after.managed)
    }

    fn is_own_branch(&self, branch: &str) -> bool {
        self.managed().any(|(_, one)| is_branch(one, branch) && self.tasks.contains(&one.id))
    }

    fn is_own_entry(&self, entry: &str) -> bool {
        self.managed().any(|(name, one)| name == entry && self.tasks.contains(&one.id))
    }

    fn owner_of(&self, branch: &str) -> Option<WorktreeId> {
        self.managed().find(|(_, one)| is_branch(one, branch)).map(|(_, one)| one.id.clone())
    }
}

fn is_branch(managed: &Managed, branch: &str) -> bool {
    managed.branch.as_ref().is_some_and(|own| own.as_str() == branch)
}

fn union<V>(before: &BTreeMap<String, V>, after: &BTreeMap<String, V>) -> BTreeSet<String> {
    before.keys().chain(after.keys()).cloned().collect()
}

/// What is in a place now, so that a repair can tell whether it still is.
pub(super) fn print(seen: Option<&Seen>) -> Option<String> {
    match seen? {
        Seen::File(file) => Some(file.print.clone()),
        Seen::Link(target) => Some(format!("a symlink to {target}")),
        Seen::Other(what) => Some(what.clone()),
    }
}

fn files(
    before: &BTreeMap<String, Seen>,
    after: &BTreeMap<String, Seen>,
) -> impl Iterator<Item = (String, What, Option<String>)> {
    union(before, after).into_iter().filter_map(|name| {
        let (was, is) = (before.get(&name), after.get(&name));
        let what = match (was, is) {
            (None, Some(_)) => What::Added,
            (Some(_), None) => What::Removed,
            _ if was != is => What::Changed,
            _ => return None,
        };
        Some((name, what, print(is)))
    })
}
