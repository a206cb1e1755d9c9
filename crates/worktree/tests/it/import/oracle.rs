//! git's verdict on the objects of many cases at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gix::objs::Kind;

use super::forge::{deflated, loose};
use crate::repo::{Repo, try_git};

/// A repository of its own with the objects of all cases, each of them reachable.
pub(super) struct Oracle {
    path: PathBuf,
    of: BTreeMap<String, usize>,
    refs: String,
}

impl Oracle {
    pub(super) fn new(repo: &Repo) -> Self {
        let path = repo.root().join("oracle.git");
        let bare = path.to_str().unwrap();
        repo.git(["clone", "-q", "--bare", ".", bare]);
        Self { path, of: BTreeMap::new(), refs: "# pack-refs with: peeled fully-peeled \n".into() }
    }

    pub(super) fn add(&mut self, case: usize, tip: &str, objects: &[(Kind, String, Vec<u8>)]) {
        for (kind, id, bytes) in objects {
            loose(&self.path, id, &deflated(&[format!("{kind} {}\0", bytes.len()).as_bytes(), bytes].concat()));
            self.of.insert(id.clone(), case);
        }
        self.refs += &format!("{tip} refs/cases/{case:04}\n");
    }

    /// What git says about each case that it refuses.
    pub(super) fn judge(&self) -> BTreeMap<usize, String> {
        std::fs::write(self.path.join("packed-refs"), &self.refs).unwrap();
        let output = try_git(&self.path, ["fsck", "--strict", "--no-dangling"]);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let mut found: BTreeMap<usize, String> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with("warning") && !line.starts_with("notice")) {
            let ids = line.split(|c: char| !c.is_ascii_hexdigit()).filter_map(|word| self.of.get(word));
            for case in ids {
                found.entry(*case).or_default().push_str(&format!("{line}\n"));
            }
        }
        found
    }
}
