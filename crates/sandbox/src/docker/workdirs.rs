//! The directories that the image is known to have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::engine::Engine;
use crate::Result;

/// More than commands of one lane usually start in.
const MOST: usize = 256;

/// Those that were asked for before. The image of a lane never changes, and asking takes an engine longer than to start a
/// container: it compares all of a container with all of its image.
#[derive(Debug, Default)]
pub(super) struct Workdirs(Mutex<BTreeSet<PathBuf>>);

impl Workdirs {
    /// Whether the image has the directory, told by a container with it as its working directory: an engine makes what the
    /// image lacks, and then the container differs there.
    pub(super) async fn has(&self, engine: &Engine, container: &str, workdir: &Path) -> Result<bool> {
        if workdir == Path::new("/") || self.known(|known| known.contains(workdir)) {
            return Ok(true);
        }
        let made = engine.changed_paths(container).await?;
        let has = !made.iter().any(|path| Path::new(path) == workdir);
        self.known(|known| has && known.len() < MOST && known.insert(workdir.into()));
        Ok(has)
    }

    fn known(&self, what: impl FnOnce(&mut BTreeSet<PathBuf>) -> bool) -> bool {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
