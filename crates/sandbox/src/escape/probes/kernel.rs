//! What the kernel offers: namespaces, mounts, devices, privileges, rare system calls.

use crate::Guarantee::{NoDevices, NoHostWrites, NoPrivilegeGain, SyscallFilter};
use crate::escape::probe::{Effect, Expected, Probe, probe};

const fn call(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, SyscallFilter, code)
}

const fn rare(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    call(id, tries, code).if_allowed()
}

const fn gains(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoPrivilegeGain, code).if_allowed()
}

const fn setuid(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoPrivilegeGain, code).seen(Effect::Privileged("<TREE>/<ID>"))
}

const fn device(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoDevices, code).if_allowed()
}

pub(super) const NAMESPACES: &[Probe] = &[
    rare("kernel.user-namespace", "make a user namespace, to be root in it", "call(<SYS_unshare>, 0x10000000);"),
    rare(
        "kernel.user-namespace-clone",
        "make a process in a user namespace with clone",
        "my $pid = syscall(<SYS_clone>, 0x10000000 | 17, 0, 0, 0, 0); POSIX::_exit(0) if $pid == 0; tried($pid > 0);",
    ),
    rare(
        "kernel.user-namespace-clone3",
        "make a process in a user namespace with clone3",
        "my $how = pack('Q11', 0x10000000, 0, 0, 0, 17); my $pid = syscall(<SYS_clone3>, $how, 88); POSIX::_exit(0) if $pid == 0; tried($pid > 0);",
    ),
    rare(
        "kernel.nested-root",
        "be root in a user namespace and mount a file system there",
        "syscall(<SYS_unshare>, 0x10020000) == 0 or return tried(0); quiet('/proc/self/setgroups', 'deny'); quiet('/proc/self/uid_map', \"0 $< 1\"); my ($type, $at) = (\"tmpfs\\0\", \"/tmp\\0\"); call(<SYS_mount>, $type, $at, $type, 0, 0);",
    ),
    rare("kernel.mount-namespace", "make a mount namespace", "call(<SYS_unshare>, 0x20000);"),
    rare("kernel.network-namespace", "make a network namespace", "call(<SYS_unshare>, 0x40000000);"),
    rare("kernel.process-namespace", "make a process namespace", "call(<SYS_unshare>, 0x20000000);"),
    rare(
        "kernel.other-namespaces",
        "make namespaces for IPC, names, control groups or time",
        "my $some = 0; for my $flag (0x08000000, 0x04000000, 0x02000000, 0x80) { $some++ if syscall(<SYS_unshare>, $flag) == 0 } tried($some);",
    ),
    rare(
        "kernel.join-namespace",
        "join the namespaces of process 1",
        "open(my $f, '<', '/proc/1/ns/uts') or return tried(0); call(<SYS_setns>, fileno($f), 0);",
    ),
    rare(
        "kernel.mount",
        "mount a file system",
        "own_mounts(); mkdir '<ID>'; my ($type, $at) = (\"tmpfs\\0\", \"<ID>\\0\"); my $got = call(<SYS_mount>, $type, $at, $type, 0, 0); syscall(<SYS_umount2>, $at, 2) if $got == 0;",
    ),
    rare(
        "kernel.mount-bind",
        "mount a directory at a second place",
        "own_mounts(); mkdir '<ID>'; my ($from, $at, $none) = (\"/\\0\", \"<ID>\\0\", \"none\\0\"); my $got = call(<SYS_mount>, $from, $at, $none, 0x1000, 0); syscall(<SYS_umount2>, $at, 2) if $got == 0;",
    ),
    rare(
        "kernel.unmount",
        "take a mount away from over what it hides",
        "own_mounts(); my $at = \"/dev/shm\\0\"; call(<SYS_umount2>, $at, 2);",
    ),
    rare("kernel.file-system", "begin a mount with fsopen", "my $type = \"tmpfs\\0\"; call(<SYS_fsopen>, $type, 0);"),
    rare(
        "kernel.open-tree",
        "copy a mount with open_tree",
        "own_mounts(); my $at = \"/\\0\"; call(<SYS_open_tree>, -100, $at, 1);",
    ),
    rare(
        "kernel.move-mount",
        "move a mount with move_mount",
        "my $at = \"/\\0\"; own_mounts(); reaches(<SYS_move_mount>, -100, $at, -100, $at, 0);",
    ),
    rare(
        "kernel.mount-attributes",
        "make mounts writable with mount_setattr",
        "own_mounts(); my $at = \"/\\0\"; my $what = pack('Q4', 0, 0, 0, 0); call(<SYS_mount_setattr>, -100, $at, 0, $what, 32);",
    ),
    rare("kernel.change-root", "change the root directory", "my $at = \"/\\0\"; call(<SYS_chroot>, $at);"),
    rare(
        "kernel.pivot-root",
        "exchange the root directory",
        "my $at = \"/\\0\"; own_mounts(); reaches(<SYS_pivot_root>, $at, $at);",
    ),
];

pub(super) const CALLS: &[Probe] = &[
    rare("kernel.io-uring", "set up an io_uring", "my $how = \"\\0\" x 120; call(<SYS_io_uring_setup>, 1, $how);"),
    rare(
        "kernel.bpf",
        "load something into the kernel (bpf)",
        "my $how = pack('L18', 2, 4, 4, 1); call(<SYS_bpf>, 0, $how, 72);",
    ),
    rare(
        "kernel.perf",
        "measure with perf_event_open",
        "my $how = pack('LLQ x112', 1, 128, 0); call(<SYS_perf_event_open>, $how, 0, -1, -1, 0);",
    ),
    rare("kernel.userfaultfd", "handle its own page faults (userfaultfd)", "call(<SYS_userfaultfd>, 1);"),
    call("kernel.keyring", "open the user's keyring", "call(<SYS_keyctl>, 0, -4, 1);"),
    call(
        "kernel.add-key",
        "add a key to a keyring",
        "my ($type, $name) = (\"user\\0\", \"<MARK>-own\\0\"); call(<SYS_add_key>, $type, $name, $name, 4, -2);",
    ),
    call(
        "kernel.request-key",
        "have the kernel look for a key, if need be with a program of the host's",
        "my ($type, $name) = (\"user\\0\", \"<MARK>-none\\0\"); reaches(<SYS_request_key>, $type, $name, 0, -2);",
    ),
    rare(
        "kernel.foreign-calls",
        "make system calls by the 32-bit numbers (int 0x80)",
        "my $got = program('<ID>', '<ELF_IA32>'); $! = 0; told($got == 0 ? 'ok' : $got & 127 ? 'signal ' . ($got & 127) : 'status ' . ($got >> 8));",
    ),
    rare("kernel.second-numbers", "make system calls by the x32 numbers", "call(0x40000000 | <SYS_getpid>);"),
    rare(
        "kernel.handle",
        "open a file by its handle, past all directories",
        "my $at = \".\\0\"; my $handle = pack('Ll x128', 128, 0); my $mount = pack('l', 0); syscall(<SYS_name_to_handle_at>, -100, $at, $handle, $mount, 0) == 0 or return tried(0); opendir(my $dir, '.'); open(my $f, '<', '.'); call(<SYS_open_by_handle_at>, fileno($f), $handle, 0);",
    ),
    rare("kernel.fanotify", "watch whole file systems (fanotify)", "call(<SYS_fanotify_init>, 0, 0);"),
    rare("kernel.log", "ask for the kernel's log (syslog)", "call(<SYS_syslog>, 10, 0, 0);"),
    rare("kernel.module", "load a kernel module", "reaches(<SYS_finit_module>, -1, 0, 0);"),
    rare(
        "kernel.module-remove",
        "remove a kernel module",
        "my $name = \"<MARK>\\0\"; reaches(<SYS_delete_module>, $name, 0x800);",
    ),
    rare("kernel.next-kernel", "load another kernel (kexec)", "reaches(<SYS_kexec_load>, 0, 0, 0, 0xffff);"),
    rare(
        "kernel.reboot",
        "restart the machine; with a wrong number, so that it does not",
        "reaches(<SYS_reboot>, 0, 0, 0, 0);",
    ),
    rare("kernel.clock", "set the clock; to nothing, so that it stays", "call(<SYS_settimeofday>, 0, 0);"),
    rare(
        "kernel.host-name",
        "set the host's name, to what it is",
        "my (undef, $name) = POSIX::uname(); call(<SYS_sethostname>, $name, length $name);",
    ),
    rare("kernel.swap", "swap to a file of its own", "my $name = \"<MARK>\\0\"; reaches(<SYS_swapon>, $name, 0);"),
    rare(
        "kernel.accounting",
        "have all processes written down in a file of its own",
        "my $name = \"<MARK>\\0\"; reaches(<SYS_acct>, $name);",
    ),
    rare("kernel.quota", "change disk quotas", "my $at = \"/\\0\"; reaches(<SYS_quotactl>, 0x80000800, $at, 0, 0);"),
    rare("kernel.ports", "speak to hardware ports", "call(<SYS_iopl>, 3);"),
    rare(
        "kernel.odd-sockets",
        "open a socket of a family that no tool needs",
        "for my $family (3 .. 9, 11 .. 15, 18 .. 39, 41 .. 45) { for my $type (2, 3, 5, 1) { socket(my $s, $family, $type, 0) and return tried(1) } } tried(0);",
    ),
    rare(
        "kernel.crypto-socket",
        "open a socket to the kernel's cryptography (AF_ALG)",
        "tried(socket(my $s, 38, 5, 0));",
    ),
    rare("kernel.terminal-input", "type into a terminal (TIOCSTI)", TYPES).seen(Effect::Own).expect(Expected::Harmless),
    rare("kernel.terminal-input-high", "type into a terminal, with a request number that has more bits", TYPES_HIGH)
        .seen(Effect::Own)
        .expect(Expected::Harmless),
    probe("kernel.sysrq", "give the kernel a command key", NoHostWrites, "opens(O_WRONLY, '/proc/sysrq-trigger');")
        .if_allowed(),
    probe(
        "kernel.settings",
        "change a setting of the kernel",
        NoHostWrites,
        "opens(O_WRONLY, '/proc/sys/kernel/threads-max', '/proc/sys/vm/swappiness', '/proc/sys/kernel/domainname');",
    )
    .if_allowed(),
    probe("kernel.caches", "drop the kernel's caches", NoHostWrites, "opens(O_WRONLY, '/proc/sys/vm/drop_caches');")
        .if_allowed(),
    probe(
        "kernel.interrupts",
        "move the machine's interrupts",
        NoHostWrites,
        "opens(O_WRONLY, glob '/proc/irq/*/smp_affinity');",
    )
    .if_allowed(),
];

macro_rules! types {
    ($request:literal) => {
        concat!(
            "POSIX::setsid(); sysopen(my $main, '/dev/ptmx', O_RDWR | O_NOCTTY) or return tried(0); my $zero = pack('i', 0); ",
            "ioctl($main, 0x40045431, $zero) or return tried(0); my $n = pack('I', 0); ioctl($main, 0x80045430, $n) or return tried(0); ",
            "sysopen(my $tty, '/dev/pts/' . unpack('I', $n), O_RDWR) or return tried(0); my $x = 'x'; ",
            "call(<SYS_ioctl>, fileno($tty), ", $request, ", $x);"
        )
    };
}
const TYPES: &str = types!("0x5412");
const TYPES_HIGH: &str = types!("0x5412 | (1 << 40)");

pub(super) const PRIVILEGES: &[Probe] = &[
    setuid("kernel.setuid", "make a program setuid", "quiet('<ID>'); tried(chmod(04755, '<ID>'));"),
    setuid("kernel.setgid", "make a program setgid", "quiet('<ID>'); tried(chmod(02755, '<ID>'));"),
    setuid(
        "kernel.setuid-handle",
        "make a program setuid through a descriptor",
        "quiet('<ID>'); open(my $f, '<', '<ID>') or return tried(0); call(<SYS_fchmod>, fileno($f), 04755);",
    ),
    setuid(
        "kernel.setuid-late",
        "make a program setuid with fchmodat2",
        "quiet('<ID>'); my $at = \"<ID>\\0\"; call(452, -100, $at, 04755, 0);",
    )
    .if_allowed(),
    setuid(
        "kernel.setuid-create",
        "create a file that is setuid",
        "umask 0; sysopen(my $f, '<ID>', O_CREAT | O_WRONLY, 04755) or return tried(0); tried(1);",
    ),
    setuid(
        "kernel.setuid-node",
        "make a node that is setuid",
        "umask 0; my $at = \"<ID>\\0\"; call(<SYS_mknodat>, -100, $at, 0104755, 0);",
    ),
    setuid(
        "kernel.setuid-beneath",
        "create a file that is setuid with openat2",
        "umask 0; my $at = \"<ID>\\0\"; my $how = pack('Q3', O_CREAT | O_WRONLY, 04755, 0); call(<SYS_openat2>, -100, $at, $how, 24);",
    ),
    gains(
        "kernel.setuid-planted",
        "run a setuid program that lies in its tree",
        "my $got = system { './<SETUID>' } '<SETUID>'; $! = POSIX::EPERM(); tried($got != -1 && $got >> 8 == 1);",
    ),
    gains(
        "kernel.setuid-system",
        "run a setuid program of the system",
        "my ($found) = grep { -u $_ } map { (\"/usr/bin/$_\", \"/bin/$_\") } qw(newgrp su passwd chsh mount) or return tried(0); pipe(my $in, my $out); my $pid = fork; if (!$pid) { open(STDIN, '<&', $in); close $out; exec { $found } $found; POSIX::_exit(1) } select(undef, undef, undef, 0.2); open(my $f, '<', \"/proc/$pid/status\"); my ($uid) = grep { /^Uid:/ } <$f>; kill 'KILL', $pid; waitpid $pid, 0; $! = POSIX::EPERM(); my @ids = split ' ', $uid; tried(@ids > 2 && $ids[1] != $ids[2]);",
    ),
    gains(
        "kernel.capabilities",
        "hold any capability",
        "open(my $f, '<', '/proc/self/status') or return tried(0); my @all = grep { /^Cap(Prm|Eff|Inh|Amb):\\s*0*[1-9a-f]/ } <$f>; $! = POSIX::EPERM(); tried(scalar @all);",
    ),
    gains(
        "kernel.new-privileges",
        "have programs that may gain privileges",
        "open(my $f, '<', '/proc/self/status') or return tried(0); my @all = grep { /^NoNewPrivs:\\s*0/ } <$f>; $! = POSIX::EPERM(); tried(scalar @all);",
    ),
    gains(
        "kernel.unfiltered",
        "run without a system call filter",
        "open(my $f, '<', '/proc/self/status') or return tried(0); my @all = grep { /^Seccomp:\\s*0/ } <$f>; $! = POSIX::EPERM(); tried(scalar @all);",
    ),
    gains("kernel.become", "become another user", "call(<SYS_setresuid>, 12345, 12345, 12345);"),
    gains("kernel.groups", "join another group", "my $groups = pack('L', 12345); call(<SYS_setgroups>, 1, $groups);"),
    gains(
        "kernel.give-away",
        "give a file of its own to another user",
        "quiet('<ID>'); tried(chown(12345, 12345, '<ID>'));",
    ),
    gains("kernel.read-foreign", "read a file in its tree that is another user's", "get('<FOREIGN>');")
        .seen(Effect::Leaks),
    gains(
        "kernel.file-capability",
        "give a program capabilities",
        "quiet('<ID>'); my ($at, $name) = (\"<ID>\\0\", \"security.capability\\0\"); my $all = pack('L5', 0x02000001, 0xffffffff, 0, 0, 0); call(<SYS_setxattr>, $at, $name, $all, 20, 0);",
    ),
    gains("kernel.priority", "run before all others", "call(<SYS_setpriority>, 0, 0, -20);"),
    gains(
        "kernel.real-time",
        "run in real time",
        "my $how = pack('i', 50); call(<SYS_sched_setscheduler>, 0, 1, $how);",
    ),
];

pub(super) const DEVICES: &[Probe] = &[
    device(
        "kernel.device-node",
        "make a character device",
        "my $at = \"<ID>\\0\"; call(<SYS_mknodat>, -100, $at, 0020666, 0x103);",
    ),
    device(
        "kernel.block-node",
        "make a block device",
        "my $at = \"<ID>\\0\"; call(<SYS_mknodat>, -100, $at, 0060666, 0x700);",
    ),
    device(
        "kernel.disk",
        "read a disk",
        "opens(O_RDONLY, grep { -b } glob('/dev/{vd,sd,xvd,nvme,mmcblk,dm-,loop,zram}*'));",
    ),
    device(
        "kernel.any-device",
        "open any device but the harmless ones",
        "my %known = map { (\"/dev/$_\" => 1) } qw(null zero full random urandom tty ptmx); opens(O_RDONLY | O_NONBLOCK | O_NOCTTY, grep { !$known{$_} && !m{^/dev/(std|pts/|fd)} && (-c $_ || -b $_) && !-l $_ } glob('/dev/* /dev/*/*'));",
    ),
    device("kernel.memory-device", "open the machine's memory", "opens(O_RDONLY, '/dev/mem', '/dev/port');"),
    device("kernel.machines", "make virtual machines", "opens(O_RDWR, '/dev/kvm');"),
    device("kernel.fuse", "open the device of FUSE", "opens(O_RDWR, '/dev/fuse');"),
    device("kernel.tunnel", "open the device of tunnels", "opens(O_RDWR, '/dev/net/tun');"),
    device("kernel.loop-control", "make loop devices", "opens(O_RDWR, '/dev/loop-control');"),
    device("kernel.vsock-device", "open the device of the hypervisor's sockets", "opens(O_RDONLY, '/dev/vsock');"),
    device("kernel.fault-device", "open the device of userfaultfd", "opens(O_RDWR, '/dev/userfaultfd');"),
    device(
        "kernel.console",
        "open the machine's console",
        "opens(O_WRONLY | O_NOCTTY, '/dev/console', '/dev/tty1', '/dev/ttyS0');",
    ),
];
