//! Other files of git's that are changed under a lock of the same kind, such as its configuration.

use std::path::Path;

use super::lock::RefLock;
use crate::{Result, disk};

/// What shall become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Its new content.
    pub(crate) content: Vec<u8>,
    /// Its new permissions.
    pub(crate) mode: u32,
}

/// Holds git's lock of a file while `make` looks at it and says what shall become of it, if anything; then the file is
/// replaced, and durable.
pub(crate) fn edit(path: &Path, make: impl FnOnce() -> Result<Option<Edit>>) -> Result<()> {
    let mut lock = RefLock::take(path)?;
    let Some(edit) = make()? else { return Ok(()) };
    lock.fill(&edit.content)?;
    lock.permit(edit.mode)?;
    lock.commit()?;
    path.parent().map_or(Ok(()), disk::sync_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_under_its_lock_or_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, lock) = (dir.path().join("config"), dir.path().join("config.lock"));
        std::fs::write(&path, "old").unwrap();
        edit(&path, || Ok(None)).unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), lock.exists()), (b"old".to_vec(), false));
        let new = Edit { content: b"new".to_vec(), mode: 0o600 };
        edit(&path, || {
            assert!(lock.exists(), "it is not locked");
            Ok(Some(new))
        })
        .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!((std::fs::read(&path).unwrap(), lock.exists(), mode & 0o777), (b"new".to_vec(), false, 0o600));
    }
}
