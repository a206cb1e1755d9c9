//! What the root directory of a sandbox is made of: decided before the fork, only carried out after it.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::wall::Grant;
use crate::pinned::{self, Place};
use crate::secret::Value;
use crate::{Access, Error, Result};

/// The most paths of the host that one sandbox can show.
pub(super) const MOST_SOURCES: usize = 200;

/// A path of the host that becomes visible inside.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: CString,
    pub(super) attributes: u64,
    /// What the second wall allows there, beyond reading.
    pub(super) grant: Option<Grant>,
}

/// One step of building the root. All paths are relative to it.
#[derive(Debug)]
pub(super) enum Step {
    Directory {
        at: CString,
        mode: u32,
    },
    File {
        at: CString,
        content: Vec<u8>,
    },
    /// A file for the user alone.
    Secret {
        at: CString,
        content: Value,
    },
    Link {
        at: CString,
        to: CString,
    },
    /// Shows an opened source, by its index.
    Show {
        source: usize,
        at: CString,
    },
    /// Shows a directory of the scratch memory.
    Scratch {
        directory: CString,
        mode: u32,
        at: CString,
    },
    /// Makes a directory a mount of itself, which nobody can rename.
    Pin {
        at: CString,
    },
    Processes {
        at: CString,
    },
    Terminals {
        at: CString,
    },
    /// Hides a file, if the kernel has it, behind a source; and a directory behind an empty one.
    Hide {
        source: usize,
        at: CString,
    },
}

impl Step {
    /// The path that it is about, for messages.
    pub(super) fn path(&self) -> PathBuf {
        let (Self::Directory { at, .. }
        | Self::File { at, .. }
        | Self::Secret { at, .. }
        | Self::Link { at, .. }
        | Self::Show { at, .. }
        | Self::Scratch { at, .. }
        | Self::Pin { at }
        | Self::Processes { at }
        | Self::Terminals { at }
        | Self::Hide { at, .. }) = self;
        Path::new("/").join(std::ffi::OsStr::from_bytes(at.as_bytes()))
    }
}

/// What a path of the host may be used for inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
    /// A harmless device, whose owner and mode must stay as they are.
    Device,
}

impl Use {
    fn attributes(self) -> u64 {
        let common = libc::MOUNT_ATTR_NOSUID;
        match self {
            Self::Read => common | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY,
            Self::Write => common | libc::MOUNT_ATTR_NODEV,
            Self::Device => common | libc::MOUNT_ATTR_NOEXEC | libc::MOUNT_ATTR_RDONLY,
        }
    }

    fn grant(self, directory: bool) -> Option<Grant> {
        match (self, directory) {
            (Self::Read, _) => None,
            (Self::Write, true) => Some(Grant::Tree),
            (Self::Write, false) => Some(Grant::File),
            (Self::Device, _) => Some(Grant::Device),
        }
    }
}

/// The plan of one root directory.
#[derive(Debug, Default)]
pub(super) struct Blueprint {
    pub(super) sources: Vec<Source>,
    pub(super) steps: Vec<Step>,
    /// The size of the file system in memory that all writable places of the sandbox's own share.
    pub(super) scratch: CString,
    /// How many files may be in it.
    pub(super) scratch_files: CString,
    made: BTreeSet<PathBuf>,
    links: BTreeSet<PathBuf>,
    /// Places that show a path of the host, with that path; the last one that covers a path counts.
    shown: Vec<(PathBuf, PathBuf)>,
    /// All that is mounted where programs may look, for what could be moved away.
    places: Vec<Place>,
}

impl Blueprint {
    /// A directory of the sandbox's own, with the directories above it.
    pub(super) fn directory(&mut self, at: &Path, mode: u32) -> Result<()> {
        let missing: Vec<&Path> =
            at.ancestors().take_while(|a| *a != Path::new("/") && !self.made.contains(*a)).collect();
        for path in missing.into_iter().rev() {
            let mode = if path == at { mode } else { 0o755 };
            self.steps.push(Step::Directory { at: inside(path)?, mode });
            self.made.insert(path.into());
        }
        Ok(())
    }

    /// A file of the sandbox's own.
    pub(super) fn file(&mut self, at: &Path, content: &[u8]) -> Result<()> {
        self.parent(at)?;
        self.steps.push(Step::File { at: inside(at)?, content: content.into() });
        self.made.insert(at.into());
        Ok(())
    }

    /// A file of the sandbox's own for the user alone.
    pub(super) fn secret(&mut self, at: &Path, content: &Value) -> Result<()> {
        if self.on_host(at).is_some() {
            let problem = "a mount covers its place; mount something else there, or give it as a variable".into();
            return Err(Error::InvalidSpec { what: format!("the secret {}", at.display()), problem });
        }
        if let Some(directory) = at.parent() {
            self.directory(directory, 0o700)?;
        }
        self.steps.push(Step::Secret { at: inside(at)?, content: content.clone() });
        self.made.insert(at.into());
        Ok(())
    }

    /// A symbolic link of the sandbox's own.
    pub(super) fn link(&mut self, at: &Path, to: &Path) -> Result<()> {
        self.parent(at)?;
        self.steps.push(Step::Link { at: inside(at)?, to: c_string(to)? });
        self.links.insert(at.into());
        Ok(())
    }

    /// Shows a path of the host. Where something of the host is shown already, the target must be there: nothing of the
    /// host is changed to make a place for it.
    pub(super) fn show(&mut self, source: &Path, at: &Path, usage: Use) -> Result<()> {
        let problem = |problem: String| {
            let what = format!("mount {} at {}", source.display(), at.display());
            Error::InvalidSpec { what, problem }
        };
        if self.sources.len() == MOST_SOURCES {
            return Err(problem(format!("there are already {MOST_SOURCES} mounts")));
        }
        // While the root is built, such a link would lead out of it.
        if let Some(link) = at.ancestors().find(|a| self.links.contains(*a)) {
            return Err(problem(format!("{} is a symbolic link inside; name what it points to", link.display())));
        }
        let meta = source.symlink_metadata().map_err(|e| problem(e.to_string()))?;
        if let Some(place) = self.on_host(at) {
            let there = place
                .symlink_metadata()
                .map_err(|e| problem(format!("its target lies in a mounted directory: {e}")))?;
            if there.is_dir() != meta.is_dir() || there.is_symlink() {
                return Err(problem("its target must be a directory for a directory, and else a file".into()));
            }
        } else if !self.made.contains(at) {
            if meta.is_dir() { self.directory(at, 0o755)? } else { self.file(at, b"")? }
        }
        let grant = usage.grant(meta.is_dir());
        self.sources.push(Source { path: c_string(source)?, attributes: usage.attributes(), grant });
        self.steps.push(Step::Show { source: self.sources.len() - 1, at: inside(at)? });
        self.shown.push((at.into(), source.into()));
        let access = if usage == Use::Write { Access::ReadWrite } else { Access::ReadOnly };
        self.places.push(Place { at: at.into(), access });
        Ok(())
    }

    /// The same, with all that it takes so that nobody inside can move it away.
    pub(super) fn show_pinned(&mut self, source: &Path, at: &Path, usage: Use) -> Result<()> {
        self.show(source, at, usage)?;
        let last = self.steps.pop();
        for path in pinned::loose(at, &self.places) {
            self.steps.push(Step::Pin { at: inside(path)? });
            self.places.push(Place { at: path.into(), access: Access::ReadWrite });
        }
        self.steps.extend(last);
        Ok(())
    }

    /// Notes that everybody may write here.
    pub(super) fn writable(&mut self, at: &Path) {
        self.places.push(Place { at: at.into(), access: Access::ReadWrite });
    }

    /// A step that needs no bookkeeping but a directory.
    pub(super) fn on_directory(&mut self, at: &str, step: impl FnOnce(CString) -> Step) -> Result<()> {
        self.directory(Path::new(at), 0o755)?;
        self.steps.push(step(inside(Path::new(at))?));
        Ok(())
    }

    fn parent(&mut self, at: &Path) -> Result<()> {
        at.parent().map_or(Ok(()), |parent| self.directory(parent, 0o755))
    }

    /// The path of the host that is visible at this place, if the host is.
    fn on_host(&self, at: &Path) -> Option<PathBuf> {
        self.shown.iter().rev().find_map(|(target, source)| {
            let rest = at.strip_prefix(target).ok()?;
            Some(if rest.as_os_str().is_empty() { source.clone() } else { source.join(rest) })
        })
    }
}

/// The same path as seen from the root's own descriptor.
pub(super) fn inside(path: &Path) -> Result<CString> {
    c_string(path.strip_prefix("/").unwrap_or(path))
}

pub(super) fn c_string(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::InvalidSpec {
        what: format!("the path {}", path.display()),
        problem: "it contains a NUL byte".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_behind_a_link_is_refused_because_the_link_leads_out_of_an_unfinished_root() {
        let mut plan = Blueprint::default();
        plan.link(Path::new("/var/run"), Path::new("/run")).unwrap();
        let error = plan.show(Path::new("/"), Path::new("/var/run/x"), Use::Read).unwrap_err();
        assert!(error.to_string().contains("/var/run is a symbolic link"), "{error}");
    }

    #[test]
    fn a_target_below_a_mount_is_looked_up_on_the_host_and_never_made_there() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("there"), "x").unwrap();
        let mut plan = Blueprint::default();
        plan.show(tree.path(), Path::new("/inside/tree"), Use::Write).unwrap();
        let before = plan.steps.len();
        plan.show(&tree.path().join("there"), Path::new("/inside/tree/there"), Use::Read).unwrap();
        assert_eq!(plan.steps.len(), before + 1, "only the mount itself");
        let error = plan.show(&tree.path().join("there"), Path::new("/inside/tree/missing"), Use::Read).unwrap_err();
        assert!(error.to_string().contains("/inside/tree/missing"), "{error}");
        assert!(!tree.path().join("missing").exists());
    }
}
