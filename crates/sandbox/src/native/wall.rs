//! Landlock, the second wall inside the first: should a mount show more than it should, the program may still only read
//! what is below its own root, write what is for writing, and signal and call its own.
//!
//! It cannot forbid something below what it allows, so a read-only mount inside of a writable one is up to the mount
//! alone. The ruleset is made before the fork, its rules and the restriction after it by system calls that allocate
//! nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use landlock::{ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, Scope};
use rustix::io::Errno;

use crate::sys;

/// The oldest version that is used: before it, no file could be moved from one directory to another.
const OLDEST: u32 = 2;
/// The newest version of which all restrictions are known not to break what must work.
const NEWEST: u32 = 7;

/// What may be done with a place, besides reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Read,
    /// The same for a file.
    ReadFile,
    /// A directory for writing, with all below.
    Tree,
    /// A file for writing.
    File,
    /// Devices for use.
    Device,
}

#[derive(Clone, Copy, Debug)]
struct Rights {
    read: u64,
    tree: u64,
    file: u64,
    device: u64,
}

/// A ruleset that has no rules yet.
#[derive(Debug)]
pub(super) struct Wall {
    ruleset: OwnedFd,
    rights: Rights,
}

/// The version that this kernel has, or why there is none that helps.
pub(super) fn version() -> Result<u32, String> {
    match sys::landlock_version() {
        Ok(version) if version >= OLDEST => Ok(version),
        Ok(version) => Err(format!(
            "this kernel has version {version} of Landlock, which forbids moving files; use Linux 5.19 or later"
        )),
        Err(Errno::OPNOTSUPP) => {
            Err("Landlock is switched off in this kernel: add 'landlock' to the boot parameter 'lsm='".into())
        }
        Err(Errno::NOSYS) => {
            Err("this kernel is built without Landlock: use one with CONFIG_SECURITY_LANDLOCK=y".into())
        }
        Err(errno) => Err(format!("Landlock cannot be used here: {errno}; a system call filter may forbid it")),
    }
}

impl Wall {
    /// A ruleset that forbids everything that this version of Landlock can forbid about files, and signals and abstract
    /// sockets that would leave the sandbox.
    pub(super) fn new(version: u32) -> Result<Self, RulesetError> {
        let abi = ABI::from(version.min(NEWEST).cast_signed());
        let handled = AccessFs::from_all(abi);
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(handled)?;
        let scopes = Scope::from_all(abi);
        let ruleset = if scopes.is_empty() { ruleset } else { ruleset.scope(scopes)? };
        let ruleset: Option<OwnedFd> = ruleset.create()?.into();
        let ruleset = ruleset.ok_or(RulesetError::CreateRuleset(landlock::CreateRulesetError::MissingHandledAccess))?;
        Ok(Self { ruleset, rights: Rights::of(abi) })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.ruleset.as_fd()
    }

    /// Allows something at and below a place.
    pub(super) fn allow(&self, place: impl AsFd, grant: Grant) -> Result<(), Errno> {
        Grants(Some((self.ruleset.as_fd(), self.rights))).allow(place.as_fd(), grant)
    }

    /// The same for a process in which the descriptor has this number.
    pub(super) fn grants(&self, number: RawFd) -> Grants<'static> {
        Grants(Some((sys::fixed(number), self.rights)))
    }
}

impl Rights {
    fn of(abi: ABI) -> Self {
        let make_device = AccessFs::MakeChar | AccessFs::MakeBlock;
        let tree = AccessFs::from_all(abi) & !make_device & !BitFlags::from(AccessFs::IoctlDev);
        let file = tree & AccessFs::from_file(abi);
        let device = AccessFs::from_file(abi) & !BitFlags::from(AccessFs::Execute);
        Self { read: AccessFs::from_read(abi).bits(), tree: tree.bits(), file: file.bits(), device: device.bits() }
    }
}

/// A ruleset that gets its rules. Nothing here may allocate, lock or panic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grants<'a>(Option<(BorrowedFd<'a>, Rights)>);

impl Grants<'_> {
    /// Those of a kernel without Landlock.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Allows something at and below a place.
    pub(super) fn allow(&self, place: BorrowedFd<'_>, grant: Grant) -> Result<(), Errno> {
        let Some((ruleset, rights)) = self.0 else { return Ok(()) };
        let rights = match grant {
            Grant::Read => rights.read,
            Grant::ReadFile => rights.read & rights.file,
            Grant::Tree => rights.tree,
            Grant::File => rights.file,
            Grant::Device => rights.device,
        };
        sys::landlock_allow(ruleset, place, rights)
    }

    /// Makes it hold for the calling process, for good.
    pub(super) fn enter(&self) -> Result<(), Errno> {
        self.0.map_or(Ok(()), |(ruleset, _)| sys::landlock_enter(ruleset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_is_granted_that_an_older_kernel_does_not_know() {
        for version in OLDEST..=NEWEST {
            let abi = ABI::from(version.cast_signed());
            let (rights, known) = (Rights::of(abi), AccessFs::from_all(abi).bits());
            for granted in [rights.read, rights.tree, rights.file, rights.device] {
                assert_eq!(granted & !known, 0, "version {version}");
            }
            let file = AccessFs::from_file(abi).bits();
            assert_eq!((rights.file | rights.device) & !file, 0, "version {version}");
        }
    }
}
