//! The way into the sandbox, carried out by process 1. Nothing here may allocate, lock or panic.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree, unmount,
};
use rustix::thread::UnshareFlags;

use super::blueprint::{Blueprint, MOST_SOURCES, Source, Step};
use super::wall::{Grant, Grants};
use crate::run::{Fault, Stage};
use crate::{Network, sys};

/// What writes the id maps of a new user namespace.
#[derive(Debug)]
pub(super) struct Maps {
    pub(super) uid: Vec<u8>,
    pub(super) gid: Vec<u8>,
}

/// What process 1 is born into. The namespace of control groups comes later, when it is in those that it will be in.
pub(super) fn namespaces(network: &Network) -> UnshareFlags {
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    if *network == Network::Host { all } else { all | UnshareFlags::NEWNET }
}

/// Makes the namespaces those of the caller's user, with its control group as the highest that is seen.
pub(super) fn settle(maps: &Maps) -> Result<(), Fault> {
    sys::unshare(UnshareFlags::NEWCGROUP).map_err(Fault::at(Stage::Unshare))?;
    let map = |path, content: &[u8]| overwrite(path, content).map_err(Fault::at(Stage::Map));
    map(c"/proc/self/setgroups", b"deny")?;
    map(c"/proc/self/uid_map", &maps.uid)?;
    map(c"/proc/self/gid_map", &maps.gid)?;
    // When the host runs out of memory, it shall not be the host that dies. A wish: without it all works the same.
    let _wish = overwrite(c"/proc/self/oom_score_adj", b"1000");
    Ok(())
}

fn overwrite(path: &CStr, content: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, content).map(drop)
}

/// The descriptors of all sources: room that needs no allocation.
type Opened = [Option<OwnedFd>; MOST_SOURCES];

/// Builds the new root and makes it the only one.
pub(super) fn build(plan: &Blueprint, grants: &Grants<'_>) -> Result<(), Fault> {
    let opened: &mut Opened = &mut [const { None }; MOST_SOURCES];
    rustix::process::umask(Mode::empty());
    let pivot = Fault::at(Stage::Pivot);
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(&pivot)?;
    // All of the host's paths are opened before the first of them is hidden by a mount.
    for (index, (source, slot)) in plan.sources.iter().zip(opened.iter_mut()).enumerate() {
        *slot = Some(open(source).map_err(Fault::nth(Stage::Open, index))?);
    }
    // The new root needs a place in the old one, any place: nothing of the host is looked up any more. Below it, the
    // scratch memory has one too, with which it is taken off in the end: what shows its directories holds it.
    let scratch = memory(&[(c"size", &plan.scratch), (c"nr_inodes", &plan.scratch_files), (c"mode", c"700")]);
    let scratch = scratch.map_err(&pivot)?;
    let root = memory(&[(c"size", c"16m"), (c"mode", c"755")]).map_err(&pivot)?;
    for mount in [&scratch, &root] {
        move_mount(mount, c"", CWD, c"/usr", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(&pivot)?;
    }
    rustix::process::fchdir(&root).map_err(&pivot)?;
    for (index, step) in plan.steps.iter().enumerate() {
        carry_out(step, (root.as_fd(), scratch.as_fd()), opened, grants).map_err(Fault::nth(Stage::Build, index))?;
    }
    grant(plan, root.as_fd(), opened, grants).map_err(Fault::at(Stage::Wall))?;
    enter(root.as_fd()).map_err(pivot)
}

/// What the program may do with what is of the host: read all that it sees, and write what is for writing. By the opened
/// sources and not by their places, which others may cover.
fn grant(plan: &Blueprint, root: BorrowedFd<'_>, opened: &Opened, grants: &Grants<'_>) -> Result<(), Errno> {
    grants.allow(root, Grant::Read)?;
    for (source, slot) in plan.sources.iter().zip(opened) {
        if let (Some(grant), Some(place)) = (source.grant, slot) {
            grants.allow(place.as_fd(), grant)?;
        }
    }
    Ok(())
}

/// Makes the directory that is mounted at `root` the root, and the old one unreachable.
fn enter(root: BorrowedFd<'_>) -> Result<(), Errno> {
    sys::restrict_mount(root, libc::MOUNT_ATTR_RDONLY, 0)?;
    rustix::process::fchdir(root)?;
    // The old root ends up on top of the new one, at the same place, and is taken off from there.
    rustix::process::pivot_root(c".", c".")?;
    unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

fn open(source: &Source) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let tree = open_tree(CWD, source.path.as_c_str(), flags)?;
    sys::restrict_mount(&tree, source.attributes, libc::AT_RECURSIVE)?;
    Ok(tree)
}

fn carry_out(
    step: &Step,
    (root, scratch): (BorrowedFd<'_>, BorrowedFd<'_>),
    opened: &Opened,
    grants: &Grants<'_>,
) -> Result<(), Errno> {
    let source = |index: usize| opened.get(index).and_then(Option::as_ref).ok_or(Errno::BADF);
    match step {
        Step::Directory { at, mode } => rustix::fs::mkdirat(root, at.as_c_str(), Mode::from_raw_mode(*mode)),
        Step::File { at, content } => file(root, at, 0o644, content),
        Step::Secret { at, content } => file(root, at, 0o400, content.bytes()),
        Step::Link { at, to } => rustix::fs::symlinkat(to.as_c_str(), root, at.as_c_str()),
        Step::Show { source: index, at } => attach(source(*index)?, root, at),
        Step::Scratch { directory, mode, at } => {
            match rustix::fs::mkdirat(scratch, directory.as_c_str(), Mode::from_raw_mode(*mode)) {
                // One directory can be shown at several places.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            let directory = again(scratch, directory)?;
            grants.allow(directory.as_fd(), Grant::Tree)?;
            attach(&directory, root, at)
        }
        Step::Pin { at } => {
            let directory = place(root, at)?;
            mount_at(&again_fd(&directory)?, &directory)
        }
        Step::Processes { at } => {
            let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
            // Process 1 cannot be looked into, so this hides it: its command line is that of the host.
            let options = [(c"hidepid", c"ptraceable")];
            let processes = filesystem(c"proc", &options, attributes | MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
            attach(&processes, root, at)
        }
        Step::Terminals { at } => {
            let options = [(c"ptmxmode", c"0666"), (c"mode", c"0620")];
            let terminals = filesystem(c"devpts", &options, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
            grants.allow(terminals.as_fd(), Grant::Device)?;
            attach(&terminals, root, at)
        }
        Step::Hide { source: index, at } => {
            // The null device, once more: each mount is one place.
            match place(root, at) {
                Ok(target) => match mount_at(&again_fd(source(*index)?)?, &target) {
                    // A file cannot cover a directory.
                    Err(Errno::NOTDIR | Errno::INVAL) => mount_at(&nothing()?, &target),
                    result => result,
                },
                Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(errno),
            }
        }
    }
}

fn file(root: BorrowedFd<'_>, at: &CStr, mode: u32, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(root, at, flags, Mode::from_raw_mode(mode))?;
    rustix::io::write(&file, content).map(drop)
}

fn memory(options: &[(&CStr, &CStr)]) -> Result<OwnedFd, Errno> {
    filesystem(c"tmpfs", options, MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// An empty directory that stays so.
fn nothing() -> Result<OwnedFd, Errno> {
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    filesystem(c"tmpfs", &[(c"size", c"4k"), (c"mode", c"555")], attributes | MountAttrFlags::MOUNT_ATTR_NODEV)
}

fn filesystem(kind: &CStr, options: &[(&CStr, &CStr)], attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes | MountAttrFlags::MOUNT_ATTR_NOSUID)
}

fn again(root: BorrowedFd<'_>, from: &CStr) -> Result<OwnedFd, Errno> {
    open_tree(root, from, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

fn again_fd(mount: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(mount, c"", flags)
}

fn attach(mount: &OwnedFd, root: BorrowedFd<'_>, at: &CStr) -> Result<(), Errno> {
    mount_at(mount, &place(root, at)?)
}

/// A place to mount at. A link in its path could have been made by an earlier command, and lead elsewhere.
fn place(root: BorrowedFd<'_>, at: &CStr) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(root, at, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn mount_at(mount: &OwnedFd, place: &OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", place, c"", flags)
}
