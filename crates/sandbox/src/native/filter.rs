//! The system calls that no build and no agent needs, refused.
//!
//! A list of what is denied, not of what is allowed: new calls that tools start to use keep working. What is denied is
//! what reaches around the namespaces: making new ones, mounting, keys, kernel interfaces that are not namespaced, and
//! files whose mode would give privileges to others on the host.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::denied::{self, CLONE_NEWTIME, NAMESPACES};
use super::search;
use crate::Error;
use crate::run::{Fault, Stage};

pub(super) type Problem = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Filters, made once for all commands, in the order in which they are installed.
#[derive(Clone)]
pub(super) struct Filters(Arc<[BpfProgram]>);

impl Filters {
    /// Those of every sandbox, and this one.
    pub(super) fn and(more: Option<Result<BpfProgram, Problem>>) -> crate::Result<Self> {
        let failed = |source| Error::Lane { action: "make the system call filter".into(), source };
        let first = lists().and_then(search::program);
        let all: Vec<_> = [first].into_iter().chain(more).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self(all.into()))
    }

    /// The first of them, as the kernel takes it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let instruction = |step: &seccompiler::sock_filter| {
            let [a, b] = step.code.to_ne_bytes();
            let [c, d, e, f] = step.k.to_ne_bytes();
            [a, b, step.jt, step.jf, c, d, e, f]
        };
        self.0.first().into_iter().flatten().flat_map(instruction).collect()
    }

    /// Makes them hold for the calling process, for good. Must neither allocate nor lock nor panic.
    pub(super) fn install(&self) -> Result<(), Fault> {
        let failed = |_| Fault::at(Stage::Filter)(Errno::INVAL);
        self.0.iter().try_for_each(|program| seccompiler::apply_filter(program).map_err(failed))
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filters").field(&self.0.len()).finish()
    }
}

/// What is refused in every sandbox, and with which error.
pub(super) fn lists() -> Result<[(Rules, i32); 2], Problem> {
    // These carry their flags in memory, where a filter cannot look. Programs fall back to the older calls.
    let unseen = [libc::SYS_clone3, libc::SYS_openat2].map(|call| (call, Vec::new())).into();
    Ok([(denied()?, libc::EPERM), (unseen, libc::ENOSYS)])
}

fn denied() -> Result<Rules, Problem> {
    let mut rules: Rules = denied::always().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_unshare, all(NAMESPACES.map(|flag| any(0, flag)))?);
    // The time namespace has no flag of its own in `clone`: there the bit belongs to the signal.
    rules.insert(libc::SYS_clone, all(NAMESPACES.into_iter().filter(|f| *f != CLONE_NEWTIME).map(|f| any(0, f)))?);
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_socketpair, all([equal_not(0, libc::AF_UNIX)])?);
    rules.insert(libc::SYS_ioctl, all(TERMINAL.map(|request| equal(1, request)))?);
    rules.insert(libc::SYS_personality, personalities()?);
    privileged_modes(&mut rules)?;
    Ok(rules)
}

/// Requests that act on a terminal that others look at: input in their name, the console's own, line disciplines.
const TERMINAL: [u64; 3] = [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD];

/// Families that the network namespace confines, with the protocols that programs use; and the one that they ask for
/// their interfaces with. Every other one is more of the kernel to attack, some of it loaded by asking for it.
fn sockets() -> Result<Vec<SeccompRule>, Problem> {
    let none_of = |argument, values: &[i32]| values.iter().map(move |v| equal_not(argument, *v)).collect::<Vec<_>>();
    let rule = |conditions: Vec<Condition>| {
        let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Problem>(SeccompRule::new(conditions)?)
    };
    let mut rules = vec![rule(none_of(0, &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]))?];
    let protocols =
        [0, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6, libc::IPPROTO_MPTCP];
    for (family, protocols) in [
        (libc::AF_INET, protocols.as_slice()),
        (libc::AF_INET6, protocols.as_slice()),
        (libc::AF_NETLINK, &[libc::NETLINK_ROUTE]),
    ] {
        let mut conditions = none_of(2, protocols);
        conditions.push(equal(0, family.cast_unsigned().into()));
        rules.push(rule(conditions)?);
    }
    const SOCK_PACKET: i32 = 10;
    // Raw packets and the rarer kinds; the upper bits of the kind are flags.
    for kind in [libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, SOCK_PACKET] {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let family = equal(0, family.cast_unsigned().into());
            let kind = SeccompCondition::new(
                1,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::MaskedEq(0xf),
                kind.cast_unsigned().into(),
            );
            rules.push(rule(vec![family, kind])?);
        }
    }
    Ok(rules)
}

/// Execution domains: the usual ones, and asking for the current one. The others undo what makes holes in programs
/// hard to use: memory that is not executable, and addresses that nobody knows.
fn personalities() -> Result<Vec<SeccompRule>, Problem> {
    let usual = [0, 0x8, 0x2_0000, 0x2_0008, -1];
    let other = usual.map(|domain| equal_not(0, domain)).into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(vec![SeccompRule::new(other)?])
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
