//! Which paths of the host a confined program can read, and which it can write.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::super::layout::{DEVICES, ETC, SYSTEM};
use super::super::wall::{Grant, Wall};
use crate::{Access, Mount};

/// Beside what is the same with namespaces, where these are made up.
const NAMES: [&str; 5] = ["group", "hosts", "passwd", "protocols", "services"];

/// Adds the rules for what every program can read, and for these mounts and writable places.
pub(super) fn allow<'a>(
    wall: &Wall,
    system: impl Iterator<Item = &'a Path>,
    mounts: &[Mount],
    written: impl Iterator<Item = &'a Path>,
) -> std::io::Result<()> {
    // A link of the system's own leads to what another entry allows.
    for path in SYSTEM.map(Path::new).into_iter().filter(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir()))
    {
        read(wall, path)?;
    }
    let etc = ETC.iter().chain(&NAMES).map(|name| Path::new("/etc").join(name));
    for path in etc.chain(system.map(PathBuf::from)).filter_map(|path| fs::canonicalize(path).ok()) {
        read(wall, &path)?;
    }
    read(wall, Path::new("/proc"))?;
    for device in DEVICES.into_iter().filter(|name| *name != "tty") {
        grant(wall, &Path::new("/dev").join(device), Grant::Device)?;
    }
    for mount in mounts {
        match mount.access {
            Access::ReadOnly => read(wall, &mount.source)?,
            Access::ReadWrite => write(wall, &mount.source)?,
        }
    }
    written.into_iter().try_for_each(|path| write(wall, path))
}

fn read(wall: &Wall, path: &Path) -> std::io::Result<()> {
    grant(wall, path, if path.is_dir() { Grant::Read } else { Grant::ReadFile })
}

fn write(wall: &Wall, path: &Path) -> std::io::Result<()> {
    grant(wall, path, if path.is_dir() { Grant::Tree } else { Grant::File })
}

fn grant(wall: &Wall, path: &Path, grant: Grant) -> std::io::Result<()> {
    let named = |e: rustix::io::Errno| std::io::Error::other(format!("{}: {e}", path.display()));
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = rustix::fs::open(path, flags, Mode::empty()).map_err(named)?;
    wall.allow(&place, grant).map_err(named)
}
