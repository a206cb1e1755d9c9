//! The native lane's limit of what is written to mounts and home.

use std::fs;
use std::path::Path;

use hedgerow_sandbox::{Access, Command, Coverage, End, Guarantee, Mount, Policy, Sandbox, Spec, Strength};

use crate::world::{Seen, native, run, sh, spec};

const MIB: u64 = 1 << 20;

/// A specification with a tree at `/tree` and a limit in mebibytes.
fn limited(tree: &Path, mebibytes: u64) -> Spec {
    let mut policy = Policy::standard();
    policy.required.insert(Guarantee::Disk, Strength::AtLeastPartial);
    policy.limits.disk = Some(mebibytes * MIB);
    let mut spec = spec(policy);
    spec.mounts.push(Mount { source: tree.into(), target: "/tree".into(), access: Access::ReadWrite });
    spec
}

/// Runs a script in `/tree` that waits afterwards, until it is over one way or the other.
async fn waiting(lane: &dyn Sandbox, spec: Spec, script: &str) -> Seen {
    let mut command: Command = sh(format!("{script}; echo WRITTEN; sleep 50"));
    command.workdir = "/tree".into();
    run(lane, spec, command).await
}

#[tokio::test]
async fn many_files_that_fit_alone_and_not_together_are_out_of_disk() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do head -c 3000000 /dev/urandom > $n; done";
    let seen = waiting(&lane, limited(tree.path(), 20), script).await;
    assert_eq!(seen.exit.end, End::OutOfDisk, "{}", seen.text());
}

#[tokio::test]
async fn a_home_of_the_callers_counts_too() {
    let Some(lane) = native() else { return };
    let (tree, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut spec = limited(tree.path(), 20);
    spec.home = Some(home.path().into());
    let script = "head -c 12000000 /dev/urandom > $HOME/a; head -c 12000000 /dev/urandom > b";
    let seen = waiting(&lane, spec, script).await;
    assert_eq!(seen.exit.end, End::OutOfDisk, "{}", seen.text());
}

#[tokio::test]
async fn empty_files_without_end_are_out_of_disk() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let script = "mkdir -p a/b; cd a/b; seq 3000 | xargs touch";
    let seen = waiting(&lane, limited(tree.path(), 1), script).await;
    assert_eq!(seen.exit.end, End::OutOfDisk, "{}", seen.text());
}

#[tokio::test]
async fn files_that_lost_their_names_are_still_counted() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let write = |fd| format!("head -c 9000000 /dev/urandom >&{fd}");
    let script = format!("exec 3>a 4>b 5>c; rm a b c; {}; {}; {}", write(3), write(4), write(5));
    let seen = waiting(&lane, limited(tree.path(), 20), &script).await;
    assert_eq!(seen.exit.end, End::OutOfDisk, "{}", seen.text());
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn one_file_never_gets_larger_than_the_limit() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let mut command = sh("head -c 30000000 /dev/zero > large && echo fits");
    command.workdir = "/tree".into();
    let seen = run(&lane, limited(tree.path(), 20), command).await;
    assert!(!seen.exit.success() && seen.out().is_empty(), "{}", seen.text());
    assert_eq!(fs::metadata(tree.path().join("large")).unwrap().len(), 20 * MIB);
}

#[tokio::test]
async fn what_was_there_before_and_what_others_write_does_not_count() {
    let Some(lane) = native() else { return };
    let (tree, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(tree.path().join("before"), vec![1; 40_000_000]).unwrap();
    let script = "rm before; for n in 1 2 3 4; do head -c 9000000 /dev/urandom > $n; done; touch done
         while ! test -e filled; do sleep 0.05; done; sleep 0.5";
    let mut command = sh(script);
    command.workdir = "/tree".into();
    let (done, filled) = (tree.path().join("done"), tree.path().join("filled"));
    let place = beside.path().join("large");
    let other = std::thread::spawn(move || {
        crate::world::eventually("the command writes", || done.exists());
        fs::write(place, vec![1; 60_000_000]).unwrap();
        fs::write(filled, "").unwrap();
    });
    run(&lane, limited(tree.path(), 20), command).await.ok();
    other.join().unwrap();
}

#[tokio::test]
async fn a_limit_that_is_measured_and_not_kept_by_the_kernel_is_called_so() {
    let Some(lane) = native() else { return };
    let Coverage::Partial(why) = lane.coverage(Guarantee::Disk) else { panic!("{:?}", lane.coverage(Guarantee::Disk)) };
    assert!(why.contains("measured") && why.contains("quota"), "{why}");
    let tree = tempfile::tempdir().unwrap();
    let mut strict = limited(tree.path(), 20);
    strict.policy.required.insert(Guarantee::Disk, Strength::Full);
    let error = lane.start(strict).await.unwrap_err().to_string();
    assert!(error.contains("disk") && error.contains("quota"), "{error}");
}
