//! What must not be left when a run is over, looked for from outside.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::clone::Copy;
use crate::markers::{entries, state, trees};
use crate::{Failure, git};

/// How long something that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that a finished run may not leave, each in one line.
pub(crate) fn all(copy: &Copy) -> Result<Vec<String>, Failure> {
    let mut left = Vec::new();
    left.extend(processes_after_a_while(copy.place(), PATIENCE).into_iter().map(|p| format!("process {p}")));
    left.extend(containers(copy.place())?.into_iter().map(|c| format!("container {c}")));
    left.extend(in_git(copy)?);
    left.extend(on_disk(copy)?.into_iter().map(|p| format!("path {}", p.display())));
    Ok(left)
}

/// Refs that are neither rescue refs nor the certificates of landings nor were there before, worktrees, and what git thinks of its own
/// repository.
pub(crate) fn in_git(copy: &Copy) -> Result<Vec<String>, Failure> {
    let mut left = Vec::new();
    let before: BTreeSet<_> = copy.refs.iter().map(String::as_str).collect();
    for reference in git::lines(&copy.path, &["for-each-ref", "--format=%(refname)"])? {
        let is_meant_to_stay = reference.starts_with("refs/hedgerow/rescue/") || reference == "refs/notes/hedgerow";
        if !before.contains(&*reference) && !is_meant_to_stay {
            left.push(format!("ref {reference}"));
        }
    }
    let listed = git::lines(&copy.path, &["worktree", "list", "--porcelain"])?;
    left.extend(listed.into_iter().filter(|line| line.starts_with("worktree ")).skip(1));
    if let Err(error) = git::git(&copy.path, &["fsck", "--strict", "--no-dangling"]) {
        left.push(error.to_string());
    }
    let dirty = git::git(&copy.path, &["status", "--porcelain"])?;
    if !dirty.is_empty() {
        left.push(format!("the main checkout was changed: {dirty}"));
    }
    Ok(left)
}

/// Directories that are empty when nothing is underway, and temporary files in the object store.
fn on_disk(copy: &Copy) -> Result<Vec<PathBuf>, Failure> {
    let state = state(copy);
    let mut left = entries(&trees(copy))?;
    for dir in ["staging", "trash", "views", "worktrees", "quarantine"] {
        left.extend(entries(&state.join(dir))?);
    }
    for run in entries(&state.join("runs"))? {
        left.extend(entries(&run.join("home"))?);
    }
    left.extend(entries(&copy.path.join(".git/worktrees"))?);
    for dir in entries(&copy.path.join(".git/objects"))? {
        let name = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"tmp"));
        let inside = if dir.is_dir() { entries(&dir)? } else { Vec::new() };
        left.extend(std::iter::once(dir).chain(inside).filter(name));
    }
    Ok(left)
}

/// The containers that have anything below this directory mounted.
pub(crate) fn containers(place: &Path) -> Result<Vec<String>, Failure> {
    let format = "{{.Names}} {{.Label \"hedgerow.record\"}}";
    let listed =
        Command::new("docker").args(["ps", "--all", "--filter", "label=hedgerow.sandbox", "--format", format]).output();
    let Ok(output) = listed else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&output.stdout);
    let place = place.to_string_lossy();
    Ok(text
        .lines()
        .filter(|line| line.contains(&*place))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

/// The processes that still have to do with this directory after some time; those that are being killed get that time.
pub(crate) fn processes_after_a_while(place: &Path, patience: Duration) -> Vec<String> {
    let until = Instant::now() + patience;
    loop {
        let found = processes(place);
        if found.is_empty() || Instant::now() > until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All processes of the machine that stand below this directory, run a program from it, name it, or see it mounted.
pub(crate) fn processes(place: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let own = std::fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(pid) = name.parse::<u32>() else { continue };
        if pid != std::process::id() && concerns(&entry.path(), place, &own) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(format!("{pid}: {}", String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

fn concerns(process: &Path, place: &Path, own: &Path) -> bool {
    let links = ["cwd", "exe", "root"].map(|link| std::fs::read_link(process.join(link)).unwrap_or_default());
    if links.iter().any(|path| path.starts_with(place)) {
        return true;
    }
    let holds = |file: &str| {
        let text = std::fs::read(process.join(file)).unwrap_or_default();
        text.windows(place.as_os_str().len()).any(|window| window == place.as_os_str().as_bytes())
    };
    // Everybody who shares our mounts sees what we see.
    let elsewhere = std::fs::read_link(process.join("ns/mnt")).is_ok_and(|space| space != own);
    holds("cmdline") || (elsewhere && holds("mountinfo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_where_it_stands_and_by_what_it_was_told() {
        let place = crate::clone::temporary().unwrap();
        assert_eq!(processes(place.path()), Vec::<String>::new());
        let mut stands = Command::new("sleep").arg("60").current_dir(place.path()).spawn().unwrap();
        let mut told = Command::new("sh")
            .args(["-c", "read x", "x"])
            .arg(place.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut found = Vec::new();
        for _ in 0..200 {
            found = processes(place.path());
            if found.len() == 2 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for child in [&mut stands, &mut told] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(processes(place.path()), Vec::<String>::new());
    }
}
