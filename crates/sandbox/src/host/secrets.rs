//! Secrets as files in the host lane: in memory, for the user alone, gone with their command.

use std::ffi::CString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::run::Inherited;
use crate::{Command, Error, Result};

/// Where file systems in memory are by convention.
const MEMORY: &str = "/dev/shm";
const TMPFS: u64 = 0x0102_1994;

/// The files of one command.
#[derive(Debug, Default)]
pub(crate) struct SecretFiles {
    directory: Option<PathBuf>,
    /// The files, then their directory, as the supervisor needs them.
    paths: Vec<CString>,
}

impl SecretFiles {
    /// Writes the command's secrets; nothing for a command without.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] where nothing in memory can be written: a disk might keep them.
    pub(crate) fn write(command: &Command, id: &str) -> Result<Self> {
        let mut files = command.secrets.iter().filter_map(|s| Some((s.name(), s.as_file()?))).peekable();
        let Some((first, _)) = files.peek() else { return Ok(Self::default()) };
        let in_memory = rustix::fs::statfs(MEMORY).is_ok_and(|found| u64::try_from(found.f_type) == Ok(TMPFS));
        if !in_memory {
            let problem = format!("the host lane keeps files of secrets in {MEMORY}, and that is not in memory here");
            return Err(Error::InvalidSpec { what: format!("the secret {first:?}"), problem });
        }
        // The id is fresh and unguessable, and making a directory follows no link: nobody can have prepared this one.
        let directory = Path::new(MEMORY).join(format!("hedgerow-{id}"));
        let failed = |e: io::Error| Error::Lane { action: format!("write a secret below {MEMORY}"), source: e.into() };
        DirBuilder::new().mode(0o700).create(&directory).map_err(failed)?;
        let mut written = Self { directory: Some(directory.clone()), paths: Vec::new() };
        for (name, content) in files {
            let path = directory.join(name);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path).map_err(failed)?;
            file.write_all(content.bytes()).map_err(failed)?;
            written.paths.extend(c_string(&path));
        }
        written.paths.extend(c_string(&directory));
        Ok(written)
    }

    /// Where they are, if there are any.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Whether a supervisor will still look for them in what it has of the host's memory.
    pub(crate) fn inherited(&self) -> Inherited {
        if self.paths.is_empty() { Inherited::Spare } else { Inherited::Needed }
    }

    /// Removes them from the supervisor, which outlives a host that is killed. Must neither allocate nor lock nor panic.
    pub(crate) fn unlink(&self) {
        for path in &self.paths {
            // What is not a file is the directory; what is gone already is fine.
            let flags = rustix::fs::AtFlags::empty();
            if rustix::fs::unlinkat(rustix::fs::CWD, path.as_c_str(), flags).is_err() {
                let directory = rustix::fs::AtFlags::REMOVEDIR;
                let _gone = rustix::fs::unlinkat(rustix::fs::CWD, path.as_c_str(), directory);
            }
        }
    }
}

fn c_string(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_bytes()).ok()
}

impl Drop for SecretFiles {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            // The supervisor has mostly done it already.
            let _gone = fs::remove_dir_all(directory);
        }
    }
}
