//! Which directory is the tree of a worktree, whatever its name.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::home::Home;
use super::layout::Layout;
use super::lease;
use crate::Result;
use crate::disk::{self, Identity};

/// A tree, as it was when it was looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Root {
    #[serde(flatten)]
    pub(super) identity: Identity,
    /// The boot in which that was; an earlier version did not say.
    #[serde(default)]
    boot: Option<String>,
}

impl Root {
    /// The directory at this path, if there is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        disk::identity(path).map(|identity| Self { identity, boot: Some(lease::boot()) })
    }

    /// Whether this is the directory at the path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        disk::identity(path).is_some_and(|now| self.is_same(&now))
    }

    /// This directory as it is now, if it is the one at the path.
    ///
    /// The numbers of devices may change with the boot. From then on the inode and the time of birth must do, and where a
    /// file system knows no births no directory is taken for this one.
    pub(super) fn found_at(&self, path: &Path) -> Option<Self> {
        // One look: another one may find another directory.
        let now = Self::of(path)?;
        self.is_same(&now.identity).then_some(now)
    }

    fn is_same(&self, now: &Identity) -> bool {
        *now == self.identity || self.was(now) && self.is_of_another_boot()
    }

    /// Whether another directory may be on the file system that this one was on.
    ///
    /// After a reboot the numbers of devices tell nothing by themselves. That the tree shared one with the repository, or
    /// did not, stays so; where even that is not known, it may be.
    pub(super) fn may_be_beside(&self, other: Identity, home: Option<&Home>, layout: &Layout) -> Result<bool> {
        if !self.is_of_another_boot() {
            return Ok(self.identity.is_beside(other));
        }
        let before = home.filter(|home| self.boot.as_ref() == Some(&home.boot));
        match before.map(|home| self.identity.is_beside(home.common)) {
            Some(shared) => Ok(shared == Home::of(layout)?.common.is_beside(other)),
            None => Ok(true),
        }
    }

    fn was(&self, now: &Identity) -> bool {
        self.identity.has_birth() && now.has_birth() && now.is_alike(&self.identity)
    }

    fn is_of_another_boot(&self) -> bool {
        self.boot.as_ref().is_some_and(|boot| !boot.is_empty() && *boot != lease::boot())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_device_may_have_another_number_after_a_reboot_and_nothing_else_may_differ() {
        let dir = tempfile::tempdir().unwrap();
        let now = serde_json::to_value(Root::of(dir.path())).unwrap();
        let is_it = |changes: &[(&str, Value)]| {
            let mut then = now.clone();
            for (key, value) in changes {
                then[key] = value.clone();
            }
            serde_json::from_value::<Root>(then).unwrap().is_at(dir.path())
        };
        let number = |key: &str| json!(now[key].as_u64().unwrap() + 1);
        let (device, boot) = (("device", number("device")), ("boot", json!("another")));
        assert!(is_it(&[]) && is_it(std::slice::from_ref(&boot)));
        assert!(!is_it(std::slice::from_ref(&device)), "it is on another disk");
        assert_eq!(is_it(&[device.clone(), boot.clone()]), !now["born"].is_null());
        for other in [("inode", number("inode")), ("born", json!([7, 1])), ("born", Value::Null)] {
            assert!(!is_it(&[device.clone(), boot.clone(), other.clone()]), "{other:?}");
        }
        for unknown in [json!(""), Value::Null] {
            assert!(!is_it(&[device.clone(), ("boot", unknown)]));
        }
        assert!(!serde_json::from_value::<Root>(now).unwrap().is_at(&dir.path().join("absent")));
    }
}
