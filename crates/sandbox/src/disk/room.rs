//! What file systems say they have left.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::fstatfs;

use super::tally::Tally;

/// The file systems of some trees.
#[derive(Debug)]
pub(super) struct Rooms(Vec<Room>);

#[derive(Debug)]
struct Room {
    place: File,
    left: Tally,
}

impl Rooms {
    /// Each file system once.
    pub(super) fn new(roots: &[File]) -> Self {
        let (mut rooms, mut seen) = (Vec::new(), Vec::new());
        for root in roots {
            let device = root.metadata().ok().map(|meta| meta.dev());
            if device.is_some_and(|device| seen.contains(&device)) {
                continue;
            }
            seen.extend(device);
            if let (Ok(place), Some(left)) = (root.try_clone(), left(root)) {
                rooms.push(Room { place, left });
            }
        }
        Self(rooms)
    }

    /// What was taken since the last call. What was given back meanwhile does not count against it.
    pub(super) fn taken(&mut self) -> Tally {
        let mut taken = Tally::default();
        for room in &mut self.0 {
            if let Some(now) = left(&room.place) {
                taken += room.left.since(now);
                room.left = now;
            }
        }
        taken
    }
}

fn left(place: impl AsFd) -> Option<Tally> {
    let told = fstatfs(place).ok()?;
    let size = u64::try_from(told.f_bsize).ok()?;
    Some(Tally { bytes: told.f_bfree.saturating_mul(size), entries: told.f_ffree, hidden: 0 })
}
