//! What of a repository all its worktrees share, at one moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::record::{self, Record, Stage};
use super::super::{purge, scan};
use super::checkout::{self, Checkout};
use super::keys;
use super::seen::Seen;
use crate::capture::fault;
use crate::swap::{self, Value};
use crate::{BranchName, Result, WorktreeId, disk, repo};

/// Hooks of one directory that are looked at.
const HOOKS: usize = 1000;
/// Size of the log of the stash that is read.
const STASH_LOG: u64 = 4 << 20;
/// Files of the common directory that are git's and are no configuration.
const FILES: [&str; 5] = ["info/exclude", "info/attributes", "info/grafts", "objects/info/alternates", "shallow"];

/// The state that a repository's worktrees share, at one moment: configuration, hooks, refs, the stash, who is where.
///
/// It can be stored and read again by the same version of this crate. It holds the content of the configuration, which
/// may contain secrets: keep it where the repository's own files could lie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fingerprint {
    pub(super) config: BTreeMap<String, Seen>,
    pub(super) hooks: BTreeMap<String, Seen>,
    pub(super) files: BTreeMap<String, Seen>,
    /// What each ref names; none for one that names another ref, or is damaged.
    pub(super) refs: BTreeMap<String, Option<String>>,
    /// The stash's entries, the oldest first.
    pub(super) stash: Vec<String>,
    /// `HEAD` of the main checkout.
    pub(super) head: String,
    pub(super) entries: BTreeMap<String, Linked>,
    pub(super) managed: BTreeMap<String, Managed>,
    pub(super) checkout: Option<Checkout>,
}

/// An entry of `.git/worktrees`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Linked {
    pub(super) tree: Option<PathBuf>,
    pub(super) head: String,
    pub(super) locked: bool,
}

/// A worktree that this crate manages, by the name of its entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Managed {
    pub(super) id: WorktreeId,
    pub(super) branch: Option<BranchName>,
    /// Whether it is on its way out: its branch and its entry may be gone at any moment.
    pub(super) leaving: bool,
}

/// Looks at everything.
pub(super) fn take(layout: &Layout) -> Result<Fingerprint> {
    let common = &layout.common;
    let mut found = Fingerprint {
        config: BTreeMap::new(),
        hooks: BTreeMap::new(),
        files: seen(common, FILES.iter().map(|name| (*name).to_owned())),
        refs: BTreeMap::new(),
        stash: stash(common),
        head: head(common),
        entries: BTreeMap::new(),
        managed: BTreeMap::new(),
        checkout: None,
    };
    {
        // Together, so that a worktree that is just leaving or appearing is not half seen.
        let _turn = layout.turn()?;
        found.managed = managed(layout)?;
        found.entries = entries(&layout.admins())?;
        // git passes these by already.
        for name in purge::leaving(layout)? {
            found.entries.remove(&name);
        }
        for (name, value) in swap::below(common, "refs/")? {
            let id = if let Value::Id(id) = value { Some(id.to_string()) } else { None };
            found.refs.insert(name, id);
        }
    }
    let own = found.entries.keys().map(|name| format!("worktrees/{name}/config.worktree"));
    found.config = seen(common, ["config", "config.worktree"].map(str::to_owned).into_iter().chain(own));
    for dir in hook_dirs(layout, &found) {
        hooks(&dir, &mut found.hooks);
    }
    if let Some(main) = &layout.main {
        found.checkout = Some(match repo::open(common) {
            Ok(repo) => checkout::take(&repo, common, main)?,
            Err(e) => Checkout { unknown: Some(e.to_string()), ..Checkout::default() },
        });
    }
    Ok(found)
}

/// What lies at these paths of the common directory; nothing is looked up through a symlink.
fn seen(common: &Path, names: impl Iterator<Item = String>) -> BTreeMap<String, Seen> {
    let mut found = BTreeMap::new();
    for name in names {
        let path = common.join(&name);
        if path.parent().and_then(disk::identity).is_some()
            && let Some(seen) = Seen::at(&path)
        {
            found.insert(name, seen);
        }
    }
    found
}

/// Where hooks are: the usual place, and where the configuration says.
fn hook_dirs(layout: &Layout, found: &Fingerprint) -> Vec<PathBuf> {
    let mut dirs = vec![layout.common.join("hooks")];
    let config = found.config.get("config").and_then(Seen::bytes).and_then(|text| keys::parse(text).ok());
    let named = config.and_then(|config| config.string("core.hooksPath").map(|value| value.to_string()));
    if let Some(named) = named.filter(|named| !named.is_empty() && !named.starts_with('~')) {
        dirs.push(layout.main.as_deref().unwrap_or(&layout.common).join(named));
    }
    dirs
}

fn hooks(dir: &Path, found: &mut BTreeMap<String, Seen>) {
    if disk::identity(dir).is_none() {
        // A hooks directory that is a symlink is remembered as one thing.
        found.extend(Seen::at(dir).map(|seen| (dir.to_string_lossy().into_owned(), seen)));
        return;
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().take(HOOKS);
    for path in entries.map(|entry| entry.path()) {
        found.extend(Seen::at(&path).map(|seen| (path.to_string_lossy().into_owned(), seen)));
    }
}

fn head(dir: &Path) -> String {
    let text = disk::read_small(&dir.join("HEAD")).unwrap_or_default();
    String::from_utf8_lossy(text.trim_ascii()).into_owned()
}

/// The commits of the stash by its log, or the one that the ref names when there is no log.
fn stash(common: &Path) -> Vec<String> {
    let text = disk::read_bounded(&common.join("logs/refs/stash"), STASH_LOG).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    let ids = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(1));
    let mut found: Vec<String> = ids.map(|id| String::from_utf8_lossy(id).into_owned()).collect();
    if found.is_empty()
        && let Ok(Value::Id(id)) = swap::read(common, "refs/stash")
    {
        found.push(id.to_string());
    }
    found
}

fn entries(admins: &Path) -> Result<BTreeMap<String, Linked>> {
    let all = scan::all(admins).map_err(fault::io("list", admins))?;
    let linked = all.into_iter().map(|admin| {
        let linked = Linked { tree: admin.tree, head: head(&admins.join(&admin.name)), locked: admin.locked.is_some() };
        (admin.name, linked)
    });
    Ok(linked.collect())
}

fn managed(layout: &Layout) -> Result<BTreeMap<String, Managed>> {
    let mut found = BTreeMap::new();
    for id in record::ids(layout)? {
        // One that cannot be read says nothing about who may do what.
        if let Ok(Some(record)) = Record::read(layout, &id) {
            let leaving = matches!(record.stage, Stage::Removing { .. });
            found.insert(record.admin, Managed { id, branch: record.parts.branch, leaving });
        }
    }
    Ok(found)
}
