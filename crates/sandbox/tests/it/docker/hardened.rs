//! How containers are made: as the engine tells it, and as it is seen from inside.

use bollard::models::{ContainerInspectResponse, HostConfigCgroupnsModeEnum};
use hedgerow_sandbox::{DockerOptions, DockerSandbox, Error, Limits, Policy, Sandbox, Scratch};

use super::{IMAGE, containers, engine, lane, listen, once, sh, spec, tree, until};

/// What the engine says of a running command's container.
async fn inspected(lane: &DockerSandbox, limits: Limits) -> ContainerInspectResponse {
    let tree = tree();
    let mut spec = spec("inspect", &tree);
    spec.policy = Policy { limits, ..Policy::strict() };
    // Whether a lane limits the disk is another question.
    spec.policy.required = Policy::standard().required;
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let mut process = running.exec(sh("echo up; until [ -e go ]; do sleep 0.05; done", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    let found = engine().await.inspect_container(&containers(&id).await[0], None).await.expect("inspected");
    std::fs::write(tree.path.join("go"), "").expect("written");
    assert!(listen(process).await.exit.success());
    found
}

#[tokio::test]
async fn the_engine_was_told_every_restriction() {
    let Some(lane) = lane().await else { return };
    let found = inspected(&lane, Limits::small()).await;
    let config = found.config.expect("config");
    assert_eq!(config.user.as_deref(), Some("5000:5001"), "the owner of the tree");
    assert_eq!((config.tty, config.open_stdin), (Some(false), Some(false)));
    assert_eq!(found.image.as_deref(), Some(lane.image()), "the image is named by its id");
    let host = found.host_config.expect("host");
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!((host.privileged, host.auto_remove, host.init), (Some(false), Some(false), Some(true)));
    assert_eq!((host.cap_drop, host.cap_add), (Some(vec!["ALL".to_owned()]), None));
    let security = host.security_opt.expect("security options");
    assert!(security.contains(&"no-new-privileges".to_owned()), "{security:?}");
    assert!(security.iter().any(|o| o.starts_with("seccomp={")), "a profile of our own: {security:?}");
    assert_eq!((host.network_mode.as_deref(), host.ipc_mode.as_deref()), (Some("none"), Some("private")));
    assert_eq!((host.pid_mode.as_deref(), host.uts_mode.as_deref()), (Some(""), Some("")));
    assert_eq!(host.cgroupns_mode, Some(HostConfigCgroupnsModeEnum::PRIVATE));
    assert_eq!((host.memory, host.memory_swap), (Some(512 << 20), Some(512 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(1_000_000_000), Some(128)));
    assert!(host.devices.is_none_or(|devices| devices.is_empty()));
    assert!(host.device_requests.is_none_or(|requests| requests.is_empty()));
    let core = host.ulimits.expect("limits").into_iter().find(|limit| limit.name.as_deref() == Some("core"));
    assert_eq!(core.map(|core| (core.soft, core.hard)), Some((Some(0), Some(0))));
    let log = host.log_config.expect("log");
    assert_eq!(log.typ.as_deref(), Some("local"));
    assert!(log.config.expect("options").contains_key("max-size"));
    assert!(host.masked_paths.is_some_and(|paths| paths.iter().any(|path| path == "/proc/kcore")));
    assert!(host.readonly_paths.is_some_and(|paths| paths.iter().any(|path| path == "/proc/sys")));
    let mounts = host.mounts.expect("mounts");
    assert_eq!(mounts.len(), 1, "the tree alone, and no socket: {mounts:?}");
    for (target, options) in host.tmpfs.expect("tmpfs") {
        let has = |wanted: &str| options.split(',').any(|option| option == wanted);
        assert!(["noexec", "nosuid", "nodev"].into_iter().all(has), "{target}: {options}");
        assert!(options.contains(",size="), "{target}: {options}");
        // What lies above a mount is pinned, and holds nothing.
        let scratch = ["/tmp", "/var/tmp", "/dev/shm", "/home/agent", "/run/secrets"].contains(&target.as_str());
        assert!(has(if scratch { "rw" } else { "ro" }), "{target}: {options}");
    }
}

#[tokio::test]
async fn inside_it_is_as_the_engine_was_told() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("inside", &tree);
    spec.policy.limits = Limits::small();
    let script = "cat /proc/1/mountinfo | awk '{ print \"MOUNT \" $5 \" \" $6 }'; ulimit -Hc; id -u; \
        cat /proc/self/cgroup | cut -d: -f3 | sort -u | tr '\\n' ' '; echo; \
        head -c 1 /proc/kcore | wc -c; echo x 2>/dev/null > /proc/sys/kernel/hostname || echo kept; \
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; \
        cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; \
        for d in /tmp $HOME /dev/shm; do cp /bin/true $d/t; $d/t 2>/dev/null && echo \"$d ran\"; done; exit 0";
    let said = once(&lane, spec, sh(script, &tree)).await;
    let out = said.out();
    let options = |target: &str| {
        let line = out.lines().find_map(|line| line.strip_prefix(&format!("MOUNT {target} ")));
        line.unwrap_or_else(|| panic!("no mount at {target}: {out}")).to_owned()
    };
    assert!(options("/").starts_with("ro,"), "{out}");
    for target in ["/tmp", "/home/agent", "/dev/shm"] {
        let options = options(target);
        for flag in ["rw", "nosuid", "nodev", "noexec"] {
            assert!(options.split(',').any(|o| o == flag), "{target} is {options}, not {flag}");
        }
    }
    let rest: Vec<_> = out.lines().filter(|line| !line.starts_with("MOUNT ")).collect();
    // The namespace of control groups has no name of the host's; the masked file is empty.
    assert_eq!(rest, ["0", "5000", "/ ", "0", "kept", "536870912", "128"], "{out} {}", said.err());
}

#[tokio::test]
async fn programs_run_from_memory_where_the_caller_chose_it() {
    if lane().await.is_none() {
        return;
    }
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE).scratch(Scratch::Programs)).await.expect("connects");
    let tree = tree();
    let script = "for d in /tmp $HOME; do printf '#!/bin/sh\\necho runs\\n' > $d/p; chmod +x $d/p; $d/p; done";
    let said = once(&lane, spec("programs", &tree), sh(script, &tree)).await;
    assert_eq!(said.out(), "runs\nruns\n", "{}", said.err());
}

#[tokio::test]
async fn a_runtime_is_used_by_name_and_one_that_is_missing_is_refused_with_those_that_are_there() {
    let Some(plain) = lane().await else { return };
    let known = engine().await.info().await.expect("info").runtimes.expect("runtimes");
    let name = known.keys().find(|name| name.as_str() != "runc" && name.ends_with(".v2")).map_or("runc", |name| name);
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE).runtime(name)).await.expect("connects");
    let found = inspected(&lane, Limits::small()).await;
    assert_eq!(found.host_config.expect("host").runtime.as_deref(), Some(name));
    assert_eq!(lane.image(), plain.image());
    let error =
        DockerSandbox::connect(DockerOptions::new(IMAGE).runtime("no-such-runtime")).await.expect_err("refused");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("no runtime no-such-runtime (it has: "), "{error}");
    assert!(error.to_string().contains("runc"), "{error}");
}
