//! What a command writes to its mounts and its home.
//!
//! A container's own root is read-only and the rest is in memory, so mounts are all that is left; they are measured as those of
//! the native lane are.

use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use crate::{Access, Coverage, Error, Limits, Result, Spec};

use super::owner::Near;

/// How often the measurement is asked for.
const TICK: Duration = Duration::from_millis(100);

/// A watch over what one command writes.
#[derive(Debug)]
pub(super) struct Watch(Option<system::Disk>);

impl Watch {
    /// Begins to measure, when there is something to write to and a limit to keep.
    pub(super) async fn begin(spec: &Spec, near: Near) -> Result<Self> {
        let mounts = spec.mounts.iter().filter(|mount| mount.access == Access::ReadWrite).map(|mount| &mount.source);
        let written: Vec<PathBuf> = mounts.chain(&spec.home).cloned().collect();
        let Limits { disk: Some(limit), .. } = spec.policy.limits else { return Ok(Self(None)) };
        if written.is_empty() || near == Near::Unknown {
            return Ok(Self(None));
        }
        let failed = |source| Error::Lane { action: "watch what is written to the mounts".into(), source };
        let watching = tokio::task::spawn_blocking(move || system::watch(&written, limit));
        let watched = watching.await.map_err(|e| failed(e.into()))?;
        Ok(Self(Some(watched.map_err(|e| failed(e.into()))?)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Says which process is the first one inside, so that files without a name are counted too.
    pub(super) fn inside(&self, pid: Option<i64>) {
        if let (Some(disk), Some(pid)) = (&self.0, pid.and_then(|pid| i32::try_from(pid).ok())) {
            system::inside(disk, pid);
        }
    }

    /// Resolves when the limit was seen to be exceeded. Cancel safe.
    pub(super) async fn exceeded(&self) {
        let Some(disk) = &self.0 else { return pending().await };
        while !system::exceeded(disk) {
            sleep(TICK).await;
        }
    }
}

/// How well the limit is kept.
pub(super) fn coverage(near: Near) -> Coverage {
    let quota = "put mounts on a file system with a quota for an exact limit";
    match near {
        Near::Same => Coverage::Partial(format!(
            "no file may be larger, which the kernel keeps; what all together grow by is measured every few seconds, or sooner when \
             the file system has that much less left, so a quick command can be over the limit until then; {quota}"
        )),
        Near::Unknown => Coverage::Unenforced(format!(
            "the engine is not known to be a process of this machine (its socket may be passed on), so what is written cannot \
             be measured; name the engine's own socket, or {quota}"
        )),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::PathBuf;

    use rustix::process::Pid;

    pub(super) use crate::disk::Disk;

    pub(super) fn watch(roots: &[PathBuf], limit: u64) -> std::io::Result<Disk> {
        Disk::watch(roots, limit)
    }

    pub(super) fn inside(disk: &Disk, pid: i32) {
        if let Some(first) = Pid::from_raw(pid) {
            disk.supervisor(first);
        }
    }

    pub(super) fn exceeded(disk: &Disk) -> bool {
        disk.exceeded()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::PathBuf;

    /// There is none here: no engine is near.
    #[derive(Debug)]
    pub(super) struct Disk;

    pub(super) fn watch(_roots: &[PathBuf], _limit: u64) -> std::io::Result<Disk> {
        Ok(Disk)
    }

    pub(super) fn inside(_disk: &Disk, _pid: i32) {}

    pub(super) fn exceeded(_disk: &Disk) -> bool {
        false
    }
}
