//! Every system call that the native lane says it refuses, really made: inside, where it must be refused, and in the
//! host lane, where the kernel must have another answer. A call that fails everywhere the same way proves nothing.

use std::collections::BTreeMap;
use std::io::Write;

use hedgerow_sandbox::{Access, Command, HostSandbox, Mount, Policy, Sandbox, Spec};

use crate::world::{native, open, run, skipped, spec};

const ROLE: &str = "HEDGEROW_TEST_CALLS";
const INSIDE: &str = "/calls";

type Arguments = [i64; 5];

/// The calls and their arguments: such that on the host, also for root, none of them changes anything but the process
/// that makes it.
fn refused() -> Vec<(&'static str, i64, Arguments)> {
    let nowhere = c"/no/such/hedgerow".as_ptr() as i64;
    let (bad_fd, file_mode) = (-1, 0o100_644);
    let too_long = 1 << 20;
    let here = i64::from(libc::AT_FDCWD);
    let mut calls = vec![
        ("setns", libc::SYS_setns, [bad_fd, 0, 0, 0, 0]),
        ("mount", libc::SYS_mount, [nowhere, nowhere, nowhere, 0, 0]),
        ("umount2", libc::SYS_umount2, [nowhere, 0, 0, 0, 0]),
        ("mount_setattr", libc::SYS_mount_setattr, [bad_fd, nowhere, 0, 0, 0]),
        ("move_mount", libc::SYS_move_mount, [bad_fd, nowhere, bad_fd, nowhere, 0]),
        ("open_tree", libc::SYS_open_tree, [bad_fd, nowhere, 0, 0, 0]),
        ("open_tree_attr", 467, [bad_fd, nowhere, 0, 0, 0]),
        ("fsopen", libc::SYS_fsopen, [nowhere, 0, 0, 0, 0]),
        ("fsmount", libc::SYS_fsmount, [bad_fd, 0, 0, 0, 0]),
        ("fsconfig", libc::SYS_fsconfig, [bad_fd, 99, 0, 0, 0]),
        ("fspick", libc::SYS_fspick, [here, nowhere, 0, 0, 0]),
        ("pivot_root", libc::SYS_pivot_root, [nowhere, nowhere, 0, 0, 0]),
        ("chroot", libc::SYS_chroot, [nowhere, 0, 0, 0, 0]),
        ("statmount", 457, [0, 0, 0, 0, 0]),
        ("listmount", 458, [0, 0, 0, 0, 0]),
        ("name_to_handle_at", libc::SYS_name_to_handle_at, [here, nowhere, 0, 0, 0]),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, [bad_fd, 0, 0, 0, 0]),
        ("fanotify_init", libc::SYS_fanotify_init, [0, 0, 0, 0, 0]),
        ("fanotify_mark", libc::SYS_fanotify_mark, [bad_fd, 0, 0, 0, 0]),
        ("lookup_dcookie", libc::SYS_lookup_dcookie, [0; 5]),
        ("nfsservctl", libc::SYS_nfsservctl, [0; 5]),
        ("quotactl", libc::SYS_quotactl, [-1, 0, 0, 0, 0]),
        ("quotactl_fd", libc::SYS_quotactl_fd, [bad_fd, -1, 0, 0, 0]),
        ("swapon", libc::SYS_swapon, [nowhere, 0, 0, 0, 0]),
        ("swapoff", libc::SYS_swapoff, [nowhere, 0, 0, 0, 0]),
        ("acct", libc::SYS_acct, [nowhere, 0, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [-1, 0, 0, 0, 0]),
        ("memfd_secret", libc::SYS_memfd_secret, [-1, 0, 0, 0, 0]),
        ("mbind", libc::SYS_mbind, [1, 1, 99, 0, 0]),
        ("set_mempolicy", libc::SYS_set_mempolicy, [99, 0, 0, 0, 0]),
        ("set_mempolicy_home_node", libc::SYS_set_mempolicy_home_node, [1, 1, 1, 1, 0]),
        ("migrate_pages", libc::SYS_migrate_pages, [i64::MAX >> 32, 0, 0, 0, 0]),
        ("move_pages", libc::SYS_move_pages, [0, 0, 0, 0, 0]),
        ("pidfd_getfd", libc::SYS_pidfd_getfd, [bad_fd, 0, 0, 0, 0]),
        ("kcmp", libc::SYS_kcmp, [1 << 30, 1 << 30, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [0, 0, 0, 0, 0]),
        ("io_uring_enter", libc::SYS_io_uring_enter, [bad_fd, 0, 0, 0, 0]),
        ("io_uring_register", libc::SYS_io_uring_register, [bad_fd, 0, 0, 0, 0]),
        ("bpf", libc::SYS_bpf, [9999, 0, 0, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [0, 0, -1, -1, 0]),
        ("add_key", libc::SYS_add_key, [0, 0, 0, 0, -2]),
        ("request_key", libc::SYS_request_key, [0, 0, 0, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [9999, 0, 0, 0, 0]),
        ("syslog", libc::SYS_syslog, [10, 0, 0, 0, 0]),
        ("lsm_get_self_attr", 459, [0; 5]),
        ("lsm_set_self_attr", 460, [0; 5]),
        ("lsm_list_modules", 461, [0; 5]),
        ("kexec_load", libc::SYS_kexec_load, [0, too_long, 0, 0, 0]),
        ("init_module", libc::SYS_init_module, [0; 5]),
        ("finit_module", libc::SYS_finit_module, [bad_fd, nowhere, 0, 0, 0]),
        ("delete_module", libc::SYS_delete_module, [nowhere, 0, 0, 0, 0]),
        ("reboot", libc::SYS_reboot, [0; 5]),
        ("vhangup", libc::SYS_vhangup, [0; 5]),
        ("sethostname", libc::SYS_sethostname, [0, too_long, 0, 0, 0]),
        ("setdomainname", libc::SYS_setdomainname, [0, too_long, 0, 0, 0]),
        ("settimeofday", libc::SYS_settimeofday, [0; 5]),
        ("clock_settime", libc::SYS_clock_settime, [99, 0, 0, 0, 0]),
        ("adjtimex", libc::SYS_adjtimex, [0; 5]),
        ("clock_adjtime", libc::SYS_clock_adjtime, [99, 0, 0, 0, 0]),
        ("personality: data is code", libc::SYS_personality, [0x040_0000, 0, 0, 0, 0]),
        ("personality: known addresses", libc::SYS_personality, [0x004_0000, 0, 0, 0, 0]),
        ("TIOCSTI", libc::SYS_ioctl, [bad_fd, libc::TIOCSTI as i64, 0, 0, 0]),
        ("TIOCSTI with a high bit", libc::SYS_ioctl, [bad_fd, libc::TIOCSTI as i64 | 1 << 40, 0, 0, 0]),
        ("TIOCLINUX", libc::SYS_ioctl, [bad_fd, libc::TIOCLINUX as i64, 0, 0, 0]),
        ("TIOCSETD", libc::SYS_ioctl, [bad_fd, libc::TIOCSETD as i64, 0, 0, 0]),
        ("AF_VSOCK", libc::SYS_socket, [40, 1, 0, 0, 0]),
        ("AF_ALG", libc::SYS_socket, [38, 5, 0, 0, 0]),
        ("AF_PACKET", libc::SYS_socket, [17, 3, 0, 0, 0]),
        ("AF_KEY", libc::SYS_socket, [15, 3, 2, 0, 0]),
        ("AF_TIPC", libc::SYS_socket, [30, 2, 0, 0, 0]),
        ("AF_XDP", libc::SYS_socket, [44, 3, 0, 0, 0]),
        ("NETLINK_AUDIT", libc::SYS_socket, [16, 3, 9, 0, 0]),
        ("NETLINK_KOBJECT_UEVENT", libc::SYS_socket, [16, 3, 15, 0, 0]),
        ("SOCK_RAW", libc::SYS_socket, [2, 3, 1, 0, 0]),
        ("SOCK_RAW with flags", libc::SYS_socket, [10, 3 | 0o2_000_000, 58, 0, 0]),
        ("SOCK_DCCP", libc::SYS_socket, [2, 6, 33, 0, 0]),
        ("SCTP", libc::SYS_socket, [2, 1, 132, 0, 0]),
        ("a pair of another family", libc::SYS_socketpair, [2, 1, 0, 0, 0]),
        ("chmod setuid", libc::SYS_fchmodat, [here, nowhere, 0o4755, 0, 0]),
        ("chmod setgid", libc::SYS_fchmodat, [here, nowhere, 0o2755, 0, 0]),
        ("fchmod setuid", libc::SYS_fchmod, [bad_fd, 0o4755, 0, 0, 0]),
        ("fchmodat2 setuid", 452, [here, nowhere, 0o4755, 0, 0]),
        ("mknodat setuid", libc::SYS_mknodat, [here, nowhere, file_mode | 0o4000, 0, 0]),
        ("openat setuid", libc::SYS_openat, [here, nowhere, i64::from(libc::O_CREAT), 0o4755, 0]),
        ("openat unnamed setgid", libc::SYS_openat, [here, nowhere, i64::from(libc::O_TMPFILE) | 1, 0o2755, 0]),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([
        ("kexec_file_load", libc::SYS_kexec_file_load, [bad_fd, bad_fd, 0, 0, 1 << 30]),
        ("iopl", libc::SYS_iopl, [0; 5]),
        ("ioperm", libc::SYS_ioperm, [0; 5]),
        ("modify_ldt", libc::SYS_modify_ldt, [99, 0, 0, 0, 0]),
        ("_sysctl", libc::SYS__sysctl, [0; 5]),
        ("uselib", libc::SYS_uselib, [nowhere, 0, 0, 0, 0]),
        ("ustat", libc::SYS_ustat, [-1, 0, 0, 0, 0]),
        ("sysfs", libc::SYS_sysfs, [99, 0, 0, 0, 0]),
        ("old chmod setuid", libc::SYS_chmod, [nowhere, 0o4755, 0, 0, 0]),
        ("old mknod setuid", libc::SYS_mknod, [nowhere, file_mode | 0o4000, 0, 0, 0]),
        ("creat setgid", libc::SYS_creat, [nowhere, 0o2755, 0, 0, 0]),
        ("old open setuid", libc::SYS_open, [nowhere, i64::from(libc::O_CREAT), 0o4755, 0, 0]),
    ]);
    for (name, flag) in NAMESPACES {
        calls.push((name, libc::SYS_unshare, [flag, 0, 0, 0, 0]));
    }
    calls
}

/// Refused with "there is no such call", so that programs take the older one, which can be judged.
fn absent() -> Vec<(&'static str, i64, Arguments)> {
    vec![("clone3", libc::SYS_clone3, [0; 5]), ("openat2", libc::SYS_openat2, [-1, 0, 0, 0, 0])]
}

/// What looks alike and must work.
fn needed() -> Vec<(&'static str, i64, Arguments)> {
    const STREAM: i64 = 1 | 0o2_000_000;
    vec![
        ("a stream", libc::SYS_socket, [2, STREAM, 6, 0, 0]),
        ("datagrams", libc::SYS_socket, [10, 2, 0, 0, 0]),
        ("a local socket", libc::SYS_socket, [1, 5, 0, 0, 0]),
        ("the list of interfaces", libc::SYS_socket, [16, 3, 0, 0, 0]),
        ("asking for the execution domain", libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0]),
        ("the usual execution domain", libc::SYS_personality, [0, 0, 0, 0, 0]),
        ("own descriptors", libc::SYS_unshare, [i64::from(libc::CLONE_FILES), 0, 0, 0, 0]),
        ("the version of Landlock", libc::SYS_landlock_create_ruleset, [0, 0, 1, 0, 0]),
        ("being traced", libc::SYS_ptrace, [0; 5]),
    ]
}

/// Harmless in `unshare` on the host: they concern the thread that calls, which ends.
const NAMESPACES: [(&str, i64); 8] = [
    ("a user namespace", libc::CLONE_NEWUSER as i64),
    ("a mount namespace", libc::CLONE_NEWNS as i64),
    ("a process namespace", libc::CLONE_NEWPID as i64),
    ("a network namespace", libc::CLONE_NEWNET as i64),
    ("an IPC namespace", libc::CLONE_NEWIPC as i64),
    ("a host name namespace", libc::CLONE_NEWUTS as i64),
    ("a control group namespace", libc::CLONE_NEWCGROUP as i64),
    ("a time namespace", 0x80),
];

#[test]
fn role_calls() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let mut out = std::io::stdout();
    for (name, number, [a, b, c, d, e]) in [refused(), absent(), needed()].concat() {
        // SAFETY: every pointer is null, a small number that the kernel refuses, or a C string.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, 0_i64) };
        let errno = if result < 0 { std::io::Error::last_os_error().raw_os_error().unwrap() } else { 0 };
        writeln!(out, "\nCALL {name}={errno}").unwrap();
    }
}

/// What each call came to.
async fn answers(lane: &dyn Sandbox, program: &str, spec: Spec) -> BTreeMap<String, i32> {
    let arguments = ["--exact", "native_calls::role_calls", "--nocapture", "--test-threads=1"];
    let seen = run(lane, spec, Command::new(program, "/").args(arguments).env(ROLE, "1")).await.ok();
    let lines = seen.out().lines().filter_map(|line| line.strip_prefix("CALL ")?.split_once('='));
    lines.map(|(name, errno)| (name.to_owned(), errno.parse().unwrap())).collect()
}

#[tokio::test]
async fn every_call_that_reaches_around_the_walls_is_refused_and_nothing_beside_it() {
    let Some(lane) = native() else { return };
    let program = crate::probe::path();
    let mut wanted = spec(Policy::standard());
    wanted.mounts.push(Mount { source: (&program).into(), target: INSIDE.into(), access: Access::ReadOnly });
    let inside = answers(&lane, INSIDE, wanted).await;
    let outside = answers(&HostSandbox::new().unwrap(), &program, open()).await;
    let table = [(refused(), libc::EPERM), (absent(), libc::ENOSYS), (needed(), 0)];
    for (calls, expected) in table {
        for (name, ..) in calls {
            let (inside, outside) = (inside[name], outside[name]);
            if expected == 0 && name == "the version of Landlock" && inside == outside {
                continue;
            }
            assert_eq!(inside, expected, "{name}");
            if expected == outside && expected != 0 {
                skipped(&format!("no control for {name}: this host itself answers {outside}"));
            }
        }
    }
}

#[tokio::test]
async fn no_privilege_is_left_and_none_can_be_regained() {
    let Some(lane) = native() else { return };
    let seen = run(&lane, spec(Policy::standard()), crate::world::sh("cat /proc/self/status")).await.ok();
    let status: BTreeMap<_, _> = seen.out().lines().filter_map(|line| line.split_once(":\t")).collect();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set].trim_start_matches('0'), "", "{set}");
    }
    assert_eq!((status["NoNewPrivs"], status["Seccomp"], status["TracerPid"]), ("1", "2", "0"));
}
