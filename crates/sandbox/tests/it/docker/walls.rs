//! What a hostile program tries.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;
use std::time::Duration;

use hedgerow_sandbox::{Access, Command, Coverage, Guarantee, Mount, Network, Policy, Sandbox, Spec};

use super::{ROLE, lane, once, own_role, sh, spec, tree};

#[tokio::test]
async fn the_engine_keeps_all_that_the_standard_policy_requires() {
    let Some(lane) = lane().await else { return };
    assert_eq!(Policy::standard().shortfalls(&lane), []);
    assert_eq!(lane.coverage(Guarantee::SyscallFilter), Coverage::Enforced);
}

#[tokio::test]
async fn the_process_has_no_capability_no_new_privileges_and_a_filter() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let said = once(&lane, spec("status", &tree), sh("cat /proc/self/status; ulimit -Hc", &tree)).await;
    let out = said.out();
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(out.contains(&format!("{name}:\t0000000000000000\n")), "{name} in {out}");
    }
    assert!(out.contains("NoNewPrivs:\t1\n") && out.contains("Seccomp:\t2\n"), "{out}");
    assert!(out.ends_with("\n0\n"), "core dumps are off: {out}");
}

#[tokio::test]
async fn nothing_of_the_image_can_be_changed_and_the_given_places_can() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    for target in ["/usr/bin/x", "/etc/x", "/root/x", "/x", "/home/x", "/run/x", "/var/tmp/x"] {
        let said = once(&lane, spec("root", &tree), sh(&format!("echo x > {target}"), &tree)).await;
        assert!(!said.exit.success(), "{target} was written");
    }
    let script = "set -e; for d in . /tmp /home/agent $HOME $TMPDIR /dev/shm; do echo x > $d/x; done; echo all";
    let said = once(&lane, spec("places", &tree), sh(script, &tree)).await;
    assert_eq!(said.out(), "all\n", "{}", said.err());
}

#[tokio::test]
async fn commands_run_as_the_owner_of_the_tree_so_that_git_and_the_host_agree() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let owner = tree.path.metadata().expect("metadata");
    let said =
        once(&lane, spec("owner", &tree), sh("id -u; id -g; echo new > made; git init -q . && git status -s", &tree))
            .await;
    assert!(said.exit.success(), "{}", said.err());
    assert_eq!(said.out(), format!("{}\n{}\n?? made\n", owner.uid(), owner.gid()));
    let made = tree.path.join("made").metadata().expect("made");
    assert_eq!((made.uid(), made.gid()), (owner.uid(), owner.gid()));
}

#[tokio::test]
async fn a_file_mounted_read_only_over_dot_git_can_be_neither_written_nor_moved() {
    let Some(lane) = lane().await else { return };
    let (tree, view) = (tree(), tree());
    std::fs::write(tree.path.join(".git"), "gitdir: /outside\n").expect("written");
    let inside = view.path.join("pointer");
    std::fs::write(&inside, "gitdir: /inside\n").expect("written");
    let mut spec = spec("dotgit", &tree);
    spec.mounts.push(Mount { source: inside.clone(), target: tree.path.join(".git"), access: Access::ReadOnly });
    let script =
        "cat .git; echo evil > .git; rm -f .git; mv .git away; chmod 777 .git; ln -sf /tmp .git; cat .git; exit 0";
    let said = once(&lane, spec, sh(script, &tree)).await;
    assert_eq!(said.out(), "gitdir: /inside\ngitdir: /inside\n", "{}", said.err());
    assert_eq!(std::fs::read_to_string(&inside).expect("read"), "gitdir: /inside\n");
    assert_eq!(std::fs::read_to_string(tree.path.join(".git")).expect("read"), "gitdir: /outside\n");
}

#[tokio::test]
async fn no_connection_leaves_and_the_same_connection_works_with_the_hosts_network() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = listener.local_addr().expect("address").port();
    let connect = || {
        let script =
            format!("if exec 3<>/dev/tcp/127.0.0.1/{port}; then echo connected; fi; ls /sys/class/net | tr '\\n' ' '");
        Command::new("bash", &tree.path).args(["-c".to_owned(), script]).deadline(Duration::from_secs(60))
    };
    let control = Spec { policy: Policy::open(), ..spec("net-host", &tree) };
    assert_eq!(control.policy.network, Network::Host);
    let said = once(&lane, control, connect()).await;
    assert!(said.out().starts_with("connected\n"), "the control must connect: {said:?}");
    let said = once(&lane, spec("net-none", &tree), connect()).await;
    assert_eq!(said.out().trim(), "lo", "{said:?}");
}

#[tokio::test]
async fn the_host_is_neither_seen_nor_signalled() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let secret = tree.path.parent().expect("parent").join("secret");
    std::fs::write(&secret, "secret").expect("written");
    let mut bystander = std::process::Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sleeps");
    let script = format!(
        "ls -d /var/run/docker.sock /run/docker.sock /run/containerd 2>/dev/null; cat {} 2>/dev/null; ls {}; \
         kill -9 {} 2>/dev/null && echo killed; kill -9 -1; ls /dev | grep -E '^(sd|vd|nvme|kmsg|mem|kvm|fuse)'; exit 0",
        secret.display(),
        tree.path.parent().expect("parent").display(),
        bystander.id()
    );
    let said = once(&lane, spec("host", &tree), sh(&script, &tree)).await;
    assert_eq!(said.out(), "tree\n", "{said:?}");
    assert!(bystander.try_wait().expect("asked").is_none(), "the bystander was killed");
    bystander.kill().expect("killed");
    bystander.wait().expect("reaped");
}

/// What is tried in a container, and outside of it as the control; each line is `name errno`, 0 for success.
///
/// Not a test by itself.
#[test]
#[expect(clippy::print_stdout, reason = "what it prints is read by the test that started it")]
fn intruder_role() {
    if std::env::var(ROLE).as_deref() != Ok("intruder") {
        return;
    }
    let report = |name: &str, result: i64| {
        let error = std::io::Error::last_os_error();
        println!("TRIED {name} {}", if result >= 0 { 0 } else { error.raw_os_error().unwrap_or(-1) });
    };
    let file = std::ffi::CString::new("intruded").expect("no NUL");
    let own = std::ffi::CString::new("own").expect("no NUL");
    std::fs::write("own", "").expect("the tree is writable");
    // SAFETY: system calls with null or valid pointers and no effect on this process's memory; those that succeed leave a file
    // descriptor open until the process ends.
    unsafe {
        report("vsock", i64::from(libc::socket(40, libc::SOCK_STREAM, 0)));
        report("alg", i64::from(libc::socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)));
        report("packet", i64::from(libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)));
        report("netlink-audit", i64::from(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 9)));
        report("keyctl", libc::syscall(libc::SYS_keyctl, 0, -3_i32, 0));
        report("add_key", libc::syscall(libc::SYS_add_key, 0, 0, 0, 0, 0));
        report("io_uring", libc::syscall(libc::SYS_io_uring_setup, 1, [0_u64; 32].as_mut_ptr()));
        report("userfaultfd", libc::syscall(libc::SYS_userfaultfd, 1));
        report("bpf", libc::syscall(libc::SYS_bpf, 0, 0, 0));
        report("perf", libc::syscall(libc::SYS_perf_event_open, 0, 0, 0, 0, 0));
        report("unshare", i64::from(libc::unshare(libc::CLONE_NEWUSER)));
        report("setns", i64::from(libc::setns(-1, 0)));
        report(
            "mount",
            i64::from(libc::mount(own.as_ptr(), own.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null())),
        );
        // Outside it may have worked, and would outlast the test.
        libc::umount2(own.as_ptr(), libc::MNT_DETACH);
        report("open_by_handle", libc::syscall(libc::SYS_open_by_handle_at, -1, 0, 0));
        report("clone3", libc::syscall(libc::SYS_clone3, 0, 0));
        report("openat2", libc::syscall(libc::SYS_openat2, -1, 0, 0, 0));
        report("chmod-setuid", i64::from(libc::chmod(own.as_ptr(), 0o4755)));
        report("chmod-setgid", i64::from(libc::fchmodat(libc::AT_FDCWD, own.as_ptr(), 0o2755, 0)));
        report("create-setuid", i64::from(libc::open(file.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o4755)));
        report("chmod-plain", i64::from(libc::chmod(own.as_ptr(), 0o755)));
        report("create-plain", i64::from(libc::open(own.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o755)));
        report("netlink-route", i64::from(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0)));
        report("unix", i64::from(libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)));
    }
}

fn tried(out: &str, name: &str) -> i32 {
    let line =
        out.lines().find_map(|line| line.split_once("TRIED ")?.1.strip_prefix(&format!("{name} ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} was not tried: {out}")).trim().parse().expect("a number")
}

#[tokio::test]
async fn system_calls_that_reach_beyond_a_container_are_refused() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let (binary, args) = own_role("walls::intruder_role");
    let outside = super::tree();
    let control = std::process::Command::new(&binary)
        .args(&args)
        .env(ROLE, "intruder")
        .current_dir(&outside.path)
        .output()
        .expect("runs outside");
    let control = String::from_utf8_lossy(&control.stdout).into_owned();
    for name in
        ["vsock", "keyctl", "add_key", "chmod-setuid", "create-setuid", "chmod-setgid", "setns", "openat2", "clone3"]
    {
        assert!(![libc::EPERM, libc::ENOSYS].contains(&tried(&control, name)), "{name} proves nothing: {control}");
    }

    let mut spec = spec("intruder", &tree);
    spec.mounts.push(Mount { source: binary, target: "/intruder".into(), access: Access::ReadOnly });
    let command =
        Command::new("/intruder", &tree.path).args(args).env(ROLE, "intruder").deadline(Duration::from_secs(60));
    let said = once(&lane, spec, command).await;
    let out = said.out();
    assert!(said.exit.success(), "{out} {}", said.err());
    for name in [
        "vsock",
        "alg",
        "packet",
        "netlink-audit",
        "keyctl",
        "add_key",
        "io_uring",
        "userfaultfd",
        "bpf",
        "perf",
        "unshare",
        "setns",
        "mount",
        "open_by_handle",
        "chmod-setuid",
        "chmod-setgid",
        "create-setuid",
    ] {
        assert_eq!(tried(&out, name), libc::EPERM, "{name}: {out}");
    }
    for name in ["clone3", "openat2"] {
        assert_eq!(tried(&out, name), libc::ENOSYS, "{name}: {out}");
    }
    for name in ["chmod-plain", "create-plain", "netlink-route", "unix"] {
        assert_eq!(tried(&out, name), 0, "{name}: {out}");
    }
    let mode = tree.path.join("own").metadata().expect("made").permissions().mode();
    assert_eq!(mode & 0o6000, 0, "{mode:o}");
    assert!(!tree.path.join("intruded").exists());
}

#[tokio::test]
async fn the_tools_that_agents_use_still_work_under_the_filter() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let script = "set -e; git init -q r; cd r; git config user.name n; git config user.email e; echo a > a; git add a; \
        git commit -qm one; git stash list; git gc -q; git fsck; cat <(echo substitution); \
        python3 -c 'import os, socket, threading; t = threading.Thread(target=print, args=(\"thread\",)); t.start(); t.join(); \
        socket.socketpair()'; tar cf /tmp/t.tar . ; mkdir /tmp/t; tar xf /tmp/t.tar -C /tmp/t; ls -la --time-style=full-iso >/dev/null; sort -R a; \
        perl -e 'print \"perl\\n\"'; timeout 5 true; nice true; echo fine";
    let command = Command::new("bash", &tree.path).args(["-c", script]).deadline(Duration::from_secs(120));
    let said = once(&lane, spec("tools", &tree), command).await;
    assert!(said.out().ends_with("perl\nfine\n"), "{} {}", said.out(), said.err());
    assert!(said.out().contains("substitution\nthread\n"), "{}", said.out());
}
