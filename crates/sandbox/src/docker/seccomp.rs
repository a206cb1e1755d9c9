//! The seccomp profile of the containers.
//!
//! An allow-list of our own, because what an engine's default allows depends on its age: older ones let a container make
//! vsock sockets, which no network namespace contains, and use io_uring, which passes by filters on sockets and files.
//! Only the native architecture is named, so that calls through another one (32 bit, x32) end the process.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Files: opened, read, written, moved, listed, watched.
const FILES: &str = "access chdir chown close close_range copy_file_range dup dup2 dup3 eventfd eventfd2 \
    faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchown fchownat fcntl fdatasync fgetxattr flistxattr flock \
    fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch \
    inotify_init inotify_init1 inotify_rm_watch lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek \
    lsetxattr lstat memfd_create mkdir mkdirat name_to_handle_at newfstatat pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev \
    pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat \
    statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes \
    vmsplice write writev";

const WAITING: &str = "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old \
    futex futex_waitv futex_wait futex_wake futex_requeue get_robust_list poll ppoll pselect6 restart_syscall select \
    set_robust_list set_tid_address signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime";

const MEMORY: &str = "brk cachestat get_mempolicy madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mprotect \
    mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise process_mrelease \
    remap_file_pages set_mempolicy mbind";

const PROCESSES: &str = "arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups \
    getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set \
    kill pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv process_vm_writev ptrace rseq rt_sigaction rt_sigpending \
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo pause alarm sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval \
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield set_thread_area get_thread_area setfsgid \
    setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack \
    tgkill time times tkill uname sysinfo vfork wait4 waitid waitpid getrandom";

const TIME: &str = "clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer timer_create \
    timer_delete timer_getoverrun timer_gettime timer_settime";

const MESSAGES: &str = "accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open \
    mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop semtimedop \
    sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair";

/// Asynchronous input and output of the old kind, which databases use, and what a process restricts itself with.
const OTHERS: &str = "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit landlock_add_rule \
    landlock_create_ruleset landlock_restrict_self seccomp";

const NAMESPACE_FLAGS: u64 = 0x7E02_0000;
const SETID_BITS: u64 = 0o6000;
/// `O_CREAT`, and the bit of `O_TMPFILE` that `O_DIRECTORY` does not share: only with them is a mode given.
const CREATING: u64 = 0o20_000_100;
/// Unix, IPv4 and IPv6. Netlink is allowed for routes only, vsock and all others not at all.
const FAMILIES: [u64; 3] = [1, 2, 10];
const NETLINK: u64 = 16;
/// Linux, Linux32, both also with the kernel version 2.6, and the question which one it is.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// Requests that act on a terminal that others look at: input in their name (`TIOCSTI`), the console's own (`TIOCLINUX`),
/// another driver (`TIOCSETD`).
const TERMINAL: [u32; 3] = [0x5412, 0x541c, 0x5423];
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The profile as the engine takes it.
pub(super) fn profile() -> String {
    let mut rules = vec![allow(&names(), &[])];
    for family in FAMILIES {
        rules.push(allow(&["socket"], &[equal(0, family)]));
    }
    rules.push(allow(&["socket"], &[equal(0, NETLINK), equal(2, 0)]));
    for personality in PERSONALITIES {
        rules.push(allow(&["personality"], &[equal(0, personality)]));
    }
    rules.push(allow(&["clone"], &[without(0, NAMESPACE_FLAGS)]));
    for (bits, value) in all_but(&TERMINAL) {
        rules.push(allow(&["ioctl"], &[masked(1, bits, value)]));
    }
    // Files that take another identity when they are executed: on a mount they would do so outside.
    for (names, mode) in [
        (&["chmod", "fchmod", "creat", "mknod"][..], 1),
        (&["fchmodat", "fchmodat2", "open", "mknodat"][..], 2),
        (&["openat"][..], 3),
    ] {
        rules.push(allow(names, &[without(mode, SETID_BITS)]));
    }
    rules.push(allow(&["open"], &[without(1, CREATING)]));
    rules.push(allow(&["openat"], &[without(2, CREATING)]));
    // Their arguments lie in memory, where no filter sees them; libraries go on with the older calls.
    rules.push(json!({ "names": ["clone3", "openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS }));
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": EPERM, "syscalls": rules }).to_string()
}

fn names() -> Vec<&'static str> {
    [FILES, WAITING, MEMORY, PROCESSES, TIME, MESSAGES, OTHERS]
        .iter()
        .flat_map(|group| group.split_whitespace())
        .collect()
}

fn allow(names: &[&str], args: &[Value]) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ALLOW", "args": args })
}

fn equal(index: u32, value: u64) -> Value {
    json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" })
}

fn without(index: u32, bits: u64) -> Value {
    masked(index, bits, 0)
}

fn masked(index: u32, bits: u64, value: u64) -> Value {
    json!({ "index": index, "value": bits, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" })
}

/// All 32-bit numbers but these, as bits to look at and the value that they must have: an allow-list knows no exceptions. Each
/// stands for the numbers that agree with one of the exceptions in some upper bits, and with none in one bit more. The bits
/// above are not looked at, as the kernel does not.
fn all_but(exceptions: &[u32]) -> BTreeSet<(u64, u64)> {
    let each = |exception: &u32| {
        let exception = *exception;
        (0..32).map(move |bit| (u32::MAX << bit, (exception ^ (1 << bit)) & (u32::MAX << bit)))
    };
    let hits = |(bits, value): &(u32, u32)| exceptions.iter().any(|exception| exception & bits == *value);
    let free = exceptions.iter().flat_map(each).filter(|rule| !hits(rule));
    free.map(|(bits, value)| (bits.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_allowed_but_the_exceptions_whatever_bits_stand_above() {
        let rules = all_but(&TERMINAL);
        let allowed = |request: u64| rules.iter().any(|(bits, value)| request & bits == *value);
        for exception in TERMINAL.map(u64::from) {
            assert!(!allowed(exception) && !allowed(exception | 1 << 40), "{exception:#x}");
        }
        let others = (0..0x1_0000).chain((0..32).map(|bit| 1 << bit)).chain([0x8004_5430, u32::MAX]);
        for request in others.filter(|request| !TERMINAL.contains(request)) {
            assert!(allowed(request.into()), "{request:#x}");
        }
    }

    #[test]
    fn no_name_stands_twice_so_that_no_plain_rule_lifts_a_conditional_one() {
        let names = names();
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        for conditional in [
            "ioctl",
            "socket",
            "personality",
            "clone",
            "chmod",
            "fchmod",
            "fchmodat",
            "open",
            "openat",
            "creat",
            "mknod",
        ] {
            assert!(!unique.contains(&conditional), "{conditional}");
        }
    }

    #[test]
    fn what_reaches_beyond_a_container_is_in_no_group() {
        let names = names();
        for name in [
            "acct",
            "add_key",
            "bpf",
            "chroot",
            "clock_settime",
            "clone3",
            "delete_module",
            "fsopen",
            "init_module",
            "io_uring_setup",
            "ioperm",
            "iopl",
            "kexec_load",
            "keyctl",
            "modify_ldt",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_by_handle_at",
            "open_tree",
            "perf_event_open",
            "pidfd_getfd",
            "pivot_root",
            "quotactl",
            "reboot",
            "request_key",
            "setns",
            "settimeofday",
            "swapon",
            "syslog",
            "umount2",
            "unshare",
            "userfaultfd",
            "vhangup",
        ] {
            assert!(!names.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_profile_refuses_by_default() {
        let profile: Value = serde_json::from_str(&profile()).expect("it is JSON");
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    }
}
