//! Mounting trees into a container that runs already.
//!
//! An engine cannot add a mount to a container. The kernel can: a thread of this process takes a copy of each tree's mount along,
//! enters the mount namespace of the container, puts the copies in place, and ends. Only the image's own shell is there, and it
//! waits, so nobody can interfere; and links are not followed all the same.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, move_mount, open_tree,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::{Error, Result, sys};

use super::super::engine::Engine;
use super::plan::{Step, Tree};

/// The mount namespace of a container.
#[derive(Debug)]
pub(super) struct Door(File);

/// Why nothing can be mounted into containers from here; none when it can, which is found by doing all but the last step.
pub(super) fn problem() -> Option<String> {
    let tried = std::thread::spawn(|| {
        let copy = copied(CWD, Path::new("/"), Extent::One)?;
        sys::change_mount(&copy, [0, libc::MOUNT_ATTR_RDONLY, 0], 0)?;
        enter(&File::open("/proc/self/ns/mnt")?)
    });
    match tried.join() {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("this process may not mount anything into a container ({error})")),
        Err(_) => Some("a thread that tried to enter a mount namespace panicked".into()),
    }
}

impl Door {
    /// That of a container that runs.
    pub(super) async fn of(engine: &Engine, container: &str) -> Result<Self> {
        let failed = |e: io::Error| Error::Lane { action: "enter a container's mounts".into(), source: e.into() };
        let gone = || failed(io::Error::other("it has ended"));
        let process = engine.process(container).await?.ok_or_else(gone)?;
        let namespace = File::open(format!("/proc/{process}/ns/mnt"));
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup"));
        // The number may have become another process's in between, and it may count in another machine's or container's list.
        if engine.process(container).await? != Some(process) {
            return Err(gone());
        }
        let (namespace, groups) = (namespace.map_err(failed)?, groups.map_err(failed)?);
        if !groups.contains(container) {
            let why = format!("process {process}, which the engine says is the container's, is another one here");
            return Err(failed(io::Error::other(why)));
        }
        Ok(Self(namespace))
    }

    /// Puts trees in place, in their order. After an error, some may be there.
    pub(super) async fn attach(self, trees: Vec<Tree>) -> io::Result<()> {
        // A thread of its own: it does not come back from there.
        let work = move || std::thread::spawn(move || attach(&self.0, &trees)).join();
        let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?;
        done.map_err(|_| io::Error::other("its thread panicked"))?
    }
}

fn attach(namespace: &File, trees: &[Tree]) -> io::Result<()> {
    // All of the host's paths are opened here, before the first look at the container's.
    let copies = trees.iter().map(|tree| source(&tree.step).map_err(|e| at(&tree.target, e)));
    let copies = copies.collect::<io::Result<Vec<_>>>()?;
    enter(namespace)?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for (tree, copy) in trees.iter().zip(&copies) {
        put(root.as_fd(), tree, copy).map_err(|e| at(&tree.target, e.into()))?;
    }
    Ok(())
}

fn at(target: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", target.display()))
}

fn enter(namespace: &File) -> io::Result<()> {
    // A thread can change its mounts only if it shares its working directory with no other one.
    sys::unshare(UnshareFlags::FS)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?)
}

/// How much of what is mounted below comes along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    One,
    All,
}

fn copied(from: BorrowedFd<'_>, path: &Path, extent: Extent) -> rustix::io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    if path.as_os_str().is_empty() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    if extent == Extent::All {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(from, path, flags)
}

/// What is mounted, before it is anywhere.
fn source(step: &Step) -> io::Result<OwnedFd> {
    let private = [0, 0, u64::from(rustix::mount::MountPropagationFlags::PRIVATE.bits())];
    let quiet = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let (path, extent, attributes) = match step {
        Step::Writable(path) => (path, Extent::All, quiet),
        Step::ReadOnly(path) => (path, Extent::One, quiet | libc::MOUNT_ATTR_RDONLY),
        Step::ReadOnlyAll(path) => (path, Extent::All, quiet | libc::MOUNT_ATTR_RDONLY),
        Step::Pin => return Ok(pin()?),
    };
    let copy = copied(CWD, path, extent)?;
    let reach = if extent == Extent::All { libc::AT_RECURSIVE } else { 0 };
    sys::change_mount(&copy, private, reach)?;
    sys::change_mount(&copy, [attributes, 0, 0], reach)?;
    Ok(copy)
}

/// A directory in memory that is a mount, so that it cannot be moved.
fn pin() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", "tmpfs")?;
    fsconfig_set_string(&context, "size", "64k")?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn put(root: BorrowedFd<'_>, tree: &Tree, copy: &OwnedFd) -> rustix::io::Result<()> {
    let is_directory =
        rustix::fs::fstat(copy).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())?;
    let mut place = rustix::io::dup(root)?;
    let names: Vec<_> = tree.target.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    for (index, name) in names.iter().enumerate() {
        let name: &Path = name.as_ref();
        let last = index + 1 == names.len();
        place = match step_into(&place, name) {
            Err(Errno::NOENT) if tree.may_be_made => {
                make(&place, name, if last && !is_directory { Kind::File } else { Kind::Directory })?;
                step_into(&place, name)?
            }
            found => found?,
        };
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(copy, c"", &place, c"", flags)
}

fn step_into(place: &OwnedFd, name: &Path) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(place, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

enum Kind {
    File,
    Directory,
}

/// Makes a place in what belongs to the container. It is mounted read-only there, and writable in a copy of that mount which
/// nobody else ever sees.
fn make(place: &OwnedFd, name: &Path, kind: Kind) -> rustix::io::Result<()> {
    let copy = copied(place.as_fd(), Path::new(""), Extent::One)?;
    sys::change_mount(&copy, [0, libc::MOUNT_ATTR_RDONLY, 0], 0)?;
    match kind {
        Kind::Directory => rustix::fs::mkdirat(&copy, name, Mode::from_raw_mode(0o755)),
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(&copy, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
    }
}
