//! A repository that only one run of git sees.
//!
//! It refers to the objects of the real one and to nothing else, so that no configuration, hook, driver or attribute file
//! that anybody could have written there counts, and takes what git writes.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::objs::{Exists, Find, Write};
use gix::odb::loose::Store;

use crate::commit::persist;
use crate::{Error, Result};

/// How many names are tried for it.
const TRIES: u32 = 1000;

/// Removed with all that is in it when it is dropped.
pub(super) struct Private {
    path: PathBuf,
}

impl Private {
    pub(super) fn new(session: &gix::Repository) -> Result<Self> {
        let failed = |error: std::io::Error| Error::git("make a place for git to merge in")(error);
        let objects = session.common_dir().join("objects");
        let objects = fs::canonicalize(objects).map_err(failed)?;
        if objects.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'\n' | b'"')) {
            return Err(failed(std::io::Error::other("its path has a line break or a quotation mark")));
        }
        let place = Self { path: make(session.common_dir()).map_err(failed)? };
        let write = |name: &str, text: &[u8]| fs::write(place.path.join(name), text).map_err(failed);
        for directory in ["refs", "objects", "objects/info"] {
            fs::create_dir(place.path.join(directory)).map_err(failed)?;
        }
        write("HEAD", b"ref: refs/heads/none\n")?;
        write("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
        write("objects/info/alternates", &[objects.as_os_str().as_bytes(), b"\n"].concat())?;
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives git the commits with all that they need and that exists in the session's memory alone.
    pub(super) fn give(&self, session: &gix::Repository, commits: [ObjectId; 2]) -> Result<()> {
        let store = Store::at(self.path.join("objects"), session.object_hash());
        let on_disk: &gix::odb::Handle = &session.objects;
        let (mut pending, mut seen) = (commits.to_vec(), BTreeSet::new());
        let mut buf = Vec::new();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) || on_disk.exists(&id) {
                continue;
            }
            let found = session.objects.try_find(&id, &mut buf).map_err(Error::git(format!("read object {id}")))?;
            // What is missing is git's to miss.
            let Some(object) = found else { continue };
            pending.extend(persist::references(id, object.kind, object.data)?);
            store.write_buf(object.kind, object.data).map_err(Error::git(format!("lend object {id} to git")))?;
        }
        Ok(())
    }

    /// Takes what git wrote into the session's memory.
    pub(super) fn take(&self, session: &gix::Repository) -> Result<()> {
        let store = Store::at(self.path.join("objects"), session.object_hash());
        let mut buf = Vec::new();
        for id in store.iter() {
            let id = id.map_err(Error::git("list what git made"))?;
            let found = store.try_find(&id, &mut buf).map_err(Error::git("read what git made"))?;
            if let Some(object) = found {
                session.objects.write_buf(object.kind, object.data).map_err(Error::git("keep what git made"))?;
            }
        }
        Ok(())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What is left holds nothing that is needed, and its name is not used again by this process.
        let _gone = fs::remove_dir_all(&self.path);
    }
}

/// A directory that nobody had, below git's own.
fn make(common: &Path) -> std::io::Result<PathBuf> {
    let process = std::process::id();
    let mut last = None;
    for n in 0..TRIES {
        let path = common.join(format!("hedgerow-merge-{process}-{n}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AlreadyExists.into()))
}
