//! The plan of a root directory as options for bubblewrap.

use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::super::blueprint::{Blueprint, Step};
use super::options::Options;
use crate::{Error, Result};

/// Where the files of a plan are on the host, for bubblewrap to show them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a> {
    /// A directory of the command's own, for what is made up.
    pub(super) made_up: &'a Path,
    /// That of its secrets.
    pub(super) secrets: Option<&'a Path>,
    /// Where its own writable places are.
    pub(super) rooms: Rooms<'a>,
}

/// Where the writable places of a sandbox are that are no mounts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rooms<'a> {
    /// In memory, each with the size of all.
    Memory,
    /// In a directory of the command's own, which is watched: a setuid bubblewrap limits no memory.
    Directory(&'a Path),
}

/// Adds the options for a plan.
pub(super) fn add(words: &mut Options, plan: &Blueprint, files: Files<'_>) -> Result<()> {
    let mut view = View { words, plan, files, shown: Vec::new(), written: 0 };
    plan.steps.iter().try_for_each(|step| view.step(step))?;
    // Only the directories themselves: what is mounted below stays as it is. Of the kernel's settings, some belong to the
    // namespaces of the sandbox, and could be changed there.
    for directory in [b"/proc".as_slice(), b"/dev", b"/"] {
        words.add(&[b"--remount-ro", directory]);
    }
    Ok(())
}

struct View<'a> {
    words: &'a mut Options,
    plan: &'a Blueprint,
    files: Files<'a>,
    /// Places that show a path of the host, with that path.
    shown: Vec<(PathBuf, PathBuf)>,
    written: usize,
}

impl View<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let at = step.path();
        let to = at.as_os_str().as_bytes();
        match step {
            // It makes the directory with all that belongs there.
            Step::Directory { .. } if at == Path::new("/dev") => self.words.add(&[b"--dev", b"/dev"]),
            Step::Directory { .. } | Step::Link { .. } | Step::Show { .. } if at.starts_with("/dev") => {}
            Step::Terminals { .. } => {}
            Step::Directory { mode, .. } => {
                self.words.add(&[b"--perms", format!("{mode:04o}").as_bytes(), b"--dir", to]);
            }
            // An empty one is a place for something to be mounted at, which bubblewrap makes by itself.
            Step::File { content, .. } if content.is_empty() => {}
            Step::File { content, .. } => {
                let file = self.made_up(content)?;
                self.words.add(&[b"--ro-bind", file.as_os_str().as_bytes(), to]);
            }
            Step::Secret { .. } => {
                if let (Some(directory), Some(name)) = (self.files.secrets, at.file_name()) {
                    self.words.add(&[b"--ro-bind", directory.join(name).as_os_str().as_bytes(), to]);
                }
            }
            Step::Link { to: target, .. } => self.words.add(&[b"--symlink", target.to_bytes(), to]),
            Step::Show { source, .. } => {
                self.not_redirected(&at)?;
                let Some(source) = self.plan.sources.get(*source) else { return Ok(()) };
                let read_only = source.attributes & libc::MOUNT_ATTR_RDONLY != 0;
                let option: &[u8] = if read_only { b"--ro-bind" } else { b"--bind" };
                self.words.add(&[option, source.path.to_bytes(), to]);
                self.shown.push((at, path(&source.path)));
            }
            Step::Scratch { directory, mode, .. } => self.room(&path(directory), *mode, to)?,
            Step::Pin { .. } => match self.on_host(&at) {
                Some((source, rest)) => {
                    self.not_redirected(&at)?;
                    let source = source.join(rest);
                    self.words.add(&[b"--bind", source.as_os_str().as_bytes(), to]);
                }
                // A directory of the sandbox's own, which was made just now and is empty.
                None => self.room(&PathBuf::from(format!("pin-{}", self.words.count())), 0o755, to)?,
            },
            Step::Processes { .. } => self.words.add(&[b"--proc", to]),
            Step::Hide { .. } => match fs::symlink_metadata(&at) {
                Ok(meta) if meta.is_dir() => {
                    self.words.add(&[b"--tmpfs", to]);
                    self.words.add(&[b"--remount-ro", to]);
                }
                Ok(_) => self.words.add(&[b"--ro-bind", b"/dev/null", to]),
                // What the kernel does not have needs no hiding.
                Err(_) => {}
            },
        }
        Ok(())
    }

    /// A writable place; those of one name are the same one, where that can be.
    fn room(&mut self, name: &Path, mode: u32, to: &[u8]) -> Result<()> {
        let Rooms::Directory(all) = self.files.rooms else {
            self.words.add(&[b"--perms", format!("{mode:04o}").as_bytes()]);
            self.words.add(&[b"--size", self.plan.scratch.to_bytes(), b"--tmpfs", to]);
            return Ok(());
        };
        let room = all.join(name);
        let made = fs::create_dir_all(&room).and_then(|()| fs::set_permissions(&room, Permissions::from_mode(mode)));
        made.map_err(|e| Error::Lane { action: "make a directory for the sandbox".into(), source: e.into() })?;
        self.words.add(&[b"--bind", room.as_os_str().as_bytes(), to]);
        Ok(())
    }

    fn made_up(&mut self, content: &[u8]) -> Result<PathBuf> {
        let file = self.files.made_up.join(self.written.to_string());
        self.written += 1;
        let readable = || fs::set_permissions(&file, Permissions::from_mode(0o444));
        let written = fs::write(&file, content).and_then(|()| readable());
        written.map_err(|e| Error::Lane { action: "write a file of the sandbox's own".into(), source: e.into() })?;
        Ok(file)
    }

    /// The mounted path of the host that a place lies in, and the way from there.
    fn on_host(&self, at: &Path) -> Option<(&Path, PathBuf)> {
        self.shown.iter().rev().find_map(|(target, source)| {
            let rest = at.strip_prefix(target).ok()?;
            Some((source.as_path(), rest.to_owned()))
        })
    }

    /// Refuses a place that an earlier command made a link: bubblewrap would follow it.
    fn not_redirected(&self, at: &Path) -> Result<()> {
        let Some((source, rest)) = self.on_host(at) else { return Ok(()) };
        if rest.as_os_str().is_empty() {
            return Ok(());
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let reached = rustix::fs::openat2(CWD, source, flags | OFlags::DIRECTORY, Mode::empty(), ResolveFlags::empty())
            .and_then(|top| rustix::fs::openat2(&top, &rest, flags, Mode::empty(), resolve));
        reached.map(drop).map_err(|errno| Error::InvalidSpec {
            what: format!("mount target {}", at.display()),
            problem: format!("its place in {} cannot be reached without following a link: {errno}", source.display()),
        })
    }
}

fn path(text: &CStr) -> PathBuf {
    Path::new(std::ffi::OsStr::from_bytes(text.to_bytes())).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::super::blueprint::Use;
    use super::*;

    fn options(plan: &Blueprint, made_up: &Path) -> Result<String> {
        let mut words = Options::new();
        add(&mut words, plan, Files { made_up, secrets: None, rooms: Rooms::Memory })?;
        Ok(words.text())
    }

    #[test]
    fn a_target_that_leads_through_a_link_is_refused_because_bubblewrap_would_follow_it() {
        let (tree, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(tree.path().join("real")).unwrap();
        fs::create_dir(tree.path().join("real/inner")).unwrap();
        let mut plan = Blueprint::default();
        plan.show(tree.path(), Path::new("/tree"), Use::Write).unwrap();
        plan.show_pinned(Path::new("/usr"), Path::new("/tree/real/inner"), Use::Read).unwrap();
        let said = options(&plan, scratch.path()).unwrap();
        let tree_path = tree.path().display();
        assert!(said.contains(&format!("--bind {tree_path} /tree --bind {tree_path}/real /tree/real --ro-bind /usr")));
        fs::rename(tree.path().join("real"), tree.path().join("moved")).unwrap();
        symlink("moved", tree.path().join("real")).unwrap();
        let error = options(&plan, scratch.path()).unwrap_err();
        assert!(error.to_string().contains("following a link"), "{error}");
    }

    #[test]
    fn what_is_made_up_is_written_and_what_is_empty_is_left_to_bubblewrap() {
        let scratch = tempfile::tempdir().unwrap();
        let mut plan = Blueprint::default();
        plan.file(Path::new("/etc/hostname"), b"sandbox\n").unwrap();
        plan.file(Path::new("/etc/place"), b"").unwrap();
        let said = options(&plan, scratch.path()).unwrap();
        assert!(said.contains("/0 /etc/hostname ") && !said.contains("/etc/place"), "{said}");
        assert_eq!(fs::read(scratch.path().join("0")).unwrap(), b"sandbox\n");
    }
}
