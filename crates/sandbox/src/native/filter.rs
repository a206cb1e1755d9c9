//! The system calls that no build and no agent needs, refused.
//!
//! A list of what is denied, not of what is allowed: new calls that tools start to use keep working. What is denied is
//! what reaches around the namespaces: making new ones, mounting, keys, kernel interfaces that are not namespaced, and
//! files whose mode would give privileges to others on the host.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    sock_filter,
};

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters of one sandbox, in the order in which they are installed.
pub(super) fn programs() -> Result<Vec<BpfProgram>, Problem> {
    let mut main = compile(denied()?, libc::EPERM)?;
    guard_numbers(&mut main);
    // These carry their flags in memory, where a filter cannot look. Programs fall back to the older calls.
    let unseen = [libc::SYS_clone3, libc::SYS_openat2].map(|call| (call, Vec::new())).into();
    Ok(vec![main, compile(unseen, libc::ENOSYS)?])
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, Problem> {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    // A call of another architecture than ours kills: its numbers mean other calls.
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// On x86-64 a second set of numbers reaches the same calls; refuses all of them, before anything else is compared.
fn guard_numbers(program: &mut BpfProgram) {
    if cfg!(target_arch = "x86_64") {
        const LOAD: u16 = 0x20;
        const JUMP_IF_AT_LEAST: u16 = 0x35;
        const RETURN: u16 = 0x06;
        const SECOND_SET: u32 = 0x4000_0000;
        const REFUSE: u32 = 0x0005_0000 | libc::ENOSYS.cast_unsigned();
        let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
        let guard = [step(LOAD, 0, 0, 0), step(JUMP_IF_AT_LEAST, 0, 1, SECOND_SET), step(RETURN, 0, 0, REFUSE)];
        program.splice(0..0, guard);
    }
}

fn denied() -> Result<Rules, Problem> {
    let mut rules: Rules = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend([libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt].map(|call| (call, Vec::new())));
    rules.insert(libc::SYS_unshare, all(NAMESPACES.map(|flag| any(0, flag)))?);
    // The time namespace has no flag of its own in `clone`: there the bit belongs to the signal.
    rules.insert(libc::SYS_clone, all(NAMESPACES.into_iter().filter(|f| *f != CLONE_NEWTIME).map(|f| any(0, f)))?);
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_socketpair, all([equal_not(0, libc::AF_UNIX)])?);
    rules.insert(libc::SYS_ioctl, all([libc::TIOCSTI, libc::TIOCLINUX].map(|request| equal(1, request)))?);
    privileged_modes(&mut rules)?;
    Ok(rules)
}

/// Families that the network namespace confines, and the one that programs ask for their interfaces with.
fn sockets() -> Result<Vec<SeccompRule>, Problem> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let other = families.map(|family| equal_not(0, family)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let netlink = vec![equal(0, libc::AF_NETLINK as u64)?, equal_not(2, libc::NETLINK_ROUTE)?];
    Ok(vec![SeccompRule::new(other)?, SeccompRule::new(netlink)?])
}

/// Files that would run as somebody else: a file of ours in a mounted directory is one of the host user's.
fn privileged_modes(rules: &mut Rules) -> Result<(), Problem> {
    const SETUID: u64 = 0o4000;
    const SETGID: u64 = 0o2000;
    const FCHMODAT2: i64 = 452;
    let mut modes = vec![(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (FCHMODAT2, 2), (libc::SYS_mknodat, 2)];
    let mut opens = vec![(libc::SYS_openat, 2)];
    #[cfg(target_arch = "x86_64")]
    {
        modes.extend([(libc::SYS_chmod, 1), (libc::SYS_mknod, 1), (libc::SYS_creat, 1)]);
        opens.push((libc::SYS_open, 1));
    }
    for (call, mode) in modes {
        rules.insert(call, all([any(mode, SETUID), any(mode, SETGID)])?);
    }
    for (call, flags) in opens {
        let mut chain = Vec::new();
        // Without one of these flags the mode is not used, and may be anything.
        for creates in [libc::O_CREAT, libc::O_TMPFILE & !libc::O_DIRECTORY] {
            for bit in [SETUID, SETGID] {
                chain.push(SeccompRule::new(vec![any(flags, creates as u64)?, any(flags + 1, bit)?])?);
            }
        }
        rules.insert(call, chain);
    }
    Ok(())
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

/// One of these must hold; each is compared on 32 bits, as the kernel does for these arguments.
fn all(conditions: impl IntoIterator<Item = Condition>) -> Result<Vec<SeccompRule>, Problem> {
    conditions.into_iter().map(|c| Ok(SeccompRule::new(vec![c?])?)).collect()
}

fn any(argument: u8, bit: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bit), bit)
}

fn equal(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn equal_not(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(value.cast_unsigned()))
}

const CLONE_NEWTIME: u64 = 0x80;

const NAMESPACES: [u64; 8] = [
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWCGROUP as u64,
    CLONE_NEWTIME,
];

const ALWAYS: &[i64] = &[
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
];
