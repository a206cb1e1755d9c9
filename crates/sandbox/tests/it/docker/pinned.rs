//! Mounts that nobody inside a container can move away.

use hedgerow_sandbox::{Access, Error, Guarantee, Mount, Sandbox, Strength};

use super::{lane, once, sh, spec, tree};

/// Directories in memory above a mount, and the mount.
const PLACES: [(&str, &str); 3] = [
    ("/tmp/a /tmp/a/b", "/tmp/a/b/c"),
    ("/home/agent/.config", "/home/agent/.config/rc"),
    ("/dev/shm/a /dev/shm/a/b", "/dev/shm/a/b/c"),
];

#[tokio::test]
async fn a_mount_cannot_be_moved_by_whoever_owns_the_directories_above_it() {
    let Some(lane) = lane().await else { return };
    let (tree, view) = (tree(), tree());
    if rustix::process::geteuid().is_root() {
        // Whoever owns the tree runs the command; what an engine makes is root's, and only others are kept from moving it.
        std::os::unix::fs::chown(&tree.path, Some(0), Some(0)).expect("root may");
    }
    let shown = view.path.join("shown");
    std::fs::write(&shown, "pinned").expect("written");
    for (above, target) in PLACES {
        let mut spec = spec("owned", &tree);
        spec.policy.required.insert(Guarantee::PinnedMounts, Strength::Full);
        spec.mounts.push(Mount { source: shown.clone(), target: target.into(), access: Access::ReadOnly });
        let command = sh(crate::attempts::ATTEMPTS, &tree).env("PINNED", target).env("ABOVE", above);
        let said = once(&lane, spec, command).await;
        assert_eq!(said.out(), "", "{}", said.err());
    }
}

#[tokio::test]
async fn a_mount_cannot_be_moved_by_the_directories_above_it_in_memory() {
    let Some(lane) = lane().await else { return };
    let (tree, view) = (tree(), tree());
    let shown = view.path.join("shown");
    std::fs::write(&shown, "pinned").expect("written");
    // One below the directory for temporary files, one in the home: both are in memory, and below each is a directory.
    for (above, target) in PLACES {
        let mut spec = spec("pinned", &tree);
        spec.policy.required.insert(Guarantee::PinnedMounts, Strength::Full);
        spec.mounts.push(Mount { source: shown.clone(), target: target.into(), access: Access::ReadOnly });
        let command = sh(crate::attempts::ATTEMPTS, &tree).env("PINNED", target).env("ABOVE", above);
        let said = once(&lane, spec, command).await;
        assert_eq!(said.out(), "", "{}", said.err());
    }
}

#[tokio::test]
async fn a_mount_deep_in_a_writable_mount_is_refused_unless_what_is_between_is_mounted() {
    let Some(lane) = lane().await else { return };
    let (tree, view) = (tree(), tree());
    let deep = tree.path.join("vendor");
    std::fs::create_dir(&deep).expect("made");
    std::fs::write(deep.join(".git"), "").expect("written");
    let shown = view.path.join("shown");
    std::fs::write(&shown, "pinned").expect("written");
    let target = deep.join(".git");
    let mut spec = spec("deep", &tree);
    let pinned = Mount { source: shown, target: target.clone(), access: Access::ReadOnly };
    spec.mounts.push(pinned.clone());
    let error = lane.start(spec.clone()).await.expect_err("refused");
    let Error::Refused { shortfalls, .. } = &error else { panic!("{error:?}") };
    assert_eq!(shortfalls.len(), 1, "{error}");
    assert!(shortfalls[0].why.contains(deep.to_str().expect("text")), "{error}");
    spec.mounts.pop();
    spec.mounts.push(Mount { source: deep.clone(), target: deep.clone(), access: Access::ReadWrite });
    spec.mounts.push(pinned);
    let command = sh(crate::attempts::ATTEMPTS, &tree).env("PINNED", &target).env("ABOVE", &deep);
    let said = once(&lane, spec, command).await;
    assert_eq!(said.out(), "", "{}", said.err());
}
