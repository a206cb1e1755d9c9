use std::os::unix::ffi::OsStringExt;

use super::super::image::Image;
use super::*;
use crate::{Labels, Policy, SandboxId};

fn facts() -> Facts {
    let variables = [("PATH", "/bin"), ("SECRET", "s")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    Facts {
        image: Image { id: "sha256:1".into(), variables, ..Image::default() },
        cores: 2,
        coverage: super::super::probe::EngineCoverage { seccomp: true, ..Default::default() },
        ..Facts::default()
    }
}

fn spec(mounts: Vec<Mount>) -> Spec {
    let id = SandboxId::new("s").expect("valid");
    Spec { id, labels: Labels::new(), policy: Policy::strict(), mounts, home: None }
}

fn mount(target: &str, access: Access) -> Mount {
    Mount { source: "/src".into(), target: target.into(), access }
}

fn made(spec: &Spec, command: &Command) -> ContainerCreateBody {
    container(spec, command, &facts(), (7, 8), HashMap::new()).expect("valid")
}

#[test]
fn the_environment_is_built_from_nothing() {
    let env = made(&spec(vec![]), &Command::new("sh", "/").env("A", "b=c")).env.expect("env");
    for wanted in ["PATH=/bin", "HOME=/home/agent", "TMPDIR=/tmp", "A=b=c", "SECRET", "HOSTNAME"] {
        assert!(env.iter().any(|v| v == wanted), "{wanted} in {env:?}");
    }
    assert!(!env.iter().any(|v| v == "PATH"), "{env:?}");
}

#[test]
fn a_container_has_no_way_to_more_rights() {
    let body = made(&spec(vec![]), &Command::new("sh", "/"));
    let host = body.host_config.expect("host");
    assert_eq!(body.user.as_deref(), Some("7:8"));
    assert_eq!(body.tty, Some(false));
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    let security = host.security_opt.expect("options");
    assert!(security.contains(&"no-new-privileges".to_owned()));
    assert!(security.iter().any(|o| o.starts_with("seccomp={")));
}

#[test]
fn memory_and_swap_together_are_the_limit_and_cores_are_no_more_than_there_are() {
    let mut spec = spec(vec![]);
    spec.policy.limits.cpu_millis = Some(64_000);
    let host = made(&spec, &Command::new("sh", "/")).host_config.expect("host");
    assert_eq!(host.memory, Some(2 << 30));
    assert_eq!(host.memory_swap, host.memory);
    assert_eq!(host.nano_cpus, Some(2_000_000_000));
}

#[test]
fn what_is_mounted_below_a_read_only_mount_does_not_stay_writable() {
    let spec = spec(vec![mount("/a", Access::ReadOnly), mount("/b", Access::ReadWrite)]);
    let options = |facts: &Facts| -> Vec<_> {
        let mounts = mounts(&spec, facts).expect("valid");
        mounts.into_iter().map(|m| m.bind_options.expect("options")).collect()
    };
    let old = options(&facts());
    assert_eq!((old[0].non_recursive, old[1].non_recursive), (Some(true), None));
    let new = options(&Facts { recursive_read_only: true, ..facts() });
    assert_eq!((new[0].read_only_force_recursive, new[1].read_only_force_recursive), (Some(true), None));
}

#[test]
fn a_mount_over_tmp_or_home_takes_the_place_of_the_empty_one() {
    let with = |mounts| made(&spec(mounts), &Command::new("sh", "/")).host_config.expect("host").tmpfs.expect("tmpfs");
    assert_eq!(with(vec![]).len(), 2);
    let tmpfs = with(vec![mount("/tmp", Access::ReadWrite)]);
    assert!(!tmpfs.contains_key("/tmp") && tmpfs.contains_key(HOME));
    let home = Spec { home: Some("/h".into()), ..spec(vec![]) };
    let host = made(&home, &Command::new("sh", "/")).host_config.expect("host");
    assert!(!host.tmpfs.expect("tmpfs").contains_key(HOME));
    assert_eq!(host.mounts.expect("mounts")[0].target.as_deref(), Some(HOME));
}

#[test]
fn what_an_image_declares_as_a_volume_takes_no_place_on_the_hosts_disk() {
    let image = Image { volumes: vec!["/data".into(), "/given".into(), HOME.into()], ..facts().image };
    let facts = Facts { image, ..facts() };
    let spec = spec(vec![mount("/given", Access::ReadWrite)]);
    let body = container(&spec, &Command::new("sh", "/"), &facts, (7, 8), HashMap::new()).expect("valid");
    let tmpfs = body.host_config.expect("host").tmpfs.expect("tmpfs");
    assert!(tmpfs.get("/data").expect("in memory").starts_with("rw,noexec,nosuid,nodev,size="));
    assert!(!tmpfs.contains_key("/given"));
    assert!(tmpfs.get(HOME).expect("in memory").contains("mode=0700"));
}

#[test]
fn programs_are_run_from_memory_only_where_that_was_asked_for() {
    let options = |scratch| {
        let facts = Facts { scratch, ..facts() };
        tmpfs(&spec(vec![]), &Command::new("sh", "/"), &facts, (7, 8)).into_values().collect::<Vec<_>>()
    };
    assert!(options(Scratch::Data).iter().all(|options| options.contains(",noexec,")));
    assert!(options(Scratch::Programs).iter().all(|options| options.contains(",exec,")));
}

#[test]
fn standard_input_is_closed_unless_there_is_some() {
    assert_eq!(made(&spec(vec![]), &Command::new("cat", "/")).open_stdin, Some(false));
    let body = made(&spec(vec![]), &Command::new("cat", "/").stdin("x"));
    assert_eq!((body.open_stdin, body.stdin_once), (Some(true), Some(true)));
}

#[test]
fn what_json_cannot_hold_is_refused_with_its_name() {
    let hostile = std::ffi::OsString::from_vec(vec![0xff, 0xfe]);
    let refused = |command: Command| {
        let error = container(&spec(vec![]), &command, &facts(), (0, 0), HashMap::new()).expect_err("refused");
        assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
    };
    refused(Command::new(hostile.clone(), "/"));
    refused(Command::new("sh", "/").args([hostile.clone()]));
    refused(Command::new("sh", "/").env("A", hostile));
}
