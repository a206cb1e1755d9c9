//! Files that were opened and have lost their name: on the disk until the last process lets go of them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use rustix::process::Pid;

use super::tally::Tally;
use crate::run::Tree;

/// More than the processes of a sandbox usually have open.
const MOST: usize = 1 << 16;

/// Those that the processes inside hold, on the file systems of these trees.
pub(super) fn of(supervisor: Pid, roots: &[File]) -> Tally {
    let devices: Vec<u64> = roots.iter().filter_map(|root| Some(root.metadata().ok()?.dev())).collect();
    let (mut tally, mut seen) = (Tally::default(), BTreeSet::new());
    for pid in Tree::below(supervisor).pids() {
        let Ok(held) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for held in held.flatten() {
            // Looked at through the descriptor itself, so nothing is opened and no name is followed.
            let Ok(meta) = fs::metadata(held.path()) else { continue };
            let lost = meta.is_file() && meta.nlink() == 0 && devices.contains(&meta.dev());
            if lost && seen.len() < MOST && seen.insert((meta.dev(), meta.ino())) {
                tally += Tally { bytes: meta.blocks().saturating_mul(512), entries: 1, hidden: 0 };
            }
        }
    }
    tally
}
