//! A lane refuses what it cannot enforce, and says all that is missing.

use std::path::PathBuf;

#[cfg(feature = "native")]
use hedgerow_sandbox::Strength;
use hedgerow_sandbox::{Access, Coverage, Error, Guarantee, HostSandbox, Mount, Network, Policy, Sandbox};

use crate::world::{lanes, open, spec};

fn refusal(error: Error) -> Vec<(Guarantee, String)> {
    let Error::Refused { shortfalls, .. } = error else { panic!("{error:?}") };
    shortfalls.into_iter().map(|s| (s.guarantee, s.why)).collect()
}

#[tokio::test]
async fn the_host_lane_refuses_a_strict_policy_and_names_every_guarantee_that_is_missing() {
    let lane = HostSandbox::new().unwrap();
    let error = lane.start(spec(Policy::strict())).await.unwrap_err();
    let message = error.to_string();
    let missing: Vec<_> = refusal(error).into_iter().map(|(g, _)| g).collect();
    let kept = [Guarantee::WallTime, Guarantee::OutputCap];
    let expected: Vec<_> = Guarantee::ALL.into_iter().filter(|g| !kept.contains(g)).collect();
    assert_eq!(missing, expected);
    for guarantee in expected {
        assert!(message.contains(&guarantee.to_string()), "{guarantee} is not in: {message}");
    }
}

#[tokio::test]
async fn what_is_not_enforced_says_why_and_what_would_help() {
    let lane = HostSandbox::new().unwrap();
    for guarantee in Guarantee::ALL {
        if let Coverage::Unenforced(why) = lane.coverage(guarantee) {
            assert!(why.contains("lane"), "{guarantee}: {why}");
        }
    }
}

/// What a lane says of a list of destinations does not matter where nothing is reached at all.
#[cfg(feature = "native")]
#[tokio::test]
async fn a_network_of_none_reaches_nobody_that_is_not_listed() {
    let Some(lane) = crate::world::native() else { return };
    let mut policy = Policy::standard();
    policy.required.insert(Guarantee::Egress, Strength::Full);
    assert_eq!(policy.shortfalls(&lane), []);
    policy.network = Network::Host;
    policy.required.remove(&Guarantee::NoNetwork);
    let missing = refusal(lane.start(spec(policy)).await.unwrap_err());
    assert_eq!(missing.iter().map(|(g, _)| *g).collect::<Vec<_>>(), [Guarantee::Egress]);
}

#[tokio::test]
async fn the_hosts_network_and_no_network_together_are_refused_by_every_lane() {
    for lane in lanes() {
        let policy = Policy { network: Network::Host, ..Policy::standard() };
        let missing = refusal(lane.start(spec(policy)).await.unwrap_err());
        assert!(missing.iter().any(|(g, _)| *g == Guarantee::NoNetwork), "{lane:?}: {missing:?}");
    }
}

#[tokio::test]
async fn mounts_that_cannot_be_meant_are_refused_by_name_and_nothing_starts() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let here = directory.path().to_path_buf();
    let cases: [(PathBuf, PathBuf); 6] = [
        ("/no/such/path".into(), "/no/such/path".into()),
        ("relative".into(), "/relative".into()),
        (here.clone(), "relative".into()),
        (here.clone(), here.join("../up")),
        (here.join("../up"), here.clone()),
        (link.clone(), link.clone()),
    ];
    for lane in lanes() {
        for (source, target) in &cases {
            let mut wanted = open();
            let mount = Mount { source: source.clone(), target: target.clone(), access: Access::ReadWrite };
            wanted.mounts.push(mount);
            let error = lane.start(wanted).await.unwrap_err();
            let Error::InvalidSpec { what, .. } = &error else { panic!("{lane:?}: {error:?}") };
            let named = what.contains(source.to_str().unwrap()) || what.contains(target.to_str().unwrap());
            assert!(named, "{lane:?}: {what}");
        }
    }
}
