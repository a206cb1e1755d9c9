//! What namespaces would confine, and Landlock does not: refused by its number.

use seccompiler::{BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

use super::super::filter::{Problem, Rules};
use super::super::search;

/// The filter that comes on top of the usual ones.
pub(super) fn program() -> Result<BpfProgram, Problem> {
    let mut rules: Rules = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    // Limits and priorities of other processes of the same user. Of one's own they are asked for with 0.
    for (call, argument) in [
        (libc::SYS_prlimit64, 0),
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setattr, 0),
    ] {
        rules.insert(call, vec![other_than(argument, 0)?]);
    }
    rules.insert(libc::SYS_setpriority, vec![other_than(0, 0)?, other_than(1, 0)?]);
    const ONE_PROCESS: u64 = 1;
    rules.insert(libc::SYS_ioprio_set, vec![other_than(0, ONE_PROCESS)?, other_than(1, 0)?]);
    search::program([(rules, libc::EPERM)])
}

fn other_than(argument: u8, value: u64) -> Result<SeccompRule, Problem> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// Every connection, because Landlock knows only some of them; memory, queues and semaphores that are shared by number or
/// by name; and what of files is changed without opening them, as far as builds do without it.
const ALWAYS: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fchownat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    // setxattrat, removexattrat, file_setattr
    463,
    466,
    469,
];
