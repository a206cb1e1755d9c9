//! What an agent that means harm tries. Each attack is shown to work in the host lane first.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Child, Command as Direct};
use std::time::Duration;

use hedgerow_sandbox::{Access, End, HostSandbox, Mount, NativeSandbox, Network, Policy, Sandbox, Spec};

use crate::probe::{Outcome, Segment, inside, on_host, seen_inside};
use crate::world::{alive, nap, native, open, run, sh, skipped, spec, text};

fn standard() -> Spec {
    spec(Policy::standard())
}

/// Runs a script on the host and inside; what it prints on each.
async fn both(lane: &NativeSandbox, script: &str) -> (String, String) {
    let host = HostSandbox::new().unwrap();
    let outside = run(&host, open(), sh(script)).await;
    let inside = run(lane, standard(), sh(script)).await;
    (outside.out().to_owned(), inside.out().to_owned())
}

/// A process of the host's, gone with the test.
pub(crate) struct Bystander(pub(crate) Child);

impl Bystander {
    pub(crate) fn new(nap: &str) -> Self {
        Self(Direct::new("/bin/sleep").arg(nap).env("BYSTANDER_SECRET", "hunter2").spawn().unwrap())
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn files_of_the_host_outside_of_mounts_cannot_be_read() {
    let Some(lane) = native() else { return };
    let planted = tempfile::tempdir().unwrap();
    std::fs::write(planted.path().join("key"), "secret").unwrap();
    let home = tempfile::tempdir_in(std::env::var_os("HOME").expect("HOME")).unwrap();
    std::fs::write(home.path().join("key"), "secret").unwrap();
    for directory in [planted.path(), home.path()] {
        let (outside, inside) = both(&lane, &format!("cat {}/key || echo -n none", text(directory))).await;
        assert_eq!((outside.as_str(), inside.as_str()), ("secret", "none"), "{directory:?}");
    }
    for path in
        ["/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/sys/kernel", "/var/lib", "/var/log", "/boot", "/home/*"]
    {
        let script = format!("ls -d {path} 2>/dev/null | grep -v /home/agent || echo none");
        assert_eq!(run(&lane, standard(), sh(script)).await.out(), "none", "{path}");
    }
}

#[tokio::test]
async fn nothing_outside_of_writable_mounts_can_be_written() {
    let Some(lane) = native() else { return };
    let planted = tempfile::tempdir().unwrap();
    let target = planted.path().join("new");
    let (outside, inside) = both(&lane, &format!("touch {} && echo done || echo none", text(&target))).await;
    assert_eq!((outside.as_str(), inside.as_str()), ("done", "none"));
    std::fs::remove_file(&target).unwrap();
    for path in ["/", "/usr", "/usr/bin", "/etc", "/etc/alternatives", "/opt", "/dev", "/proc", "/var", "/run", "/root"]
    {
        let script = format!("touch {path}/hedgerow-test && echo done || echo none");
        assert_eq!(run(&lane, standard(), sh(&script)).await.out(), "none", "{path}");
        assert!(!PathBuf::from(path).join("hedgerow-test").exists());
    }
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/etc/passwd"] {
        let outcome = crate::probe::inside(&lane, &format!("write {path}")).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{path}: {outcome:?}");
    }
    assert_eq!(inside_errno(&lane, "chmod-null").await, libc::EROFS);
}

async fn inside_errno(lane: &NativeSandbox, probe: &str) -> i32 {
    match inside(lane, probe).await {
        Outcome::Refused(errno) => errno,
        other => panic!("{probe}: {other:?}"),
    }
}

#[tokio::test]
async fn a_link_out_of_a_mounted_tree_leads_nowhere() {
    let Some(lane) = native() else { return };
    let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("file"), "before").unwrap();
    std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).unwrap();
    let mut spec = standard();
    spec.mounts.push(Mount { source: tree.path().into(), target: tree.path().into(), access: Access::ReadWrite });
    let script = format!(
        "cd {0}; cat link/file; echo x > link/file; echo x > {0}/../{1}/file; cat link/../../etc/shadow; echo end",
        text(tree.path()),
        outside.path().file_name().unwrap().to_str().unwrap()
    );
    let seen = run(&lane, spec, sh(script)).await;
    assert_eq!(seen.out(), "end", "{}", seen.text());
    assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), "before");
}

#[tokio::test]
async fn processes_of_the_host_can_be_neither_seen_nor_signalled_nor_read() {
    let Some(lane) = native() else { return };
    let nap = nap();
    let bystander = Bystander::new(&nap);
    let pid = bystander.0.id();
    let look = format!("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep {nap}' || true");
    let (outside, within) = both(&lane, &look).await;
    // The shell that looks has the text in its own command line, on both sides.
    let (outside, within): (u32, u32) = (outside.parse().unwrap(), within.parse().unwrap());
    assert_eq!((outside, within), (1, 1));
    let count = format!(
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done | grep -c '^sleep {nap}\\|^/bin/sleep {nap}' || true"
    );
    let (outside, within) = both(&lane, &count).await;
    assert_eq!((outside.as_str(), within.as_str()), ("1", "0"));
    let environ = format!("tr '\\0' '\\n' < /proc/{pid}/environ | grep -c hunter2 || true");
    assert_eq!(both(&lane, &environ).await, ("1".into(), "0".into()));
    assert_eq!(on_host(&format!("kill {pid}")).await, Outcome::Allowed);
    for probe in ["kill", "ptrace", "read-memory"] {
        assert_eq!(inside_errno(&lane, &format!("{probe} {pid}")).await, libc::ESRCH, "{probe}");
    }
    run(&lane, standard(), sh("kill -9 -1")).await;
    assert_eq!(alive(&format!("/bin/sleep {nap}")).len(), 1, "the bystander lives");
}

#[tokio::test]
async fn the_command_line_of_the_embedding_program_does_not_show() {
    let Some(lane) = native() else { return };
    let seen =
        run(&lane, standard(), sh("cat /proc/1/cmdline; cat /proc/1/environ; ls /proc/1; kill -9 1; echo end")).await;
    assert_eq!(seen.out(), "end", "{}", seen.text());
    for probe in ["ptrace 1", "read-memory 1"] {
        assert_eq!(inside_errno(&lane, probe).await, libc::EPERM, "{probe}");
    }
}

#[tokio::test]
async fn services_of_the_host_cannot_be_reached_without_its_network() {
    let Some(lane) = native() else { return };
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp6 = TcpListener::bind("[::1]:0").ok();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = format!("hedgerow-test-{}", std::process::id());
    let local = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    local.set_nonblocking(true).unwrap();
    // As an agent for keys, a message bus or a container engine has it.
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("socket");
    let named = UnixListener::bind(&socket).unwrap();
    named.set_nonblocking(true).unwrap();
    let mut probes = vec![
        format!("unix {}", text(&socket)),
        format!("tcp {}", tcp.local_addr().unwrap()),
        format!("udp {}", udp.local_addr().unwrap()),
        format!("abstract {name}"),
    ];
    probes.extend(tcp6.as_ref().map(|l| format!("tcp {}", l.local_addr().unwrap())));
    let arrived = || {
        let datagram = udp.recv(&mut [0; 8]).map(drop).map_err(|e| e.kind());
        let connections = [tcp.accept().map(drop), local.accept().map(drop), named.accept().map(drop)];
        (connections.map(|c| c.map_err(|e| e.kind())), datagram)
    };
    for probe in &probes {
        assert_eq!(on_host(probe).await, Outcome::Allowed, "{probe}");
    }
    assert_eq!(arrived(), ([Ok(()), Ok(()), Ok(())], Ok(())));
    for probe in &probes {
        let outcome = inside(&lane, probe).await;
        assert!(matches!(outcome, Outcome::Refused(_)) || probe.starts_with("udp"), "{probe}: {outcome:?}");
    }
    let nothing = ErrorKind::WouldBlock;
    assert_eq!(arrived(), ([Err(nothing), Err(nothing), Err(nothing)], Err(nothing)));
    // Its own loopback works, as test suites need it.
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(inside_errno(&lane, &format!("tcp {own}")).await, libc::ECONNREFUSED);
}

#[tokio::test]
async fn the_hosts_network_is_there_when_it_is_asked_for() {
    let Some(lane) = native() else { return };
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut policy = Policy::standard().without(hedgerow_sandbox::Guarantee::NoNetwork);
    policy.network = Network::Host;
    let seen = seen_inside(&lane, spec(policy), &format!("tcp {}", tcp.local_addr().unwrap())).await.ok();
    assert!(seen.text().contains("PROBE allowed"), "{}", seen.text());
    tcp.accept().unwrap();
}

#[tokio::test]
async fn a_shared_memory_segment_of_the_host_is_out_of_reach() {
    let Some(lane) = native() else { return };
    let segment = Segment::new();
    let probe = format!("shm {}", segment.key());
    let (outside, within) = (on_host(&probe).await, inside(&lane, &probe).await);
    assert_eq!((outside, within), (Outcome::Allowed, Outcome::Refused(libc::ENOENT)));
}

#[tokio::test]
async fn system_calls_that_reach_around_the_walls_are_refused() {
    let Some(lane) = native() else { return };
    for (probe, expected) in [
        ("unshare", Outcome::Refused(libc::EPERM)),
        ("clone", Outcome::Refused(libc::EPERM)),
        ("clone3", Outcome::Refused(libc::ENOSYS)),
        ("mount", Outcome::Refused(libc::EPERM)),
        ("chroot", Outcome::Refused(libc::EPERM)),
        ("keyctl", Outcome::Refused(libc::EPERM)),
        ("add-key", Outcome::Refused(libc::EPERM)),
        ("io-uring", Outcome::Refused(libc::EPERM)),
        ("userfaultfd", Outcome::Refused(libc::EPERM)),
        ("bpf", Outcome::Refused(libc::EPERM)),
        ("syslog", Outcome::Refused(libc::EPERM)),
        // AF_VSOCK, which no namespace confines; AF_ALG; AF_PACKET; NETLINK_AUDIT by its family.
        ("socket 40 1", Outcome::Refused(libc::EPERM)),
        ("socket 38 5", Outcome::Refused(libc::EPERM)),
        ("socket 17 3", Outcome::Refused(libc::EPERM)),
        ("tiocsti", Outcome::Refused(libc::EPERM)),
        ("tiocsti-high", Outcome::Refused(libc::EPERM)),
        ("x32", Outcome::Refused(libc::ENOSYS)),
        ("ia32", Outcome::Killed(libc::SIGSYS)),
    ] {
        if expected == Outcome::Killed(libc::SIGSYS) && cfg!(not(target_arch = "x86_64")) {
            continue;
        }
        assert_eq!(inside(&lane, probe).await, expected, "{probe}");
    }
    // The controls that hold on any host, also for an ordinary user.
    for probe in ["keyctl", "add-key", "clone3"] {
        assert_eq!(on_host(probe).await, Outcome::Allowed, "{probe}");
    }
    // These depend on the host's own configuration: where they fail there, their line above proves nothing.
    for probe in ["unshare", "clone", "io-uring", "socket 40 1", "socket 38 5", "ia32", "userfaultfd", "bpf", "syslog"]
    {
        let outcome = on_host(probe).await;
        if outcome != Outcome::Allowed {
            skipped(&format!("no control for {probe}: this host itself answers {outcome:?}"));
        }
    }
}

#[tokio::test]
async fn no_file_of_a_mounted_tree_becomes_setuid() {
    let Some(lane) = native() else { return };
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let file = text(&file);
    let new = format!("{}/new", text(tree.path()));
    for probe in [
        format!("chmod-setuid {file}"),
        format!("fchmodat2-setgid {file}"),
        format!("open-setuid {new}"),
        format!("mknod-setuid {new}"),
    ] {
        let mut spec = standard();
        spec.mounts.push(Mount { source: tree.path().into(), target: tree.path().into(), access: Access::ReadWrite });
        let seen = seen_inside(&lane, spec, &probe).await;
        assert!(seen.text().contains(&format!("PROBE {}", libc::EPERM)), "{probe}: {}", seen.text());
        for entry in std::fs::read_dir(tree.path()).unwrap().flatten() {
            let mode = std::os::unix::fs::MetadataExt::mode(&entry.metadata().unwrap());
            assert_eq!(mode & 0o6000, 0, "{probe}");
        }
        assert_eq!(on_host(&probe).await, Outcome::Allowed, "{probe}");
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::remove_file(&new).unwrap_or_default();
    }
}

#[tokio::test]
async fn a_sandbox_gets_no_more_processes_than_its_limit() {
    let Some(lane) = native() else { return };
    let mut spec = standard();
    spec.policy.limits.pids = Some(30);
    let seen = seen_inside(&lane, spec, "forks 100").await;
    let started: u32 =
        seen.text().split("STARTED ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!((10..30).contains(&started), "{started}");
    assert_eq!(on_host("forks 100").await, Outcome::Allowed);
}

#[tokio::test]
async fn a_fork_bomb_ends_at_its_deadline_and_leaves_nothing() {
    let Some(lane) = native() else { return };
    let nap = nap();
    let mut spec = standard();
    spec.policy.limits.pids = Some(60);
    let script = format!("bomb() {{ sleep {nap} & bomb | bomb & wait; }}; bomb; while :; do sleep 1; done");
    let seen = run(&lane, spec, sh(script).deadline(Duration::from_secs(2))).await;
    assert!(matches!(seen.exit.end, End::Deadline | End::Exited { .. }), "{:?}", seen.exit.end);
    assert_eq!(alive(&nap), [""; 0]);
    run(&lane, standard(), sh("true")).await.ok();
}

#[tokio::test]
async fn memory_is_limited_for_all_processes_together() {
    let Some(lane) = native() else { return };
    let with_limit = || {
        let mut spec = standard();
        spec.policy.limits.memory = Some(200 << 20);
        spec
    };
    let fits = seen_inside(&lane, with_limit(), "hog 60").await.ok();
    assert!(fits.text().contains("HELD 60"), "{}", fits.text());
    assert!(fits.exit.usage.peak_memory.unwrap() > 60 << 20, "{:?}", fits.exit);
    let hog = seen_inside(&lane, with_limit(), "hog 2000").await;
    assert_eq!(hog.exit.end, End::OutOfMemory, "{}", hog.text());

    // Three that fit alone, and not together.
    let mut spec = with_limit();
    let mount = Mount { source: crate::probe::path().into(), target: "/probe".into(), access: Access::ReadOnly };
    spec.mounts.push(mount);
    let one = "HEDGEROW_TEST_PROBE='hog 90' /probe --exact probe::role_probe --nocapture";
    let seen = run(&lane, spec, sh(format!("{one} & {one} & {one} & wait"))).await;
    assert_eq!(seen.exit.end, End::OutOfMemory, "{}", seen.text());
}

#[tokio::test]
async fn being_killed_for_another_reason_is_not_called_out_of_memory() {
    let Some(lane) = native() else { return };
    let mut spec = standard();
    spec.policy.limits.memory = Some(200 << 20);
    let seen = run(&lane, spec, sh("kill -9 $$")).await;
    assert_eq!(seen.exit.end, End::Signaled { signal: 9 });
}

#[tokio::test]
async fn a_lane_that_is_shared_keeps_its_limits_apart() {
    let Some(lane) = native() else { return };
    let mut small = standard();
    small.policy.limits.memory = Some(100 << 20);
    let (small, large) = tokio::join!(seen_inside(&lane, small, "hog 1000"), seen_inside(&lane, standard(), "hog 150"));
    assert_eq!(small.exit.end, End::OutOfMemory, "{}", small.text());
    assert!(large.exit.success(), "{}", large.text());
    assert!(lane.list(&[].into()).await.unwrap().is_empty());
}
