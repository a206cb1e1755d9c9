//! What is mounted where when a container is claimed; pure.

use std::path::{Path, PathBuf};

use crate::{Access, Mount, Spec};

use super::super::config::HOME;
use super::super::pins;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) target: PathBuf,
    pub(super) step: Step,
    /// Its place is the container's own, so it can be made; what lies in another mount belongs to the host.
    pub(super) may_be_made: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// With all that is mounted below it.
    Writable(PathBuf),
    /// Without what is mounted below it.
    ReadOnly(PathBuf),
    /// With all that is mounted below it.
    ReadOnlyAll(PathBuf),
    /// A directory in memory that cannot be moved.
    Pin,
}

/// The mounts of a sandbox as an engine would make them, from the outermost on; or which of them only an engine can make.
pub(super) fn trees(spec: &Spec, recursive_read_only: bool, volumes: &[String]) -> Result<Vec<Tree>, String> {
    let home =
        spec.home.iter().map(|home| Mount { source: home.clone(), target: HOME.into(), access: Access::ReadWrite });
    let mounts: Vec<_> = home.chain(spec.mounts.iter().cloned()).collect();
    let pins: Vec<PathBuf> = pins::in_memory(spec, volumes).map(|(place, _)| place.into()).collect();
    let mut trees = Vec::new();
    for mount in &mounts {
        if is_the_kernels(&mount.target) {
            return Err(format!("{} is a place where only an engine can mount", mount.target.display()));
        }
        let source = mount.source.clone();
        let step = match mount.access {
            Access::ReadWrite => Step::Writable(source),
            Access::ReadOnly if recursive_read_only => Step::ReadOnlyAll(source),
            Access::ReadOnly => Step::ReadOnly(source),
        };
        trees.push(Tree { target: mount.target.clone(), step, may_be_made: true });
    }
    trees.extend(pins.iter().map(|place| Tree { target: place.clone(), step: Step::Pin, may_be_made: true }));
    let depth = |path: &Path| path.components().count();
    trees.sort_by_key(|tree| depth(&tree.target));
    for tree in &mut trees {
        let above = |place: &PathBuf| *place != tree.target && tree.target.starts_with(place);
        let mount = mounts.iter().map(|mount| &mount.target).filter(|place| above(place)).map(|p| depth(p)).max();
        let pin = pins.iter().filter(|place| above(place)).map(|p| depth(p)).max();
        tree.may_be_made = pin >= mount;
    }
    Ok(trees)
}

/// Where file systems are that show the kernel.
fn is_the_kernels(target: &Path) -> bool {
    let within = |place| target.starts_with(place);
    within("/proc") || within("/sys") || (within("/dev") && !within("/dev/shm"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Policy, SandboxId};

    fn spec(mounts: &[(&str, Access)]) -> Spec {
        let mount = |(at, access): &(&str, Access)| Mount { source: at.into(), target: at.into(), access: *access };
        let id = SandboxId::new("s").expect("valid");
        let mounts = mounts.iter().map(mount).collect();
        Spec { id, labels: Labels::new(), policy: Policy::standard(), mounts, home: None }
    }

    fn seen(spec: &Spec) -> Vec<(String, bool)> {
        let trees = trees(spec, false, &[]).expect("trees");
        trees.iter().map(|tree| (tree.target.display().to_string(), tree.may_be_made)).collect()
    }

    #[test]
    fn outer_mounts_come_first_and_nothing_is_made_on_the_host() {
        let spec = spec(&[("/srv/tree/.git", Access::ReadOnly), ("/srv/tree", Access::ReadWrite)]);
        assert_eq!(seen(&spec), [("/srv/tree".to_owned(), true), ("/srv/tree/.git".to_owned(), false)]);
    }

    #[test]
    fn a_directory_in_memory_above_a_mount_is_pinned_before_it() {
        let spec = spec(&[("/tmp/a/b/tree", Access::ReadWrite)]);
        let seen: Vec<_> = seen(&spec)
            .into_iter()
            .map(|(place, made)| {
                assert!(made);
                place
            })
            .collect();
        assert_eq!(seen, ["/tmp/a", "/tmp/a/b", "/tmp/a/b/tree"]);
    }

    #[test]
    fn places_of_the_kernel_are_left_to_the_engine() {
        for place in ["/proc/x", "/sys", "/dev/null"] {
            assert!(trees(&spec(&[(place, Access::ReadOnly)]), false, &[]).is_err(), "{place}");
        }
        assert!(trees(&spec(&[("/dev/shm/tree", Access::ReadOnly)]), false, &[]).is_ok());
    }

    #[test]
    fn read_only_trees_are_as_deep_as_the_engine_makes_them() {
        let spec = spec(&[("/srv/tree", Access::ReadOnly)]);
        assert_eq!(trees(&spec, false, &[]).expect("trees")[0].step, Step::ReadOnly("/srv/tree".into()));
        assert_eq!(trees(&spec, true, &[]).expect("trees")[0].step, Step::ReadOnlyAll("/srv/tree".into()));
    }
}
