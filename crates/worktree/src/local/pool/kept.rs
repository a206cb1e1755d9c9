//! What stays in a released tree although no commit holds it, and what is deleted even from there.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::ignore::Search;
use gix::ignore::search::Ignore;
use rustix::fs::{FileType, Stat};

use super::mode::permissions;
use super::options::Keep;
use super::scan::{Findings, join};
use super::setting;
use crate::Result;
use crate::capture::beneath::{self, Dir};
use crate::capture::fault;

/// The rules of one pool.
#[derive(Debug)]
pub(super) struct Rules {
    keep: Search,
    secrets: Search,
    /// Tells these rules from others.
    pub(super) digest: String,
}

/// Deeper directories than this are not kept.
const DEPTH: usize = 64;
/// Neither are more than so many names in one directory.
const NAMES: usize = 1 << 20;

impl Rules {
    /// The rules that the options describe, in this repository.
    pub(super) fn new(repo: &gix::Repository, keep: &Keep) -> Result<Self> {
        let exclude = std::fs::read(repo.common_dir().join("info/exclude")).unwrap_or_default();
        let text = [keep.patterns.join("\n"), keep.secrets.join("\n")].join("\0");
        let digest = setting::hash(repo, &[text.as_bytes(), b"\0", &exclude].concat())?;
        Ok(Self { keep: search(&keep.patterns)?, secrets: search(&keep.secrets)?, digest })
    }

    /// Whether this path may stay if the commit ignores it.
    pub(super) fn keeps(&self, path: &BStr, is_dir: bool) -> bool {
        matches(&self.keep, path, is_dir)
    }

    fn is_secret(&self, path: &BStr, is_dir: bool) -> bool {
        matches(&self.secrets, path, is_dir)
    }
}

fn search(patterns: &[String]) -> Result<Search> {
    let mut search = Search::default();
    search
        .add_patterns_buffer(patterns.join("\n").as_bytes(), "keep", None, Ignore { support_precious: false })
        .map_err(fault::git("read the patterns of what is kept"))?;
    Ok(search)
}

fn matches(search: &Search, path: &BStr, is_dir: bool) -> bool {
    let found = search.pattern_matching_relative_path(path, Some(is_dir), Case::Sensitive);
    found.is_some_and(|found| !found.pattern.is_negative())
}

/// Looks through what is kept for what must not be.
pub(super) struct Scrub<'a> {
    root: &'a Dir,
    device: u64,
    rules: &'a Rules,
    seeded: HashSet<BString>,
    found: &'a mut Findings,
    /// Files with more than one name: how many names they have, and those that were seen.
    linked: HashMap<u64, (u64, Vec<BString>)>,
}

impl<'a> Scrub<'a> {
    pub(super) fn new(
        root: &'a Dir,
        device: u64,
        rules: &'a Rules,
        seeded: &[PathBuf],
        found: &'a mut Findings,
    ) -> Self {
        let seeded = seeded.iter().map(|path| BString::from(path.as_os_str().as_bytes())).collect();
        Self { root, device, rules, seeded, found, linked: HashMap::new() }
    }

    /// Looks at one path and all below it; notes what is to be removed.
    pub(super) fn path(&mut self, path: BString, stat: &Stat) {
        let mut waiting = Vec::new();
        self.one(path, stat, &mut waiting);
        while let Some((path, depth)) = waiting.pop() {
            if !self.directory(&path, depth, &mut waiting) {
                self.found.remove.push(path);
            }
        }
        for (_, (names, seen)) in self.linked.drain() {
            // Somebody outside could write through the name that was not found.
            if names != seen.len() as u64 {
                self.found.remove.extend(seen);
            }
        }
    }

    /// Looks into a directory; false if it cannot stay.
    fn directory(&mut self, path: &BString, depth: usize, waiting: &mut Vec<(BString, usize)>) -> bool {
        let Ok(dir) = self.root.dir(path) else { return false };
        let Ok(names) = dir.names(NAMES) else { return false };
        if depth > DEPTH || names.iter().any(|name| name.to_bytes() == b".git") {
            return false;
        }
        let mut below = Vec::new();
        for name in names {
            let Ok(stat) = dir.stat(name.to_bytes()) else { return false };
            self.one(join(path.as_bstr(), name.to_bytes()), &stat, &mut below);
        }
        waiting.extend(below.into_iter().map(|(path, _)| (path, depth + 1)));
        true
    }

    fn one(&mut self, path: BString, stat: &Stat, waiting: &mut Vec<(BString, usize)>) {
        let kind = beneath::kind(stat);
        let is_dir = kind == FileType::Directory;
        let special = permissions(stat) & 0o6000 != 0 && !is_dir;
        let foreign = stat.st_dev != self.device;
        if foreign || special || self.seeded.contains(&path) || self.rules.is_secret(path.as_bstr(), is_dir) {
            self.found.remove.push(path);
            return;
        }
        match kind {
            FileType::Directory => waiting.push((path, 0)),
            FileType::RegularFile if stat.st_nlink > 1 => {
                #[expect(clippy::useless_conversion, reason = "the type differs between systems")]
                let names = u64::from(stat.st_nlink);
                self.linked.entry(stat.st_ino).or_insert((names, Vec::new())).1.push(path);
            }
            FileType::RegularFile | FileType::Symlink => {}
            _ => {
                self.found.remove.push(path);
                return;
            }
        }
        self.found.kept = true;
        self.found.members.insert((stat.st_dev, stat.st_ino));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_patterns_take_back_earlier_ones() {
        let patterns = ["*.pem".to_owned(), "!cacert.pem".to_owned()];
        let search = search(&patterns).unwrap();
        assert!(matches(&search, "venv/server.pem".into(), false));
        assert!(!matches(&search, "venv/certifi/cacert.pem".into(), false));
    }

    #[test]
    fn the_usual_secrets_are_found_at_any_depth() {
        let search = search(&Keep::default().secrets).unwrap();
        for secret in [".env", "target/.env.local", "a/b/id_rsa", "a/server.key", ".npmrc"] {
            assert!(matches(&search, secret.into(), false), "{secret}");
        }
        for other in ["target/debug/app", "environment", "keys.rs"] {
            assert!(!matches(&search, other.into(), false), "{other}");
        }
    }
}
