//! Judges what all worktrees share: keys of the configuration that catch them out, and locks on shared files.

use std::path::{Path, PathBuf};

use gix::config::{File, Source};

use super::super::layout::Layout;
use super::busy;
use super::facts::Facts;
use super::finding::{Finding, Remedy, Severity, Trouble};
use super::ward::Ward;

/// What of the shared configuration catches worktrees out.
pub(super) fn judge(layout: &Layout, entries: &[Facts]) -> Vec<Finding> {
    let path = layout.common.join("config");
    let Ok(config) = File::from_path_no_includes(path.clone(), Source::Local) else { return Vec::new() };
    let on = |key: &str| config.boolean(key).ok().flatten() == Some(true);
    let mut found = Vec::new();
    // A bare repository has no index, and is not called `.git`.
    let checkout = layout.common.file_name().is_some_and(|name| name == ".git") && layout.common.join("index").exists();
    if on("core.bare") && checkout {
        let says = "core.bare is on although there is a checkout: git refuses to work in it; `git config core.bare \
                    false` mends it, and whatever set GIT_DIR for a `git init` did it";
        found.push(Finding::new(Trouble::BareWithCheckout, &path, says).severity(Severity::Repository));
    }
    if let Some(tree) = config.string("core.worktree") {
        let says = format!(
            "core.worktree is {tree} for every worktree that does not override it: git would work on the files there; \
             `git config --unset core.worktree`, or move it to config.worktree"
        );
        found.push(Finding::new(Trouble::SharedWorktree, &path, says).severity(Severity::Repository));
    }
    found.extend(
        config.string("core.hooksPath").and_then(|hooks| hooks_path(layout, entries, &path, &hooks.to_string())),
    );
    if on("extensions.relativeWorktrees") {
        let says = "the repository has relative worktrees: git before 2.48 and many other programs refuse all of it; \
                    `git worktree repair --no-relative-paths` and then `git config --unset \
                    extensions.relativeWorktrees` make it readable again";
        found.push(Finding::new(Trouble::RelativeWorktrees, &path, says).severity(Severity::Notice));
    }
    found
}

fn hooks_path(layout: &Layout, entries: &[Facts], config: &Path, hooks: &str) -> Option<Finding> {
    let new = |says| Finding::new(Trouble::HooksPath, config, says).severity(Severity::Notice);
    let at = Path::new(hooks);
    if at.is_absolute() {
        let says = format!("core.hooksPath is {hooks}, which is not there: no hook runs anywhere; unset it");
        return (!at.is_dir()).then(|| new(says));
    }
    if hooks.starts_with('~') {
        return None;
    }
    let trees = layout.main.iter().chain(entries.iter().filter_map(|entry| entry.tree.as_ref()));
    let without: Vec<&PathBuf> = trees.filter(|tree| tree.is_dir() && !tree.join(at).is_dir()).collect();
    let first = without.first()?;
    Some(new(format!(
        "core.hooksPath is {hooks}, relative to each worktree, and {} of them, such as {first:?}, have no such \
         directory: no hook runs there; make it absolute",
        without.len()
    )))
}

/// Locks on shared files that nobody seems to hold.
pub(super) fn locks(ward: &Ward<'_>) -> Vec<Finding> {
    let layout = ward.layout;
    let common = &layout.common;
    let entries = super::entry::all(layout);
    let trees = layout.main.iter().chain(entries.iter().filter_map(|entry| entry.tree.as_ref()));
    let places: Vec<&Path> = [common, &layout.trees].into_iter().chain(trees).map(PathBuf::as_path).collect();
    let mut found = Vec::new();
    if ward.processes.has_git_in(&places) {
        return found;
    }
    for (file, also, breaks) in [
        ("config.lock", "config", "nobody can change the configuration, nor create a branch that tracks another"),
        ("packed-refs.lock", "packed-refs.new", "nobody can pack refs or delete packed ones"),
    ] {
        let lock = common.join(file);
        let there = lock.symlink_metadata().is_ok_and(|meta| meta.is_file());
        let held = ward.processes.user_of(&common.join(also)).is_some();
        if there && !held && busy::busy(&ward.processes, &lock, None).is_none() {
            let says = format!("{file} is held by nobody: {breaks}; mending takes it away");
            let finding = Finding::new(Trouble::StaleLock, &lock, says).severity(Severity::Repository);
            found.push(finding.remedy(Remedy::Quarantine));
        }
    }
    for lock in ref_locks(&common.join("refs/hedgerow")) {
        if busy::busy(&ward.processes, &lock, None).is_none() {
            let says =
                format!("{lock:?} is held by nobody: the ref can neither be set nor deleted; mending takes it away");
            found.push(Finding::new(Trouble::StaleLock, &lock, says).remedy(Remedy::Quarantine));
        }
    }
    found
}

/// Locks of this crate's own refs.
fn ref_locks(refs: &Path) -> Vec<PathBuf> {
    let (mut found, mut dirs) = (Vec::new(), vec![refs.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(path),
                Ok(_) if path.extension().is_some_and(|extension| extension == "lock") => found.push(path),
                _ => {}
            }
        }
    }
    found
}
