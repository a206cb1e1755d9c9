//! A look from inside a container confirms what the lane says, whether it was made for the command or was ready.

use hedgerow_sandbox::verify::{Seen, verify};
use hedgerow_sandbox::{DockerSandbox, Guarantee, Sandbox};

use super::{lane, spec, tree};

/// What can be seen by looking.
const VISIBLE: [Guarantee; 7] = [
    Guarantee::ProcessIsolation,
    Guarantee::NoHostWrites,
    Guarantee::NoHostReads,
    Guarantee::NoNetwork,
    Guarantee::NoPrivilegeGain,
    Guarantee::SyscallFilter,
    Guarantee::NoDevices,
];

async fn look(lane: &DockerSandbox) {
    let tree = tree();
    let spec = spec("verify", &tree);
    let mut running = lane.start(spec.clone()).await.expect("the policy is kept");
    let found = verify(lane, &spec, &mut *running).await.expect("it looks");
    assert_eq!(found.contradictions().count(), 0, "{found:#?}");
    for guarantee in VISIBLE {
        assert_eq!(found.of(guarantee), Some(&Seen::Confirmed), "{guarantee}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_lane_is_what_it_says() {
    let Some(lane) = lane().await else { return };
    look(&lane).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_ready_is_what_the_lane_says() {
    let (mark, tree) = (super::fresh_id("fence"), tree());
    let Some(lane) = super::pool::warm(&mark, &tree, 2).await else { return };
    look(&lane).await;
    assert!(lane.warmth()[0].claimed > 0, "{:?}", lane.warmth());
    lane.cool().await.expect("removed");
}
