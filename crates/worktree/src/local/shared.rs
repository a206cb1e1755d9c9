//! Modes for repositories that several users share (`core.sharedRepository`).

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Result;
use crate::capture::fault;

/// Which bits everything gets that git writes into a shared repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// The umask decides.
    Private,
    /// These bits are added.
    Atleast(u32),
    /// Exactly these bits.
    Exactly(u32),
}

/// Gives a directory and everything in it the modes that git would give it.
pub(super) fn apply(repo: &gix::Repository, dir: &Path) -> Result<()> {
    let value = repo.config_snapshot().string("core.sharedRepository").map(|value| value.to_string());
    match sharing(value.as_deref().unwrap_or("umask")) {
        Sharing::Private => Ok(()),
        sharing => below(dir, sharing).map_err(fault::io("share", dir)),
    }
}

/// As [`apply`], for the directories between `root` and a file.
pub(super) fn apply_above(repo: &gix::Repository, root: &Path, file: &Path) -> Result<()> {
    let value = repo.config_snapshot().string("core.sharedRepository").map(|value| value.to_string());
    let sharing = sharing(value.as_deref().unwrap_or("umask"));
    let between = file.ancestors().skip(1).take_while(|dir| dir.starts_with(root) && *dir != root);
    for dir in between.filter(|_| sharing != Sharing::Private) {
        match one(dir, sharing) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fault::io("share", dir)(e)),
            _ => {}
        }
    }
    Ok(())
}

fn below(path: &Path, sharing: Sharing) -> std::io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            below(&entry?.path(), sharing)?;
        }
    }
    one(path, sharing)
}

fn one(path: &Path, sharing: Sharing) -> std::io::Result<()> {
    let meta = path.symlink_metadata()?;
    let before = meta.permissions().mode();
    let after = mode(before, meta.is_dir(), sharing);
    if after == before { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(after)) }
}

fn sharing(value: &str) -> Sharing {
    match value.to_ascii_lowercase().as_str() {
        "umask" | "false" | "no" | "off" | "0" => Sharing::Private,
        "group" | "true" | "yes" | "on" | "1" => Sharing::Atleast(0o660),
        "all" | "world" | "everybody" | "2" => Sharing::Atleast(0o664),
        octal => match u32::from_str_radix(octal, 8) {
            // git refuses one that takes the owner's own permissions away.
            Ok(bits) if bits & 0o600 == 0o600 => Sharing::Exactly(bits & 0o666),
            _ => Sharing::Private,
        },
    }
}

fn mode(before: u32, is_dir: bool, sharing: Sharing) -> u32 {
    let with_execution = |bits: u32| if before & 0o100 == 0 { bits } else { bits | (bits & 0o444) >> 2 };
    let after = match sharing {
        Sharing::Private => before,
        Sharing::Atleast(bits) => before | with_execution(bits),
        Sharing::Exactly(bits) => before & !0o777 | with_execution(bits),
    };
    if is_dir && sharing != Sharing::Private { after | 0o2000 } else { after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_that_git_gives() {
        let file = |value: &str, before: u32| mode(before, false, sharing(value));
        assert_eq!(file("umask", 0o600), 0o600);
        assert_eq!(file("group", 0o644), 0o664);
        assert_eq!(file("all", 0o600), 0o664);
        assert_eq!(file("0640", 0o664), 0o640);
        assert_eq!(file("group", 0o700), 0o770);
        assert_eq!(mode(0o755, true, sharing("group")), 0o2775);
        assert_eq!(mode(0o755, true, sharing("0640")), 0o2750);
        assert_eq!(sharing("0440"), Sharing::Private);
    }
}
