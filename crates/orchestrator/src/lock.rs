//! One fleet per repository.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::{Error, Result, error};

/// Held while a fleet works on a repository; the kernel frees it when its process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FleetLock {
    _file: File,
}

impl FleetLock {
    pub(crate) fn take(state: &Path) -> Result<Self> {
        let path = state.join("fleet.lock");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(error::io("read", &path))?;
                return Err(Error::Held { path, holder: holder.trim().to_owned() });
            }
            Err(errno) => return Err(error::io("lock", path)(errno.into())),
        }
        let holder = format!("process {}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).map_err(error::io("write to", &path))?;
        Ok(Self { _file: file })
    }
}
