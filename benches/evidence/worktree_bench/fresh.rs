//! A file system of its own for every measurement, each the same as the others bit by bit.
//!
//! ext4 uses no inode again for some minutes after its file was deleted, so on one file system each measurement pays for
//! the ones before it. Here a repository is cloned once, into an image; every measurement has a copy of that.
//!
//! Nothing outlives the process, however it ends: the images have no names, the mounts are in a namespace of its own, and
//! all processes are in another one that ends with the first of them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Place;
use crate::{Failure, git, progress};

/// Where everything is mounted, in a namespace in which nobody else sees it.
const TOP: &str = "/mnt";
/// How large an image may become. It takes only the room of what is in it.
const BYTES: u64 = 64 << 30;
/// What is run, none of which belongs to this program.
const PROGRAMS: [&str; 6] = ["unshare", "mount", "umount", "losetup", "mkfs.ext4", "cp"];

/// Starts this program again with the same arguments, in namespaces of its own. Returns only if that failed.
pub(crate) fn enter() -> Failure {
    if let Err(why) = check() {
        return format!("--fresh cannot be had here: {why}").into();
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(e) => return e.into(),
    };
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    let error = unshare.arg(program).args(std::env::args_os().skip(1)).arg("--within").exec();
    format!("--fresh cannot be had here: unshare does not start: {error}").into()
}

fn check() -> Result<(), Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let root = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    if root != Some("0") {
        return Err("it mounts images, which only root may; run it as root, or without --fresh".into());
    }
    for program in PROGRAMS {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()));
        if !found {
            return Err(format!("there is no {program}; install util-linux, e2fsprogs and coreutils").into());
        }
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err("there is no /dev/loop-control; `modprobe loop`, or give the container the device".into());
    }
    if Path::new(TOP).is_dir() { Ok(()) } else { Err(format!("there is no directory {TOP} to mount on").into()) }
}

/// An image with a clone of the repository in it, of which each measurement gets a copy.
#[derive(Debug)]
pub(crate) struct Fresh {
    template: File,
}

impl Fresh {
    /// Clones the repository into a new image, which has room for so many worktrees at once.
    pub(crate) fn new(source: &Path, files: usize, at_once: usize) -> Result<Self, Failure> {
        let root = home();
        if !root.is_dir() {
            run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "hedgerow-evidence", TOP]))?;
            std::fs::create_dir(&root)?;
        }
        let template = image()?;
        // Each tree has its files, about a third as many directories, and an entry; the repository has objects as well.
        let inodes = (files * 2 * (at_once + 3) + 200_000).to_string();
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-N", &inodes, "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(name(&template));
        run(&mut mkfs)?;
        let fresh = Self { template };
        let mounted = Mounted::new(&fresh.template)?;
        let place = place();
        git::git(Path::new("/"), &["clone", "--quiet", &source.to_string_lossy(), &place.repo.to_string_lossy()])?;
        place.make_trees()?;
        // Files that were written in this very moment are not copied.
        std::thread::sleep(std::time::Duration::from_secs(3));
        git::git(&place.repo, &["status", "--porcelain"])?;
        mounted.end()?;
        Ok(fresh)
    }

    /// Does this on a copy of the image, all files of which were read before.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Place) -> Result<T, Failure>) -> Result<T, Failure> {
        let copy = image()?;
        run(Command::new("cp").arg("--sparse=always").arg(name(&self.template)).arg(name(&copy)))?;
        let mounted = Mounted::new(&copy)?;
        let place = place();
        warm(&place.repo)?;
        git::git(&place.repo, &["status", "--porcelain"])?;
        run(Command::new("sync").arg("-f").arg(&place.repo))?;
        let result = act(&place);
        let ended = mounted.end();
        result.and_then(|result| ended.map(|()| result))
    }
}

fn home() -> PathBuf {
    Path::new(TOP).join("fresh")
}

fn place() -> Place {
    Place { repo: home().join("repository"), trees: home().join("trees") }
}

/// An empty file without a name.
fn image() -> Result<File, Failure> {
    let file = tempfile::tempfile()?;
    file.set_len(BYTES)?;
    Ok(file)
}

/// What programs open it by: this process is alone with them in its namespace, and has it open for as long as they run.
fn name(image: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), image.as_raw_fd())
}

/// A mounted image.
struct Mounted;

impl Mounted {
    fn new(image: &File) -> Result<Self, Failure> {
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(name(image)))?;
        let mounted = run(Command::new("mount").args(["-t", "ext4", &device]).arg(home()));
        // From now on it goes with the mount, or at once if there is none.
        run(Command::new("losetup").args(["--detach", &device]))?;
        mounted.map(|_| Self)
    }

    fn end(self) -> Result<(), Failure> {
        const TRIES: u32 = 50;
        // What hedgerow deletes in the background was ended by its process, but a scanner may look at the mount.
        for _ in 0..TRIES {
            if run(Command::new("umount").arg(home())).is_ok() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        run(Command::new("umount").arg(home())).map(drop)
    }
}

fn run(command: &mut Command) -> Result<String, Failure> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Reads all files, because a new mount has none in memory.
fn warm(dir: &Path) -> Result<(), Failure> {
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                std::io::copy(&mut File::open(entry.path())?, &mut std::io::sink())?;
            }
        }
    }
    Ok(())
}

/// What is measured on: one file system for all measurements, or a new one for each.
#[derive(Debug)]
pub(crate) enum Ground {
    /// The one of the temporary directory.
    Used(Place),
    Fresh(Fresh),
}

impl Ground {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Place) -> Result<T, Failure>) -> Result<T, Failure> {
        match self {
            Self::Used(place) => act(place),
            Self::Fresh(fresh) => {
                progress("making a file system");
                fresh.with(act)
            }
        }
    }
}
