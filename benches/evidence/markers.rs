//! The marks that agents leave in their trees, wherever they end up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::clone::Copy;
use crate::plan::{MARKERS, agents};
use crate::{Failure, git};

/// The text of a marker up to its last whole line, by the agent that wrote it. It only ever grows.
pub(crate) type Markers = BTreeSet<(String, String)>;

/// The markers in the worktrees, read from the disk as they are at this moment.
pub(crate) fn in_trees(copy: &Copy) -> Result<Markers, Failure> {
    let mut found = Markers::new();
    let Ok(trees) = std::fs::read_dir(trees(copy)) else { return Ok(found) };
    for tree in trees {
        let dir = tree?.path().join(MARKERS);
        for (name, _) in agents() {
            if let Ok(text) = std::fs::read_to_string(dir.join(name)) {
                found.extend(whole(name, &text));
            }
        }
    }
    Ok(found)
}

/// The markers in the trees of all refs.
pub(crate) fn in_refs(repo: &Path) -> Result<Markers, Failure> {
    let mut blobs: BTreeMap<String, String> = BTreeMap::new();
    for reference in git::lines(repo, &["for-each-ref", "--format=%(objectname)"])? {
        for line in git::lines(repo, &["ls-tree", &reference, &format!("{MARKERS}/")])? {
            let Some((facts, path)) = line.split_once('\t') else { continue };
            let (Some(id), Some(name)) = (facts.split(' ').nth(2), path.rsplit('/').next()) else { continue };
            blobs.insert(id.to_owned(), name.to_owned());
        }
    }
    let mut found = Markers::new();
    for (id, name) in blobs {
        if agents().any(|(agent, _)| agent == name) {
            let text = git::bytes(repo, &["cat-file", "blob", &id])?;
            found.extend(whole(&name, &String::from_utf8_lossy(&text)));
        }
    }
    Ok(found)
}

/// Which of these are nowhere in what was found: neither as they are nor as the beginning of something longer.
pub(crate) fn missing(wanted: &Markers, found: &Markers) -> Vec<String> {
    let held = |name: &str, text: &str| found.iter().any(|(n, t)| n == name && t.starts_with(text));
    wanted.iter().filter(|(name, text)| !held(name, text)).map(|(_, text)| text.replace('\n', "; ")).collect()
}

/// The first line of a marker: who, on which branch, and a number that no other process has.
pub(crate) fn run(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// What the agents printed: that they began, and that they ended, each with the same line as in the marker.
pub(crate) fn printed(copy: &Copy) -> Result<(BTreeSet<String>, BTreeSet<String>), Failure> {
    let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for run in entries(&state(copy).join("runs"))? {
        for log in entries(&run.join("log"))? {
            let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
            begun.extend(text.lines().filter_map(|line| line.strip_prefix("begin ")).map(str::to_owned));
            ended.extend(text.lines().filter_map(|line| line.strip_prefix("end ")).map(str::to_owned));
        }
    }
    Ok((begun, ended))
}

/// Where the worktrees lie.
pub(crate) fn trees(copy: &Copy) -> std::path::PathBuf {
    copy.place().join("repository.worktrees")
}

/// Where hedgerow keeps its state.
pub(crate) fn state(copy: &Copy) -> std::path::PathBuf {
    copy.path.join(".git/hedgerow")
}

/// The entries of a directory; none when it is not there.
pub(crate) fn entries(dir: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    match std::fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("{}: {e}", dir.display()).into()),
    }
}

fn whole(name: &str, text: &str) -> Option<(String, String)> {
    let end = text.rfind('\n')?;
    Some((name.to_owned(), text[..=end].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(text: &str) -> Markers {
        whole("a", text).into_iter().collect()
    }

    #[test]
    fn a_marker_that_grew_is_not_missing_and_one_that_shrank_is() {
        let (short, long) = (marker("a b 1\n"), marker("a b 1\nstep 1\n"));
        assert_eq!(missing(&short, &long), Vec::<String>::new());
        assert_eq!(missing(&long, &short).len(), 1);
        assert_eq!(missing(&marker("a b 2\n"), &long).len(), 1);
    }

    #[test]
    fn half_a_line_is_not_counted() {
        assert_eq!(marker("a b 1\nste"), marker("a b 1\n"));
        assert!(marker("a b").is_empty());
    }
}
