//! Not ending, and output that does harm.

use crate::Guarantee::{KillComplete, OutputCap, WallTime};
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

const fn stays(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, KillComplete, code).seen(Effect::Survives).expect(Expected::Harmless)
}

const fn hangs(id: &'static str, tries: &'static str, manner: Manner, code: &'static str) -> Probe {
    probe(id, tries, WallTime, code).seen(Effect::Hangs).expect(Expected::Limited).alone(manner)
}

pub(super) const PROBES: &[Probe] = &[
    stays("life.daemon", "leave a daemon behind: own session, two forks, all files closed", "daemon('<SIGN>'); nap(); tried(1);"),
    stays("life.child", "leave a child behind", "my $pid = fork; if (!$pid) { setpgrp; POSIX::close($_) for 0 .. 63; $0 = '<SIGN>'; sleep 600; POSIX::_exit(0) } tried(1);"),
    stays("life.deaf", "leave a process behind that ignores every signal it can", "daemon('<SIGN>', sub { $SIG{$_} = 'IGNORE' for grep { !/^(KILL|STOP|NUM|RT|__|CHLD|CLD)/ } keys %SIG; sleep 600 while 1 }); nap(); tried(1);"),
    stays("life.stopped", "leave a stopped process behind", "daemon('<SIGN>', sub { kill 'STOP', $$; sleep 600 }); nap(); tried(1);"),
    stays("life.nameless", "leave a process behind that has cleared its environment", "daemon('<SIGN>', sub { exec { $^X } '<SIGN>', '-e', '%ENV = (); $0 = \"<SIGN>\"; exec { \"/bin/sh\" } \"<SIGN>\", \"-c\", \"exec sleep 600; #<SIGN>\" if !@ARGV; sleep 600', 'x' }); nap(); tried(1);"),
    stays("life.chain", "leave a process behind that is another one all the time", "daemon('<SIGN>', sub { for (1 .. 600) { my $pid = fork; POSIX::_exit(0) if $pid; select(undef, undef, undef, 0.01) } }); nap(); tried(1);").alone(Manner::Plain),
    stays("life.traced", "leave a process behind that another one traces", "daemon('<SIGN>', sub { my $pid = fork; if (!$pid) { sleep 600 } syscall(<SYS_ptrace>, 16, $pid, 0, 0); sleep 600 }); nap(); tried(1);"),
    stays("life.dropped", "go on when nobody is interested any more", "daemon('<SIGN>'); $0 = '<SIGN>'; nap(); told('ok'); syswrite(STDOUT, \"READY\\n\"); sleep 600;").alone(Manner::Dropped),
    hangs("life.endless", "never end", Manner::Hurried, "$0 = '<SIGN>'; tried(1); sleep 600;"),
    hangs("life.deaf-endless", "never end, and ignore what asks for it", Manner::Hurried, "$0 = '<SIGN>'; $SIG{$_} = 'IGNORE' for qw(TERM INT HUP QUIT); tried(1); sleep 600 while 1;"),
    hangs("life.deaf-tree", "never end, with children that ignore what asks for it", Manner::Hurried, "$0 = '<SIGN>'; $SIG{$_} = 'IGNORE' for qw(TERM INT HUP QUIT); for (1 .. 3) { my $pid = fork; if (!$pid) { POSIX::setsid(); sleep 600 while 1 } } tried(1); sleep 600 while 1;"),
    hangs("life.held-output", "end, while a child holds the output open", Manner::Plain, "my $pid = fork; if (!$pid) { POSIX::setsid(); $0 = '<SIGN>'; sleep 600 while 1 } tried(1); POSIX::_exit(0);").expect(Expected::Harmless),
    hangs("life.reads-input", "read its input to the end", Manner::Plain, "local $/; my $all = <STDIN>; tried(1);").expect(Expected::Harmless),
    hangs("life.flood-endless", "print without an end", Manner::Hurried, "tried(1); my $part = ('y' x 1023 . \"\\n\") x 64; while (1) { syswrite(STDOUT, $part) or last }"),
    probe("life.flood", "print four times as much as is kept", OutputCap, "tried(1); my $part = ('x' x 1023 . \"\\n\") x 64; syswrite(STDOUT, $part) for 1 .. <OUTPUT> * 64; tried(1);")
        .seen(Effect::Floods)
        .expect(Expected::Harmless)
        .alone(Manner::Plain),
    probe("life.flood-line", "print four times as much as is kept, in one line", OutputCap, "tried(1); my $part = 'x' x 65536; syswrite(STDOUT, $part) for 1 .. <OUTPUT> * 64;")
        .seen(Effect::Floods)
        .expect(Expected::Harmless)
        .alone(Manner::Plain),
    probe("life.flood-errors", "print four times as much as is kept, as errors and bytes at a time", OutputCap, "tried(1); my $part = 'x' x 65536; syswrite(STDERR, $part) for 1 .. <OUTPUT> * 64; syswrite(STDERR, 'y') for 1 .. 1000;")
        .seen(Effect::Floods)
        .expect(Expected::Harmless)
        .alone(Manner::Plain),
    probe("life.forged-frames", "print what an engine's protocol takes for the head of a message", OutputCap, "syswrite(STDOUT, pack('C4N', 1, 0, 0, 0, 0xfffffff0) . 'x' . pack('C4N', 2, 0, 0, 0, 5) . \"\\0\\xff\\xfe\\x1b[2J\\r\\n\"); tried(1);")
        .seen(Effect::Mangles)
        .expect(Expected::Harmless)
        .proof(Proof::None("a plain pipe has no messages to forge"))
        .alone(Manner::Plain),
];
