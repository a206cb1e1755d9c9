//! Other processes of the machine.

use crate::Guarantee::ProcessIsolation;
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

const fn at(id: &'static str, tries: &'static str, effect: Effect, code: &'static str) -> Probe {
    probe(id, tries, ProcessIsolation, code).seen(effect)
}

const fn disturbs(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    at(id, tries, Effect::Disturbs, code)
}

pub(super) const PROBES: &[Probe] = &[
    at("process.see", "read the command lines of all processes", Effect::Leaks, "for my $line (glob '/proc/[0-9]*/cmdline') { open(my $f, '<', $line) or next; local $/; my $all = <$f>; print \"$1\\n\" while $all =~ /(secret-[^;]*;)/g } tried(1);").expect(Expected::Harmless),
    at("process.environment", "read the environment of a process of the host", Effect::Leaks, "get('/proc/<PID>/environ');"),
    at("process.memory-file", "read the memory of a process of the host through /proc", Effect::Leaks, "open(my $f, '<', '/proc/<PID>/mem') or return tried(0); sysseek($f, <ENVIRON>, 0); my $all; tried(sysread($f, $all, 4096)); print $all;").if_allowed(),
    at("process.memory-call", "read the memory of a process of the host with process_vm_readv", Effect::Leaks, "my $all = \"\\0\" x 4096; my $to = pack('QQ', address($all), 4096); my $from = pack('QQ', <ENVIRON>, 4096); call(<SYS_process_vm_readv>, <PID>, $to, 1, $from, 1, 0); print $all;").if_allowed(),
    at("process.directory", "reach a file through the working directory of a process of the host", Effect::Leaks, "get('/proc/<PID>/cwd/secret');").if_allowed(),
    at("process.root", "reach a file through the root of a process of the host", Effect::Leaks, "get('/proc/<PID>/root<SECRET>');").if_allowed(),
    at("process.first-root", "reach a file through the root of process 1", Effect::Leaks, "get('/proc/1/root<SECRET>');").if_allowed(),
    at("process.descriptor", "read what a process of the host has open through /proc", Effect::Leaks, "get('/proc/<PID>/fd/0');").if_allowed(),
    at("process.pidfd-getfd", "take a descriptor from a process of the host", Effect::Leaks, "my $pid = syscall(<SYS_pidfd_open>, <PID>, 0); $pid >= 0 or return tried(0); my $fd = syscall(<SYS_pidfd_getfd>, $pid, 0, 0); $fd >= 0 or return tried(0); open(my $f, '<&=', $fd) or return tried(0); print <$f>; tried(1);").if_allowed(),
    at("process.trace", "trace a process of the host", Effect::Said, "call(<SYS_ptrace>, 0x4206, <PID>, 0, 0);").if_allowed(),
    disturbs("process.kill", "kill a process of the host", "tried(kill('KILL', <PID>));"),
    disturbs("process.kill-group", "kill a process group of the host", "tried(kill('KILL', -<PID>));"),
    disturbs("process.kill-pidfd", "kill a process of the host through a descriptor", "my $fd = syscall(<SYS_pidfd_open>, <PID>, 0); $fd >= 0 or return tried(0); call(<SYS_pidfd_send_signal>, $fd, 9, 0, 0);").if_allowed(),
    disturbs("process.queue-signal", "queue a signal for a process of the host", "my $info = pack('l4 x112', 9, 0, -1, 0); call(<SYS_rt_sigqueueinfo>, <PID>, 9, $info);"),
    disturbs("process.stop", "stop a process of the host", "tried(kill('STOP', <PID>));"),
    disturbs("process.renice", "slow a process of the host down", "call(<SYS_setpriority>, 0, <PID>, 19);"),
    disturbs("process.priority-io", "slow the input and output of a process of the host down", "call(<SYS_ioprio_set>, 1, <PID>, 3 << 13);").seen(Effect::Said),
    disturbs("process.affinity", "move a process of the host to one core", "my $mask = pack('Q16', 1); call(<SYS_sched_setaffinity>, <PID>, 128, $mask);").seen(Effect::Said),
    disturbs("process.limits", "change the limits of a process of the host", "my $new = pack('QQ', 3, 3); call(<SYS_prlimit64>, <PID>, 7, $new, 0);").if_allowed(),
    disturbs("process.oom-score", "have a process of the host killed first when memory runs out", "put('/proc/<PID>/oom_score_adj', '999');").if_allowed(),
    at("process.namespaces", "open the namespaces of a process of the host", Effect::Said, "opens(O_RDONLY, '/proc/<PID>/ns/mnt');").if_allowed(),
    at("process.kill-everything", "kill every process (kill -9 -1)", Effect::Disturbs, "spare(<PID>); tried(kill('KILL', -1));")
        .expect(Expected::Harmless)
        .proof(Proof::Instead("tried(kill('KILL', <PID>));"))
        .alone(Manner::Plain),
];
