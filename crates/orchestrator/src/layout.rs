//! Where the orchestrator keeps its files: `<git common dir>/hedgerow/runs/<run>/…`.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Result, TaskId, error};

/// The name of a run: the time of its start in hexadecimal seconds, so that runs sort by age, and four random digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RunId(String);

/// The files of one run.
#[derive(Clone, Debug)]
pub(crate) struct RunDir {
    pub(crate) id: RunId,
    path: PathBuf,
    state: PathBuf,
}

impl RunId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl RunDir {
    /// Makes the directory of a new run that begins at `seconds` since the Unix epoch.
    pub(crate) fn create(state: &Path, seconds: u64) -> Result<Self> {
        let runs = state.join("runs");
        std::fs::create_dir_all(&runs).map_err(error::io("create", &runs))?;
        loop {
            // The standard library seeds its hashers at random.
            let random = RandomState::new().build_hasher().finish() & 0xffff;
            let id = RunId(format!("{seconds:x}{random:04x}"));
            let path = runs.join(id.as_str());
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    for part in ["log", "home", "prompt"] {
                        std::fs::create_dir(path.join(part)).map_err(error::io("create", path.join(part)))?;
                    }
                    for dir in [&path, &runs, state] {
                        File::open(dir).and_then(|dir| dir.sync_all()).map_err(error::io("sync", dir))?;
                    }
                    return Ok(Self { id, path, state: state.to_owned() });
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(error::io("create", path)(e)),
            }
        }
    }

    /// The runs that were begun here, oldest first.
    pub(crate) fn all(state: &Path) -> Result<Vec<Self>> {
        let runs = state.join("runs");
        let entries = match std::fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(error::io("list", runs)(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(error::io("list", &runs))?;
            if let Ok(name) = entry.file_name().into_string() {
                found.push(Self { id: RunId(name), path: entry.path(), state: state.to_owned() });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Where everything of this repository's fleets is kept.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// What the agent and the gate of an attempt printed.
    pub(crate) fn log(&self, task: &TaskId, number: u32) -> PathBuf {
        self.path.join("log").join(format!("{task}-{number}.log"))
    }

    /// The directory that is `HOME` in a sandbox of this name; made when missing.
    pub(crate) fn home(&self, sandbox: &str) -> Result<PathBuf> {
        let home = self.home_path(sandbox);
        std::fs::create_dir_all(&home).map_err(error::io("create", &home))?;
        Ok(home)
    }

    pub(crate) fn home_path(&self, sandbox: &str) -> PathBuf {
        self.path.join("home").join(sandbox)
    }

    /// Removes the `HOME` of a sandbox that is over, and directories in it that were made unwritable.
    pub(crate) fn forget(&self, sandbox: &str) -> Result<()> {
        let home = self.home_path(sandbox);
        let removed = match std::fs::remove_dir_all(&home) {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                open_up(&home).and_then(|()| std::fs::remove_dir_all(&home))
            }
            other => other,
        };
        match removed {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(error::io("remove", home)(e)),
            _ => Ok(()),
        }
    }

    /// The file with a task's prompt, written when missing. It has a directory of its own, which is mounted.
    pub(crate) fn prompt(&self, task: &TaskId, text: &str) -> Result<PathBuf> {
        let dir = self.path.join("prompt").join(task.as_str());
        std::fs::create_dir_all(&dir).map_err(error::io("create", &dir))?;
        let file = dir.join("prompt");
        std::fs::write(&file, text).map_err(error::io("write", &file))?;
        Ok(file)
    }
}

/// Lets the owner into every directory below; links are not followed.
fn open_up(dir: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
