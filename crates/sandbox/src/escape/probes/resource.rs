//! Using up the machine, and lifting one's own limits.

use crate::Guarantee::{Cpu, Disk, Memory, NoHostWrites, NoPrivilegeGain, Pids};
use crate::escape::probe::{Effect, Expected, Manner, Probe, probe};
use crate::{Guarantee, escape::probe::Proof};

/// Twice of what is allowed, and no more, so that it does no harm where nothing limits it.
const fn bomb(id: &'static str, tries: &'static str, attacks: Guarantee, effect: Effect, code: &'static str) -> Probe {
    probe(id, tries, attacks, code).seen(effect).expect(Expected::Limited).alone(Manner::Plain)
}

pub(super) const PROBES: &[Probe] = &[
    bomb("resource.processes", "start twice as many processes as it may", Pids, Effect::Crowds, "$0 = '<SIGN>'; for my $n (1 .. 2 * <PIDS>) { my $pid = fork; defined $pid or return told(\"stopped after $n: \" . word()); if (!$pid) { sleep 4; POSIX::_exit(0) } } tried(1); sleep 1; kill 'TERM', -$$ if getpgrp == $$;"),
    bomb("resource.process-tree", "start processes that start processes", Pids, Effect::Crowds, "$0 = '<SIGN>'; pipe(my $in, my $out); for my $n (1 .. 7) { my $pid = fork; if (!defined $pid) { syswrite($out, 'x'); last } } close $out; sleep 2; $$ == <FIRST> or POSIX::_exit(0); my $all; sysread($in, $all, 1) ? told('stopped: no more processes') : tried(1);")
        .proof(Proof::Must),
    bomb("resource.memory", "fill twice as much memory as it may", Memory, Effect::Hoards, "$0 = '<SIGN>'; my @all; for (1 .. 2 * <MEMORY> / 8) { push @all, chr(65 + $_ % 26) x (8 << 20) } tried(1); select(undef, undef, undef, 0.5);"),
    bomb("resource.memory-spread", "fill twice as much memory as it may, with eight processes", Memory, Effect::Hoards, "$0 = '<SIGN>'; my @pids; for (1 .. 8) { my $pid = fork; if (!$pid) { my $part = chr(65 + $$ % 26) x (<MEMORY> * 262144); sleep 1; POSIX::_exit(0) } push @pids, $pid } my $whole = grep { waitpid($_, 0); $? == 0 } @pids; told($whole == 8 ? 'ok' : \"stopped after $whole of 8\");"),
    bomb("resource.memory-file", "fill twice as much memory as it may, with files in memory", Memory, Effect::Said, "my ($name, $part, @all) = (\"x\\0\", 'x' x (8 << 20)); for (1 .. 2 * <MEMORY> / 8) { my $fd = syscall(<SYS_memfd_create>, $name, 0); $fd >= 0 or return tried(0); open(my $f, '>&=', $fd); defined syswrite($f, $part) or return tried(0); push @all, $f } tried(1);"),
    bomb("resource.memory-shared", "fill twice as much memory as it may, in /dev/shm", Memory, Effect::Said, "open(my $f, '>', '/dev/shm/<MARK>') or return tried(0); unlink '/dev/shm/<MARK>'; my $part = 'x' x (8 << 20); for (1 .. 2 * <MEMORY> / 8) { defined syswrite($f, $part) or return tried(0) } tried(1);"),
    bomb("resource.disk", "write twice as much to its tree as it may", Disk, Effect::Said, "open(my $f, '>', '<ID>') or return tried(0); my $part = chr(65 + $$ % 26) x (1 << 20); for (1 .. 2 * <DISK>) { defined syswrite($f, $part) or return tried(0) } tried(1); sleep <WAIT>;"),
    bomb("resource.disk-files", "write twice as much to its tree as it may, in many files", Disk, Effect::Said, "mkdir '<ID>'; my $part = chr(65 + $$ % 26) x (256 << 10); for (1 .. 8 * <DISK>) { open(my $f, '>', \"<ID>/$_\") or return tried(0); defined syswrite($f, $part) or return tried(0) } tried(1); sleep <WAIT>;"),
    bomb("resource.tmp", "fill /tmp beyond its size", NoHostWrites, Effect::Said, FILL_TMP),
    bomb("resource.home", "fill its home beyond the size of /tmp", NoHostWrites, Effect::Said, "open(my $f, '>', \"$ENV{HOME}/<MARK>\") or return tried(0); unlink \"$ENV{HOME}/<MARK>\"; my $part = 'x' x (1 << 20); for (1 .. 2 * <TMP>) { defined syswrite($f, $part) or return tried(0) } tried(1);")
        .proof(Proof::Instead(FILL_TMP)),
    probe("resource.cpu", "use more of the processor than it may", Cpu, "my $until = POSIX::floor((POSIX::times())[0]) + 120; fork; 1 while (POSIX::times())[0] < $until; wait; my @used = times; my $all = $used[0] + $used[1] + $used[2] + $used[3]; $$ == <FIRST> or POSIX::_exit(0); told($all > 0.4 ? 'ok' : \"stopped after $all s\");")
        .expect(Expected::Limited)
        .if_allowed()
        .alone(Manner::Slowed),
    probe("resource.raise-limit", "raise its own limit of processes", NoPrivilegeGain, "my $old = pack('QQ', 0, 0); syscall(<SYS_prlimit64>, 0, 6, 0, $old) == 0 or return tried(0); my $new = pack('QQ', -1, -1); call(<SYS_prlimit64>, 0, 6, $new, 0);").if_allowed(),
    probe("resource.raise-files", "raise its own limit of open files", NoPrivilegeGain, "my $new = pack('QQ', 1 << 22, 1 << 22); call(<SYS_prlimit64>, 0, 7, $new, 0);").if_allowed(),
    probe("resource.survive", "have others killed before itself when memory runs out", NoPrivilegeGain, "put('/proc/self/oom_score_adj', '-1000');").if_allowed(),
    probe("resource.group-limit", "raise the limits of its own control group", NoHostWrites, "opens(O_WRONLY, map { glob(\"/sys/fs/cgroup$_\") } '/memory/memory.limit_in_bytes', '/pids/pids.max', '/memory.max', '/pids.max', '/cpu/cpu.cfs_quota_us', '/memory/*/memory.limit_in_bytes', '/*/memory.max');").if_allowed(),
    probe("resource.group-leave", "leave its control group for the first one", NoHostWrites, "opens(O_WRONLY, map { \"/sys/fs/cgroup$_\" } '/cgroup.procs', '/memory/cgroup.procs', '/pids/cgroup.procs', '/unified/cgroup.procs', '/cpu/cgroup.procs', '/freezer/cgroup.procs');").if_allowed(),
    probe("resource.group-make", "make a control group", NoHostWrites, "for my $at ('', '/pids', '/memory', '/unified', '/freezer') { my $dir = \"/sys/fs/cgroup$at/<MARK>\"; if (mkdir $dir) { rmdir $dir; return tried(1) } } tried(0);").if_allowed(),
];

const FILL_TMP: &str = "open(my $f, '>', '/tmp/<MARK>') or return tried(0); unlink '/tmp/<MARK>'; my $part = 'x' x (1 << 20); \
    for (1 .. 2 * <TMP>) { defined syswrite($f, $part) or return tried(0) } tried(1);";
