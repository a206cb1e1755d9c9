//! The limit of what is written to mounts and home.

use hedgerow_sandbox::{Coverage, DockerOptions, DockerSandbox, End, Guarantee, Sandbox, Strength};

use super::contact::Line;
use super::{IMAGE, lane, once, sh, spec, tree};

#[tokio::test]
async fn files_that_fit_alone_and_not_together_are_out_of_disk() {
    let Some(lane) = lane().await else { return };
    let (tree, home) = (tree(), tree());
    for (script, with_home) in [
        ("for n in 1 2 3 4 5 6 7 8 9; do head -c 3000000 /dev/urandom > $n; done; sleep 100", false),
        ("head -c 12000000 /dev/urandom > $HOME/a; head -c 12000000 /dev/urandom > b; sleep 100", true),
    ] {
        let mut spec = spec("disk", &tree);
        spec.home = with_home.then(|| home.path.clone());
        spec.policy.required.insert(Guarantee::Disk, Strength::AtLeastPartial);
        spec.policy.limits.disk = Some(20 << 20);
        let said = once(&lane, spec, sh(script, &tree)).await;
        assert_eq!(said.exit.end, End::OutOfDisk, "{script}");
    }
}

#[tokio::test]
async fn files_that_lost_their_names_are_counted_and_what_is_in_memory_is_not() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let nameless = "exec 3>gone; rm gone; head -c 8000000 /dev/urandom >&3; exec 4>gone; rm gone; \
        head -c 8000000 /dev/urandom >&4; sleep 100";
    let memory = "head -c 30000000 /dev/urandom > /tmp/a; sleep 3; echo fine";
    for (script, end) in [(nameless, End::OutOfDisk), (memory, End::Exited { code: 0 })] {
        let mut spec = spec("disk", &tree);
        spec.policy.limits.disk = Some(10 << 20);
        if end != End::OutOfDisk {
            // One file of that size is refused by the kernel wherever it is.
            spec.policy.limits.disk = Some(40 << 20);
        }
        assert_eq!(once(&lane, spec, sh(script, &tree)).await.exit.end, end, "{script}");
    }
}

#[tokio::test]
async fn no_file_grows_beyond_the_limit() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("file", &tree);
    spec.policy.limits.disk = Some(4 << 20);
    let said = once(&lane, spec, sh("trap '' XFSZ; head -c 9000000 /dev/zero > big; exit 3", &tree)).await;
    assert!(matches!(said.exit.end, End::Exited { code: 3 } | End::OutOfDisk), "{:?}", said.exit.end);
    assert_eq!(tree.path.join("big").metadata().expect("made").len(), 4 << 20);
}

#[tokio::test]
async fn behind_a_socket_that_is_passed_on_the_disk_is_not_measured_and_the_lane_says_so() {
    let Some(lane) = lane().await else { return };
    let line = Line::new();
    let passed = DockerSandbox::connect(DockerOptions::new(IMAGE).socket(&line.path)).await.expect("connects");
    let Coverage::Unenforced(why) = passed.coverage(Guarantee::Disk) else { panic!("not known to be near") };
    assert!(why.contains("passed on"), "{why}");
    assert!(!matches!(lane.coverage(Guarantee::Disk), Coverage::Enforced));
}
