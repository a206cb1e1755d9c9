//! Whether what is mounted inside a writable place stays what it is and where it is.
//!
//! The kernel lets nobody remove or rename a mount point. But a directory above one can be renamed, and the mount goes
//! with it; and what is mounted can be written where its source shows a second time.

use std::path::{Path, PathBuf};

use crate::Access;
#[cfg(any(all(target_os = "linux", feature = "native"), feature = "docker"))]
use crate::{Error, Guarantee, Mount, Policy, Result, Shortfall, Spec};

/// Something that is mounted inside, and whether programs can write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: PathBuf,
    pub(crate) access: Access,
}

/// The directories above `target` that a program could rename, outermost first.
pub(crate) fn loose<'p>(target: &'p Path, places: &[Place]) -> Vec<&'p Path> {
    let movable = |path: &Path| {
        let pinned = places.iter().any(|place| place.at == path);
        !pinned && around(path, places).is_some_and(|place| place.access == Access::ReadWrite)
    };
    let mut loose: Vec<_> = target.ancestors().skip(1).filter(|path| movable(path)).collect();
    loose.reverse();
    loose
}

/// The innermost place that a path lies in.
pub(crate) fn around<'p>(path: &Path, places: &'p [Place]) -> Option<&'p Place> {
    let contains = |place: &&Place| place.at != path && path.starts_with(&place.at);
    places.iter().filter(contains).max_by_key(|place| place.at.components().count())
}

/// Refuses mounts that could be changed from inside at a second place, if the policy wants them pinned. Touches the file
/// system.
#[cfg(any(all(target_os = "linux", feature = "native"), feature = "docker"))]
pub(crate) fn sources(lane: &'static str, spec: &Spec, home: &Path) -> Result<()> {
    let home =
        spec.home.iter().map(|source| Mount { source: source.clone(), target: home.into(), access: Access::ReadWrite });
    let all: Vec<_> = home.chain(spec.mounts.iter().cloned()).map(real).collect();
    let places: Vec<_> = all.iter().map(|m| Place { at: m.target.clone(), access: m.access }).collect();
    let writable_at = |mount: &Mount| {
        let shown = all.iter().filter(|other| other.access == Access::ReadWrite);
        shown
            .filter_map(|other| {
                let rest = mount.source.strip_prefix(&other.source).ok()?;
                Some(if rest.as_os_str().is_empty() { other.target.clone() } else { other.target.join(rest) })
            })
            .find(|at| {
                let place = places.iter().rfind(|place| place.at == *at).or_else(|| around(at, &places));
                place.is_some_and(|place| place.access == Access::ReadWrite)
            })
    };
    let inside_writable = |mount: &&Mount| {
        mount.access == Access::ReadOnly
            && around(&mount.target, &places).is_some_and(|place| place.access == Access::ReadWrite)
    };
    let shortfalls = all.iter().filter(inside_writable).filter_map(|mount| {
        let (target, second) = (mount.target.display(), writable_at(mount)?);
        let why = format!("what is mounted at {target} can be written at {}; take it out of there", second.display());
        Some(Shortfall { guarantee: Guarantee::PinnedMounts, why })
    });
    refuse(lane, &spec.policy, shortfalls.collect())
}

/// Refuses, if the policy wants mounts pinned and there is a reason.
#[cfg(any(all(target_os = "linux", feature = "native"), feature = "docker"))]
pub(crate) fn refuse(lane: &'static str, policy: &Policy, shortfalls: Vec<Shortfall>) -> Result<()> {
    let wanted = policy.required.contains_key(&Guarantee::PinnedMounts);
    if wanted && !shortfalls.is_empty() { Err(Error::Refused { lane, shortfalls }) } else { Ok(()) }
}

/// The same mount by the path that its source really has.
#[cfg(any(all(target_os = "linux", feature = "native"), feature = "docker"))]
fn real(mount: Mount) -> Mount {
    let source = mount.source.canonicalize().unwrap_or(mount.source);
    Mount { source, ..mount }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(&str, Access)]) -> Vec<Place> {
        list.iter().map(|(at, access)| Place { at: at.into(), access: *access }).collect()
    }

    #[test]
    fn only_directories_between_a_mount_and_the_writable_one_around_it_can_be_moved() {
        use Access::{ReadOnly, ReadWrite};
        let loose = |target: &str, list: &[(&str, Access)]| -> Vec<String> {
            loose(Path::new(target), &places(list)).iter().map(|p| p.display().to_string()).collect()
        };
        assert_eq!(loose("/tree/.git", &[("/tree", ReadWrite)]), [""; 0]);
        assert_eq!(loose("/tree/a/b/.git", &[("/tree", ReadWrite)]), ["/tree/a", "/tree/a/b"]);
        assert_eq!(loose("/tree/a/b/.git", &[("/tree", ReadWrite), ("/tree/a", ReadWrite)]), ["/tree/a/b"]);
        assert_eq!(loose("/tree/a/b/.git", &[("/tree", ReadWrite), ("/tree/a", ReadOnly)]), [""; 0]);
        assert_eq!(loose("/tree/a/b/.git", &[("/tree", ReadOnly)]), [""; 0]);
        assert_eq!(loose("/treetop/a/b", &[("/tree", ReadWrite)]), [""; 0]);
    }
}
