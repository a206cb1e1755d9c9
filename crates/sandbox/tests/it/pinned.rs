//! What is mounted inside a writable place stays what it is and where it is.

use std::fs;
use std::path::Path;

use hedgerow_sandbox::{Access, Error, Guarantee, Mount, Policy, Spec};

use crate::attempts::ATTEMPTS;
use crate::world::{native, run, sh, spec, text};

fn mount(source: &Path, target: &Path, access: Access) -> Mount {
    Mount { source: source.into(), target: target.into(), access }
}

fn pinned() -> Spec {
    let mut spec = spec(Policy::standard());
    spec.policy.required.insert(Guarantee::PinnedMounts, hedgerow_sandbox::Strength::Full);
    spec
}

#[tokio::test]
async fn a_mount_cannot_be_moved_by_the_directories_above_it() {
    let Some(lane) = native() else { return };
    let (tree, safe) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deep = tree.path().join("vendor/part");
    fs::create_dir_all(&deep).unwrap();
    let (target, shown) = (deep.join(".git"), safe.path().join("shown"));
    fs::write(&target, "the tree's own").unwrap();
    fs::write(&shown, "pinned").unwrap();
    let mut spec = pinned();
    // The tree is where it is on the host, so the directories above it are in the sandbox's own memory.
    spec.mounts = vec![mount(tree.path(), tree.path(), Access::ReadWrite), mount(&shown, &target, Access::ReadOnly)];
    let above = format!("{} {} {}", text(&deep), text(&tree.path().join("vendor")), text(tree.path()));
    let mut command = sh(ATTEMPTS).env("PINNED", &target).env("ABOVE", above);
    command.workdir = tree.path().into();
    let seen = run(&lane, spec.clone(), command).await.ok();
    assert_eq!(seen.out(), "", "{}", seen.text());
    assert_eq!(fs::read_to_string(&target).unwrap(), "the tree's own");
    assert_eq!(fs::read_to_string(&shown).unwrap(), "pinned");
    // Beside the pinned ones, directories can be moved as ever.
    let mut command = sh("mkdir -p vendor/free/x && mv vendor/free vendor/moved && rm -r vendor/moved && echo done");
    command.workdir = tree.path().into();
    assert_eq!(run(&lane, spec, command).await.ok().out(), "done");
}

#[tokio::test]
async fn a_mount_in_a_writable_place_of_the_sandbox_cannot_be_moved_by_the_directories_above_it() {
    let Some(lane) = native() else { return };
    let safe = tempfile::tempdir().unwrap();
    let shown = safe.path().join("shown");
    fs::write(&shown, "pinned").unwrap();
    for home in [None, Some(tempfile::tempdir().unwrap())] {
        let mut spec = pinned();
        spec.home = home.as_ref().map(|home| home.path().into());
        let places = [("/home/agent/.config/tool", "rc"), ("/tmp/a/b", "c")];
        for (directory, name) in places {
            let target = Path::new(directory).join(name);
            if let (Some(home), Ok(rest)) = (&home, target.strip_prefix("/home/agent")) {
                fs::create_dir_all(home.path().join(rest).parent().unwrap()).unwrap();
                fs::write(home.path().join(rest), "").unwrap();
            }
            spec.mounts.push(mount(&shown, &target, Access::ReadOnly));
        }
        for (directory, name) in places {
            let parent = text(Path::new(directory).parent().unwrap());
            let target = Path::new(directory).join(name);
            let mut command = sh(ATTEMPTS).env("PINNED", target).env("ABOVE", format!("{directory} {parent}"));
            command.workdir = "/tmp".into();
            let seen = run(&lane, spec.clone(), command).await.ok();
            assert_eq!(seen.out(), "", "{}", seen.text());
        }
    }
}

/// Without a mount to protect, the attempts must get through, or they prove nothing.
#[tokio::test]
async fn the_attempts_work_where_nothing_is_pinned() {
    let Some(lane) = native() else { return };
    let cases =
        [("/tree/a", ["mv /tree/a", "rm /tree/a", "link /tree/a", "now: "]), ("", ["write", "rm", "mv over", "chmod"])];
    for (above, expected) in cases {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("a")).unwrap();
        fs::write(tree.path().join("a/file"), "pinned").unwrap();
        let mut spec = pinned();
        spec.mounts = vec![mount(tree.path(), Path::new("/tree"), Access::ReadWrite)];
        let mut command = sh(ATTEMPTS).env("PINNED", "/tree/a/file").env("ABOVE", above);
        command.workdir = "/tree".into();
        let said = run(&lane, spec, command).await.ok();
        for attempt in expected {
            assert!(said.out().contains(&format!("through: {attempt}")), "{attempt}: {}", said.out());
        }
    }
}

#[tokio::test]
async fn a_file_that_could_be_written_at_a_second_place_is_refused() {
    let Some(lane) = native() else { return };
    let (tree, view) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shown = view.path().join("shown");
    fs::write(&shown, "x").unwrap();
    fs::write(tree.path().join("pointer"), "x").unwrap();
    let mut spec = pinned();
    spec.mounts = vec![
        mount(tree.path(), Path::new("/tree"), Access::ReadWrite),
        mount(view.path(), Path::new("/view"), Access::ReadWrite),
        mount(&shown, Path::new("/tree/pointer"), Access::ReadOnly),
    ];
    let error = hedgerow_sandbox::Sandbox::start(&lane, spec.clone()).await.unwrap_err();
    let Error::Refused { shortfalls, .. } = &error else { panic!("{error:?}") };
    assert_eq!(shortfalls[0].guarantee, Guarantee::PinnedMounts);
    assert!(shortfalls[0].why.contains("/tree/pointer") && shortfalls[0].why.contains("/view/shown"), "{error}");
    // Covered at its second place, it cannot be written.
    spec.mounts.push(mount(&shown, Path::new("/view/shown"), Access::ReadOnly));
    let seen = run(&lane, spec.clone(), sh("echo y > /view/shown || echo y > /tree/pointer || echo no")).await;
    assert_eq!(seen.out(), "no", "{}", seen.text());
    spec.mounts.pop();
    spec.policy = spec.policy.without(Guarantee::PinnedMounts);
    run(&lane, spec, sh("true")).await.ok();
}
