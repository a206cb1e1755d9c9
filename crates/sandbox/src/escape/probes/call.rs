//! More of what the kernel offers: calls that few programs make, and rights that a process may hold.

use crate::Guarantee::{NoHostWrites, NoPrivilegeGain, SyscallFilter};
use crate::escape::probe::{Effect, Probe, probe};

const fn rare(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, SyscallFilter, code).if_allowed()
}

const fn gains(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoPrivilegeGain, code).if_allowed()
}

const fn setuid(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoPrivilegeGain, code).seen(Effect::Privileged("<TREE>/<ID>")).if_allowed()
}

macro_rules! on_terminal {
    ($do:literal) => {
        concat!(
            "sysopen(my $main, '/dev/ptmx', O_RDWR | O_NOCTTY) or return tried(0); my $zero = pack('i', 0); ",
            "ioctl($main, 0x40045431, $zero) or return tried(0); my $n = pack('I', 0); ",
            "ioctl($main, 0x80045430, $n) or return tried(0); ",
            "sysopen(my $tty, '/dev/pts/' . unpack('I', $n), O_RDWR | O_NOCTTY) or return tried(0); my $x = pack('i', 0); ",
            $do
        )
    };
}

pub(super) const CALLS: &[Probe] = &[
    rare("kernel.clock-set", "set the clock; from nowhere, so that it stays", "reaches(<SYS_clock_settime>, 0, 0);"),
    rare(
        "kernel.clock-adjust",
        "ask how the clock is adjusted",
        r#"my $how = "\0" x 256; call(<SYS_adjtimex>, $how);"#,
    ),
    rare(
        "kernel.next-kernel-file",
        "load another kernel from a file; with flags that no kernel knows",
        "reaches(<SYS_kexec_file_load>, -1, -1, 0, 0, 0xffff);",
    ),
    rare("kernel.module-memory", "load a kernel module from memory", "reaches(<SYS_init_module>, 0, 0, 0);"),
    rare(
        "kernel.swap-off",
        "stop swapping to a file of its own",
        r#"my $at = "<MARK>\0"; reaches(<SYS_swapoff>, $at);"#,
    ),
    rare(
        "kernel.segments",
        "look at its segments of memory",
        r#"my $all = "\0" x 64; call(<SYS_modify_ldt>, 0, $all, 64);"#,
    ),
    rare("kernel.personality", "have its addresses no longer be random", "call(<SYS_personality>, 0x40000);"),
    rare("kernel.secret-memory", "have memory that even the kernel does not see", "call(<SYS_memfd_secret>, 0);"),
    rare(
        "kernel.mount-list",
        "list the mounts by the newest call",
        r#"my $what = pack('LLQQ', 24, 0, ~0, 0); my $all = "\0" x 512; call(458, $what, $all, 64, 0);"#,
    ),
    rare(
        "kernel.join-by-process",
        "join a namespace of process 1 by a descriptor of it",
        "my $fd = syscall(<SYS_pidfd_open>, 1, 0); $fd >= 0 or return tried(0); call(<SYS_setns>, $fd, 0x04000000);",
    ),
    rare(
        "kernel.line-discipline",
        "put another driver under a terminal; the usual one, so that nothing changes",
        on_terminal!("call(<SYS_ioctl>, fileno($tty), 0x5423, $x);"),
    ),
    rare(
        "kernel.terminal-console",
        "make a request that is for consoles (TIOCLINUX)",
        on_terminal!("reaches(<SYS_ioctl>, fileno($tty), 0x541c, $x);"),
    ),
    rare(
        "kernel.clone-high",
        "make a user namespace with flags that have more bits",
        "my $pid = syscall(<SYS_clone>, 0x10000000 | 1 << 40 | 17, 0, 0, 0, 0); POSIX::_exit(0) if $pid == 0; tried($pid > 0);",
    ),
    rare(
        "kernel.unshare-high",
        "make a user namespace with a flag that has more bits",
        "call(<SYS_unshare>, 0x10000000 | 1 << 40);",
    ),
];

pub(super) const RIGHTS: &[Probe] = &[
    setuid(
        "kernel.setuid-at",
        "make a program setuid with fchmodat",
        r#"quiet('<ID>'); my $at = "<ID>\0"; call(<SYS_fchmodat>, -100, $at, 04755);"#,
    ),
    setuid(
        "kernel.setuid-open",
        "create a file that is setuid with the old open",
        r#"umask 0; my $at = "<ID>\0"; call(<SYS_open>, $at, O_CREAT | O_WRONLY, 04755);"#,
    ),
    setuid(
        "kernel.setuid-creat",
        "create a file that is setuid with creat",
        r#"umask 0; my $at = "<ID>\0"; call(<SYS_creat>, $at, 04755);"#,
    ),
    setuid(
        "kernel.setuid-high",
        "make a program setuid with a mode that has more bits",
        "quiet('<ID>'); open(my $f, '<', '<ID>') or return tried(0); call(<SYS_fchmod>, fileno($f), 04755 | 1 << 32);",
    ),
    setuid(
        "kernel.setuid-nameless",
        "create a setuid file without a name, and give it one",
        r#"umask 0; sysopen(my $f, '.', 020200000 | O_RDWR, 04755) or return tried(0); my ($from, $to) = ('/proc/self/fd/' . fileno($f) . "\0", "<ID>\0"); call(<SYS_linkat>, -100, $from, -100, $to, 0x400);"#,
    ),
    setuid(
        "kernel.setuid-link",
        "link a setuid program of the system into its tree",
        "my ($found) = grep { -u $_ } map { (\"/usr/bin/$_\", \"/bin/$_\") } qw(newgrp su passwd chsh mount) or return tried(0); tried(link($found, '<ID>'));",
    ),
    gains(
        "kernel.capability-set",
        "take the capability of an administrator",
        "my $head = pack('LL', 0x20080522, 0); my $all = pack('L6', 1 << 21, 1 << 21, 0, 0, 0, 0); call(<SYS_capset>, $head, $all);",
    ),
    gains(
        "kernel.capability-bound",
        "be allowed to gain any capability",
        "open(my $f, '<', '/proc/self/status') or return tried(0); my @all = grep { /^CapBnd:\\s*0*[1-9a-f]/ } <$f>; $! = POSIX::EPERM(); tried(scalar @all);",
    ),
    gains("kernel.memory-map", "say where its own memory lies", "reaches(<SYS_prctl>, 35, 8, 0, 0, 0);"),
    gains("kernel.real-time-io", "read and write before all others", "call(<SYS_ioprio_set>, 1, 0, 1 << 13);"),
    gains(
        "kernel.deadline",
        "run by deadlines, before all others",
        "my $how = pack('LLQlLQQQ', 48, 6, 0, 0, 0, 1e6, 1e7, 1e7); call(<SYS_sched_setattr>, 0, $how, 0);",
    ),
    gains(
        "kernel.lock-memory",
        "keep a gigabyte from ever being swapped out",
        "my $at = syscall(<SYS_mmap>, 0, 1 << 30, 3, 0x22, -1, 0); $at != -1 or return tried(0); call(<SYS_mlock2>, $at, 1 << 30, 1);",
    ),
    gains(
        "kernel.entropy",
        "tell the kernel how random its randomness is; by nothing more",
        "open(my $f, '<', '/dev/urandom') or return tried(0); my $n = pack('i', 0); call(<SYS_ioctl>, fileno($f), 0x40045201, $n);",
    ),
    gains(
        "kernel.immutable",
        "make a file that the host cannot remove",
        "quiet('<ID>'); open(my $f, '<', '<ID>') or return tried(0); my $old = pack('QQ', 0, 0); ioctl($f, 0x80086601, $old) or return tried(0); my $new = pack('QQ', unpack('Q', $old) | 0x10, 0); tried(ioctl($f, 0x40086602, $new)); ioctl($f, 0x40086602, $old);",
    ),
    gains(
        "kernel.trusted-attribute",
        "give a file an attribute that only the host may trust",
        r#"quiet('<ID>'); my ($at, $name) = ("<ID>\0", "trusted.x\0"); call(<SYS_setxattr>, $at, $name, $name, 4, 0);"#,
    ),
    gains(
        "kernel.addresses",
        "learn where the kernel lies in memory",
        "open(my $f, '<', '/proc/kallsyms') or return tried(0); my $line = <$f>; $! = POSIX::EPERM(); tried($line !~ /^0+ /);",
    ),
];

/// Everything of a kind, one after the other: what nobody thought of may be among it.
pub(super) const SHOWN: &[Probe] = &[
    probe("kernel.any-setting", "find any setting of the kernel that can be changed", NoHostWrites, "opens_any(O_WRONLY, 20000, '/proc/sys');").if_allowed(),
    // A program may wait for pressure by writing how much of it; that changes nothing.
    probe("kernel.any-proc", "find any file of /proc that can be written, but those of processes", NoHostWrites, "opens_any(O_WRONLY, 5000, grep { !m{^/proc/(\\d+|sys|pressure|sysrq-trigger)$} } glob '/proc/*');").if_allowed(),
    probe("kernel.any-sys", "find any file of /sys that can be written", NoHostWrites, "opens_any(O_WRONLY, 30000, '/sys');").if_allowed(),
    probe("resource.any-group", "find any file of a control group that can be written", NoHostWrites, "opens_any(O_WRONLY, 20000, '/sys/fs/cgroup');").if_allowed(),
    probe("file.any-system", "find any file of the system that can be written", NoHostWrites, "opens_any(O_WRONLY | O_APPEND, 20000, '/etc', '/usr/bin', '/usr/sbin', '/usr/lib', '/opt', '/bin', '/lib');").if_allowed(),
    probe("file.proc-remount", "make /proc writable again", NoHostWrites, r#"own_mounts(); my ($none, $at) = ("none\0", "/proc\0"); syscall(<SYS_mount>, $none, $at, 0, 0x1020, 0); opens(O_WRONLY, '/proc/sys/kernel/core_pattern');"#).if_allowed(),
    probe("file.proc-again", "mount /proc once more, with all that is hidden", NoHostWrites, r#"own_mounts(); mkdir '<ID>'; my ($type, $at) = ("proc\0", "<ID>\0"); syscall(<SYS_mount>, $type, $at, $type, 0, 0) == 0 or return tried(0); opens(O_WRONLY, '<ID>/sys/kernel/core_pattern'); syscall(<SYS_umount2>, $at, 2);"#).if_allowed(),
    probe("file.sys-again", "mount /sys once more", NoHostWrites, r#"own_mounts(); mkdir '<ID>'; my ($type, $at) = ("sysfs\0", "<ID>\0"); syscall(<SYS_mount>, $type, $at, $type, 0, 0) == 0 or return tried(0); opens_any(O_WRONLY, 5000, '<ID>/kernel'); syscall(<SYS_umount2>, $at, 2);"#).if_allowed(),
    probe("file.system-remount", "make the system writable again", NoHostWrites, r#"own_mounts(); my ($none, $at) = ("none\0", "/usr\0"); syscall(<SYS_mount>, $none, $at, 0, 0x1020, 0); put('/usr/<MARK>');"#).seen(Effect::Appears("/usr/<MARK>")).if_allowed(),
];
