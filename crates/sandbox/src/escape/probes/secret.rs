//! Keys, shared memory, variables.

use crate::Guarantee::{NoHostReads, ProcessIsolation};
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

const fn leaks(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoHostReads, code).seen(Effect::Leaks)
}

pub(super) const PROBES: &[Probe] = &[
    probe("secret.environment", "find variables of the embedding program's environment", NoHostReads, "my %own = map { $_ => 1 } qw(PATH HOME TMPDIR LANG PWD OLDPWD SHLVL _ HOSTNAME TERM TINI_KILL_PROCESS_GROUP LC_ALL USER LOGNAME SHELL); my @all = grep { !$own{$_} && !/^HEDGEROW_[0-9A-Z_]*$/ } sort keys %ENV; $! = POSIX::ENOENT(); tried(scalar @all);").if_allowed(),
    leaks("secret.shared-memory", "read a shared memory segment of the host", "my $id = shmget(<SHM>, 64, 0) // return tried(0); my $all; shmread($id, $all, 0, 64) or return tried(0); $all =~ s/\\0//g; print $all; tried(1);").if_allowed(),
    leaks("secret.message-queue", "take a message from a queue of the host", "my $id = msgget(<SHM>, 0) // return tried(0); my $all; msgrcv($id, $all, 256, 0, 04000) or return tried(0); print $all; tried(1);").if_allowed(),
    leaks("secret.posix-queue", "take a message from a POSIX queue of the host", "my $name = \"<MARK>\\0\"; my $fd = syscall(<SYS_mq_open>, $name, O_RDWR | O_NONBLOCK, 0, 0); $fd >= 0 or return tried(0); my $all = \"\\0\" x 8192; my $got = syscall(<SYS_mq_timedreceive>, $fd, $all, 8192, 0, 0); print $all; tried($got > 0);").if_allowed(),
    leaks("secret.user-key", "read a key in the user's keyring", KEY_OF_USER).if_allowed(),
    leaks("secret.session-key", "read a key in the session's keyring", KEY_OF_SESSION).if_allowed(),
    probe("secret.key-list", "list the keys of the kernel", NoHostReads, "open(my $f, '<', '/proc/keys') or return tried(0); my @all = <$f>; $! = POSIX::ENOENT(); tried(scalar @all);").if_allowed(),
    probe("secret.first-environment", "read the environment of process 1", ProcessIsolation, "get('/proc/1/environ');")
        .seen(Effect::Reads("/proc/1/environ"))
        .expect(Expected::Harmless)
        .if_allowed(),
    probe("secret.kernel-memory", "read the kernel's memory", NoHostReads, "open(my $f, '<', '/proc/kcore') or return tried(0); my $all; $! = POSIX::ENODATA(); tried(sysread($f, $all, 64));").if_allowed(),
    probe("secret.kernel-log", "read the kernel's log from /dev/kmsg", NoHostReads, "opens(O_RDONLY, '/dev/kmsg');").if_allowed(),
    probe("secret.kernel-log-file", "read the kernel's log from /proc/kmsg", NoHostReads, "sysopen(my $f, '/proc/kmsg', O_RDONLY | O_NONBLOCK) or return tried(0); $! = POSIX::ENOENT(); tried(!-c $f);").if_allowed(),
    probe("secret.command-line", "wait for somebody to show what it was given as a variable in a command line", NoHostReads, "tried(1); sleep 1;")
        .seen(Effect::Shows)
        .expect(Expected::Harmless)
        .proof(Proof::Instead("my $pid = fork; if (!$pid) { open(my $f, '<', '<SECRET>'); $0 = \"<SIGN> \" . <$f>; sleep 1; POSIX::_exit(0) } waitpid $pid, 0; tried(1);"))
        .alone(Manner::Told),
];

const KEY_OF_USER: &str = "my ($type, $name, $all) = (\"user\\0\", \"<MARK>\\0\", \"\\0\" x 256); my $key = syscall(<SYS_keyctl>, 10, -4, $type, $name, 0); \
    $key != -1 or return tried(0); my $got = syscall(<SYS_keyctl>, 11, $key, $all, 256); tried($got > 0); print $all;";
const KEY_OF_SESSION: &str = "my ($type, $name, $all) = (\"user\\0\", \"<MARK>\\0\", \"\\0\" x 256); my $key = syscall(<SYS_keyctl>, 10, -3, $type, $name, 0); \
    $key != -1 or return tried(0); my $got = syscall(<SYS_keyctl>, 11, $key, $all, 256); tried($got > 0); print $all;";
