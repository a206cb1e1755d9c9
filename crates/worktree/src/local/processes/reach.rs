//! Which processes may be at work in a tree although nobody can ask them.
//!
//! The kernel lets a process look into those of its own user only, unless it is privileged. On every machine there are
//! others: the system's daemons, other people's. If all of those counted, no tree would ever be free. So these are taken
//! to be elsewhere:
//!
//! - root's, also where root in a container may not ask those with more rights than it has, and the user's own that the
//!   kernel closed because they changed their user or asked for it (`sshd`, `sudo`, agents that hold keys). What root
//!   does in a tree it does on behalf of somebody whose processes can be seen;
//! - those of other users who may not both enter and change the root of the tree, by its mode and owner. That
//!   directories inside do not allow more than the root is assumed.
//!
//! Left are a user's processes in another group, and users for whom a tree was opened up: their processes may be inside.

use std::io::Result;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who may write into a tree.
#[derive(Clone, Debug)]
pub(in crate::local) enum Reach {
    /// Nobody but those who can be asked.
    Nobody,
    /// Whom its owner and its mode allow to.
    Writers(Writers),
}

#[derive(Clone, Debug)]
pub(in crate::local) struct Writers {
    user: u32,
    group: u32,
    mode: u32,
    /// Whether a list of more of them exists, which may name anybody.
    list: bool,
}

const OTHERS: u32 = 0o003;
const GROUP: u32 = 0o030;
const LIST: &str = "system.posix_acl_access";

impl Reach {
    /// No process that cannot be asked.
    pub(in crate::local) fn nobody() -> Self {
        Self::Nobody
    }

    /// Those who may write into the directory at this path now.
    pub(in crate::local) fn of(tree: &Path) -> Result<Self> {
        let meta = tree.symlink_metadata()?;
        let list = rustix::fs::lgetxattr(tree, LIST, &mut [0_u8; 0][..]).is_ok_and(|size| size > 0);
        Ok(Self::Writers(Writers { user: meta.uid(), group: meta.gid(), mode: meta.mode(), list }))
    }

    /// Those too whom this mode allows to.
    pub(in crate::local) fn or(mut self, mode: u32) -> Self {
        if let Self::Writers(writers) = &mut self {
            writers.mode |= mode;
        }
        self
    }

    /// Whether this process may be inside, which cannot be asked.
    pub(super) fn includes(&self, process: &Path) -> bool {
        let Self::Writers(writers) = self else { return false };
        let Ok(owner) = process.metadata().map(|meta| meta.uid()) else { return false };
        writers.allow(owner, rustix::process::geteuid().as_raw(), || is_in(process, writers.group))
    }
}

impl Writers {
    /// Whether a process of this owner may write, as seen by one of the user `me`.
    fn allow(&self, owner: u32, me: u32, is_in_group: impl Fn() -> bool) -> bool {
        match owner {
            0 => false,
            _ if owner == me || owner == self.user || self.list => true,
            _ => self.mode & OTHERS == OTHERS || (self.mode & GROUP == GROUP && is_in_group()),
        }
    }
}

/// Whether a process is in a group, or may be.
fn is_in(process: &Path, group: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(process.join("status")) else { return true };
    let group = group.to_string();
    let lines = status.lines().filter_map(|line| line.strip_prefix("Gid:").or_else(|| line.strip_prefix("Groups:")));
    lines.flat_map(str::split_whitespace).any(|one| one == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const OTHER: u32 = 1001;

    fn tree(mode: u32) -> Writers {
        Writers { user: ME, group: ME, mode, list: false }
    }

    #[test]
    fn daemons_and_other_people_do_not_make_every_tree_unsafe_for_ever() {
        for mode in [0o755, 0o700, 0o775, 0o2770] {
            assert!(!tree(mode).allow(0, ME, || true), "root, {mode:o}");
            assert!(!tree(mode).allow(0, 0, || true), "the first process of a container, {mode:o}");
            assert!(!tree(mode).allow(OTHER, ME, || false), "{mode:o}");
        }
    }

    #[test]
    fn whoever_may_write_there_may_be_inside() {
        assert!(tree(0o700).allow(ME, ME, || false), "the same user in another group");
        assert!(tree(0o775).allow(OTHER, ME, || true), "in the group");
        assert!(!tree(0o755).allow(OTHER, ME, || true), "the group may only read");
        assert!(tree(0o777).allow(OTHER, ME, || false));
        assert!(!tree(0o776).allow(OTHER, ME, || false), "writing takes entering");
        assert!(Writers { list: true, ..tree(0o770) }.allow(OTHER, ME, || false));
        assert!(Writers { user: OTHER, ..tree(0o700) }.allow(OTHER, ME, || false), "the tree is theirs");
    }
}
