//! What the renames of files say of directories.

use std::collections::{BTreeMap, HashMap};

use gix::bstr::{BStr, BString};

use crate::engine::tree::split;
use crate::engine::walk::{Lost, Needed};

/// How many files went from one directory to which others.
#[derive(Debug, Default)]
struct Counts {
    to: BTreeMap<BString, u32>,
    /// Files whose new names are not known yet.
    open: u32,
}

/// The directories that a side lost, and where their files went.
#[derive(Debug, Default)]
pub(in crate::engine) struct Directories {
    lost: HashMap<BString, Lost>,
    counts: HashMap<BString, Counts>,
}

/// Where the files of the directories went.
#[derive(Debug, Default)]
pub(in crate::engine) struct Renamed {
    /// Directories that went to one other.
    pub(in crate::engine) to: BTreeMap<BString, BString>,
    /// Directories that went to several, none of which got most of the files.
    pub(in crate::engine) split: Vec<BString>,
}

impl Directories {
    pub(super) fn new(lost: HashMap<BString, Lost>) -> Self {
        Self { lost, counts: HashMap::new() }
    }

    fn lost(&self, directory: &BStr) -> Lost {
        self.lost.get(directory).copied().unwrap_or(Lost::Unneeded)
    }

    /// Counts one rename, for its directory and for those above as far as the names below them are the same.
    pub(super) fn count(&mut self, old: &BStr, new: &BStr) {
        let (mut old, mut new) = (old, new);
        let mut first = true;
        loop {
            let ((old_directory, old_name), (new_directory, new_name)) = (split(old), split(new));
            if !self.lost.contains_key(old_directory) || (!first && old_name != new_name) {
                return;
            }
            let lost = self.lost(old_directory);
            if lost == Lost::Own || first {
                let counts = self.counts.entry(old_directory.to_owned()).or_default();
                *counts.to.entry(new_directory.to_owned()).or_default() += 1;
            }
            if lost == Lost::Unneeded || old_directory.is_empty() || new_directory.is_empty() {
                return;
            }
            (old, new, first) = (old_directory, new_directory, false);
        }
    }

    /// For each directory the one that most of its files went to.
    pub(super) fn guesses(&self) -> HashMap<BString, BString> {
        let guess = |(directory, counts): (&BString, &Counts)| {
            let mut best: Option<(&BString, u32)> = None;
            for (to, count) in &counts.to {
                if best.is_none_or(|(_, most)| *count > most) {
                    best = Some((to, *count));
                }
            }
            best.map(|(to, _)| (directory.clone(), to.clone()))
        };
        self.counts.iter().filter_map(guess).collect()
    }

    /// Of the files that have no new name yet, those that are not needed any more because most files of their
    /// directory already say where it went.
    pub(super) fn known_early<'p>(
        &mut self,
        files: impl Iterator<Item = &'p BStr> + Clone,
        needed: &HashMap<BString, Needed>,
    ) -> Vec<BString> {
        for path in files.clone() {
            let mut directory = split(path).0;
            while !directory.is_empty() && self.lost(directory) != Lost::Unneeded {
                self.counts.entry(directory.to_owned()).or_default().open += 1;
                directory = split(directory).0;
            }
        }
        for (directory, counts) in &self.counts {
            if let Some(lost) = self.lost.get_mut(directory).filter(|lost| **lost == Lost::Own)
                && counts.decided()
            {
                *lost = Lost::Ancestor;
            }
        }
        let known = |path: &&BStr| {
            if needed.get(*path) != Some(&Needed::Location) {
                return false;
            }
            let mut directory = split(path).0;
            loop {
                match self.lost(directory) {
                    Lost::Unneeded => return true,
                    Lost::Own => return false,
                    Lost::Ancestor => directory = split(directory).0,
                }
            }
        };
        files.filter(known).map(ToOwned::to_owned).collect()
    }

    /// Forgets what does not matter.
    pub(super) fn clean(&mut self) {
        let Self { lost, counts } = self;
        counts.retain(|directory, _| lost.get(directory).is_some_and(|lost| *lost != Lost::Unneeded));
    }

    /// Which directories went where.
    pub(in crate::engine) fn renamed(&self) -> Renamed {
        let mut renamed = Renamed::default();
        for (directory, counts) in &self.counts {
            let most = counts.to.values().copied().max().unwrap_or(0);
            let mut best = counts.to.iter().filter(|(_, count)| **count == most);
            match (best.next(), best.next()) {
                (Some((to, _)), None) => _ = renamed.to.insert(directory.clone(), to.clone()),
                (Some(_), Some(_)) => renamed.split.push(directory.clone()),
                (None, _) => {}
            }
        }
        renamed.split.sort();
        renamed
    }
}

impl Counts {
    fn decided(&self) -> bool {
        let (mut first, mut second) = (0, 0);
        for count in self.to.values().copied() {
            if count >= first {
                (first, second) = (count, first);
            } else if count >= second {
                second = count;
            }
        }
        first > second + self.open
    }
}

/// The nearest directory above a path that was renamed, and its new name.
pub(in crate::engine) fn above<'r>(
    renamed: &'r BTreeMap<BString, BString>,
    path: &BStr,
) -> Option<(&'r BString, &'r BString)> {
    let mut directory = split(path).0;
    while !directory.is_empty() {
        if let Some(found) = renamed.get_key_value(directory) {
            return Some(found);
        }
        directory = split(directory).0;
    }
    None
}

/// Where a path would be under the new name of a directory above it.
pub(in crate::engine) fn moved(path: &BStr, (old, new): (&BString, &BString)) -> BString {
    let rest = &path[old.len()..];
    let rest = if new.is_empty() { rest.strip_prefix(b"/").unwrap_or(rest) } else { rest };
    let mut place = new.clone();
    place.extend_from_slice(rest);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(lost: &[&str], old: &str, new: &str) -> Vec<(String, String)> {
        let lost = lost.iter().map(|name| (BString::from(*name), Lost::Own)).collect();
        let mut directories = Directories::new(lost);
        directories.count(old.into(), new.into());
        let renamed = directories.renamed();
        renamed.to.iter().map(|(old, new)| (old.to_string(), new.to_string())).collect()
    }

    #[test]
    fn a_rename_is_one_of_every_lost_directory_above_until_the_names_differ() {
        let both = [("a".to_owned(), "c".to_owned()), ("a/b".to_owned(), "c/b".to_owned())];
        assert_eq!(counted(&["a", "a/b"], "a/b/f", "c/b/f"), both);
        assert_eq!(counted(&["a", "a/b"], "a/b/f", "c/d/f"), [("a/b".to_owned(), "c/d".to_owned())]);
        assert_eq!(counted(&["a"], "a/f", "g"), [("a".to_owned(), String::new())]);
        assert!(counted(&["x"], "a/f", "c/f").is_empty(), "a directory that is still there was not renamed");
    }

    #[test]
    fn a_directory_whose_files_went_everywhere_is_split() {
        let mut directories = Directories::new([(BString::from("a"), Lost::Own)].into());
        directories.count("a/f".into(), "b/f".into());
        directories.count("a/g".into(), "c/g".into());
        assert_eq!(directories.renamed().split, ["a"]);
        directories.count("a/h".into(), "c/h".into());
        assert_eq!(directories.renamed().to[&BString::from("a")], "c");
    }
}
