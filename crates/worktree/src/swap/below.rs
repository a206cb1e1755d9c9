//! Which refs there are.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::{Value, packed, packed_text, read, value};
use crate::capture::fault;
use crate::{Result, disk};

/// The refs below this name, which ends with a slash.
///
/// Loose ones first: what is packed in between is then found among the packed ones. None behind a symlink, which may lead
/// anywhere.
pub(crate) fn below(common: &Path, prefix: &str) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    let is_link = |name: &str| common.join(name).is_symlink();
    let linked = prefix.match_indices('/').skip(1).any(|(end, _)| is_link(&prefix[..end]));
    let mut dirs = if linked { Vec::new() } else { vec![prefix.to_owned()] };
    while let Some(dir) = dirs.pop() {
        loose(common, &dir, &mut dirs, &mut found)?;
    }
    for (name, id) in packed::below(&packed_text(common)?, prefix) {
        found.entry(String::from_utf8_lossy(name).into_owned()).or_insert_with(|| value(id));
    }
    Ok(found)
}

/// The refs whose names begin like this, which is not the name of a directory.
pub(crate) fn beginning(common: &Path, start: &str) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    let dir = start.rsplit_once('/').map_or(start, |(dir, _)| dir);
    loose(common, &format!("{dir}/"), &mut Vec::new(), &mut found)?;
    found.retain(|name, _| name.starts_with(start));
    for (name, id) in packed::below(&packed_text(common)?, start) {
        found.entry(String::from_utf8_lossy(name).into_owned()).or_insert_with(|| value(id));
    }
    Ok(found)
}

/// Whether a packed ref has the name of a directory above this one, or one below it. Loose ones cannot.
pub(crate) fn is_packed_over(common: &Path, name: &str) -> Result<bool> {
    let excludes = |one: &[u8], other: &[u8]| one.strip_prefix(other).is_some_and(|rest| rest.starts_with(b"/"));
    let top = name.match_indices('/').nth(1).map_or(name, |(end, _)| &name[..end]);
    let text = packed_text(common)?;
    Ok(packed::below(&text, top).any(|(other, _)| excludes(other, name.as_bytes()) || excludes(name.as_bytes(), other)))
}

/// The loose refs of one directory, and the directories in it.
fn loose(common: &Path, dir: &str, dirs: &mut Vec<String>, found: &mut BTreeMap<String, Value>) -> Result<()> {
    let path = common.join(dir);
    let entries = match std::fs::read_dir(&path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.map_err(fault::io("list", &path))?,
    };
    for entry in entries {
        let entry = entry.map_err(fault::io("list", &path))?;
        let name = format!("{dir}{}", entry.file_name().to_string_lossy());
        // It may be gone meanwhile.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            dirs.push(format!("{name}/"));
        } else if !name.ends_with(".lock") {
            match disk::read_small(&entry.path()) {
                Ok(text) => drop(found.insert(name, value(text.trim_ascii_end()))),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(_) => drop(found.insert(name, Value::Other)),
            }
        }
    }
    Ok(())
}

/// Which other ref excludes one of this name below `refs/heads`, in words: one above it or one below it.
pub(crate) fn conflict(common: &Path, name: &str) -> Result<Option<String>> {
    for (end, _) in name.match_indices('/').skip(2) {
        let above = &name[..end];
        if read(common, above)? != Value::Missing {
            return Ok(Some(format!("git cannot have it beside the ref {above}; choose another name")));
        }
    }
    let prefix = format!("{name}/");
    let found = below(common, &prefix)?;
    Ok((!found.is_empty()).then(|| format!("git cannot have it beside the refs below {prefix}; choose another name")))
}

#[cfg(test)]
mod tests {
    use gix::ObjectId;

    use super::*;

    #[test]
    fn a_directory_of_refs_that_is_a_link_to_everywhere_is_not_searched() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path();
        std::fs::create_dir_all(common.join("refs/heads")).unwrap();
        std::fs::create_dir(common.join("elsewhere")).unwrap();
        std::fs::write(common.join("elsewhere/one"), "1".repeat(40)).unwrap();
        std::os::unix::fs::symlink("../../elsewhere", common.join("refs/heads/a")).unwrap();
        std::os::unix::fs::symlink("../../elsewhere", common.join("refs/heads/b")).unwrap();
        assert!(below(common, "refs/heads/a/").unwrap().is_empty());
        let names: Vec<_> = below(common, "refs/heads/").unwrap().into_keys().collect();
        assert_eq!(names, ["refs/heads/a", "refs/heads/b"]);
    }

    #[test]
    fn loose_refs_hide_packed_ones_and_locks_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path();
        let id = |digit: &str| digit.repeat(40);
        std::fs::create_dir_all(common.join("refs/heads/a/deep")).unwrap();
        std::fs::write(common.join("refs/heads/a/one"), id("1")).unwrap();
        std::fs::write(common.join("refs/heads/a/one.lock"), "").unwrap();
        std::fs::write(common.join("refs/heads/a/deep/two"), "ref: refs/heads/b\n").unwrap();
        let packed =
            format!("{} refs/heads/a/one\n{} refs/heads/a/three\n{} refs/heads/ab\n", id("2"), id("3"), id("4"));
        std::fs::write(common.join("packed-refs"), packed).unwrap();
        let value = |digit: &str| Value::Id(ObjectId::from_hex(id(digit).as_bytes()).unwrap());
        let found: Vec<_> = below(common, "refs/heads/a/").unwrap().into_iter().collect();
        let wanted = [("deep/two", Value::Other), ("one", value("1")), ("three", value("3"))];
        assert_eq!(found, wanted.map(|(name, value)| (format!("refs/heads/a/{name}"), value)));
        assert!(conflict(common, "refs/heads/a").unwrap().is_some());
        assert!(conflict(common, "refs/heads/a/three/x").unwrap().is_some());
        assert_eq!(conflict(common, "refs/heads/a/on").unwrap(), None);
        for (name, packed) in [("a", true), ("a/three/x", true), ("a/three", false), ("a/th", false), ("abc", false)] {
            assert_eq!(is_packed_over(common, &format!("refs/heads/{name}")).unwrap(), packed, "{name}");
        }
    }
}
