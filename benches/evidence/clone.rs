//! Copies of the repository that a table is made on; the original is only read.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Failure;
use crate::git::{git, lines};

/// The branch that changes land on. It is not checked out anywhere.
pub(crate) const TARGET: &str = "evidence";

/// A bare copy that further copies are made from, so that the original is read once.
#[derive(Debug)]
pub(crate) struct Template {
    place: TempDir,
    /// The regular files of its tip that an agent can edit, as git lists them.
    pub(crate) files: Vec<String>,
    /// How many entries its tip has.
    pub(crate) size: usize,
}

/// A repository of our own, in a temporary directory of its own.
#[derive(Debug)]
pub(crate) struct Copy {
    place: TempDir,
    pub(crate) path: PathBuf,
    /// All refs as they were when it was made.
    pub(crate) refs: Vec<String>,
}

impl Template {
    pub(crate) fn of(source: &Path) -> Result<Self, Failure> {
        let source = source.canonicalize().map_err(|e| format!("{}: {e}", source.display()))?;
        let place = temporary()?;
        let path = place.path().join("template");
        let args = ["clone", "--quiet", "--bare", "--no-local", "--single-branch"];
        git(place.path(), &[&args[..], &[&source.to_string_lossy(), &path.to_string_lossy()]].concat())?;
        let listed = lines(&path, &["ls-tree", "-r", "-l", "HEAD"])?;
        let files = listed.iter().filter_map(|line| editable(line)).collect();
        Ok(Self { place, files, size: listed.len() })
    }

    pub(crate) fn copy(&self) -> Result<Copy, Failure> {
        let place = temporary()?;
        let path = place.path().join("repository");
        let template = self.place.path().join("template");
        git(place.path(), &["clone", "--quiet", "--local", &template.to_string_lossy(), &path.to_string_lossy()])?;
        git(&path, &["branch", TARGET])?;
        let refs = lines(&path, &["for-each-ref", "--format=%(refname)"])?;
        Ok(Copy { place, path, refs })
    }
}

impl Copy {
    /// A repository that was made in another way.
    pub(crate) fn own(place: TempDir, path: PathBuf, refs: Vec<String>) -> Self {
        Self { place, path, refs }
    }

    /// The directory that holds the repository, and all that appears beside it.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }
}

/// A directory whose name is the same everywhere, so that its processes can be found by it.
pub(crate) fn temporary() -> Result<TempDir, Failure> {
    let dir = std::env::temp_dir().canonicalize()?;
    Ok(tempfile::Builder::new().prefix("hedgerow-evidence-").tempdir_in(dir)?)
}

/// The path in a line of `git ls-tree -r -l`, when a script can edit it without quoting.
fn editable(line: &str) -> Option<String> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split_whitespace();
    let plain = facts.next()? == "100644";
    let size: u64 = facts.nth(2)?.parse().ok()?;
    let simple = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    let hidden = path.rsplit('/').next()?.starts_with('.');
    (plain && simple && !hidden && (1..65536).contains(&size)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::editable;

    #[test]
    fn only_plain_files_are_edited() {
        let id = "a".repeat(40);
        assert_eq!(editable(&format!("100644 blob {id}      12\tsrc/a-b.rs")), Some("src/a-b.rs".into()));
        for (facts, path) in [
            ("120000 blob x 12", "link"),
            ("100755 blob x 12", "script"),
            ("160000 commit x -", "module"),
            ("100644 blob x 12", "a b"),
            ("100644 blob x 12", ".gitattributes"),
            ("100644 blob x 0", "empty"),
        ] {
            assert_eq!(editable(&format!("{facts}\t{path}")), None, "{path}");
        }
    }
}
