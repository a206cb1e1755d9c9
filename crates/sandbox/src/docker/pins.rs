//! What it takes so that nobody inside a container can move a mount away; pure.

use std::path::{Path, PathBuf};

use crate::pinned::{self, Place};
use crate::{Access, Guarantee, Result, Shortfall, Spec};

use super::LANE;
use super::config::{HOME, TMP};
use super::entry::SECRETS;

/// The engine's own file system in memory that every program may write.
const SHARED_MEMORY: &str = "/dev/shm";

/// The directories above the mounts that programs could rename, by what they lie in.
struct Loose {
    in_memory: Vec<PathBuf>,
    mounted: Vec<PathBuf>,
}

fn loose(spec: &Spec, volumes: &[String]) -> Loose {
    let own = [TMP, HOME, SHARED_MEMORY, SECRETS].into_iter().chain(volumes.iter().map(String::as_str));
    let own = own.map(|at| Place { at: at.into(), access: Access::ReadWrite });
    let mounts: Vec<_> = spec.mounts.iter().map(|m| Place { at: m.target.clone(), access: m.access }).collect();
    let on_host = |at: &Path| mounts.iter().any(|m| m.at == at) || (at == Path::new(HOME) && spec.home.is_some());
    let places: Vec<_> = own.filter(|o| !mounts.iter().any(|m| m.at == o.at)).chain(mounts.clone()).collect();
    let mut loose = Loose { in_memory: Vec::new(), mounted: Vec::new() };
    for path in spec.mounts.iter().flat_map(|mount| pinned::loose(&mount.target, &places)) {
        let place = pinned::around(path, &places);
        let list = if place.is_some_and(|p| on_host(&p.at)) { &mut loose.mounted } else { &mut loose.in_memory };
        if !list.iter().any(|known| known == path) {
            list.push(path.into());
        }
    }
    loose
}

/// File systems in memory that stand where directories could be moved, with their options: a mount cannot be. `volumes` are
/// the image's own, which are in memory too.
pub(super) fn in_memory(spec: &Spec, volumes: &[String]) -> impl Iterator<Item = (String, String)> + use<> {
    let paths = loose(spec, volumes).in_memory.into_iter();
    // A path that is not text is refused where the mount below it is made.
    paths.filter_map(|path| Some((path.to_str()?.to_owned(), "ro,nosuid,nodev,noexec,size=64k,mode=0755".to_owned())))
}

/// Refuses mounts that could be moved away, if the policy wants them pinned: the engine looks up its sources by path, so
/// a directory of a mounted tree cannot be mounted onto itself without following what a program may have put there.
pub(super) fn check(spec: &Spec) -> Result<()> {
    // What lies in the image's volumes is in memory, and is pinned.
    let loose = loose(spec, &[]);
    let shortfalls = loose.mounted.iter().map(|path| Shortfall {
        guarantee: Guarantee::PinnedMounts,
        why: format!(
            "{} lies in a writable mount and above another mount, so it could be moved away; mount it too, or use the \
             native lane",
            path.display()
        ),
    });
    pinned::refuse(LANE, &spec.policy, shortfalls.collect())
}
