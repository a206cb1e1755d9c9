//! The calls that are refused whatever their arguments, by what they are for.
//!
//! Not here, and allowed: what tracers need (`ptrace`, `process_vm_readv`), because the process namespace, Landlock and
//! process 1, which cannot be looked into, confine it; `landlock_*` and `seccomp`, which can only take away; `rseq` and
//! `mseal`, which concern the caller alone.

/// Shared with a signal's number in `clone`, where it is no flag.
pub(super) const CLONE_NEWTIME: u64 = 0x80;

/// What `unshare` and `clone` must not be asked for.
pub(super) const NAMESPACES: [u64; 8] = [
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWCGROUP as u64,
    CLONE_NEWTIME,
];

/// Numbers that the C library's bindings do not name yet; from 424 on they are the same on all architectures.
mod new {
    pub(super) const STATMOUNT: i64 = 457;
    pub(super) const LISTMOUNT: i64 = 458;
    pub(super) const LSM_GET_SELF_ATTR: i64 = 459;
    pub(super) const LSM_SET_SELF_ATTR: i64 = 460;
    pub(super) const LSM_LIST_MODULES: i64 = 461;
    pub(super) const OPEN_TREE_ATTR: i64 = 467;
    pub(super) const LISTNS: i64 = 470;
}

/// Every such call.
pub(super) fn always() -> impl Iterator<Item = i64> {
    [
        NAMESPACE,
        FILES,
        MEMORY,
        KERNEL,
        MACHINE,
        #[cfg(target_arch = "x86_64")]
        INTEL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Other namespaces, and the mounts of this one, by the old interface and the new.
const NAMESPACE: &[i64] = &[
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    new::OPEN_TREE_ATTR,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    new::STATMOUNT,
    new::LISTMOUNT,
    new::LISTNS,
];

/// Files by other ways than by their path, and file systems as a whole.
const FILES: &[i64] = &[
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
];

/// Memory that no limit counts, that others place, or that the kernel waits for; and the descriptors of others.
const MEMORY: &[i64] = &[
    libc::SYS_userfaultfd,
    libc::SYS_memfd_secret,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_set_mempolicy_home_node,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
];

/// Interfaces of the kernel that are not namespaced, or have been its weak places.
const KERNEL: &[i64] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_syslog,
    new::LSM_GET_SELF_ATTR,
    new::LSM_SET_SELF_ATTR,
    new::LSM_LIST_MODULES,
];

/// What belongs to the administrator of the machine.
const MACHINE: &[i64] = &[
    libc::SYS_kexec_load,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
];

/// What only this architecture has: ports, segments, and calls of kernels of long ago.
#[cfg(target_arch = "x86_64")]
const INTEL: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS__sysctl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
