//! The control groups that this process is in.

use std::path::{Path, PathBuf};

/// Which of the kernel's two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// A hierarchy of groups that is mounted, at the group of this process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(crate) directory: PathBuf,
    pub(crate) version: Version,
    /// What it is mounted with; on version 1, its controllers are among that.
    pub(crate) options: Vec<String>,
}

/// All of them, from the lists that the kernel gives of a process's mounts and groups.
pub(crate) fn hierarchies(mounts: &str, groups: &str) -> Vec<Hierarchy> {
    mounts.lines().filter_map(|line| hierarchy(line, groups)).collect()
}

fn hierarchy(mount: &str, groups: &str) -> Option<Hierarchy> {
    let (before, after) = mount.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let version = match after.next()? {
        "cgroup2" => Version::Two,
        "cgroup" => Version::One,
        _ => return None,
    };
    let options: Vec<String> = after.nth(1)?.split(',').map(str::to_owned).collect();
    let mine = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (list, path) = rest.split_once(':')?;
        let this = match version {
            Version::One => !list.is_empty() && list.split(',').all(|name| options.iter().any(|o| o == name)),
            Version::Two => list.is_empty(),
        };
        this.then_some(path)
    })?;
    let rest = Path::new(mine).strip_prefix(root).ok()?;
    Some(Hierarchy { directory: Path::new(point).join(rest), version, options })
}
