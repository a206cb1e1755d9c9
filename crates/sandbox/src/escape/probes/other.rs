//! More ways to the same: other processes, descriptors, sockets, files, and what stays.

use crate::Guarantee::{KillComplete, NoHostReads, NoHostWrites, NoNetwork, ProcessIsolation, WallTime};
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

const fn at(id: &'static str, tries: &'static str, effect: Effect, code: &'static str) -> Probe {
    probe(id, tries, ProcessIsolation, code).seen(effect)
}

const fn heard(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoNetwork, code).seen(Effect::Heard).expect(Expected::Harmless)
}

const fn said(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoNetwork, code).if_allowed()
}

const fn hangs(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, WallTime, code).seen(Effect::Hangs).expect(Expected::Limited).alone(Manner::Hurried)
}

const fn stays(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, KillComplete, code).seen(Effect::Survives).expect(Expected::Harmless)
}

pub(super) const PROCESSES: &[Probe] = &[
    at("process.write-memory", "write the memory of a process of the host with process_vm_writev", Effect::Said, "my $new = 'S'; my $from = pack('QQ', address($new), 1); my $to = pack('QQ', <ENVIRON>, 1); call(<SYS_process_vm_writev>, <PID>, $from, 1, $to, 1, 0);").if_allowed(),
    at("process.compare", "learn whether a process of the host has the same files (kcmp)", Effect::Said, "call(<SYS_kcmp>, $$, <PID>, 0, 0, 0);").if_allowed(),
    at("process.kill-thread", "kill a thread of a process of the host", Effect::Disturbs, "call(<SYS_tgkill>, <PID>, <PID>, 9);"),
    at("process.kill-by-input", "have the kernel kill a process of the host when there is input", Effect::Disturbs, "pipe(my $in, my $out); my $pid = <PID>; fcntl($in, 8, $pid) or return tried(0); fcntl($in, 10, 9) or return tried(0); fcntl($in, F_SETFL, 020000 | O_NONBLOCK) or return tried(0); tried(syswrite($out, 'x')); nap();"),
    at("process.robust-list", "learn addresses of a process of the host", Effect::Said, "my ($one, $two) = (pack('Q', 0), pack('Q', 0)); call(<SYS_get_robust_list>, <PID>, $one, $two);").if_allowed(),
    at("process.move-pages", "move the memory of a process of the host", Effect::Said, "call(<SYS_move_pages>, <PID>, 0, 0, 0, 0, 0);").if_allowed(),
    at("process.advise", "have the memory of a process of the host swapped out first", Effect::Said, "my $fd = syscall(<SYS_pidfd_open>, <PID>, 0); $fd >= 0 or return tried(0); my $part = pack('QQ', <ENVIRON> & ~4095, 4096); call(<SYS_process_madvise>, $fd, $part, 1, 20, 0);").if_allowed(),
    at("process.idle", "let a process of the host run only when no other wants to", Effect::Said, "my $how = pack('i', 0); call(<SYS_sched_setscheduler>, <PID>, 5, $how);"),
    at("process.any-environment", "read the environments of all processes", Effect::Leaks, "my $one = <PID>; for my $at (glob '/proc/[0-9]*/environ') { open(my $f, '<', $at) or next; local $/; my $all = <$f>; print \"$1\\n\" while $all =~ /(secret-[^;]*;)/g } tried(1);").expect(Expected::Harmless),
    at("process.any-file", "read the files that any process has open", Effect::Leaks, "my $one = <PID>; for my $at (glob '/proc/[0-9]*/fd/*') { -f $at or next; open(my $f, '<', $at) or next; sysread($f, my $all, 512); print \"$1\\n\" if $all =~ /^(secret-[^;]*;)/ } tried(1);").expect(Expected::Harmless).if_allowed(),
    at("process.any-root", "reach a file through the root of any process", Effect::Leaks, "for my $at (glob '/proc/[0-9]*/root') { open(my $f, '<', $at . '<SECRET>') or next; print <$f> } tried(1);").expect(Expected::Harmless),
    at("process.any-directory", "reach a file through the working directory of any process", Effect::Leaks, "my $one = <PID>; for my $at (glob '/proc/[0-9]*/cwd') { open(my $f, '<', \"$at/secret\") or next; print <$f> } tried(1);").expect(Expected::Harmless).if_allowed(),
];

pub(super) const FILES: &[Probe] = &[
    probe("file.self-root", "read a key through its own root in /proc", NoHostReads, "get('/proc/self/root<SECRET>');").seen(Effect::Leaks),
    probe("file.self-directory", "read a key through its own working directory in /proc", NoHostReads, "get('/proc/self/cwd/../outside/<ID>/secret');").seen(Effect::Leaks),
    probe("file.any-descriptor", "open a file above any directory that the embedding program left open", NoHostReads, "my $one = <DIRFD>; my $name = '../' x 20 . substr('<SECRET>', 1) . \"\\0\"; for (3 .. 255) { my $fd = syscall(<SYS_openat>, $_, $name, 0, 0); $fd >= 0 or next; open(my $f, '<&=', $fd); print <$f>; return tried(1) } tried(0);").seen(Effect::Leaks),
    probe("secret.any-descriptor", "read everything that the embedding program left open", NoHostReads, "my $one = <READFD>; for (3 .. 255) { my $all = \"\\0\" x 256; my $got = syscall(<SYS_pread64>, $_, $all, 256, 0); print substr($all, 0, $got), \"\\n\" if $got > 0 && $all =~ /^secret-/ } tried(1);").seen(Effect::Leaks).expect(Expected::Harmless),
    probe("file.frozen-exchange", "exchange a file of a read-only mount with one of its own", NoHostWrites, r#"quiet('<ID>'); my ($one, $two) = ("<READONLY>/<ID>\0", "<ID>\0"); call(<SYS_renameat2>, -100, $one, -100, $two, 2);"#).seen(Effect::Changes("<READONLY>/<ID>")),
    probe("file.frozen-attribute", "give a file of a read-only mount an attribute", NoHostWrites, r#"my ($at, $name) = ("<READONLY>/<ID>\0", "user.x\0"); call(<SYS_setxattr>, $at, $name, $name, 4, 0);"#).if_allowed(),
    probe("engine.init-file", "overwrite the program that an engine starts first in every container", NoHostWrites, "opens(O_WRONLY | O_APPEND, '/sbin/docker-init', '/usr/bin/docker-init', '/usr/libexec/docker/docker-init', '/dev/init');").if_allowed(),
    probe("engine.name-files", "write the files about names that an engine keeps on the host", NoHostWrites, "opens(O_WRONLY | O_APPEND, '/etc/hosts', '/etc/hostname', '/etc/resolv.conf');").if_allowed(),
];

pub(super) const SOCKETS: &[Probe] = &[
    heard("network.multicast", "send a datagram to all hosts of the network, and so to this one", "socket(my $s, PF_INET, SOCK_DGRAM, 0) or return tried(0); tried(defined send($s, '<ID>;', 0, inet('224.0.0.1', <UDP>)));").if_allowed(),
    heard("network.unix-root", "connect to a unix socket through the root of a process of the host", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/proc/<PID>/root<SOCKET>'), '<ID>;');").if_allowed(),
    heard("network.unix-directory", "connect to a unix socket through a directory that the embedding program left open", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/proc/self/fd/<DIRFD>/../../socket'), '<ID>;');"),
    said("network.ping", "ask the host for an answer (ICMP)", "'<ADDRESS>' ne '127.0.0.1' or skip('this machine has no network'); socket(my $s, PF_INET, SOCK_DGRAM, 1) or return tried(0); tried(defined send($s, pack('C2n3', 8, 0, 0xf7ff, 0, 0), 0, inet('<ADDRESS>', 0)));"),
    said("network.vsock-high", "make a socket to the hypervisor, of a family with more bits", "call(<SYS_socket>, 40 | 1 << 32, 1, 0);"),
    said("network.raw-flags", "open a raw socket, with flags beside its kind", "call(<SYS_socket>, 2, 3 | 02004000, 1);"),
    said("network.packet-old", "open a packet socket by its old kind", "call(<SYS_socket>, 2, 10, 0x300);"),
    said("network.netlink", "speak to any part of the kernel but the one for routes", "for my $part (1 .. 22) { socket(my $s, 16, SOCK_RAW, $part) and return tried(1) } tried(0);"),
];

pub(super) const STAYS: &[Probe] = &[
    hangs("life.stopped-itself", "stop itself, and never end", "$0 = '<SIGN>'; tried(1); kill 'STOP', $$; sleep 600;"),
    hangs("life.output-closed", "close its output, and never end", "$0 = '<SIGN>'; tried(1); POSIX::close($_) for 1 .. 63; sleep 600;"),
    stays("life.starter", "kill whoever has started it, and stay", "apart('pid', '<HOST_PROCESSES>') or skip('that would be a process of the host'); daemon('<SIGN>'); nap(); my $above = getppid; kill 'KILL', 1; kill 'KILL', $above if $above > 1; nap(); tried(1);")
        .proof(Proof::Instead("daemon('<SIGN>'); nap(); tried(1);"))
        .alone(Manner::Plain),
    stays("life.exec-loop", "leave a process behind that runs another program all the time", "my $code = q{my ($code, $n, $sign) = @ARGV; $n < 400 or exit; select(undef, undef, undef, 0.01); exec { $^X } $sign, '-e', $code, $code, $n + 1, $sign}; daemon('<SIGN>', sub { exec { $^X } '<SIGN>', '-e', $code, $code, 0, '<SIGN>' }); nap(); tried(1);"),
    probe("left.semaphores", "leave semaphores for the next command", ProcessIsolation, "tried(defined semget(<KEY>, 1, 0600 | 01000));").expect(Expected::Harmless).then("tried(defined semget(<KEY>, 0, 0));").if_allowed(),
    probe("left.posix-queue", "leave a POSIX message queue for the next command", ProcessIsolation, r#"my ($key, $name) = (<KEY>, "<MARK>\0"); call(<SYS_mq_open>, $name, 0102, 0600, 0);"#).expect(Expected::Harmless).then(r#"my $name = "<MARK>\0"; call(<SYS_mq_open>, $name, 0, 0, 0);"#).if_allowed(),
    probe("left.core", "have its memory written to a file, or given to a program of the host, when it crashes", NoHostWrites, "mkdir '<ID>'; chdir '<ID>'; my $new = pack('QQ', 1 << 30, 1 << 30); syscall(<SYS_prlimit64>, 0, 4, $new, 0); my $pid = fork; if (!$pid) { kill 'ABRT', $$; sleep 1; POSIX::_exit(0) } waitpid $pid, 0; my $dumped = $? & 128; unlink glob '*'; $! = POSIX::EPERM(); tried($dumped);").if_allowed(),
];
